//! Presses on their way: from a rule to each of its targets, and back as one outcome.

mod errand;
mod latency;
mod leases;

use crate::config::{Delivery, ProcessConfig, RuleConfig};
use crate::front::{Front, SERVICE, verb};
use crate::plant::{Answer, Press};
use crate::status::{RuleLatency, RuleLease};
use errand::Errand;
use latency::Latencies;
use leases::Leases;
pub(crate) use leases::lines_of;
use soquete::{Clock, Endpoint, Hub, News, Outbound, Outcome};
use soquete_board::{Cause, Fact, Failure, LineName, Owner, OwnerId, PressId, Refusal, RuleId, Ticket};
use soquete_proto::client::{Options, Request, Timing};
use soquete_proto::text::{self, Command};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The shortest silence before a server is pinged that keeps a lease for this process: 1 s, since a busy one answers
/// late.
const LEASE_PING_MIN: Duration = Duration::from_secs(1);

/// The presses under way of all rules of a process.
pub(crate) struct Deliveries {
    rules: Vec<RuleConfig>,
    /// One client for each endpoint that is spoken to in frames, whichever rules do.
    outbounds: Vec<Outbound>,
    leases: Leases,
    latencies: Latencies,
    /// Requests of those clients, by client and id.
    requests: HashMap<(usize, u32), PressId>,
    /// Presses that go as text or to groups, each by itself, and when each was sent.
    errands: Vec<(Errand, PressId, Option<Duration>)>,
    /// Commands to this process itself.
    commands: HashMap<Ticket, PressId>,
    presses: BTreeMap<PressId, Under>,
}

/// A press under way: how many targets have not answered, and what the others said.
struct Under {
    rule: RuleId,
    caused_at: Duration,
    left: usize,
    answers: Vec<(String, Outcome)>,
}

impl Deliveries {
    pub(crate) fn new(config: &ProcessConfig) -> Self {
        let mut endpoints: Vec<&Endpoint> = Vec::new();
        for endpoint in config.rules.iter().filter(|rule| rule.delivery == Delivery::Frames).flat_map(|rule| &rule.to) {
            if !endpoint.reaches_many() && !endpoints.contains(&endpoint) {
                endpoints.push(endpoint);
            }
        }
        let options = Options { name: config.name.to_string(), resume: true, timed: true, ..Options::new(SERVICE) };
        let outbound = |endpoint: &&Endpoint| {
            let Some(lease) = Leases::shortest(config, endpoint) else {
                return Outbound::new((*endpoint).clone(), options.clone());
            };
            // A server that says nothing is given up and looked for again, or the lease would end with it.
            let ping_after = lease.clamp(LEASE_PING_MIN, options.ping_after);
            let mut client = Outbound::new((*endpoint).clone(), Options { ping_after, ..options.clone() });
            client.keep_open();
            client
        };
        let outbounds: Vec<Outbound> = endpoints.iter().map(outbound).collect();
        Deliveries {
            rules: config.rules.clone(),
            leases: Leases::new(config, &outbounds),
            latencies: Latencies::new(config),
            outbounds,
            requests: HashMap::new(),
            errands: Vec::new(),
            commands: HashMap::new(),
            presses: BTreeMap::new(),
        }
    }

    /// Returns the words of a rule: `BUTTON press`.
    pub(crate) fn words(&self, rule: RuleId) -> String {
        self.rules[rule.index()].words()
    }

    /// Returns the command of a step, and where it goes.
    pub(crate) fn command(&self, rule: RuleId, step: usize) -> (&str, &[Endpoint]) {
        let rule = &self.rules[rule.index()];
        (&rule.send[step], &rule.to)
    }

    /// Sends a press on its way.
    pub(crate) fn deliver(&mut self, press: Press, now: Duration, front: &mut Front) {
        let Press { rule, press, step, deadline, caused_at } = press;
        let RuleConfig { send, to, delivery, .. } = &self.rules[rule.index()];
        let command = &send[step];
        let under = Under { rule, caused_at, left: to.len().max(1), answers: Vec::new() };
        self.presses.insert(press, under);
        if to.is_empty() {
            let words = Cause::from(self.words(rule)).happened_at(Some(caused_at));
            let by = Owner { id: OwnerId::from("this process"), words };
            let ticket = front.command(sets(command), by, Some(deadline), 0);
            self.commands.insert(ticket, press);
            return;
        }
        for endpoint in to {
            if let Some(errand) = Errand::new(endpoint, *delivery, command, deadline) {
                self.errands.push((errand, press, None));
                continue;
            }
            // Every other endpoint of a rule has its client.
            let Some(client) = self.outbounds.iter().position(|client| client.endpoint() == endpoint) else { continue };
            self.leases.ask_before(client, now, &mut self.outbounds);
            let (deadline, caused_at) = (Some(deadline), Some(caused_at));
            let request = Request { once: true, deadline, caused_at, ..Request::new(command.as_bytes()) };
            match self.outbounds[client].request(now, request) {
                Ok(id) => drop(self.requests.insert((client, id), press)),
                Err(misuse) => {
                    let outcome = Outcome::NotDone(misuse.to_string());
                    settle(&mut self.presses, press, endpoint.to_string(), outcome);
                }
            }
        }
    }

    /// Does what can be done; tells the board of the presses that have ended.
    pub(crate) fn drive(&mut self, now: Duration, hub: &mut Hub, front: &mut Front) {
        self.leases.ask(now, &mut self.outbounds);
        for client in 0..self.outbounds.len() {
            self.outbounds[client].drive(hub, now);
            while let Some(news) = self.outbounds[client].next_news() {
                self.hear(now, client, news);
            }
        }
        self.drive_errands(now, hub);
        let (presses, latencies) = (&mut self.presses, &mut self.latencies);
        self.commands.retain(|ticket, press| match front.take_answer(*ticket) {
            Some(Answer { result, done_at }) => {
                if let (Ok(_), Some(at), Some(under)) = (&result, done_at, presses.get(press)) {
                    latencies.done(under.rule.index(), at.saturating_sub(under.caused_at));
                }
                settle(presses, *press, "this process".into(), outcome_of(result));
                false
            }
            None => true,
        });
        let over: Vec<PressId> = presses.iter().filter(|(_, under)| under.left == 0).map(|(press, _)| *press).collect();
        for press in over {
            let Some(under) = presses.remove(&press) else { continue };
            front.plant.handle(now, Fact::Delivered { press, outcome: together(&under.answers) });
        }
        front.sort_effects();
    }

    /// Goes on with what goes without a session: of it only this side of its way is known.
    fn drive_errands(&mut self, now: Duration, hub: &mut Hub) {
        let mut errands = std::mem::take(&mut self.errands);
        errands.retain_mut(|(errand, press, sent_at)| {
            let outcome = errand.drive(hub, now);
            if sent_at.is_none() && errand.was_sent() {
                *sent_at = Some(Clock::now());
            }
            let Some(outcome) = outcome else { return true };
            let under = self.presses.get(press).filter(|_| matches!(outcome, Outcome::Done(_)));
            if let (Some(under), Some(sent_at)) = (under, *sent_at) {
                let (caused_at, answered_at) = (under.caused_at, Clock::now());
                self.note(*press, errand.endpoint(), &Timing { caused_at, sent_at, answered_at, took: None });
            }
            settle(&mut self.presses, *press, errand.endpoint().to_string(), outcome);
            false
        });
        self.errands = errands;
    }

    /// Notes how long a press took that another process has answered.
    fn note(&mut self, press: PressId, endpoint: &Endpoint, timing: &Timing) {
        let Some(rule) = self.presses.get(&press).map(|under| under.rule.index()) else { return };
        let target = self.rules[rule].to.iter().position(|to| to == endpoint);
        target.into_iter().for_each(|target| self.latencies.answered((rule, target), timing));
    }

    fn hear(&mut self, now: Duration, client: usize, news: News) {
        match news {
            News::Opened => self.leases.opened(client, now),
            News::Ended { id, outcome, timing } => {
                if let Some(press) = self.requests.remove(&(client, id)) {
                    let endpoint = self.outbounds[client].endpoint().clone();
                    timing.iter().for_each(|timing| self.note(press, &endpoint, timing));
                    settle(&mut self.presses, press, endpoint.to_string(), outcome);
                } else {
                    self.leases.ended((client, id), &outcome, now, &self.outbounds);
                }
            }
            News::Lost(_) | News::Event { .. } => {}
        }
    }

    /// Says what leases a rule has; nothing where it takes none.
    pub(crate) fn lease_status(&self, rule: RuleId) -> Option<RuleLease> {
        self.leases.status(rule.index(), &self.outbounds)
    }

    /// Says how long the presses of a rule took.
    pub(crate) fn latency_status(&self, rule: RuleId) -> Vec<RuleLatency> {
        self.latencies.status(rule.index(), &self.rules[rule.index()].to)
    }

    /// Gives up what is under way: all of it, or only what was never sent, which is safe.
    pub(crate) fn give_up(&mut self, all: bool, hub: &mut Hub) {
        const WHY: &str = "the process stops";
        let presses = &mut self.presses;
        let outcome = |was_sent| {
            if was_sent { Outcome::Unknown(WHY.into()) } else { Outcome::NotDone(WHY.into()) }
        };
        let outbounds = &mut self.outbounds;
        self.requests.retain(|(client, id), press| {
            let outbound = &mut outbounds[*client];
            let was_sent = outbound.was_sent(*id);
            let stays = was_sent && !all;
            if !stays {
                settle(presses, *press, outbound.endpoint().to_string(), outcome(was_sent));
                outbound.cancel(*id);
            }
            stays
        });
        self.errands.retain_mut(|(errand, press, _)| {
            let stays = errand.was_sent() && !all;
            if !stays {
                settle(presses, *press, errand.endpoint().to_string(), outcome(errand.was_sent()));
                errand.close(hub);
            }
            stays
        });
    }

    /// Says goodbye to every server.
    pub(crate) fn close(&mut self, hub: &mut Hub) {
        self.outbounds.iter_mut().for_each(|outbound| outbound.close(hub));
    }

    /// Returns when [`drive`](Deliveries::drive) has something to do if nothing becomes ready before.
    pub(crate) fn timeout(&mut self) -> Option<Duration> {
        let outbounds = self.outbounds.iter_mut().filter_map(Outbound::timeout);
        let errands = self.errands.iter().map(|(errand, ..)| errand.timeout());
        outbounds.chain(errands).chain(self.leases.timeout()).min()
    }
}

fn settle(presses: &mut BTreeMap<PressId, Under>, press: PressId, target: String, outcome: Outcome) {
    if let Some(under) = presses.get_mut(&press) {
        under.left -= 1;
        under.answers.push((target, outcome));
    }
}

/// Makes one outcome of those of all targets.
///
/// Done is what every target did, not done what none did. Anything between is not safe to repeat, and so it is unknown,
/// with the words of each target.
fn together(answers: &[(String, Outcome)]) -> soquete_board::Outcome {
    let is_done = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::Done(_));
    let is_not_done = |(_, outcome): &(String, Outcome)| matches!(outcome, Outcome::NotDone(_));
    if answers.iter().all(is_done) {
        return Ok(());
    }
    let words: Vec<String> = answers.iter().map(|(target, outcome)| word(target, outcome, answers.len() > 1)).collect();
    let words = words.join("; ");
    Err(if answers.iter().all(is_not_done) { Failure::NotDone(words.into()) } else { Failure::Unknown(words.into()) })
}

fn word(target: &str, outcome: &Outcome, is_one_of_many: bool) -> String {
    match outcome {
        Outcome::NotDone(why) | Outcome::Unknown(why) if !is_one_of_many => why.clone(),
        Outcome::Done(_) => format!("{target} did it"),
        Outcome::NotDone(why) => format!("{target} did not: {why}"),
        Outcome::Unknown(why) => format!("{target} is unknown: {why}"),
    }
}

fn outcome_of(result: Result<Vec<(LineName, soquete_board::Value)>, Refusal>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done(Vec::new()),
        Err(refusal) if refusal.is_safe_to_repeat() => Outcome::NotDone(refusal.to_string()),
        Err(refusal) => Outcome::Unknown(refusal.to_string()),
    }
}

/// Reads a rule's command for this process itself; it was checked with the configuration.
fn sets(command: &str) -> Vec<(LineName, soquete_board::Verb)> {
    let Ok(Some(Command::Set(sets))) = text::parse(command.as_bytes()) else { return Vec::new() };
    sets.into_iter().filter_map(|(name, told)| Some((LineName::try_from(name).ok()?, verb(told)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(outcomes: &[Outcome]) -> Vec<(String, Outcome)> {
        outcomes
            .iter()
            .enumerate()
            .map(|(nth, outcome)| (format!("tcp://10.0.0.{nth}:5555"), outcome.clone()))
            .collect()
    }

    #[test]
    fn a_press_is_done_where_every_target_did_it_and_not_done_where_none_did() {
        let done = Outcome::Done(vec![]);
        let not_done = Outcome::NotDone("refused".into());
        assert_eq!(together(&answers(&[done.clone(), done.clone()])), Ok(()));
        let failure = together(&answers(std::slice::from_ref(&not_done)));
        assert_eq!(failure, Err(Failure::NotDone("refused".into())));
        let failure = together(&answers(&[done, not_done])).unwrap_err();
        let words = "tcp://10.0.0.0:5555 did it; tcp://10.0.0.1:5555 did not: refused";
        assert_eq!(failure, Failure::Unknown(words.into()));
    }
}
