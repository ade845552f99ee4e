//! Sessions over datagrams that have ended, as long as something of them may still be on its way.

use crate::Address;
use soquete_proto::channel::HEAD_LEN_BYTES;
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

/// How long one is remembered. Default 60 s: longer than a datagram is on its way.
const KEPT: Duration = Duration::from_secs(60);

/// How many are remembered; beyond it the oldest is forgotten. Default 1,024, some 256 KiB.
const PAST_MAX: usize = 1_024;

/// Who opened a session: its address, and the number it goes by.
pub(super) type Opening = (Address, u64);

/// What is said again to who has not heard it.
pub(super) type Word = [u8; HEAD_LEN_BYTES];

/// What is remembered of sessions that have ended.
#[derive(Default)]
pub(super) struct Past {
    /// When it ended, the number it had here, and who opened it; the oldest first.
    ended: VecDeque<(Duration, u64, Opening)>,
    /// An opening that comes late must not open it again.
    openings: HashSet<Opening>,
    /// What ended in peace and is asked for again was acknowledged in vain.
    words: HashMap<u64, (Address, Word)>,
}

impl Past {
    /// Remembers a session; `word` is its last, where it ended in peace.
    pub(super) fn note(&mut self, now: Duration, number: u64, opening: Opening, word: Option<Word>) {
        self.forget(now, PAST_MAX - 1);
        if let Some(word) = word {
            self.words.insert(number, (opening.0.clone(), word));
        }
        self.openings.insert(opening.clone());
        self.ended.push_back((now, number, opening));
    }

    /// Says whether that opening came before.
    pub(super) fn has(&mut self, now: Duration, opening: &Opening) -> bool {
        self.forget(now, PAST_MAX);
        self.openings.contains(opening)
    }

    /// Returns the last word of the session `number`, for its client alone.
    pub(super) fn word(&self, number: u64, from: &Address) -> Option<&Word> {
        self.words.get(&number).filter(|(client, _)| client == from).map(|(_, word)| word)
    }

    fn forget(&mut self, now: Duration, left_max: usize) {
        while let Some((at, ..)) = self.ended.front()
            && (now.saturating_sub(*at) >= KEPT || self.ended.len() > left_max)
            && let Some((_, number, opening)) = self.ended.pop_front()
        {
            self.words.remove(&number);
            self.openings.remove(&opening);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn opening(number: u64) -> Opening {
        (SocketAddr::from(([127, 0, 0, 1], 5_555)).into(), number)
    }

    #[test]
    fn an_opening_is_remembered_for_its_time() {
        let mut past = Past::default();
        past.note(Duration::ZERO, 7, opening(1), None);
        assert!(past.has(KEPT - Duration::from_nanos(1), &opening(1)));
        assert!(!past.has(Duration::ZERO, &opening(2)));
        assert!(!past.has(KEPT, &opening(1)));
    }

    #[test]
    fn where_there_are_too_many_the_oldest_is_forgotten() {
        let mut past = Past::default();
        for number in 0..=PAST_MAX as u64 {
            past.note(Duration::ZERO, number, opening(number), Some([0; HEAD_LEN_BYTES]));
        }
        assert!(!past.has(Duration::ZERO, &opening(0)) && past.has(Duration::ZERO, &opening(1)));
        assert_eq!((past.ended.len(), past.openings.len(), past.words.len()), (PAST_MAX, PAST_MAX, PAST_MAX));
    }

    #[test]
    fn the_last_word_is_for_its_client_alone() {
        let mut past = Past::default();
        past.note(Duration::ZERO, 7, opening(1), Some([1; HEAD_LEN_BYTES]));
        let other = SocketAddr::from(([127, 0, 0, 1], 5_556)).into();
        assert_eq!(past.word(7, &opening(1).0), Some(&[1; HEAD_LEN_BYTES]));
        assert_eq!((past.word(7, &other), past.word(8, &opening(1).0)), (None, None));
    }
}
