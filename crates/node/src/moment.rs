//! From the clock of the loop to that of people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Says when an instant of the loop's clock was, in microseconds since the Unix epoch.
pub(crate) fn unix_us(at: Duration) -> u64 {
    let ago = soquete::Clock::now().saturating_sub(at);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.saturating_sub(ago).as_micros()).unwrap_or(u64::MAX)
}
