//! What a process tells about itself.

use super::Process;
use crate::moment::unix_us;
use crate::status::{LeaseStatus, LineStatus, OwedStatus, ProcessStatus, RuleStatus};
use soquete::Clock;
use soquete_board::{Direction, Rule, Value};

impl Process {
    /// Puts together what the process tells about itself.
    pub(crate) fn status(&self) -> ProcessStatus {
        // Of datagrams only a session has a name; who sent some text may be gone long since.
        let is_here = |id, service: usize| {
            let serve = self.config.serve.get(service);
            serve.is_some_and(|serve| !serve.at.is_datagram() || self.front.has_name(id))
        };
        let peers = self.hub.connections().filter(|(id, service, _)| is_here(*id, *service));
        ProcessStatus {
            name: self.config.name.to_string(),
            pid: std::process::id(),
            uptime_secs: Clock::now().saturating_sub(self.started_at).as_secs_f64(),
            endpoints: self.endpoints.iter().map(ToString::to_string).collect(),
            lines: self.front.plant.board.lines().map(|line| self.line_status(line)).collect(),
            rules: self.front.plant.board.rules().map(|rule| self.rule_status(rule)).collect(),
            peers: peers.map(|(id, _, peer)| self.front.who(id, peer)).collect(),
            refused: self.front.refusals.total(),
            forgotten: self.journal.forgotten(),
        }
    }

    fn line_status(&self, line: &soquete_board::Line) -> LineStatus {
        let has_changed = line.cause().is_some();
        LineStatus {
            name: line.name().to_string(),
            direction: match line.direction() {
                Direction::Input => "input".into(),
                Direction::Output => "output".into(),
            },
            kind: self.front.plant.wired(line.id()).map(|wired| wired.kind.clone()).unwrap_or_default(),
            value: line.value().to_string(),
            since_us: has_changed.then(|| unix_us(line.since())),
            gpio: self.front.plant.gpios.status(line.id()),
            owed: self.front.plant.board.owed(line.id()).map(|owed| OwedStatus {
                value: Value::from(owed.level()).to_string(),
                cause: owed.cause().as_str().to_owned(),
                trouble: owed.failure().to_string(),
            }),
            lease: self.front.plant.board.lease_of(line.id()).map(|lease| LeaseStatus {
                by: lease.owner().words.as_str().to_owned(),
                left_secs: lease.until().saturating_sub(Clock::now()).as_secs_f64(),
            }),
            far: self.front.plant.remotes.status(line.id()),
            by: line.cause().map(|cause| cause.as_str().to_owned()),
            latency: self.front.plant.wired(line.id()).and_then(|wired| wired.latency.status()),
        }
    }

    fn rule_status(&self, rule: &Rule) -> RuleStatus {
        let config = &self.config.rules[rule.id().index()];
        let counts = rule.counts();
        RuleStatus {
            on: config.words(),
            send: config.send.clone(),
            to: config.to.iter().map(ToString::to_string).collect(),
            lease: self.deliveries.lease_status(rule.id()),
            done: counts.done,
            not_done: counts.not_done,
            unknown: counts.unknown,
            waiting: counts.waiting as u64,
            trouble: self.reports.trouble(rule.id()),
            latency: self.deliveries.latency_status(rule.id()),
        }
    }
}
