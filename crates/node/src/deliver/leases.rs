//! Leases that rules have on what they set: taken when the process begins, renewed for as long as it lives.

use crate::config::{ProcessConfig, RuleConfig, Timeout};
use crate::console;
use crate::status::RuleLease;
use soquete::{Endpoint, Outbound, Outcome};
use soquete_board::LineName;
use soquete_proto::client::Request;
use soquete_proto::text::{self, Command};
use std::collections::HashMap;
use std::time::Duration;

/// How often a lease is renewed within its time: two renewals may be lost.
const RENEWALS: u32 = 3;

/// The leases of all rules.
#[derive(Default)]
pub(super) struct Leases {
    wanted: Vec<Wanted>,
    /// Requests without an answer, by client and id: which lease, and when it was asked for. Each ends soon after its
    /// deadline, so that they are few.
    asked: HashMap<(usize, u32), (usize, Duration)>,
}

/// A lease of a rule on lines of one endpoint.
struct Wanted {
    /// The rule, and its words: `BUTTON press`.
    rule: usize,
    words: String,
    /// The client of the endpoint.
    client: usize,
    /// The lines: `LED RELAY1`.
    lines: String,
    time: Duration,
    /// When it was asked for last, and when to ask again.
    asked_at: Option<Duration>,
    ask_at: Duration,
    /// Until when at least the server keeps it for us.
    held_until: Option<Duration>,
    /// Why it is not held; nothing where it is, or nobody knows yet.
    trouble: Option<String>,
}

impl Leases {
    /// Finds the leases that the rules want; `clients` are those of the process.
    pub(super) fn new(config: &ProcessConfig, clients: &[Outbound]) -> Self {
        let mut leases = Leases::default();
        for (rule, config) in config.rules.iter().enumerate() {
            let Some(time) = config.lease else { continue };
            for to in &config.to {
                let Some(client) = clients.iter().position(|client| client.endpoint() == to) else { continue };
                leases.wanted.push(Wanted {
                    rule,
                    words: config.words(),
                    client,
                    lines: lines_of(config).iter().map(LineName::as_str).collect::<Vec<_>>().join(" "),
                    time,
                    asked_at: None,
                    ask_at: Duration::ZERO,
                    held_until: None,
                    trouble: None,
                });
            }
        }
        leases
    }

    /// Says how long the shortest lease is that is wanted at an endpoint, if any is.
    pub(super) fn shortest(config: &ProcessConfig, at: &Endpoint) -> Option<Duration> {
        let own = config.rules.iter().filter(|rule| rule.to.contains(at));
        own.filter_map(|rule| rule.lease).min()
    }

    /// Asks for what is to be taken or renewed by now.
    pub(super) fn ask(&mut self, now: Duration, clients: &mut [Outbound]) {
        for nth in 0..self.wanted.len() {
            if now >= self.wanted[nth].ask_at {
                self.request(nth, now, clients);
            }
        }
    }

    /// Asks for what may have ended while this process was held up, so that it goes before a command to that client.
    pub(super) fn ask_before(&mut self, client: usize, now: Duration, clients: &mut [Outbound]) {
        for nth in 0..self.wanted.len() {
            let Wanted { client: own, asked_at, time, .. } = &self.wanted[nth];
            if *own == client && asked_at.is_none_or(|at| now >= at + *time) {
                self.request(nth, now, clients);
            }
        }
    }

    fn request(&mut self, nth: usize, now: Duration, clients: &mut [Outbound]) {
        let wanted = &mut self.wanted[nth];
        wanted.asked_at = Some(now);
        wanted.ask_at = now + wanted.time / RENEWALS;
        let command = format!("LEASE {} {}", wanted.lines, words(wanted.time));
        // One that comes late must not give a process that is gone a lease again.
        let request = Request { once: true, deadline: Some(now + wanted.time), ..Request::new(command.as_bytes()) };
        match clients[wanted.client].request(now, request) {
            Ok(id) => drop(self.asked.insert((wanted.client, id), (nth, now))),
            Err(misuse) => wanted.lose(&misuse.to_string(), clients),
        }
    }

    /// Hears that a client is connected: a server that was restarted knows of no lease.
    pub(super) fn opened(&mut self, client: usize, now: Duration) {
        let is_asked = |nth: usize| self.asked.values().any(|(asked, _)| *asked == nth);
        let idle: Vec<usize> = (0..self.wanted.len()).filter(|nth| !is_asked(*nth)).collect();
        for nth in idle {
            let wanted = &mut self.wanted[nth];
            if wanted.client == client {
                wanted.ask_at = now;
            }
        }
    }

    /// Hears how a request ended, if it was one of these.
    pub(super) fn ended(&mut self, key: (usize, u32), outcome: &Outcome, now: Duration, clients: &[Outbound]) {
        let Some((nth, asked_at)) = self.asked.remove(&key) else { return };
        let wanted = &mut self.wanted[nth];
        let until = asked_at + wanted.time;
        match outcome {
            Outcome::Done(_) => wanted.hold(until, clients),
            // A later one was granted.
            _ if wanted.held_until.is_some_and(|held| held > until) => {}
            Outcome::NotDone(why) => wanted.lose(why, clients),
            Outcome::Unknown(why) => {
                wanted.ask_at = now;
                if wanted.held_until.is_none_or(|held| now >= held) {
                    wanted.lose(why, clients);
                }
            }
        }
    }

    /// Returns when [`ask`](Leases::ask) has something to do.
    pub(super) fn timeout(&self) -> Option<Duration> {
        self.wanted.iter().map(|wanted| wanted.ask_at).min()
    }

    /// Says what a rule has.
    pub(super) fn status(&self, rule: usize, clients: &[Outbound]) -> Option<RuleLease> {
        let own: Vec<&Wanted> = self.wanted.iter().filter(|wanted| wanted.rule == rule).collect();
        let trouble = |wanted: &&Wanted| wanted.trouble.as_ref().map(|why| wanted.named(why, clients));
        Some(RuleLease {
            time: words(own.first()?.time),
            held: own.iter().all(|wanted| wanted.trouble.is_none() && wanted.held_until.is_some()),
            trouble: own.iter().filter_map(trouble).collect(),
        })
    }
}

impl Wanted {
    fn hold(&mut self, until: Duration, clients: &[Outbound]) {
        let is_new = self.held_until.is_none() || self.trouble.is_some();
        self.held_until = Some(until);
        self.trouble = None;
        if is_new {
            let (lines, at) = (&self.lines, clients[self.client].endpoint());
            console::say(&format!("{}: leased {lines} at {at} for {}", self.words, words(self.time)));
        }
    }

    fn lose(&mut self, why: &str, clients: &[Outbound]) {
        if self.trouble.replace(why.to_owned()).is_none() {
            console::say(&format!("{}: no lease on {}; it is tried again", self.words, self.named(why, clients)));
        }
    }

    fn named(&self, why: &str, clients: &[Outbound]) -> String {
        format!("{} at {}: {why}", self.lines, clients[self.client].endpoint())
    }
}

/// Returns the lines that the commands of a rule set, each once.
pub(crate) fn lines_of(rule: &RuleConfig) -> Vec<LineName> {
    let mut lines = Vec::new();
    for command in &rule.send {
        let Ok(Some(Command::Set(sets))) = text::parse(command.as_bytes()) else { continue };
        for name in sets.into_iter().filter_map(|(name, _)| LineName::try_from(name).ok()) {
            if !lines.contains(&name) {
                lines.push(name);
            }
        }
    }
    lines
}

fn words(time: Duration) -> String {
    // It was checked with the configuration.
    Timeout::try_from(time).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Trigger;
    use soquete_proto::client::Options;

    const TIME: Duration = Duration::from_secs(3);

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Makes the leases of a rule that sets LED and RELAY1 at one endpoint, and its client.
    fn leases() -> (Leases, Vec<Outbound>) {
        let mut config = ProcessConfig::new("button".parse().unwrap());
        let mut rule = RuleConfig::new("KEY".parse().unwrap(), Trigger::Press, "LED ON RELAY1 OFF");
        rule.send.push("led OFF".into());
        rule.to.push("mem:far".parse().unwrap());
        rule.lease = Some(TIME);
        config.rules.push(rule);
        let clients = vec![Outbound::new("mem:far".parse().unwrap(), Options::new("board"))];
        (Leases::new(&config, &clients), clients)
    }

    fn ids(leases: &Leases) -> Vec<u32> {
        let mut ids: Vec<u32> = leases.asked.keys().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn a_lease_is_renewed_every_third_of_it_whatever_was_answered() {
        let (mut leases, mut clients) = leases();
        assert_eq!(leases.wanted[0].lines, "LED RELAY1");
        for (now, asked) in [(0, 1), (999, 1), (1000, 2), (2000, 3)] {
            leases.ask(at(now), &mut clients);
            assert_eq!(ids(&leases).len(), asked, "{now}");
        }
        assert_eq!(leases.timeout(), Some(at(3000)));
    }

    #[test]
    fn what_is_held_is_told_and_lost_by_a_refusal_or_by_its_time() {
        let (mut leases, mut clients) = leases();
        leases.ask(at(0), &mut clients);
        assert!(!leases.status(0, &clients).unwrap().held);
        let id = ids(&leases)[0];
        leases.ended((0, id), &Outcome::Done(vec![]), at(10), &clients);
        assert!(leases.status(0, &clients).unwrap().held);
        leases.ask(at(1000), &mut clients);
        let id = ids(&leases)[0];
        leases.ended((0, id), &Outcome::Unknown("cut".into()), at(1010), &clients);
        assert!(leases.status(0, &clients).unwrap().held && leases.timeout() == Some(at(1010)));
        leases.ask(at(1010), &mut clients);
        let id = ids(&leases)[0];
        leases.ended((0, id), &Outcome::NotDone("LED is leased by eve".into()), at(1020), &clients);
        let status = leases.status(0, &clients).unwrap();
        assert_eq!((status.held, status.trouble), (false, vec!["LED RELAY1 at mem:far: LED is leased by eve".into()]));
    }

    #[test]
    fn a_lease_that_may_have_ended_is_asked_for_before_a_command_goes() {
        let (mut leases, mut clients) = leases();
        leases.ask(at(0), &mut clients);
        leases.ask_before(0, at(2999), &mut clients);
        leases.ask_before(1, at(9000), &mut clients);
        assert_eq!(ids(&leases).len(), 1);
        leases.ask_before(0, at(3000), &mut clients);
        assert_eq!(ids(&leases).len(), 2);
    }

    #[test]
    fn a_new_connection_has_it_asked_for_at_once_unless_it_is_already() {
        let (mut leases, mut clients) = leases();
        leases.ask(at(0), &mut clients);
        leases.opened(0, at(10));
        assert_eq!(leases.timeout(), Some(at(1000)));
        let id = ids(&leases)[0];
        leases.ended((0, id), &Outcome::Done(vec![]), at(20), &clients);
        leases.opened(0, at(500));
        assert_eq!(leases.timeout(), Some(at(500)));
    }
}
