//! One suite over every kind of endpoint, and what goes wrong with each.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

mod conformance;
mod errors;
mod paths;
mod place;
