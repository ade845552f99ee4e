//! Lines of other servers, of which this process is a client: what is commanded here is asked for there, and what changes
//! there is told here.

mod answer;

use crate::config::{LineKind, ProcessConfig, WITHIN_DEFAULT};
use crate::console::Seldom;
use crate::front::{SERVICE, told};
use crate::status::FarStatus;
use answer::value;
use soquete::{Endpoint, Hub, News, Outbound, Outcome};
use soquete_board::{ActionId, Cause, Failure, LineId, LineName, Taken, Value, Verb};
use soquete_proto::client::{Options, Request};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

/// Servers that a request may have passed when it comes here: 8, more than anybody chains on purpose, so that one which
/// goes round in a loop of relays ends at once.
pub(crate) const HOPS_MAX: u8 = 8;

/// How long a command that came without a deadline may take at the far end, 2 s: as long as a press by default, and its
/// settling is over before a process that stops gives up.
const WITHIN: Duration = WITHIN_DEFAULT;

/// Silence of a far end after which it is pinged: 2 s. After three times that its lines are unknown, for a value that is
/// older than some seconds is none. (A client that waits for answers alone can be more patient.)
const PING_AFTER: Duration = Duration::from_secs(2);

/// How long after its deadline a far end that was asked may still tell the outcome: 500 ms, half of what whoever asked
/// here waits by default, so that the words come through.
const SETTLE: Duration = Duration::from_millis(500);

/// Pause before a far end is asked again that would not tell its values: it has too many watchers, perhaps.
const ASK_PAUSE: Duration = Duration::from_secs(1);

/// The most characters that are kept of who changed a line at a far end.
const CAUSE_MAX_CHARS: usize = 256;

/// What far ends have told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// How an action ended on a line.
    /// `at` is when it was done, as if its way had taken no time; nothing where the far end does not say what it took.
    Acted { errand: Errand, line: LineId, outcome: Taken, at: Option<Duration> },
    /// What a line has now, and who changed it.
    Value { line: LineId, value: Value, cause: Cause },
}

/// An action of the board, whichever of its lines it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errand {
    pub(crate) action: ActionId,
    pub(crate) cause: Cause,
    pub(crate) deadline: Option<Duration>,
    pub(crate) hops: u8,
    /// Whether it is a value for start or stop, of which nobody hears otherwise.
    pub(crate) is_preset: bool,
}

/// The remote lines of a process, and a client for each endpoint that they lead to.
pub(crate) struct Remotes {
    fars: Vec<Far>,
    /// Which far end a line leads to, and what it is called there.
    lines: BTreeMap<LineId, (usize, LineName)>,
    /// Why the far end, which is connected, does not tell what a line has.
    untold: BTreeMap<LineId, String>,
    told: VecDeque<Told>,
    /// What is said of connections made and lost.
    said: Seldom,
}

/// A far end.
struct Far {
    client: Outbound,
    /// Requests under way: what for, and which lines, in the order of the command.
    requests: HashMap<u32, (Errand, Vec<LineId>)>,
    /// The requests that subscribe to changes and ask for the present values.
    watch: Option<u32>,
    ask: Option<u32>,
    /// When to ask again.
    ask_at: Option<Duration>,
    /// Why there is no connection; empty before the first attempt. `None` while there is one.
    trouble: Option<String>,
    /// Something was asked for that has not been sent yet.
    is_due: bool,
}

impl Remotes {
    /// Makes the clients of a process's remote lines; `ids` are its lines, in the order of the configuration.
    pub(crate) fn new(config: &ProcessConfig, ids: &[LineId]) -> Self {
        let mut remotes = Remotes {
            fars: Vec::new(),
            lines: BTreeMap::new(),
            untold: BTreeMap::new(),
            told: VecDeque::new(),
            said: Seldom::new("news of far ends"),
        };
        for (id, line) in ids.iter().zip(&config.lines) {
            if let LineKind::Remote { at, line, .. } = &line.kind {
                let far = remotes.far(config, at);
                remotes.lines.insert(*id, (far, line.clone()));
            }
        }
        remotes
    }

    fn far(&mut self, config: &ProcessConfig, at: &Endpoint) -> usize {
        if let Some(there) = self.fars.iter().position(|far| far.client.endpoint() == at) {
            return there;
        }
        let name = config.name.to_string();
        let options = Options {
            name,
            resume: true,
            timed: true,
            ping_after: PING_AFTER,
            settle: SETTLE,
            ..Options::new(SERVICE)
        };
        let mut client = Outbound::new(at.clone(), options);
        client.keep_open();
        self.fars.push(Far {
            client,
            requests: HashMap::new(),
            watch: None,
            ask: None,
            ask_at: None,
            trouble: Some(String::new()),
            is_due: false,
        });
        self.fars.len() - 1
    }

    /// Says which far end a line leads to, if it is remote.
    pub(crate) fn leads_to(&self, line: LineId) -> Option<usize> {
        self.lines.get(&line).map(|(far, _)| *far)
    }

    /// Asks a far end for what is to be done to its lines, in one request: it does all of it or nothing.
    ///
    /// How it ended comes out of [`next`](Remotes::next), once for each line.
    pub(crate) fn request(&mut self, now: Duration, far: usize, sets: &[(LineId, Verb)], errand: Errand) {
        let mut command = String::new();
        for (line, verb) in sets {
            let name = self.lines.get(line).map_or("", |(_, name)| name.as_str());
            _ = write!(command, "{}{name} {}", if command.is_empty() { "" } else { " " }, told(*verb));
        }
        let request = Request {
            once: true,
            deadline: Some(errand.deadline.unwrap_or(now + WITHIN)),
            hops: errand.hops.saturating_add(1),
            caused_at: errand.cause.at(),
            ..Request::new(command.as_bytes())
        };
        let lines: Vec<LineId> = sets.iter().map(|(line, _)| *line).collect();
        let far = &mut self.fars[far];
        far.is_due = true;
        match far.client.request(now, request) {
            Ok(id) => drop(far.requests.insert(id, (errand, lines))),
            Err(misuse) => {
                let outcome = Err(Failure::NotDone(misuse.to_string().into()));
                self.told.extend(acted(&errand, &lines, &vec![outcome; lines.len()], None));
            }
        }
    }

    /// Returns what was told next.
    pub(crate) fn next(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Does what can be done without blocking; what is told comes out of [`next`](Remotes::next).
    pub(crate) fn drive(&mut self, now: Duration, hub: &mut Hub) {
        self.said.handle_timeout(now);
        for far in 0..self.fars.len() {
            self.fars[far].client.drive(hub, now);
            while let Some(news) = self.fars[far].client.next_news() {
                self.hear(now, far, news);
            }
            if self.fars[far].ask_at.is_some_and(|at| now >= at) {
                self.fars[far].ask(now);
            }
        }
    }

    /// Sends what was asked for since [`drive`](Remotes::drive).
    pub(crate) fn send(&mut self, now: Duration, hub: &mut Hub) {
        for far in self.fars.iter_mut().filter(|far| far.is_due) {
            far.is_due = false;
            far.client.drive(hub, now);
        }
    }

    fn hear(&mut self, now: Duration, nth: usize, news: News) {
        let far = &mut self.fars[nth];
        let at = far.client.endpoint().to_string();
        match news {
            News::Opened => {
                far.trouble = None;
                far.ask(now);
                self.said.say(now, &format!("{at}: connected"));
            }
            News::Lost(why) => {
                far.forget_asking();
                let named = if why.contains(&at) { why.clone() } else { format!("{at}: {why}") };
                if far.trouble.replace(why).is_none_or(|before| before.is_empty()) {
                    self.said.say(now, &format!("{named}; its lines are unknown"));
                    self.lose(nth, &named);
                }
            }
            News::Event { id, payload, lag } if far.watch == Some(id) => {
                // The board counts what is told now as changed now.
                self.hear_event(nth, &payload, lag.map(|lag| now.saturating_sub(lag)));
            }
            News::Event { .. } => {}
            News::Ended { id, outcome, .. } if far.watch == Some(id) || far.ask == Some(id) => {
                let is_ask = far.ask == Some(id);
                match outcome {
                    Outcome::Done(payload) if is_ask => self.hear_lines(now, nth, &payload),
                    Outcome::Done(_) => {}
                    Outcome::NotDone(why) | Outcome::Unknown(why) => {
                        far.forget_asking();
                        far.ask_at = Some(now + ASK_PAUSE);
                        let why = format!("{at}: it does not tell its values: {why}");
                        self.said.say(now, &why);
                        self.lose(nth, &why);
                        let lines = self.lines.iter().filter(|(_, (leads_to, _))| *leads_to == nth);
                        self.untold.extend(lines.map(|(line, _)| (*line, why.clone())));
                    }
                }
            }
            News::Ended { id, outcome, timing } => {
                if let Some((errand, lines)) = far.requests.remove(&id) {
                    let outcomes = self.outcomes(&at, &lines, outcome);
                    let at = timing.and_then(|timing| timing.earliest());
                    self.told.extend(acted(&errand, &lines, &outcomes, at));
                }
            }
        }
    }

    /// Hears of a change, and when its cause was: `LED ON 1732137000123456 tcp://127.0.0.1:44800`.
    fn hear_event(&mut self, far: usize, payload: &[u8], caused_at: Option<Duration>) {
        let text = String::from_utf8_lossy(payload);
        let mut words = text.splitn(4, ' ');
        let (Some(name), Some(word)) = (words.next(), words.next()) else { return };
        let cause: String = words.nth(1).unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        let cause = Cause::from(cause.chars().take(CAUSE_MAX_CHARS).collect::<String>()).happened_at(caused_at);
        for line in self.called(far, name) {
            self.told.push_back(Told::Value { line, value: value(word), cause: cause.clone() });
        }
    }

    /// Hears what lines have: `OK n`, then a row each, `NAME VALUE DIRECTION`. Those that are not among them are unknown.
    fn hear_lines(&mut self, now: Duration, far: usize, payload: &[u8]) {
        let text = String::from_utf8_lossy(payload);
        let rows = text.lines().skip(1).filter_map(|row| row.split_once(' '));
        let rows = rows.filter_map(|(name, rest)| {
            Some((LineName::try_from(name).ok()?, value(rest.split(' ').next().unwrap_or_default())))
        });
        let rows: BTreeMap<LineName, Value> = rows.collect();
        let at = self.fars[far].client.endpoint().to_string();
        for (line, (_, there)) in self.lines.iter().filter(|(_, (leads_to, _))| *leads_to == far) {
            let (value, cause) = match rows.get(there) {
                Some(value) => {
                    self.untold.remove(line);
                    (*value, at.clone())
                }
                None => {
                    let why = format!("there is no line {there} at {at}");
                    self.said.say(now, &why);
                    self.untold.insert(*line, why.clone());
                    (Value::Unknown, why)
                }
            };
            self.told.push_back(Told::Value { line: *line, value, cause: Cause::from(cause) });
        }
    }

    fn called(&self, far: usize, name: &str) -> Vec<LineId> {
        let Ok(name) = LineName::try_from(name) else { return Vec::new() };
        let lines = self.lines.iter().filter(|(_, (leads_to, there))| *leads_to == far && *there == name);
        lines.map(|(line, _)| *line).collect()
    }

    /// Makes every line of a far end unknown.
    fn lose(&mut self, far: usize, why: &str) {
        let cause = Cause::from(why);
        for (line, _) in self.lines.iter().filter(|(_, (leads_to, _))| *leads_to == far) {
            self.told.push_back(Told::Value { line: *line, value: Value::Unknown, cause: cause.clone() });
        }
    }

    /// Gives up what is under way: all of it, or only what clients asked for and was never sent, which is safe.
    pub(crate) fn give_up(&mut self, all: bool) {
        const WHY: &str = "the process stops";
        for far in &mut self.fars {
            let Far { client, requests, .. } = far;
            requests.retain(|id, (errand, lines)| {
                let was_sent = client.was_sent(*id);
                let stays = !all && (was_sent || errand.is_preset);
                if !stays {
                    let why = if was_sent { Failure::Unknown(WHY.into()) } else { Failure::NotDone(WHY.into()) };
                    self.told.extend(acted(errand, lines, &vec![Err(why); lines.len()], None));
                    client.cancel(*id);
                }
                stays
            });
        }
    }

    /// Says goodbye to every far end.
    pub(crate) fn close(&mut self, hub: &mut Hub) {
        self.fars.iter_mut().for_each(|far| far.client.close(hub));
    }

    /// Returns when [`drive`](Remotes::drive) has something to do if nothing becomes ready before.
    pub(crate) fn timeout(&mut self) -> Option<Duration> {
        if !self.told.is_empty() {
            return Some(Duration::ZERO);
        }
        let times = self.fars.iter_mut().flat_map(|far| [far.client.timeout(), far.ask_at]);
        times.flatten().chain(self.said.timeout()).min()
    }

    /// Says where a line leads, whether there is a connection, and what is wrong, if it is remote.
    pub(crate) fn status(&self, id: LineId) -> Option<FarStatus> {
        let (far, name) = self.lines.get(&id)?;
        let Far { client, trouble, .. } = &self.fars[*far];
        let (at, line) = (client.endpoint().to_string(), name.to_string());
        Some(FarStatus {
            at,
            line,
            connected: trouble.is_none(),
            trouble: match trouble {
                None => self.untold.get(&id).cloned(),
                Some(why) => Some(why.clone()).filter(|why| !why.is_empty()),
            },
        })
    }
}

impl Far {
    /// Subscribes to the changes of all its lines, then asks what they have: in this order nothing is missed.
    fn ask(&mut self, now: Duration) {
        self.ask_at = None;
        self.is_due = true;
        // So few requests are refused only where the server takes none; it is asked again.
        self.watch = self.client.request(now, Request::new(b"WATCH")).ok();
        self.ask = self.client.request(now, Request::new(b"LINES")).ok();
        if self.ask.is_none() {
            self.forget_asking();
            self.ask_at = Some(now + ASK_PAUSE);
        }
    }

    /// What an earlier connection told counts no more, and what was not sent over it must not go over the next.
    fn forget_asking(&mut self) {
        self.ask_at = None;
        for id in [self.watch.take(), self.ask.take()].into_iter().flatten() {
            self.client.cancel(id);
        }
    }
}

fn acted(errand: &Errand, lines: &[LineId], outcomes: &[Taken], at: Option<Duration>) -> Vec<Told> {
    let each = lines.iter().zip(outcomes);
    each.map(|(line, outcome)| Told::Acted { errand: errand.clone(), line: *line, outcome: outcome.clone(), at })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Direction, LineConfig};
    use soquete_board::{Board, LineSpec};

    /// Makes a process with the lines LED and LAMP, which lead to LED and NOBODY at one endpoint.
    pub(super) fn remotes() -> (Remotes, Vec<LineId>) {
        let (mut board, mut config) = (Board::new(), ProcessConfig::new("relay".parse().unwrap()));
        let mut ids = Vec::new();
        for (here, there) in [("LED", "LED"), ("LAMP", "NOBODY")] {
            let (at, line) = ("mem:far".parse().unwrap(), there.parse().unwrap());
            let kind = LineKind::Remote { direction: Direction::Output, at, line };
            config.lines.push(LineConfig::new(here.parse().unwrap(), kind));
            ids.push(board.add_line(Duration::ZERO, LineSpec::output(here.parse().unwrap())).unwrap());
        }
        (Remotes::new(&config, &ids), ids)
    }

    fn told(remotes: &mut Remotes) -> Vec<(LineId, Value, String)> {
        let value = |told| match told {
            Told::Value { line, value, cause } => (line, value, cause.as_str().to_owned()),
            Told::Acted { .. } => panic!("{told:?}"),
        };
        std::iter::from_fn(|| remotes.next()).map(value).collect()
    }

    #[test]
    fn lines_that_lead_to_one_endpoint_share_a_client() {
        let (remotes, ids) = remotes();
        assert_eq!((remotes.fars.len(), remotes.leads_to(ids[0]), remotes.leads_to(ids[1])), (1, Some(0), Some(0)));
    }

    #[test]
    fn who_changed_a_line_there_is_told_in_bounds_and_without_control_characters() {
        let (mut remotes, ids) = remotes();
        remotes.hear_event(0, format!("led ON 1 \x1b[2J{}", "x".repeat(1000)).as_bytes(), None);
        let cause = format!("[2J{}", "x".repeat(CAUSE_MAX_CHARS - 3));
        assert_eq!(told(&mut remotes), [(ids[0], Value::On, cause)]);
    }

    #[test]
    fn what_is_no_event_of_ours_is_passed_over() {
        let (mut remotes, ids) = remotes();
        for payload in [&b""[..], b"LED", b" ON", b"\xff\xfe ON 1 x", b"LAMP ON 1 x", b"ON ON ON ON"] {
            remotes.hear_event(0, payload, None);
            assert_eq!(told(&mut remotes), [], "{payload:?}");
        }
        remotes.hear_event(0, b"LED BLUE 1 x", None);
        assert_eq!(told(&mut remotes), [(ids[0], Value::Unknown, "x".to_owned())]);
    }

    #[test]
    fn a_line_that_is_not_there_is_unknown_and_status_says_why() {
        let (mut remotes, ids) = remotes();
        remotes.fars[0].trouble = None;
        let mut hear = |rows: &[u8]| {
            remotes.hear_lines(Duration::ZERO, 0, rows);
            (told(&mut remotes), [0, 1].map(|nth| remotes.status(ids[nth]).unwrap().trouble))
        };
        let none = "there is no line NOBODY at mem:far".to_owned();
        let led = (ids[0], Value::Off, "mem:far".to_owned());
        let expected = (vec![led.clone(), (ids[1], Value::Unknown, none.clone())], [None, Some(none)]);
        assert_eq!(hear(b"OK 2\nLED OFF OUTPUT and more\nLAMP ON OUTPUT"), expected);
        let lamp = (ids[1], Value::On, "mem:far".to_owned());
        assert_eq!(hear(b"OK 2\nLED OFF OUTPUT\nNOBODY ON OUTPUT"), (vec![led, lamp], [None, None]));
    }
}
