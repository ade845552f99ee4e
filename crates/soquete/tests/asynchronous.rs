//! The asynchronous client.
