//! A client, a server and all that can happen between them, in virtual time.

use crate::carrier::{Carrier, Over};
use crate::ends::{ms, server};
use crate::noise::Noise;
use soquete_proto::client::{self, Client, Unanswered, Verdict};
use soquete_proto::handshake::{Code, Reason};
use soquete_proto::server::{self, Answer, Link, Server, Ticket};
use std::collections::BTreeMap;
use std::time::Duration;

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) restarts: bool,
    pub(crate) settle: Duration,
    /// Whether all requests are to be done once, or only some.
    pub(crate) once_only: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    NotDone,
    Unknown(Option<Unanswered>),
}

#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) once: bool,
    pub(crate) asked_at: Duration,
    pub(crate) deadline: Option<Duration>,
    /// How it ended and when; more than one is a mistake.
    pub(crate) ends: Vec<(End, Duration)>,
    /// When it took effect; more than one is a mistake.
    pub(crate) effects: Vec<Duration>,
}

/// A connection as the server sees it, with what is on its way.
struct Wire {
    key: u64,
    link: Link,
    read: Vec<u8>,
    carrier: Carrier,
    /// When the server hears that the client has gone.
    gone_at: Option<Duration>,
}

/// A request that the application has not answered.
struct Held {
    act_at: Duration,
    answer_at: Duration,
    ticket: Ticket,
    deadline: Option<Duration>,
    id: u32,
    acted: Option<bool>,
}

pub(crate) struct World {
    pub(crate) plan: Plan,
    over: Over,
    noise: Noise,
    pub(crate) now: Duration,
    /// How far the server's clock is ahead of the client's.
    ahead: Duration,
    client: Client,
    read: Vec<u8>,
    out: Vec<u8>,
    /// The wire of the client's connection.
    connection: Option<u64>,
    connect_at: Duration,
    server: Server,
    stopped_until: Duration,
    wires: Vec<Wire>,
    held: Vec<Held>,
    pub(crate) asked: BTreeMap<u32, Asked>,
    pub(crate) restarted_at: Vec<Duration>,
}

fn served(noise: &mut Noise) -> server::Options {
    server::Options {
        in_flight_max: if noise.one_in(3) { 3 } else { 1024 },
        answers_max: if noise.one_in(3) { 4 } else { 1024 },
        ..server::Options::new("board")
    }
}

impl World {
    pub(crate) fn new(seed: u64, plan: Plan, over: Over) -> Self {
        let mut noise = Noise::new(seed);
        let ahead = ms(noise.below(1_000_000));
        let now = ms(1_000) + Duration::from_nanos(noise.below(5_000_000));
        let options = client::Options { resume: true, settle: plan.settle, ..client::Options::new("board") };
        World {
            plan,
            over,
            now,
            ahead,
            client: Client::new(options),
            read: Vec::new(),
            out: Vec::new(),
            connection: None,
            connect_at: now,
            server: server(served(&mut noise), now + ahead),
            stopped_until: now,
            wires: Vec::new(),
            held: Vec::new(),
            asked: BTreeMap::new(),
            restarted_at: Vec::new(),
            noise,
        }
    }

    /// Lets things happen for a while, then only time pass, until every request has ended.
    pub(crate) fn run(&mut self, requests: usize) {
        let adversity_ends = self.now + ms(1500);
        while self.now < adversity_ends || self.client.unanswered() > 0 {
            self.now += ms(1 + self.noise.below(12)) + Duration::from_nanos(self.noise.below(900_000));
            if self.now < adversity_ends {
                if self.asked.len() < requests && self.noise.one_in(8) {
                    self.ask();
                }
                self.happen();
            }
            self.connect();
            self.run_server();
            self.run_client();
            assert!(self.now < adversity_ends + ms(20_000), "a request that never ends: {:?}", self.asked);
        }
        assert_eq!(self.client.verdict(), None);
    }

    fn ask(&mut self) {
        let once = self.plan.once_only || self.noise.one_in(2);
        let has_deadline = !self.noise.one_in(4);
        let deadline = has_deadline.then(|| self.now + ms(self.noise.below(600)));
        let request = client::Request { once, deadline, ..client::Request::new(b"LED TOGGLE") };
        // More than the server takes is refused at once, and is no request.
        let Ok(id) = self.client.request(self.now, request, &mut self.out) else { return };
        let asked = Asked { once, asked_at: self.now, deadline, ends: Vec::new(), effects: Vec::new() };
        assert!(self.asked.insert(id, asked).is_none(), "an id is given out once");
        if self.noise.one_in(12) {
            self.client.cancel(id, &mut self.out);
        }
    }

    fn happen(&mut self) {
        match self.noise.below(400) {
            0..8 if self.connection.is_some() => self.cut(),
            8..11 => self.server_says_goodbye(),
            11..14 => self.stopped_until = self.now + ms(self.noise.below(400)),
            14..16 if self.plan.restarts => self.restart(),
            16..18 => self.darken(),
            _ => {}
        }
    }

    /// The client loses its connection; what it has sent is lost too, or comes late.
    fn cut(&mut self) {
        let comes_late = self.noise.one_in(2);
        let gone_at = self.now + ms(self.noise.below(400));
        let key = self.connection.take();
        if let Some(wire) = self.wires.iter_mut().find(|wire| Some(wire.key) == key) {
            wire.gone_at = Some(gone_at);
            wire.carrier.cut_client();
            if !comes_late {
                wire.carrier.lose_to_server();
            }
        }
        self.lose();
    }

    fn lose(&mut self) {
        self.connection = None;
        self.client.disconnected();
        self.read.clear();
        self.out.clear();
        self.connect_at = self.now + ms(self.noise.below(120));
    }

    fn darken(&mut self) {
        let until = self.now + ms(self.noise.below(1_000));
        for wire in &mut self.wires {
            wire.carrier.darken(until);
        }
    }

    fn server_says_goodbye(&mut self) {
        for wire in self.wires.iter_mut().filter(|wire| wire.carrier.is_known()) {
            let mut out = Vec::new();
            self.server.refuse(&mut wire.link, Code::Closing, "", &mut out);
            wire.carrier.server_says(self.now, &mut out, &mut self.noise);
            wire.gone_at.get_or_insert(self.now + ms(100));
        }
    }

    fn restart(&mut self) {
        if self.noise.one_in(2) {
            self.server_says_goodbye();
        }
        self.server = server(served(&mut self.noise), self.now + self.ahead);
        self.restarted_at.push(self.now);
        self.held.clear();
        for wire in &mut self.wires {
            wire.link = Link::new(wire.key, self.now + self.ahead);
            wire.read.clear();
            wire.carrier.lose_to_server();
            wire.gone_at = Some(self.now);
        }
        self.run_client();
        self.wires.clear();
        if self.connection.is_some() {
            self.lose();
        }
    }

    fn connect(&mut self) {
        if self.connection.is_some() || self.now < self.connect_at {
            return;
        }
        // As a slab gives out its keys: the lowest that is free, again and again.
        let key = (1..).find(|key| self.wires.iter().all(|wire| wire.key != *key)).unwrap();
        self.connection = Some(key);
        self.out.clear();
        self.client.connected(self.now, &mut self.out);
        let carrier = Carrier::new(self.over, self.now, &mut self.noise);
        let link = Link::new(key, self.now + self.ahead);
        self.wires.push(Wire { key, link, read: Vec::new(), carrier, gone_at: None });
    }

    fn run_server(&mut self) {
        if self.now < self.stopped_until {
            return;
        }
        let there = self.now + self.ahead;
        for index in 0..self.wires.len() {
            let wire = &mut self.wires[index];
            wire.carrier.server_hears(self.now, &mut wire.read);
            let octets = std::mem::take(&mut wire.read);
            let mut input = &octets[..];
            let mut out = Vec::new();
            while let Some(event) = self.server.next(there, &mut wire.link, &mut input, &mut out).unwrap() {
                match event {
                    server::Event::Request(request) => {
                        let act_at = self.now + ms(if self.noise.one_in(2) { 0 } else { self.noise.below(60) });
                        let answer_at = act_at + ms(if self.noise.one_in(2) { 0 } else { self.noise.below(60) });
                        let (ticket, deadline) = (request.ticket, request.deadline);
                        self.held.push(Held { act_at, answer_at, ticket, deadline, id: ticket.id, acted: None });
                    }
                    // An opening that came late has taken the session over: the client must come again.
                    server::Event::Goodbye => wire.gone_at = Some(wire.gone_at.unwrap_or(self.now)),
                    _ => {}
                }
            }
            wire.read = input.to_vec();
            wire.carrier.server_says(self.now, &mut out, &mut self.noise);
            if wire.carrier.is_lost_to_server(self.now) {
                wire.gone_at.get_or_insert(self.now);
            }
        }
        self.act();
        let (now, connection) = (self.now, self.connection);
        let is_gone = |wire: &Wire| wire.gone_at.is_some_and(|at| at <= now) && Some(wire.key) != connection;
        for wire in self.wires.iter().filter(|wire| is_gone(wire)) {
            self.server.closed(there, &wire.link);
        }
        self.wires.retain(|wire| !is_gone(wire));
    }

    /// The application: acts if it is not too late, and answers, at once or later.
    fn act(&mut self) {
        let there = self.now + self.ahead;
        for mut held in std::mem::take(&mut self.held) {
            if held.acted.is_none() && held.act_at <= self.now {
                let in_time = held.deadline.is_none_or(|deadline| there < deadline);
                held.acted = Some(in_time);
                if in_time {
                    self.asked.get_mut(&held.id).unwrap().effects.push(self.now);
                }
            }
            match held.acted {
                Some(acted) if held.answer_at <= self.now => self.answer(held.ticket, acted),
                _ => self.held.push(held),
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, acted: bool) {
        let late = Reason { code: Code::Expired, text: "" };
        let answer = if acted { Answer::Reply(b"OK LED ON") } else { Answer::Error(late) };
        let key = self.server.route(ticket);
        let mut out = Vec::new();
        match self.wires.iter_mut().find(|wire| Some(wire.key) == key) {
            Some(wire) => {
                self.server.answer(ticket, answer, Some(&mut wire.link), &mut out).unwrap();
                wire.carrier.server_says(self.now, &mut out, &mut self.noise);
            }
            None => self.server.answer(ticket, answer, None, &mut out).unwrap(),
        }
        assert_eq!(out, b"", "an answer over no link");
    }

    fn run_client(&mut self) {
        let key = self.connection;
        let wire = self.wires.iter_mut().find(|wire| Some(wire.key) == key);
        let mut left = false;
        if let Some(wire) = wire {
            wire.carrier.client_hears(self.now, &mut self.read);
            let octets = std::mem::take(&mut self.read);
            let mut input = &octets[..];
            while let Some(event) = self.client.next(self.now, &mut input, &mut self.out).unwrap() {
                let (id, end) = match event {
                    client::Event::Reply { id, .. } => (id, End::Done),
                    client::Event::Error { id, reason } if reason.code.is_not_done() => (id, End::NotDone),
                    client::Event::Error { id, .. } => (id, End::Unknown(None)),
                    client::Event::Goodbye(_) | client::Event::Rejected(_) => {
                        left = true;
                        continue;
                    }
                    _ => continue,
                };
                self.asked.get_mut(&id).unwrap().ends.push((end, self.now));
            }
            self.read = input.to_vec();
            wire.carrier.client_says(self.now, &mut self.out, &mut self.noise);
        }
        // A client may go at once, or read on until the server closes.
        let is_read = self.wires.iter().find(|wire| Some(wire.key) == key).is_some_and(|wire| {
            wire.carrier.is_lost_to_client(self.now)
                || wire.gone_at.is_some_and(|at| at <= self.now) && wire.carrier.has_arrived(self.now)
        });
        if is_read || (left && self.noise.one_in(2)) {
            self.cut();
        }
        if self.client.timeout().is_some_and(|at| at <= self.now) {
            self.client.handle_timeout(self.now, &mut self.out).unwrap();
        }
        while let Some((id, verdict)) = self.client.verdict() {
            let end = match verdict {
                Verdict::NotDone(_) => End::NotDone,
                Verdict::Unknown(why) => End::Unknown(Some(why)),
            };
            self.asked.get_mut(&id).unwrap().ends.push((end, self.now));
        }
    }
}
