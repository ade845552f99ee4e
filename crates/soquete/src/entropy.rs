//! Random octets from the kernel.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Returns 128 bits that nobody else knows.
pub(crate) fn random_u128() -> u128 {
    let mut octets = [0; 16];
    let mut filled = 0;
    while filled < octets.len() {
        // It fails only where the kernel has no such call (before 3.17) or a signal came in between.
        match getrandom(&mut octets[filled..], GetRandomFlags::empty()) {
            Ok(len) => filled += len,
            Err(Errno::INTR) => {}
            Err(errno) => panic!("the kernel gives no random octets: {errno}"),
        }
    }
    u128::from_le_bytes(octets)
}

/// Returns 64 bits that nobody else knows.
#[allow(clippy::cast_possible_truncation)] // Any bits will do.
pub(crate) fn random_u64() -> u64 {
    random_u128() as u64
}
