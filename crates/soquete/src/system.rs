//! What systems have each in their own way: Linux, where all of this library is, and Windows, where a part of it is.
//!
//! What is there on both is the same code; where the two differ within it, it asks this module. What is Linux's alone is behind
//! `cfg(unix)`, by whole modules where it can be. The documentation of the crate says which is which.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use crate::Cause;
#[cfg(unix)]
pub(crate) use unix::*;
#[cfg(windows)]
pub(crate) use windows::*;

/// What is said of an endpoint whose kind this system does not have.
pub(crate) const NOT_HERE: Cause = Cause::Misuse("Unix sockets and `mem:` are not supported on this system");

/// Makes a type a descriptor, or what Windows has in its place: a socket.
macro_rules! descriptor {
    ($type:ty, |$it:ident| $fd:expr) => {
        #[cfg(unix)]
        impl rustix::fd::AsFd for $type {
            fn as_fd(&self) -> rustix::fd::BorrowedFd<'_> {
                let $it = self;
                rustix::fd::AsFd::as_fd($fd)
            }
        }

        #[cfg(windows)]
        impl rustix::fd::AsSocket for $type {
            fn as_socket(&self) -> rustix::fd::BorrowedFd<'_> {
                let $it = self;
                rustix::fd::AsFd::as_fd($fd)
            }
        }
    };
}

/// Makes a type that is a descriptor one that shows its number.
macro_rules! numbered_descriptor {
    ($type:ty) => {
        #[cfg(unix)]
        impl rustix::fd::AsRawFd for $type {
            fn as_raw_fd(&self) -> rustix::fd::RawFd {
                rustix::fd::AsRawFd::as_raw_fd(&rustix::fd::AsFd::as_fd(self))
            }
        }

        #[cfg(windows)]
        impl rustix::fd::AsRawSocket for $type {
            fn as_raw_socket(&self) -> rustix::fd::RawFd {
                rustix::fd::AsRawFd::as_raw_fd(&rustix::fd::AsFd::as_fd(self))
            }
        }
    };
}

pub(crate) use {descriptor, numbered_descriptor};
