//! However the octets are cut, both ends see the same.

use crate::ends::{Ends, heard, ms, once, resuming, text, until};
use soquete_proto::client::{Options, Request};
use soquete_proto::frame::Front;
use soquete_proto::handshake::{Code, EventHead, Reason, put_event, put_urgent_event};
use soquete_proto::server::{self, Answer};

/// What one end saw, and what was fed to it so far.
#[derive(Default)]
struct Side {
    saw: Vec<String>,
    kept: Vec<u8>,
    fed: usize,
}

/// A long conversation, cut where `cut` says so of an offset in the octets to the server or to the client.
struct Conversation<C: Fn(usize) -> bool> {
    ends: Ends,
    at_server: Side,
    at_client: Side,
    cut: C,
}

impl<C: Fn(usize) -> bool> Conversation<C> {
    fn new(cut: C) -> Self {
        let client = Options { name: "button_process".to_owned(), urgent: true, ..resuming() };
        let ends = Ends::apart(client, server::Options::new("board"));
        Conversation { ends, at_server: Side::default(), at_client: Side::default(), cut }
    }

    /// Moves octets both ways until nobody has anything to say.
    fn settle(&mut self) {
        while !self.ends.to_server.is_empty() || !self.ends.to_client.is_empty() {
            for octet in std::mem::take(&mut self.ends.to_server) {
                self.at_server.kept.push(octet);
                self.at_server.fed += 1;
                if (self.cut)(self.at_server.fed) {
                    self.serve();
                }
            }
            self.serve();
            for octet in std::mem::take(&mut self.ends.to_client) {
                self.at_client.kept.push(octet);
                self.at_client.fed += 1;
                if (self.cut)(self.at_client.fed) {
                    self.hear();
                }
            }
            self.hear();
        }
    }

    fn serve(&mut self) {
        let Ends { now, server, link, to_client, .. } = &mut self.ends;
        let octets = std::mem::take(&mut self.at_server.kept);
        let mut input = &octets[..];
        while let Some(event) = server.next(*now, link, &mut input, to_client).unwrap() {
            // A ticket names the link by a number that is the same in every conversation.
            self.at_server.saw.push(format!("{event:?}"));
            let server::Event::Request(request) = event else { continue };
            let refused = Answer::Error(Reason { code: Code::Refused, text: "there is no line LAMP" });
            match request.payload {
                b"LAMP ON" => server.answer(request.ticket, refused, Some(link), to_client).unwrap(),
                b"LINES" => server.reply(request.ticket, &[b'x'; 300], link, to_client).unwrap(),
                _ => server.reply(request.ticket, request.payload, link, to_client).unwrap(),
            }
            if request.payload == b"WATCH" {
                put_event(
                    to_client,
                    request.ticket.id,
                    EventHead { seq: 1, ..EventHead::default() },
                    b"LED ON 1 start",
                    99,
                )
                .unwrap();
                put_urgent_event(
                    to_client,
                    request.ticket.id,
                    EventHead { seq: 2, ..EventHead::default() },
                    b"LED OFF 2",
                    99,
                )
                .unwrap();
            }
        }
        self.at_server.kept = input.to_vec();
    }

    fn hear(&mut self) {
        let octets = std::mem::take(&mut self.at_client.kept);
        let mut input = &octets[..];
        while let Some(event) = self.ends.client.next(self.ends.now, &mut input, &mut self.ends.to_server).unwrap() {
            self.at_client.saw.push(heard(&event));
        }
        self.at_client.kept = input.to_vec();
    }

    /// Returns what both saw, and how many octets each was fed.
    fn run(mut self) -> ([Vec<String>; 2], usize) {
        self.ends.connect(1);
        self.ends.ask(Request::new(b"LED"));
        self.ends.client.message(9, b"good morning", &mut self.ends.to_server).unwrap();
        self.ends.ask(once(b"LED TOGGLE"));
        self.settle();
        self.ends.now += ms(1_000);
        self.ends.ask(until(self.ends.now + ms(500), b"LED ON"));
        self.ends.ask(Request { topic: 3, ..Request::new(b"") });
        self.settle();
        let watch = self.ends.ask(Request::new(b"WATCH"));
        self.ends.ask(Request::new(b"LAMP ON"));
        self.ends.client.urgent(5, b"STOP", Front::default(), &mut self.ends.to_server).unwrap();
        self.ends.ask(once(b"LINES"));
        self.settle();
        self.ends.now += ms(20_000);
        self.ends.server.handle_timeout(self.ends.now, &mut self.ends.link, &mut self.ends.to_client).unwrap();
        self.ends.client.cancel(watch, &mut self.ends.to_server);
        self.settle();
        self.ends.client.goodbye(&mut self.ends.to_server);
        self.settle();
        assert!(self.at_server.kept.is_empty() && self.at_client.kept.is_empty());
        let fed = self.at_server.fed.max(self.at_client.fed);
        ([self.at_server.saw, self.at_client.saw], fed)
    }
}

#[test]
fn every_chunking_gives_the_same_events_on_both_ends() {
    let (whole, fed) = Conversation::new(|_| false).run();
    assert_eq!((whole[0].len(), whole[1].len(), fed > 500), (12, 10, true), "{whole:#?}");
    for at in 1..=fed {
        assert_eq!(Conversation::new(|fed| fed == at).run(), (whole.clone(), fed), "cut at {at}");
    }
    assert_eq!(Conversation::new(|_| true).run(), (whole, fed), "octet by octet");
}

#[test]
fn a_stream_that_ends_within_a_frame_or_the_handshake_is_truncated() {
    let mut ends = Ends::open(resuming(), server::Options::new("board"));
    assert!(ends.server.end(&ends.link, 0).is_ok());
    ends.ask(Request::new(b"LED"));
    let octets = std::mem::take(&mut ends.to_server);
    for cut in 1..octets.len() {
        ends.to_server = octets[..cut].to_vec();
        assert_eq!(ends.serve(), [""; 0]);
        let fault = ends.server.end(&ends.link, cut).unwrap_err();
        assert_eq!(fault.to_string(), format!("stream ended within a frame, after {cut} octets"));
    }
    let unopened = soquete_proto::server::Link::new(2, ends.now);
    assert!(ends.server.end(&unopened, 0).is_err(), "{}", text(b"an end before the handshake"));
}
