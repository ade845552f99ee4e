//! Datagrams of no goodwill: a drop with its reason, or nothing; never a panic, nor memory without bound.

use crate::ends::ms;
use crate::noise::Noise;
use soquete_proto::channel::{
    Announcements, Channel, DATAGRAM_MAX_BYTES, Datagram, Dropped, FRAME_MAX_BYTES, HEAD_LEN_BYTES, Head, MARK,
    NUMBER_LEN_BYTES, Packet, put_announcement, put_reset,
};
use soquete_proto::frame::{self, HEADER_LEN_BYTES, Kind};
use soquete_proto::opening::OPENING;
use std::time::Duration;

const NEAR: u64 = 0x1111_2222_3333_4444;
const FAR: u64 = 0x5555_6666_7777_8888;
const NOW: Duration = Duration::from_secs(100);

/// Both ends, and every datagram that went between them.
struct Talk {
    near: Channel,
    far: Channel,
    near_said: Vec<Vec<u8>>,
    far_said: Vec<Vec<u8>>,
}

fn message(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::put(&mut out, frame::header(Kind::Message, 0), &[payload], FRAME_MAX_BYTES).unwrap();
    out
}

fn transmit(channel: &mut Channel, now: Duration) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    loop {
        let mut datagram = Vec::new();
        if !channel.transmit(now, &mut datagram) {
            return said;
        }
        said.push(datagram);
        assert!(said.len() < 100, "an end to what is said");
    }
}

/// Gives a channel what a shell would.
fn give(channel: &mut Channel, now: Duration, datagram: &[u8]) -> Result<(), Dropped> {
    match Datagram::read(datagram)? {
        Datagram::Of(packet) | Datagram::Opening(packet) => channel.receive(now, &packet),
        Datagram::Announcement { .. } | Datagram::Reset { .. } => Ok(()),
    }
}

fn taken(channel: &mut Channel) -> usize {
    std::iter::from_fn(|| channel.next()).count()
}

impl Talk {
    /// Greets, and says two frames each way.
    fn new() -> Self {
        let mut near = Channel::connect(NOW, NEAR);
        near.put(&mut [&OPENING[..], &message(b"hello")].concat());
        let opening = transmit(&mut near, NOW);
        let Ok(Datagram::Opening(packet)) = Datagram::read(&opening[0]) else { panic!("an opening") };
        let mut far = Channel::accept(NOW, FAR, &packet);
        assert_eq!(taken(&mut far), 1);
        far.put(&mut message(b"welcome"));
        let mut talk = Talk { near, far, near_said: opening, far_said: Vec::new() };
        talk.settle();
        for _ in 0..2 {
            talk.near.put(&mut message(b"ask"));
            talk.far.put(&mut message(b"tell"));
            talk.settle();
        }
        talk
    }

    /// Lets both ends say all they have to say.
    fn settle(&mut self) {
        loop {
            let (back, there) = (transmit(&mut self.far, NOW), transmit(&mut self.near, NOW));
            if back.is_empty() && there.is_empty() {
                return;
            }
            for datagram in &back {
                assert_eq!(give(&mut self.near, NOW, datagram), Ok(()));
            }
            for datagram in &there {
                assert_eq!(give(&mut self.far, NOW, datagram), Ok(()));
            }
            taken(&mut self.near);
            taken(&mut self.far);
            self.far_said.extend(back);
            self.near_said.extend(there);
        }
    }

    /// Every kind of datagram there is.
    fn datagrams(&self) -> Vec<Vec<u8>> {
        let (mut announcement, mut reset) = (Vec::new(), Vec::new());
        put_announcement(&mut announcement, 9, 3, 7, b"to all").unwrap();
        put_reset(&mut reset, FAR);
        [&self.near_said[..], &self.far_said[..], &[announcement, reset]].concat()
    }
}

#[test]
fn a_datagram_cut_anywhere_is_truncated() {
    for datagram in Talk::new().datagrams() {
        assert!(Datagram::read(&datagram).is_ok());
        for cut in 0..datagram.len() {
            let expected = if cut == 0 { Dropped::Strange } else { Dropped::Truncated };
            assert_eq!(Datagram::read(&datagram[..cut]), Err(expected), "{cut} octets of {datagram:02x?}");
        }
        let longer = [&datagram[..], &[0]].concat();
        assert_eq!(Datagram::read(&longer), Err(Dropped::Malformed), "one more than {datagram:02x?}");
    }
}

#[test]
fn a_datagram_of_another_protocol_is_strange() {
    for datagram in Talk::new().datagrams() {
        for at in 0..MARK.len() {
            let mut strange = datagram.clone();
            strange[at] ^= 1;
            assert_eq!(Datagram::read(&strange), Err(Dropped::Strange));
        }
    }
    assert_eq!(Datagram::read(b"LED ON\n"), Err(Dropped::Strange));
}

#[test]
fn what_cannot_be_said_is_malformed() {
    let head = |session, packet, ack| Head { session, packet, ack }.encode().to_vec();
    let number = |number: u64| number.to_le_bytes().to_vec();
    let opening = [&OPENING[..], &message(b"hello")].concat();
    let malformed = [
        ("an opening of number 0", [head(0, 1, 0), number(0), opening.clone()].concat()),
        ("an opening that acknowledges", [head(0, 1, 1), number(9), opening.clone()].concat()),
        ("an opening that is not the first", [head(0, 2, 0), number(9), opening].concat()),
        ("an announcement of something else", {
            let ping = frame::header(Kind::Ping, 1).encode().to_vec();
            [head(0, 1, 0), number(9), ping].concat()
        }),
        ("an announcement that acknowledges", [head(0, 1, 1), number(9), message(b"x")].concat()),
        ("a reset of number 0", [head(0, 0, 0), number(0)].concat()),
        ("a reset that says more", [head(0, 0, 0), number(9), message(b"x")].concat()),
        ("a packet without the first", head(FAR, 2, 0).into_iter().chain(message(b"x")).collect()),
        ("an acknowledgement that says more", head(FAR, 0, 1).into_iter().chain(message(b"x")).collect()),
        ("two frames", [head(FAR, 2, 1), message(b"x"), message(b"x")].concat()),
        ("a first packet of number 0", [head(FAR, 1, 1), number(0), message(b"x")].concat()),
    ];
    for (what, datagram) in malformed {
        assert_eq!(Datagram::read(&datagram), Err(Dropped::Malformed), "{what}");
    }
}

#[test]
fn a_datagram_may_be_as_long_as_udp_carries() {
    assert_eq!(FRAME_MAX_BYTES as usize, DATAGRAM_MAX_BYTES - HEAD_LEN_BYTES);
    let longest = message(&vec![7; FRAME_MAX_BYTES as usize - HEADER_LEN_BYTES]);
    let mut talk = Talk::new();
    talk.near.put(&mut longest.clone());
    let said = transmit(&mut talk.near, NOW);
    assert_eq!(said[0].len(), DATAGRAM_MAX_BYTES);
    assert_eq!(give(&mut talk.far, NOW, &said[0]), Ok(()));
    assert_eq!(talk.far.next().as_deref(), Some(&longest[..]));
    assert_eq!(Datagram::read(&[&said[0][..], &[0]].concat()), Err(Dropped::TooLong));

    let room = DATAGRAM_MAX_BYTES - HEAD_LEN_BYTES - NUMBER_LEN_BYTES - HEADER_LEN_BYTES;
    let mut out = Vec::new();
    assert!(put_announcement(&mut out, 1, 1, 0, &vec![7; room + 1]).is_err());
    assert_eq!(out, b"");
    put_announcement(&mut out, 1, 1, 0, &vec![7; room]).unwrap();
    assert_eq!(out.len(), DATAGRAM_MAX_BYTES);
}

#[test]
fn what_is_replayed_later_changes_nothing() {
    let mut talk = Talk::new();
    let later = NOW + ms(60_000);
    let (near_said, far_said) = (talk.near_said.clone(), talk.far_said.clone());
    for (channel, datagrams) in [(&mut talk.far, near_said), (&mut talk.near, far_said)] {
        for datagram in datagrams {
            let is_alone = matches!(Datagram::read(&datagram), Ok(Datagram::Of(Packet { octets: b"", .. })));
            let expected = if is_alone { Ok(()) } else { Err(Dropped::Duplicate) };
            assert_eq!(give(channel, later, &datagram), expected);
            assert_eq!((taken(channel), channel.waiting_bytes()), (0, 0));
            let said = transmit(channel, later);
            assert!(said.len() <= 1 && said.iter().all(|said| said.len() == HEAD_LEN_BYTES), "{said:02x?}");
        }
        channel.put(&mut message(b"more"));
        assert_eq!(transmit(channel, later).len(), 1, "it goes on as before");
    }
}

#[test]
fn who_does_not_know_the_number_says_nothing() {
    let mut talk = Talk::new();
    for (channel, datagrams) in [(&mut talk.far, &talk.near_said), (&mut talk.near, &talk.far_said)] {
        for datagram in datagrams {
            let mut forged = datagram.clone();
            // The number it is addressed to, or in an opening the one that it tells.
            forged[if datagram[4..12] == [0; 8] { 28 } else { 4 }] ^= 1;
            assert_eq!(give(channel, NOW, &forged), Err(Dropped::Unknown));
        }
        assert_eq!((taken(channel), transmit(channel, NOW)), (0, vec![]));
    }
    let mut other_number = talk.far_said[0].clone();
    other_number[28] ^= 1;
    assert_eq!(give(&mut talk.near, NOW, &other_number), Err(Dropped::Unknown));
    assert!(!talk.near.is_reset_by(FAR ^ 1) && !talk.near.is_reset_by(0) && talk.near.is_reset_by(FAR));
    assert!(!Channel::connect(NOW, NEAR).is_reset_by(0), "who knows no number yet believes none");
}

#[test]
fn a_number_out_of_place_is_told_from_one_that_is_late() {
    let mut talk = Talk::new();
    let frame = message(b"x");
    let packet = |packet, ack| Packet { head: Head { session: FAR, packet, ack }, number: 0, octets: &frame };
    // Three packets have come and three have gone.
    for (number, ack, expected) in [
        (3, 3, Err(Dropped::Duplicate)),
        (3 + 65, 3, Err(Dropped::Ahead)),
        (u64::MAX, 3, Err(Dropped::Ahead)),
        (4, 4, Err(Dropped::Unsent)),
        (4, u64::MAX, Err(Dropped::Unsent)),
        (3 + 64, 3, Ok(())),
        (3 + 64, 3, Err(Dropped::Duplicate)),
        (4, 1, Ok(())),
    ] {
        assert_eq!(talk.far.receive(NOW, &packet(number, ack)), expected, "packet {number}, ack {ack}");
    }
    assert_eq!(taken(&mut talk.far), 1, "what is behind a gap waits");
}

#[test]
fn until_the_address_is_proved_nothing_is_heard_or_said_but_the_greeting() {
    let mut near = Channel::connect(NOW, NEAR);
    near.put(&mut [&OPENING[..], &message(b"hello"), &message(b"more")].concat());
    let opening = transmit(&mut near, NOW);
    assert_eq!(opening.len(), 1, "the second frame waits");
    let Ok(Datagram::Opening(packet)) = Datagram::read(&opening[0]) else { panic!("an opening") };
    let mut far = Channel::accept(NOW, FAR, &packet);
    assert_eq!(
        (taken(&mut far), transmit(&mut far, NOW)),
        (1, vec![]),
        "an acknowledgement alone would tell no number"
    );
    far.put(&mut [message(b"welcome"), message(b"tell")].concat());
    assert_eq!(transmit(&mut far, NOW).len(), 1);
    // The client that did not hear it says so, and is answered each time.
    assert_eq!(give(&mut far, NOW, &opening[0]), Err(Dropped::Duplicate));
    assert_eq!(transmit(&mut far, NOW).len(), 1);
    // Who forged the address hears nothing, and its victim little.
    let mut said = 0;
    while let Some(at) = far.timeout().filter(|at| !far.is_lost(*at)) {
        said += transmit(&mut far, at).len();
    }
    assert_eq!((said, far.timeout()), (5, Some(NOW + ms(10_000))));
}

#[test]
fn a_receiver_that_takes_nothing_is_waited_for() {
    let mut talk = Talk::new();
    for _ in 0..200 {
        talk.near.put(&mut message(b"x"));
    }
    let (mut now, mut took, mut sent, mut full) = (NOW, 0, 0, 0);
    while !talk.near.is_settled() {
        for datagram in transmit(&mut talk.near, now) {
            sent += 1;
            full += usize::from(give(&mut talk.far, now, &datagram) == Err(Dropped::Full));
        }
        for datagram in transmit(&mut talk.far, now) {
            assert_eq!(give(&mut talk.near, now, &datagram), Ok(()));
        }
        // Longer than a peer may be silent; this one acknowledges what it has, again and again.
        if now > NOW + ms(15_000) {
            took += taken(&mut talk.far);
        }
        now = talk.near.timeout().unwrap_or(now);
        assert!(!talk.near.is_lost(now));
    }
    assert_eq!(took + taken(&mut talk.far), 200);
    assert!(full >= 64 && sent < 500, "{sent} sent, {full} of them for nothing");
}

#[test]
fn random_octets_are_dropped_for_a_reason() {
    let mut noise = Noise::new(11);
    let mut talk = Talk::new();
    for round in 0..20_000 {
        let mut octets: Vec<u8> = (0..noise.index(120)).map(|_| noise.octet()).collect();
        if !noise.one_in(4) {
            let len = octets.len().min(4);
            octets[..len].copy_from_slice(&MARK[..len]);
        }
        assert!(Datagram::read(&octets).is_err(), "round {round}: {octets:02x?}");
        assert!(give(&mut talk.far, NOW, &octets).is_err());
    }
}

#[test]
fn mutated_datagrams_cost_bounded_memory_and_few_answers() {
    let mut noise = Noise::new(12);
    let templates = Talk::new().datagrams();
    let mut announcements = Announcements::default();
    for _ in 0..200 {
        let Talk { mut near, mut far, .. } = Talk::new();
        for channel in [&mut near, &mut far] {
            channel.put(&mut message(b"unanswered"));
            transmit(channel, NOW);
            let mut now = NOW;
            for _ in 0..50 {
                let mut datagram = templates[noise.index(templates.len())].clone();
                for _ in 0..1 + noise.below(3) {
                    let at = noise.index(datagram.len());
                    // Small numbers are the interesting ones.
                    datagram[at] = if noise.one_in(2) { noise.octet() % 80 } else { noise.octet() };
                }
                now += ms(noise.below(50));
                let _ = give(channel, now, &datagram);
                if let Ok(Datagram::Announcement { number, packet, .. }) = Datagram::read(&datagram) {
                    let _ = announcements.admit(now, &"somewhere", number, packet);
                }
                assert!(transmit(channel, now).len() <= 3);
                assert!(channel.waiting_bytes() <= 22);
            }
            assert!(taken(channel) <= 50);
        }
    }
}
