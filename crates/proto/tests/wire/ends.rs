//! Two ends and the octets between them, moved by hand.

use soquete_proto::client::{self, Client, Verdict};
use soquete_proto::server::{self, Link, Server, Ticket};
use std::time::Duration;

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// A client, a server, and the connection between them.
pub(crate) struct Ends {
    pub(crate) now: Duration,
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) to_server: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
    /// What the server has not answered.
    pub(crate) tickets: Vec<Ticket>,
}

pub(crate) fn resuming() -> client::Options {
    client::Options { resume: true, ..client::Options::new("board") }
}

pub(crate) fn plain() -> client::Options {
    client::Options::new("board")
}

pub(crate) fn once(payload: &[u8]) -> client::Request<'_> {
    client::Request { once: true, ..client::Request::new(payload) }
}

pub(crate) fn until(deadline: Duration, payload: &[u8]) -> client::Request<'_> {
    client::Request { deadline: Some(deadline), ..client::Request::new(payload) }
}

/// A token that differs from server to server.
pub(crate) fn server(options: server::Options, now: Duration) -> Server {
    let mut token = 7 + now.as_nanos();
    Server::new(options, now, move || {
        token += 1;
        token
    })
}

impl Ends {
    /// Two ends that have greeted over link 1.
    pub(crate) fn open(client: client::Options, served: server::Options) -> Self {
        let mut ends = Ends::apart(client, served);
        ends.connect(1);
        ends.serve();
        ends.hear();
        ends
    }

    pub(crate) fn apart(client: client::Options, served: server::Options) -> Self {
        let now = Duration::from_secs(100);
        Ends {
            now,
            client: Client::new(client),
            server: server(served, now),
            link: Link::new(0, now),
            to_server: Vec::new(),
            to_client: Vec::new(),
            tickets: Vec::new(),
        }
    }

    /// Loses what is on its way and the connection, at the client's end only.
    pub(crate) fn cut(&mut self) {
        self.client.disconnected();
        self.to_server.clear();
        self.to_client.clear();
    }

    /// Begins a connection that the server calls `key`; returns the link of the one before.
    pub(crate) fn connect(&mut self, key: u64) -> Link {
        self.to_server.clear();
        self.to_client.clear();
        self.client.connected(self.now, &mut self.to_server);
        std::mem::replace(&mut self.link, Link::new(key, self.now))
    }

    pub(crate) fn ask(&mut self, request: client::Request<'_>) -> u32 {
        self.client.request(self.now, request, &mut self.to_server).expect("a request within the limits")
    }

    /// Lets the server read everything; returns what it saw, a fault as the last.
    pub(crate) fn serve(&mut self) -> Vec<String> {
        let octets = std::mem::take(&mut self.to_server);
        let mut input = &octets[..];
        let mut saw = Vec::new();
        loop {
            match self.server.next(self.now, &mut self.link, &mut input, &mut self.to_client) {
                Ok(Some(event)) => saw.push(self.note(event)),
                Ok(None) => return saw,
                Err(fault) => {
                    saw.push(format!("fault: {fault}"));
                    return saw;
                }
            }
        }
    }

    fn note(&mut self, event: server::Event<'_>) -> String {
        match event {
            server::Event::Open { name, resumption } => format!("open {resumption:?} {name}").trim().to_owned(),
            server::Event::Message { topic, payload, is_urgent } => {
                format!("{}message {topic} {}", urgent(is_urgent), text(payload))
            }
            server::Event::Request(request) => {
                self.tickets.push(request.ticket);
                format!("request {} {}", request.ticket.id, text(request.payload))
            }
            server::Event::Cancel { id } => format!("cancel {id}"),
            server::Event::Goodbye => "goodbye".to_owned(),
        }
    }

    /// Answers what is not answered yet, in order, over the link there is.
    pub(crate) fn answer(&mut self, payload: &[u8]) {
        for ticket in std::mem::take(&mut self.tickets) {
            // One that is too long is told as an error, which the test then sees.
            let _ = self.server.reply(ticket, payload, &mut self.link, &mut self.to_client);
        }
    }

    /// Lets the client read everything; returns what it saw, a fault as the last.
    pub(crate) fn hear(&mut self) -> Vec<String> {
        let octets = std::mem::take(&mut self.to_client);
        let mut input = &octets[..];
        let mut saw = Vec::new();
        loop {
            match self.client.next(self.now, &mut input, &mut self.to_server) {
                Ok(Some(event)) => saw.push(heard(&event)),
                Ok(None) => return saw,
                Err(fault) => {
                    saw.push(format!("fault: {fault}"));
                    return saw;
                }
            }
        }
    }

    /// Lets the client see what time it is; returns how requests ended without an answer.
    pub(crate) fn verdicts(&mut self) -> Vec<(u32, Verdict)> {
        self.client.handle_timeout(self.now, &mut self.to_server).expect("a server that is not silent");
        std::iter::from_fn(|| self.client.verdict()).collect()
    }
}

fn urgent(is_urgent: bool) -> &'static str {
    if is_urgent { "urgent " } else { "" }
}

pub(crate) fn heard(event: &client::Event<'_>) -> String {
    match event {
        client::Event::Welcome(welcome) => format!("welcome {:?}", welcome.resumption),
        client::Event::Rejected(reason) => format!("rejected {:?}: {}", reason.code, reason.text),
        client::Event::Reply { id, payload } => format!("reply {id} {}", text(payload)),
        client::Event::Error { id, reason } => format!("error {id} {:?}: {}", reason.code, reason.text),
        client::Event::Event { id, head, payload, is_urgent } => {
            let urgent = urgent(*is_urgent);
            format!("{urgent}event {id} seq {} missed {} {}", head.seq, head.missed, text(payload))
        }
        client::Event::Message { topic, payload, is_urgent } => {
            format!("{}message {topic} {}", urgent(*is_urgent), text(payload))
        }
        client::Event::Goodbye(goodbye) => format!("goodbye after {}: {:?}", goodbye.last_id, goodbye.reason.code),
    }
}
