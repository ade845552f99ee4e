//! Random octets from the kernel.

use crate::system;

/// Returns 128 bits that nobody else knows.
pub(crate) fn random_u128() -> u128 {
    let mut octets = [0; 16];
    system::fill_random(&mut octets);
    u128::from_le_bytes(octets)
}

/// Returns 64 bits that nobody else knows.
#[allow(clippy::cast_possible_truncation)] // Any bits will do.
pub(crate) fn random_u64() -> u64 {
    random_u128() as u64
}
