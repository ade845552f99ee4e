//! Where a frame can overtake: the boundaries of frames in a queue of which a part was sent.

use super::{Flags, HEADER_LEN_BYTES, Header, Kind, needed};
use crate::opening::OPENING;

/// How many octets at the front of a queue of frames belong to one that is begun, which nothing may tear.
///
/// A queue is what is left to be sent; its front is told of every part that went, however it was cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Front {
    begun: usize,
}

impl Front {
    /// Returns the front of a client's queue that begins with the opening octets, which are no frame.
    pub fn opening() -> Self {
        Front { begun: OPENING.len() }
    }

    /// Notes that the first `len` octets of `queue` are sent, before they are taken off it.
    #[inline]
    pub fn sent(&mut self, queue: &[u8], len: usize) {
        if len >= queue.len() {
            self.begun = 0;
        } else if len > 0 {
            let boundary = boundaries(queue, self.begun).find(|at| *at >= len).unwrap_or(queue.len());
            self.begun = boundary - len;
        }
    }

    /// Counts the octets of urgent frames that wait in `queue` and are not begun.
    pub fn urgent_bytes(self, queue: &[u8]) -> usize {
        let frames = boundaries(queue, self.begun).map(|at| &queue[at..]);
        frames.filter(|rest| header(rest).is_some_and(is_urgent)).filter_map(needed).sum()
    }

    /// Puts an urgent frame into `queue`: before all that is not begun, except earlier urgent ones, the WELCOME, and the
    /// REPLY that grants the subscription whose event it is.
    pub fn insert(self, queue: &mut Vec<u8>, frame: &[u8]) {
        let id = header(frame).map_or(0, |header| header.id);
        let mut place = self.begun.min(queue.len());
        for at in boundaries(queue, self.begun) {
            let rest = &queue[at..];
            if header(rest).is_some_and(|waiting| is_before(waiting, id)) {
                place = at + needed(rest).unwrap_or(rest.len()).min(rest.len());
            }
        }
        queue.splice(place..place, frame.iter().copied());
    }
}

/// Says whether `frame` is urgent and goes before `waiting`, which is another one, or something that is no frame.
pub(crate) fn overtakes(frame: &[u8], waiting: &[u8]) -> bool {
    let urgent = header(frame).filter(|frame| is_urgent(*frame));
    urgent.zip(header(waiting)).is_some_and(|(frame, waiting)| !is_before(waiting, frame.id))
}

/// Says whether `waiting` stays before an urgent frame of this id.
fn is_before(waiting: Header, id: u32) -> bool {
    is_urgent(waiting) || waiting.kind == Kind::Welcome || (waiting.kind == Kind::Reply && waiting.id == id)
}

/// Goes through the boundaries of a queue whose first is at `begun`; the last is its end.
fn boundaries(queue: &[u8], begun: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(begun.min(queue.len())), |at| {
        let rest = &queue[*at..];
        // What is no whole frame is nothing of ours, and ends the way.
        (!rest.is_empty()).then(|| needed(rest).map_or(queue.len(), |len| at.saturating_add(len).min(queue.len())))
    })
}

fn header(octets: &[u8]) -> Option<Header> {
    Header::decode(octets.first_chunk::<HEADER_LEN_BYTES>()?).ok()
}

fn is_urgent(header: Header) -> bool {
    header.flags.contains(Flags::URGENT)
}

#[cfg(test)]
mod tests {
    use super::super::{header, put, take_within};
    use super::*;

    fn frame(kind: Kind, flags: Flags, id: u32, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, Header { flags, ..header(kind, id) }, &[payload], 99).unwrap();
        out
    }

    fn message(payload: &[u8]) -> Vec<u8> {
        frame(Kind::Message, Flags::NONE, 0, payload)
    }

    fn urgent(payload: &[u8]) -> Vec<u8> {
        frame(Kind::Message, Flags::URGENT, 0, payload)
    }

    fn event(flags: Flags, id: u32, payload: &[u8]) -> Vec<u8> {
        frame(Kind::Event, flags, id, &[&[0; 12], payload].concat())
    }

    /// Returns the last octets of every frame.
    fn shown(mut octets: &[u8]) -> String {
        let mut shown = String::new();
        while let Some(frame) = take_within(&mut octets, 99).unwrap() {
            shown.push(frame.payload.last().map_or('-', |octet| char::from(*octet)));
        }
        assert_eq!(octets, b"", "half a frame");
        shown
    }

    const QUEUED: [&[u8]; 4] = [b"a", b"", b"a longer c", b"d"];

    #[test]
    fn whatever_was_sent_the_urgent_go_to_the_first_boundary_that_is_not_begun() {
        let frames: Vec<Vec<u8>> = QUEUED.iter().map(|payload| message(payload)).collect();
        let all = frames.concat();
        for sent in 0..=all.len() {
            let (mut queue, mut front) = (all.clone(), Front::default());
            front.sent(&queue, sent);
            queue.drain(..sent);
            front.insert(&mut queue, &urgent(b"1"));
            assert_eq!(front.urgent_bytes(&queue), 13, "after {sent} octets");
            front.insert(&mut queue, &urgent(b"2"));
            let mut expected = String::new();
            let mut begins = 0;
            for (frame, name) in frames.iter().zip(["a", "-", "c", "d"]) {
                expected += if begins >= sent && !expected.contains('1') { "12" } else { "" };
                expected += name;
                begins += frame.len();
            }
            expected += if expected.contains('1') { "" } else { "12" };
            assert_eq!(shown(&[&all[..sent], &queue].concat()), expected, "after {sent} octets");
        }
    }

    #[test]
    fn in_however_many_parts_it_was_sent_no_frame_is_torn() {
        let all: Vec<u8> = QUEUED.iter().flat_map(|payload| message(payload)).collect();
        for part in 1..=all.len() {
            let (mut queue, mut front) = (all.clone(), Front::default());
            let (mut wire, mut count) = (Vec::new(), 0);
            while !queue.is_empty() {
                if count < 3 {
                    count += 1;
                    front.insert(&mut queue, &urgent(&[b'0' + count]));
                }
                let len = part.min(queue.len());
                front.sent(&queue, len);
                wire.extend(queue.drain(..len));
            }
            let shown = shown(&wire);
            let of = |is: fn(&char) -> bool| shown.chars().filter(is).collect::<String>();
            assert_eq!(of(|name| !name.is_ascii_digit()), "a-cd", "{part} octets at a time");
            assert!("123".starts_with(&of(char::is_ascii_digit)), "{shown}");
        }
    }

    #[test]
    fn an_event_overtakes_neither_the_welcome_nor_the_reply_that_granted_it() {
        let welcome = frame(Kind::Welcome, Flags::NONE, 0, b"w");
        let reply = |id: u32, name: &[u8]| frame(Kind::Reply, Flags::NONE, id, name);
        let mut queue = [welcome, message(b"a"), reply(7, b"g"), message(b"b"), reply(8, b"h")].concat();
        Front::default().insert(&mut queue, &event(Flags::URGENT, 9, b"1"));
        assert_eq!(shown(&queue), "w1agbh");
        Front::default().insert(&mut queue, &event(Flags::URGENT, 7, b"2"));
        Front::default().insert(&mut queue, &event(Flags::URGENT, 9, b"3"));
        assert_eq!(shown(&queue), "w1ag23bh", "and the urgent keep their order");
        Front::default().insert(&mut queue, &event(Flags::URGENT, 8, b"4"));
        assert_eq!(shown(&queue), "w1ag23bh4");
        assert_eq!(Front::default().urgent_bytes(&queue), 4 * 25);
    }

    #[test]
    fn the_opening_octets_are_not_overtaken() {
        let hello = frame(Kind::Hello, Flags::NONE, 0, b"h");
        let all = [&OPENING[..], &hello, &message(b"a")].concat();
        for sent in 0..all.len() {
            let (mut queue, mut front) = (all.clone(), Front::opening());
            front.sent(&queue, sent);
            queue.drain(..sent);
            front.insert(&mut queue, &urgent(b"1"));
            let wire = [&all[..sent], &queue].concat();
            let expected = match sent {
                0..=8 => "1ha",
                9..=21 => "h1a",
                _ => "ha1",
            };
            assert_eq!(shown(wire.strip_prefix(&OPENING).unwrap()), expected, "after {sent} octets");
        }
    }

    #[test]
    fn an_empty_queue_takes_it_as_it_is() {
        let (mut queue, mut front) = (message(b"a"), Front::default());
        front.sent(&queue, 5);
        front.sent(&queue[5..], 8);
        queue.clear();
        front.insert(&mut queue, &urgent(b"1"));
        assert_eq!((shown(&queue).as_str(), front), ("1", Front::default()));
    }
}
