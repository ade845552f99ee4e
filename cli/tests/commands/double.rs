//! A server that stands in for a process: it speaks the board's grammar over frames and does what a test tells it.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use soquete::{ConnectionId, Endpoint, Exchange, Framing, Handler, Hub, Limits, ListenOptions, Responder, Stopper};
use soquete_node::status::{LineStatus, ProcessStatus};
use soquete_proto::handshake::{Code, EventHead};
use soquete_proto::server::Options;

/// How long a test waits for what must happen; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a double does with a command that sets a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Does it and answers.
    Obeys,
    /// Takes it and never answers.
    Stalls,
    /// Takes it and dies: connections and listener are closed at once.
    Dies,
}

/// A double at work; it stops when this is dropped.
pub(crate) struct Double {
    /// Where it serves.
    pub(crate) endpoint: Endpoint,
    /// The requests it has received, in their order.
    requests: Receiver<String>,
    stopper: Stopper,
    serving: Option<JoinHandle<()>>,
}

/// What to make a double of.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) service: &'static str,
    pub(crate) name: &'static str,
    /// Names, values and directions of its lines.
    pub(crate) lines: Vec<(&'static str, &'static str, &'static str)>,
    pub(crate) mood: Mood,
    /// The number of its latest change.
    pub(crate) seq: u64,
    /// What it answers to `STATUS`; where it is empty, a process status of its lines.
    pub(crate) status: String,
}

impl Plan {
    /// Plans a board with an LED that is off and a button.
    pub(crate) fn board() -> Self {
        let lines = vec![("LED", "OFF", "OUTPUT"), ("BUTTON", "UNKNOWN", "INPUT")];
        Self { service: "board", name: "led_process", lines, mood: Mood::Obeys, seq: 0, status: String::new() }
    }

    /// Plans a process of this machine.
    pub(crate) fn process(name: &'static str, lines: &[(&'static str, &'static str, &'static str)]) -> Self {
        Self { service: "control", name, lines: lines.to_vec(), ..Self::board() }
    }

    /// Begins to serve over TCP at a free port.
    pub(crate) fn serve(self) -> Double {
        self.serve_at(&"tcp://127.0.0.1:0".parse().unwrap())
    }

    /// Begins to serve.
    pub(crate) fn serve_at(self, endpoint: &Endpoint) -> Double {
        let mut hub = Hub::new(Limits::default()).unwrap();
        let options = Options { name: self.name.to_owned(), ..Options::new(self.service) };
        let service = hub.add_service(Framing::Frames, options);
        let endpoint = hub.listen(service, endpoint, &ListenOptions::default()).unwrap();
        let (heard, requests) = channel();
        let stopper = hub.stopper();
        let board = Board {
            plan: self,
            heard,
            watchers: Vec::new(),
            changes: VecDeque::new(),
            kept: Vec::new(),
            is_dead: false,
        };
        let serving = thread::spawn(move || board.run(hub));
        Double { endpoint, requests, stopper, serving: Some(serving) }
    }
}

impl Double {
    /// Waits for the next request that begins like this.
    #[track_caller]
    pub(crate) fn wait_for(&self, beginning: &str) -> String {
        loop {
            let request = self.requests.recv_timeout(PATIENCE).unwrap();
            if request.starts_with(beginning) {
                return request;
            }
        }
    }

    /// Ends it as a crash would, without a goodbye.
    pub(crate) fn crash(self) {}
}

impl Drop for Double {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(serving) = self.serving.take() {
            serving.join().unwrap();
        }
    }
}

/// The board of a double.
struct Board {
    plan: Plan,
    heard: Sender<String>,
    /// Connection and request of each watch, and the lines it names.
    watchers: Vec<(ConnectionId, u32, Vec<String>)>,
    changes: VecDeque<(String, String)>,
    /// Answers that are never given.
    kept: Vec<Responder>,
    is_dead: bool,
}

impl Board {
    fn run(mut self, mut hub: Hub) {
        while !hub.is_stopped() && !self.is_dead {
            hub.turn(None, &mut self).unwrap();
            while let Some((name, value)) = self.changes.pop_front() {
                self.plan.seq += 1;
                let head = EventHead { seq: self.plan.seq, missed: 0, lag: None };
                let event = format!("{name} {value} 1795000000123456 button_process (tcp://127.0.0.1:44800)");
                for (connection, id, names) in self.watchers.clone() {
                    if names.is_empty() || names.contains(&name) {
                        hub.push(connection, id, head, event.as_bytes(), &mut self);
                    }
                }
            }
        }
    }

    fn answer(&mut self, words: &[&str]) -> Result<String, String> {
        let known = |name: &str| self.plan.lines.iter().position(|line| line.0.eq_ignore_ascii_case(name));
        let place = |name: &str| known(name).ok_or(format!("there is no line {name}"));
        match words {
            ["LINES"] => {
                let rows =
                    self.plan.lines.iter().map(|(name, value, direction)| format!("\n{name} {value} {direction}"));
                Ok(format!("OK {}{}", self.plan.lines.len(), rows.collect::<String>()))
            }
            ["STATUS"] if self.plan.status.is_empty() => Ok(serde_json::to_string(&self.status()).unwrap()),
            ["STATUS"] => Ok(self.plan.status.clone()),
            ["PRESS", name] => match self.plan.lines[place(name)?] {
                (name, _, "INPUT") => Ok(format!("OK PRESS {name}")),
                (name, ..) => Err(format!("{name} is an output and cannot be pressed")),
            },
            [name] => {
                let (name, value, _) = self.plan.lines[place(name)?];
                Ok(format!("OK {name} {value}"))
            }
            [name, verb] => {
                let place = place(name)?;
                let line = &mut self.plan.lines[place];
                if line.2 == "INPUT" {
                    return Err(format!("{} is an input and cannot be set", line.0));
                }
                line.1 = match *verb {
                    "ON" => "ON",
                    "OFF" => "OFF",
                    _ if line.1 == "ON" => "OFF",
                    _ => "ON",
                };
                self.changes.push_back((line.0.to_owned(), line.1.to_owned()));
                Ok(format!("OK {} {}", line.0, line.1))
            }
            _ => Err("unknown command".to_owned()),
        }
    }

    fn status(&self) -> ProcessStatus {
        let line = |&(name, value, direction): &(&str, &str, &str)| LineStatus {
            name: name.to_owned(),
            direction: direction.to_ascii_lowercase(),
            kind: "virtual".to_owned(),
            value: value.to_ascii_lowercase(),
            since_us: Some(1_795_000_000_123_456),
            by: Some("start".to_owned()),
            lease: None,
            far: None,
            gpio: None,
            latency: None,
            owed: None,
        };
        ProcessStatus {
            name: self.plan.name.to_owned(),
            pid: std::process::id(),
            uptime_secs: 61.0,
            endpoints: vec!["tcp://127.0.0.1:5555".to_owned()],
            lines: self.plan.lines.iter().map(line).collect(),
            rules: vec![],
            peers: vec![],
            refused: 0,
            forgotten: 0,
        }
    }
}

impl Handler for Board {
    fn receive(&mut self, mut exchange: Exchange<'_>) {
        let request = String::from_utf8(exchange.payload.to_vec()).unwrap();
        let words: Vec<&str> = request.split_ascii_whitespace().collect();
        if let ["WATCH", names @ ..] = &words[..] {
            let names = names.iter().map(ToString::to_string).collect();
            self.watchers.push((exchange.connection(), exchange.id(), names));
            exchange.keep_open();
            exchange.reply(b"OK WATCH").unwrap();
        } else if self.plan.mood != Mood::Obeys && words.len() == 2 {
            self.is_dead = self.plan.mood == Mood::Dies;
            self.kept.push(exchange.later());
        } else {
            match self.answer(&words) {
                Ok(answer) => exchange.reply(answer.as_bytes()).unwrap(),
                Err(why) => exchange.refuse(Code::Refused, &why),
            }
        }
        // A test may have stopped listening.
        let _ = self.heard.send(request);
    }
}
