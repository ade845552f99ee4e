//! Front-ends: what is asked in text or frames becomes a command of the board, and what comes of it an answer.

mod answer;
mod lease;
mod watchers;

use crate::back::{Back, HOPS_MAX};
use crate::config::{Language, ProcessConfig, Serve};
use crate::console::Seldom;
use crate::plant::{Answer, Effect, Plant};
use crate::surroundings::Askers;
use answer::{Words, code_of, names, put_lines, put_values, value_word};
pub(crate) use answer::{told, verb};
use lease::owner_of;
use soquete::{Clock, ConnectionId, Ending, Exchange, Handler, Hub, Peer, Responder, Tongue};
use soquete_board::{Command as Sets, Direction, Fact, LineName, Owner, Refusal, Ticket, Value, Verb};
use soquete_proto::handshake::Code;
use soquete_proto::text::{self, Command};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;
use watchers::Watchers;

/// The service at a process's endpoints.
pub(crate) const SERVICE: &str = "board";

/// The service at its control socket.
pub(crate) const CONTROL: &str = "control";

/// The longest command, in octets. The limit of both services: a command for every line of a large board.
pub(crate) const COMMAND_MAX_BYTES: u32 = 4096;

/// An answer that is given later in this turn.
enum Held {
    /// What came of a command.
    Words(Words),
    /// What lines have by then: what they have now could be outdated by the events in front of it.
    Question(Question),
}

/// A question for what lines have.
enum Question {
    Values(Vec<LineName>),
    Lines,
}

/// The board and whoever asks it something.
pub(crate) struct Front {
    pub(crate) plant: Plant,
    pub(crate) watchers: Watchers,
    pub(crate) refusals: Seldom,
    /// Who asked for the status, which is put together outside of the turn.
    pub(crate) status_asked: Vec<Responder>,
    /// Who waits for an answer that was not there at once.
    waiting: HashMap<Ticket, Responder>,
    /// Answers that are given behind the events of this turn.
    held: Vec<(Responder, Held)>,
    /// The answer to the command that is being taken, and those to commands of rules.
    answered: Vec<(Ticket, Answer)>,
    /// Effects that concern neither answers nor watchers.
    effects: Vec<Effect>,
    names: HashMap<ConnectionId, String>,
    process: String,
    serves: Vec<Serve>,
    control_service: Option<usize>,
    askers: Askers,
    last_ticket: u64,
}

impl Front {
    /// Makes the front of a process; its endpoints are the services in the order of the configuration.
    pub(crate) fn new(config: &ProcessConfig, plant: Plant, control_service: Option<usize>, askers: Askers) -> Self {
        Front {
            plant,
            watchers: Watchers::default(),
            refusals: Seldom::new("refused connections"),
            status_asked: Vec::new(),
            waiting: HashMap::new(),
            held: Vec::new(),
            answered: Vec::new(),
            effects: Vec::new(),
            names: HashMap::new(),
            process: config.name.to_string(),
            serves: config.serve.clone(),
            control_service,
            askers,
            last_ticket: 0,
        }
    }

    /// Gives the board a command; its answer is in [`take_answer`](Front::take_answer), at once or later.
    pub(crate) fn command(
        &mut self,
        sets: Vec<(LineName, Verb)>,
        by: Owner,
        deadline: Option<Duration>,
        hops: u8,
    ) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        let Owner { id: owner, words: cause } = by;
        self.plant.handle(Clock::now(), Fact::Command(Sets { ticket, cause, owner, sets, deadline, hops }));
        self.sort_effects();
        ticket
    }

    /// Takes the answer to a command, where it is there.
    pub(crate) fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        let place = self.answered.iter().position(|(answered, _)| *answered == ticket)?;
        Some(self.answered.swap_remove(place).1)
    }

    /// Gives answers and changes to whom they belong; keeps the rest for [`take_effects`](Front::take_effects).
    pub(crate) fn sort_effects(&mut self) {
        while let Some(effect) = self.plant.next_effect() {
            match effect {
                Effect::Reply { ticket, answer } => match self.waiting.remove(&ticket) {
                    Some(mut responder) => {
                        answer.done_at.iter().for_each(|at| responder.done_at(*at));
                        self.held.push((responder, Held::Words(answer::words(&answer.result))));
                    }
                    None => self.answered.push((ticket, answer)),
                },
                Effect::Notify { watcher, event, missed } => {
                    self.watchers.queue(watcher, event, missed, &mut self.plant.board);
                }
                effect => self.effects.push(effect),
            }
        }
    }

    /// Takes what is to be done outside of the board: presses to deliver and to report.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Says whether there is something for [`take_effects`](Front::take_effects).
    pub(crate) fn has_effects(&self) -> bool {
        !self.effects.is_empty()
    }

    /// Tells watchers what they are to hear, as far as they take it; then come the answers that were held for it.
    pub(crate) fn tell_watchers(&mut self, hub: &mut Hub) {
        while let Some(connection) = hub.next_drained() {
            self.watchers.drained(connection);
        }
        while self.watchers.is_due() {
            let mut watchers = std::mem::take(&mut self.watchers);
            watchers.tell(hub, self);
            self.watchers = watchers;
            self.sort_effects();
        }
        for (responder, held) in std::mem::take(&mut self.held) {
            let words = match held {
                Held::Words(words) => words,
                Held::Question(question) => self.answer(&question),
            };
            match words {
                Ok(answer) => responder.reply(answer.as_bytes()),
                Err((code, why)) => responder.refuse(code, &why),
            }
        }
    }

    /// Says whether an answer has to come behind the events of what happened before it: where the connection watches, so
    /// that a client that has both knows from the events alone what is so.
    fn holds(&self, exchange: &Exchange<'_>) -> bool {
        exchange.tongue == Tongue::Frames && self.watchers.has_any(exchange.connection())
    }

    fn ask(&mut self, exchange: Exchange<'_>, question: Question) {
        if self.holds(&exchange) {
            return self.held.push((exchange.later(), Held::Question(question)));
        }
        match self.answer(&question) {
            Ok(answer) => reply(exchange, &answer),
            Err((code, why)) => exchange.refuse(code, &why),
        }
    }

    fn answer(&self, question: &Question) -> Words {
        match question {
            Question::Values(names) => match self.values(names) {
                Ok(values) => Ok(put_values(&values)),
                Err(refusal) => Err((code_of(&refusal), self.explained(&refusal))),
            },
            Question::Lines => Ok(put_lines(&self.plant)),
        }
    }

    fn obey(&mut self, exchange: Exchange<'_>, command: Command<'_>) {
        if self.plant.board.has_timers() {
            // A process that was stopped must not tell values from before the end of a lease or a pulse.
            self.plant.catch_up(Clock::now());
            self.sort_effects();
        }
        match command {
            Command::Set(sets) => self.set(exchange, sets),
            Command::Get(asked) => match names(&asked) {
                Ok(names) => self.ask(exchange, Question::Values(names)),
                Err(refusal) => self.refuse(exchange, &refusal),
            },
            Command::Lines => self.ask(exchange, Question::Lines),
            Command::Watch(asked) => self.watch(exchange, &asked),
            Command::Lease { lines, time } => self.lease(exchange, &lines, time),
            Command::Release(lines) => self.release(exchange, &lines),
            Command::Help => {
                let mut help = format!("OK {}", text::HELP.len());
                text::HELP.iter().for_each(|line| _ = write!(help, "\n{line}"));
                reply(exchange, &help);
            }
            Command::Quit => {
                let mut exchange = exchange;
                if exchange.tongue == Tongue::Text {
                    // Over frames a GOODBYE ends the connection, and this does nothing.
                    exchange.close_after();
                }
                reply(exchange, "OK QUIT");
            }
        }
    }

    fn set(&mut self, mut exchange: Exchange<'_>, sets: Vec<(&str, text::Verb)>) {
        let named = sets.into_iter().map(|(name, verb)| Ok((answer::name(name)?, answer::verb(verb))));
        let sets = match named.collect::<Result<Vec<_>, Refusal>>() {
            Ok(sets) => sets,
            Err(refusal) => return self.refuse(exchange, &refusal),
        };
        let Owner { id, words } = owner_of(&exchange);
        let by = Owner { id, words: words.happened_at(exchange.caused_at()) };
        let ticket = self.command(sets, by, exchange.deadline, exchange.hops);
        match self.take_answer(ticket) {
            Some(Answer { result: Ok(values), done_at }) => {
                done_at.iter().for_each(|at| exchange.done_at(*at));
                self.done(exchange, put_values(&values));
            }
            Some(Answer { result: Err(refusal), .. }) => self.refuse(exchange, &refusal),
            None => drop(self.waiting.insert(ticket, exchange.later())),
        }
    }

    /// Answers what was done at once, behind the events of what happened before.
    fn done(&mut self, exchange: Exchange<'_>, answer: String) {
        if self.holds(&exchange) {
            self.held.push((exchange.later(), Held::Words(Ok(answer))));
        } else {
            reply(exchange, &answer);
        }
    }

    fn values(&self, names: &[LineName]) -> Result<Vec<(LineName, Value)>, Refusal> {
        let line = |name: &LineName| self.plant.board.line(name).ok_or_else(|| Refusal::UnknownLine(name.clone()));
        names.iter().map(|name| line(name).map(|line| (line.name().clone(), line.value()))).collect()
    }

    fn watch(&mut self, mut exchange: Exchange<'_>, asked: &[&str]) {
        let (connection, id) = (exchange.connection(), exchange.id());
        let is_text = exchange.tongue == Tongue::Text;
        let added =
            names(asked).and_then(|names| self.watchers.add(connection, id, is_text, names, &mut self.plant.board));
        match added {
            Ok(()) => {
                exchange.keep_open();
                reply(exchange, "OK WATCH");
            }
            Err(refusal) => self.refuse(exchange, &refusal),
        }
    }

    fn press(&mut self, exchange: Exchange<'_>, name: &str) {
        let line = answer::name(name).and_then(|name| {
            let line = self.plant.board.line(&name).ok_or(Refusal::UnknownLine(name.clone()))?;
            if line.direction() == Direction::Input { Ok(line.id()) } else { Err(Refusal::NotAnInput(name)) }
        });
        match line {
            Ok(line) => {
                let why = match self.plant.wired(line).map(|wired| &wired.back) {
                    Some(Back::Remote) => Some("a line of another server; it is pressed there"),
                    Some(Back::Gpio) => Some("hardware; it is pressed by hand"),
                    _ => None,
                };
                if let Some(why) = why {
                    return exchange.refuse(Code::Refused, &format!("{name} is {why}"));
                }
                let pressed = self.plant.wired(line).map_or(name, |wired| wired.name.as_str()).to_owned();
                let now = Clock::now();
                self.plant.press(now, now, line);
                self.sort_effects();
                reply(exchange, &format!("OK PRESS {pressed}"));
            }
            Err(refusal) => self.refuse(exchange, &refusal),
        }
    }

    /// Refuses with the reason, and with the lines there are where it is about one that is not there.
    fn refuse(&self, exchange: Exchange<'_>, refusal: &Refusal) {
        exchange.refuse(code_of(refusal), &self.explained(refusal));
    }

    fn explained(&self, refusal: &Refusal) -> String {
        let mut why = refusal.to_string();
        if let Refusal::UnknownLine(_) = refusal {
            let lines: Vec<&str> = self.plant.board.lines().map(|line| line.name().as_str()).take(8).collect();
            _ = write!(why, "; lines: {}", if lines.is_empty() { "none".to_owned() } else { lines.join(", ") });
        }
        why
    }

    fn refused(&mut self, peer: &Peer, why: &str) {
        self.refusals.say(Clock::now(), &format!("refused {peer}: {why}"));
    }
}

impl Handler for Front {
    fn receive(&mut self, exchange: Exchange<'_>) {
        if exchange.tongue == Tongue::Frames && !exchange.wants_answer() {
            return self.refused(exchange.peer, "a message that wants no answer is no command");
        }
        if !exchange.name.is_empty() && !self.names.contains_key(&exchange.connection()) {
            self.names.insert(exchange.connection(), exchange.name.to_owned());
        }
        if exchange.hops >= HOPS_MAX {
            let why = format!("it has passed {HOPS_MAX} servers: a loop of relays?");
            return exchange.refuse(Code::Refused, &why);
        }
        let payload = exchange.payload;
        let only_asks = self.only_asks(&exchange);
        if self.control_service == Some(exchange.service) {
            if payload == b"STATUS" {
                return self.status_asked.push(exchange.later());
            }
            if let Some(name) = payload.strip_prefix(b"PRESS ").and_then(|name| std::str::from_utf8(name).ok()) {
                if only_asks {
                    return self.refuse_change(exchange);
                }
                return self.press(exchange, name.trim());
            }
        }
        match text::parse(payload) {
            Ok(Some(command)) if only_asks && changes(&command) => self.refuse_change(exchange),
            Ok(Some(command)) => self.obey(exchange, command),
            Ok(None) if exchange.tongue == Tongue::Frames => exchange.refuse(Code::Refused, "an empty command"),
            Ok(None) => {}
            Err(malformed) => exchange.malformed(&malformed.to_string()),
        }
    }

    fn admit(&mut self, service: usize, peer: &Peer) -> Result<(), String> {
        let Some(serve) = self.serves.get(service) else { return Ok(()) };
        match peer.ip() {
            Some(ip) if !serve.admits(ip) => {
                let networks: Vec<String> = serve.anyone_from.iter().map(ToString::to_string).collect();
                Err(format!("{ip} may not use this port: it is open to {}", networks.join(", ")))
            }
            _ => Ok(()),
        }
    }

    fn cancel(&mut self, connection: ConnectionId, id: u32) {
        self.watchers.cancel(connection, id, &mut self.plant.board);
    }

    fn close(&mut self, connection: ConnectionId, peer: &Peer, ending: &Ending) {
        self.names.remove(&connection);
        self.watchers.close(connection, &mut self.plant.board);
        if let Ending::Refused(why) = ending {
            self.refused(peer, why);
        }
    }

    fn page(&mut self, service: usize) -> String {
        let mut page = format!("This is {}, a process of soquete. Its lines:\n\n", self.process);
        for line in self.plant.board.lines() {
            _ = writeln!(page, "  {} {}", line.name(), value_word(line.value()));
        }
        let speaks = |language| self.serves.get(service).is_some_and(|serve| serve.speak.contains(language));
        page.push_str("\nNothing that arrives over HTTP is a command. ");
        if speaks(Language::Text) {
            page.push_str("This port speaks text: connect with netcat and type HELP.\n");
        }
        page
    }
}

impl Front {
    /// Says whether a peer may ask but change nothing: a member of the group, at the control socket.
    fn only_asks(&self, exchange: &Exchange<'_>) -> bool {
        self.control_service == Some(exchange.service) && !self.askers.may_change(exchange.peer)
    }

    fn refuse_change(&self, exchange: Exchange<'_>) {
        let place =
            self.serves.first().map_or(String::new(), |serve| format!(", or where it is served: --at {}", serve.at));
        let why = format!("members of the group may only ask at the control socket; change it as root{place}");
        exchange.refuse(Code::Refused, &why);
    }

    /// Says whether a peer has told a name, and so speaks frames and has asked something.
    pub(crate) fn has_name(&self, connection: ConnectionId) -> bool {
        self.names.contains_key(&connection)
    }

    /// Says who is at the other end of a connection: the address, and the name it has told.
    pub(crate) fn who(&self, connection: ConnectionId, peer: &Peer) -> String {
        match self.names.get(&connection) {
            Some(name) => format!("{name} ({peer})"),
            None => peer.to_string(),
        }
    }
}

/// Says whether a command changes something.
fn changes(command: &Command<'_>) -> bool {
    matches!(command, Command::Set(_) | Command::Lease { .. } | Command::Release(_))
}

fn reply(exchange: Exchange<'_>, answer: &str) {
    // Too long a reply was told to the peer.
    let _ = exchange.reply(answer.as_bytes());
}
