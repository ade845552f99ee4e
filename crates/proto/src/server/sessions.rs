//! What a server remembers of the sessions that may outlive their connections.

use crate::handshake::{Resumption, SessionKey};
use crate::id::is_before;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Bounds of the memory; see [`crate::server::Options`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) sessions_max: usize,
    pub(super) answers_max: usize,
    pub(super) answers_max_bytes: usize,
    pub(super) memory_max_bytes: usize,
    pub(super) kept: Duration,
}

/// What the memory says about a request that must not take effect twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Admission<'a> {
    /// It is new: act.
    Act,
    /// It is being acted on; the answer will come.
    Pending,
    /// It was answered with this frame.
    Answered(&'a [u8]),
    /// The client has said that it has the answer.
    Forgotten,
    /// No room to remember one more.
    Full,
    /// There was no room for the session.
    NoSession,
}

/// The link that a session goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// What the caller calls it.
    pub(super) key: u64,
    /// Which one of that name it is.
    pub(super) serial: u64,
}

#[derive(Debug)]
enum Memory {
    Pending,
    Answered(Box<[u8]>),
}

#[derive(Debug)]
struct Session {
    token: u128,
    link: Option<Holder>,
    /// When it lost its link.
    left_at: Duration,
    /// Invariant: every id is at or after `lowest`, and `octets` is the sum of the answers' lengths.
    answers: BTreeMap<u32, Memory>,
    octets: usize,
    /// Below which the client has every answer, once it has said so.
    lowest: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Sessions {
    limits: Limits,
    sessions: HashMap<u64, Session>,
    last: u64,
    /// Invariant: the sum of the sessions' `octets`.
    octets: usize,
    /// How often a session went over to another link while the former was there.
    takeovers: u64,
}

impl Sessions {
    pub(super) fn new(limits: Limits) -> Self {
        Sessions { limits, sessions: HashMap::new(), last: 0, octets: 0, takeovers: 0 }
    }

    /// Resumes the session that `key` names, or begins a new one with `token`; zeros where there is no room.
    pub(super) fn open(&mut self, key: SessionKey, token: u128, link: Holder) -> (Resumption, SessionKey) {
        if let Some(session) = self.sessions.get_mut(&key.session)
            && session.has_token(key.token)
        {
            self.takeovers += u64::from(session.link.replace(link).is_some());
            return (Resumption::Resumed, key);
        }
        let resumption = if key == SessionKey::default() { Resumption::New } else { Resumption::UnknownSession };
        if self.sessions.len() >= self.limits.sessions_max && !self.drop_oldest_left() {
            return (resumption, SessionKey::default());
        }
        self.last += 1;
        self.sessions.insert(self.last, Session::new(token, link));
        (resumption, SessionKey { session: self.last, token })
    }

    fn drop_oldest_left(&mut self) -> bool {
        let left = self.sessions.iter().filter(|(_, session)| session.link.is_none());
        let oldest = left.min_by_key(|(_, session)| session.left_at).map(|(number, _)| *number);
        oldest.is_some_and(|number| self.remove(number))
    }

    fn remove(&mut self, number: u64) -> bool {
        let removed = self.sessions.remove(&number);
        self.octets -= removed.as_ref().map_or(0, |session| session.octets);
        removed.is_some()
    }

    /// Counts the sessions taken over: while that stays the same, no link has lost its session.
    pub(super) fn takeovers(&self) -> u64 {
        self.takeovers
    }

    /// Says whether `session` goes over the link with that serial number at present.
    pub(super) fn is_held(&self, session: u64, serial: u64) -> bool {
        self.link(session).is_some_and(|link| link.serial == serial)
    }

    /// Notes that a link is gone.
    pub(super) fn left(&mut self, session: u64, serial: u64, now: Duration) {
        if let Some(session) = self.sessions.get_mut(&session)
            && session.link.is_some_and(|link| link.serial == serial)
        {
            session.link = None;
            session.left_at = now;
        }
    }

    /// Forgets a session whose client has said goodbye over the link it goes over.
    pub(super) fn end(&mut self, session: u64, serial: u64) {
        if self.is_held(session, serial) {
            self.remove(session);
        }
    }

    /// Forgets a session that nothing is remembered of.
    pub(super) fn end_unused(&mut self, session: u64, serial: u64) {
        if self.sessions.get(&session).is_some_and(|session| session.lowest.is_none() && session.answers.is_empty()) {
            self.end(session, serial);
        }
    }

    /// Forgets the sessions that have been without a link for longer than they are kept.
    pub(super) fn sweep(&mut self, now: Duration) {
        let kept = self.limits.kept;
        let is_over = |session: &Session| session.link.is_none() && now >= session.left_at.saturating_add(kept);
        let over: Vec<u64> = self.sessions.iter().filter(|(_, s)| is_over(s)).map(|(number, _)| *number).collect();
        for number in over {
            self.remove(number);
        }
    }

    /// Returns the link that `session` goes over at present.
    pub(super) fn link(&self, session: u64) -> Option<Holder> {
        self.sessions.get(&session)?.link
    }

    /// Decides about request `id`, and forgets what lies below `lowest`.
    pub(super) fn admit(&mut self, number: u64, id: u32, lowest: u32) -> Admission<'_> {
        let Some(session) = self.sessions.get_mut(&number) else {
            return Admission::NoSession;
        };
        self.octets -= session.forget_below(lowest);
        if session.lowest.is_some_and(|lowest| is_before(id, lowest)) {
            return Admission::Forgotten;
        }
        if !session.answers.contains_key(&id) {
            return self.admit_new(number, id);
        }
        match &self.sessions[&number].answers[&id] {
            Memory::Pending => Admission::Pending,
            Memory::Answered(frame) => Admission::Answered(frame),
        }
    }

    fn admit_new(&mut self, number: u64, id: u32) -> Admission<'_> {
        while self.octets >= self.limits.memory_max_bytes {
            if !self.drop_oldest_left() {
                return Admission::Full;
            }
        }
        let limits = self.limits;
        match self.sessions.get_mut(&number) {
            Some(session)
                if session.answers.len() < limits.answers_max && session.octets < limits.answers_max_bytes =>
            {
                session.answers.insert(id, Memory::Pending);
                Admission::Act
            }
            _ => Admission::Full,
        }
    }

    /// Says whether an answer of `len_bytes` to a request of `session` can be remembered.
    pub(super) fn has_room(&self, session: u64, len_bytes: usize) -> bool {
        let octets = self.sessions.get(&session).map_or(0, |session| session.octets);
        octets + len_bytes <= self.limits.answers_max_bytes && self.octets + len_bytes <= self.limits.memory_max_bytes
    }

    /// Remembers the frame that answers request `id`, the first time.
    pub(super) fn answered(&mut self, session: u64, id: u32, frame: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&session)
            && let Some(memory @ Memory::Pending) = session.answers.get_mut(&id)
        {
            session.octets += frame.len();
            self.octets += frame.len();
            *memory = Memory::Answered(frame.into());
        }
    }

    /// Forgets request `id`, which was not acted on.
    pub(super) fn forget(&mut self, session: u64, id: u32) {
        if let Some(session) = self.sessions.get_mut(&session)
            && let Some(Memory::Pending) = session.answers.get(&id)
        {
            session.answers.remove(&id);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }
}

impl Session {
    fn new(token: u128, link: Holder) -> Self {
        Session { token, link: Some(link), left_at: Duration::ZERO, answers: BTreeMap::new(), octets: 0, lowest: None }
    }

    /// Compares in a time that does not depend on how much is right.
    fn has_token(&self, token: u128) -> bool {
        std::hint::black_box(self.token ^ token) == 0
    }

    /// Forgets what the client has the answer to; returns how many octets that were.
    fn forget_below(&mut self, lowest: u32) -> usize {
        if self.lowest.is_some_and(|before| !is_before(before, lowest)) {
            return 0;
        }
        self.lowest = Some(lowest);
        let octets = self.octets;
        let left = &mut self.octets;
        self.answers.retain(|id, memory| {
            let keep = !is_before(*id, lowest);
            if let (false, Memory::Answered(frame)) = (keep, memory) {
                *left -= frame.len();
            }
            keep
        });
        octets - self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        sessions_max: 2,
        answers_max: 2,
        answers_max_bytes: 100,
        memory_max_bytes: 150,
        kept: Duration::from_secs(60),
    };
    const NONE: SessionKey = SessionKey { session: 0, token: 0 };

    fn link(serial: u64) -> Holder {
        Holder { key: 0, serial }
    }

    #[test]
    fn an_answer_is_remembered_until_the_client_has_it() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 7, link(1));
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Act);
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Pending);
        sessions.answered(key.session, 1, b"done");
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Answered(b"done"));
        assert_eq!(sessions.admit(key.session, 2, 2), Admission::Act);
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Forgotten);
    }

    #[test]
    fn a_full_memory_admits_nothing_rather_than_forget() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 7, link(1));
        for id in 1..=2 {
            assert_eq!(sessions.admit(key.session, id, 1), Admission::Act);
            sessions.answered(key.session, id, &[0; 50]);
        }
        assert_eq!(sessions.admit(key.session, 3, 1), Admission::Full);
        assert_eq!(sessions.admit(key.session, 3, 2), Admission::Act);
    }

    #[test]
    fn a_wrong_token_resumes_nothing() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 7, link(1));
        let (resumption, other) = sessions.open(SessionKey { token: 8, ..key }, 9, link(2));
        assert_eq!(resumption, Resumption::UnknownSession);
        assert_ne!(other.session, key.session);
        assert_eq!(sessions.open(key, 0, link(3)), (Resumption::Resumed, key));
        assert_eq!(sessions.link(key.session), Some(link(3)));
    }

    #[test]
    fn a_session_without_link_goes_after_its_time_and_the_oldest_first_when_room_is_short() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, first) = sessions.open(NONE, 1, link(1));
        let (_, second) = sessions.open(NONE, 2, link(2));
        assert_eq!(sessions.open(NONE, 3, link(3)), (Resumption::New, NONE), "both are in use");
        sessions.left(second.session, 2, Duration::from_secs(1));
        sessions.left(first.session, 1, Duration::from_secs(2));
        sessions.open(NONE, 3, link(3));
        assert_eq!(sessions.open(first, 0, link(4)).0, Resumption::Resumed);
        sessions.left(first.session, 4, Duration::from_secs(10));
        sessions.sweep(Duration::from_secs(69));
        assert_eq!(sessions.len(), 2);
        sessions.sweep(Duration::from_secs(70));
        assert_eq!(sessions.len(), 1);
    }

    #[test]
    fn a_link_that_was_replaced_takes_nothing_with_it() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 1, link(1));
        sessions.open(key, 0, link(2));
        sessions.left(key.session, 1, Duration::ZERO);
        assert_eq!(sessions.link(key.session), Some(link(2)));
    }

    #[test]
    fn a_new_session_of_a_client_with_high_ids_begins_with_them() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 7, link(1));
        assert_eq!(sessions.admit(key.session, 0x9000_0000, 0x9000_0000), Admission::Act);
        assert_eq!(sessions.admit(key.session, 0x8FFF_FFFF, 0x9000_0000), Admission::Forgotten);
    }

    #[test]
    fn an_answer_given_twice_is_remembered_once() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 7, link(1));
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Act);
        sessions.answered(key.session, 1, &[1; 60]);
        sessions.answered(key.session, 1, &[2; 60]);
        assert_eq!(sessions.octets, 60);
        assert_eq!(sessions.admit(key.session, 2, 1), Admission::Act);
        assert_eq!(sessions.admit(key.session, 1, 1), Admission::Answered(&[1; 60]));
    }

    #[test]
    fn the_memory_of_all_is_bounded_and_who_is_away_makes_room() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, first) = sessions.open(NONE, 1, link(1));
        let (_, second) = sessions.open(NONE, 2, link(2));
        for key in [first, second] {
            assert_eq!(sessions.admit(key.session, 1, 1), Admission::Act);
            sessions.answered(key.session, 1, &[0; 75]);
        }
        assert!(!sessions.has_room(first.session, 1));
        assert_eq!(sessions.admit(first.session, 2, 1), Admission::Full);
        sessions.left(second.session, 2, Duration::ZERO);
        assert_eq!(sessions.admit(first.session, 2, 1), Admission::Act);
        assert_eq!((sessions.len(), sessions.octets), (1, 75));
        assert!(sessions.has_room(first.session, 25) && !sessions.has_room(first.session, 26));
    }

    #[test]
    fn a_goodbye_ends_the_session_unless_it_goes_on_elsewhere() {
        let mut sessions = Sessions::new(LIMITS);
        let (_, key) = sessions.open(NONE, 1, link(1));
        sessions.open(key, 0, link(2));
        sessions.end(key.session, 1);
        assert_eq!(sessions.len(), 1);
        sessions.end(key.session, 2);
        assert_eq!(sessions.len(), 0);
    }
}
