//! Octets that are read as a value, and how deep that may go.

use postcard::de_flavors::Flavor;
use postcard::{Deserializer, Error, Result};
use serde::Deserialize;

/// Stack that reading a value may take: 256 KiB, an eighth of what a thread has by default. A type that contains itself,
/// in a box, would otherwise be read as deep as a peer nests it, three octets a level.
const STACK_MAX_BYTES: usize = 256 << 10;

/// What is left to be read.
pub(super) struct Octets<'de> {
    rest: &'de [u8],
    /// Where on the stack the reading began.
    began_at: usize,
}

/// Reads a value off the front; returns it with what is left.
pub(super) fn take<'de, T: Deserialize<'de>>(payload: &'de [u8]) -> Option<(T, &'de [u8])> {
    let mut deserializer = Deserializer::from_flavor(Octets { rest: payload, began_at: here() });
    let value = T::deserialize(&mut deserializer).ok()?;
    Some((value, deserializer.finalize().ok()?))
}

impl<'de> Flavor<'de> for Octets<'de> {
    type Remainder = &'de [u8];
    type Source = &'de [u8];

    fn pop(&mut self) -> Result<u8> {
        // Every level has an octet of its own: a length, a variant, or whether there is anything.
        if here().abs_diff(self.began_at) > STACK_MAX_BYTES {
            return Err(Error::SerdeDeCustom);
        }
        let (first, rest) = self.rest.split_first().ok_or(Error::DeserializeUnexpectedEnd)?;
        self.rest = rest;
        Ok(*first)
    }

    /// Bounds what is allocated ahead by what is there.
    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }

    fn try_take_n(&mut self, count: usize) -> Result<&'de [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Error::DeserializeUnexpectedEnd)?;
        self.rest = rest;
        Ok(taken)
    }

    fn finalize(self) -> Result<&'de [u8]> {
        Ok(self.rest)
    }
}

/// Returns where on the stack its caller is, about.
#[inline(never)]
fn here() -> usize {
    let place = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&place)).addr()
}
