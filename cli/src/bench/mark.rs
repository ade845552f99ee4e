//! What marks the end of one-way messages over datagrams, which have none.

use std::thread;
use std::time::Duration;

/// The message of one octet that marks the end.
const END: &[u8] = b".";

/// How often it is said at the most, since it may be lost, and how far apart. Together half a second.
const SAID_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);

/// How long a sink waits for more before it takes the end for lost.
pub(super) const SILENCE: Duration = Duration::from_secs(2);

/// The shortest message that is not taken for the end, in octets.
pub(super) const SIZE_MIN_BYTES: usize = END.len() + 1;

/// Says whether a message marks the end.
pub(super) fn is_end(message: &[u8]) -> bool {
    message.len() < SIZE_MIN_BYTES
}

/// Marks the end, until a failure tells that the sink has heard it and is gone.
pub(super) fn end<E>(mut send: impl FnMut(&[u8]) -> Result<(), E>) {
    for _ in 0..SAID_MAX {
        if send(END).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}
