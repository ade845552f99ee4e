//! How long the presses of rules took that were done, at each of their targets.

use crate::config::{LineKind, ProcessConfig, RuleConfig};
use crate::histogram::Histogram;
use crate::status::RuleLatency;
use soquete::Endpoint;
use soquete_proto::client::Timing;
use std::time::Duration;

/// What is kept of the presses of all rules.
pub(super) struct Latencies {
    /// By rule and target; of a rule without targets, the process itself.
    courses: Vec<Vec<Course>>,
    /// Where the times of each rule are from.
    from: Vec<&'static str>,
}

/// The way from the edge to a target and back, in distributions.
#[derive(Clone, Debug, Default)]
struct Course {
    sent: Histogram,
    took: Histogram,
    set: Histogram,
    answered: Histogram,
}

impl Latencies {
    pub(super) fn new(config: &ProcessConfig) -> Self {
        let courses = config.rules.iter().map(|rule| vec![Course::default(); rule.to.len().max(1)]);
        Latencies { courses: courses.collect(), from: config.rules.iter().map(|rule| from(config, rule)).collect() }
    }

    /// Notes a press that another process has answered.
    pub(super) fn answered(&mut self, (rule, target): (usize, usize), timing: &Timing) {
        let course = &mut self.courses[rule][target];
        let after = |at: Duration| at.saturating_sub(timing.caused_at);
        course.sent.add(after(timing.sent_at));
        course.answered.add(after(timing.answered_at));
        timing.took.iter().for_each(|took| course.took.add(*took));
        timing.done_at().iter().for_each(|at| course.set.add(after(*at)));
    }

    /// Notes a press that this process has done itself.
    pub(super) fn done(&mut self, rule: usize, took: Duration) {
        self.courses[rule][0].set.add(took);
    }

    /// Returns what is told of a rule: of the targets where a press was done.
    pub(super) fn status(&self, rule: usize, to: &[Endpoint]) -> Vec<RuleLatency> {
        let targets = self.courses[rule].iter().enumerate().map(|(target, course)| {
            let Course { sent, took, set, answered } = course;
            let [sent, took, set, answered] = [sent, took, set, answered].map(Histogram::status);
            let to = to.get(target).map_or_else(|| "this process".to_owned(), ToString::to_string);
            RuleLatency { to, from: self.from[rule].to_owned(), sent, took, set, answered }
        });
        targets.filter(|latency| latency.set.is_some() || latency.answered.is_some()).collect()
    }
}

/// Says where the times of edges of a rule's line are from.
fn from(config: &ProcessConfig, rule: &RuleConfig) -> &'static str {
    match config.lines.iter().find(|line| line.name == rule.line).map(|line| &line.kind) {
        Some(LineKind::Gpio(_)) => "kernel",
        Some(LineKind::Fifo { .. }) => "fifo",
        Some(LineKind::Remote { .. }) => "event",
        _ => "press",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LineConfig, Trigger};

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    #[test]
    fn each_target_has_its_own_times_and_one_that_did_nothing_has_none() {
        let mut config = ProcessConfig::new("button".parse().unwrap());
        let kind = LineKind::Fifo { path: "/tmp/x".into(), mode: 0o600 };
        config.lines.push(LineConfig::new("BUTTON".parse().unwrap(), kind));
        let mut rule = RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED ON");
        rule.to = ["mem:a", "mem:b", "mem:c"].iter().map(|to| to.parse().unwrap()).collect();
        config.rules = vec![rule.clone(), RuleConfig::new("KEY".parse().unwrap(), Trigger::Press, "LED ON")];
        let mut latencies = Latencies::new(&config);
        let timing = |took| Timing { caused_at: us(100), sent_at: us(110), answered_at: us(130), took };
        latencies.answered((0, 0), &timing(Some(us(6))));
        latencies.answered((0, 2), &timing(None));
        let told = latencies.status(0, &rule.to);
        let targets: Vec<_> = told.iter().map(|latency| (latency.to.as_str(), latency.from.as_str())).collect();
        assert_eq!(targets, [("mem:a", "fifo"), ("mem:c", "fifo")]);
        let RuleLatency { sent, took, set, answered, .. } = &told[0];
        let most = [sent, took, set, answered].map(|status| status.as_ref().map(|status| status.max_us));
        assert_eq!(most, [Some(10), Some(6), Some(23), Some(30)]);
        assert_eq!((&told[1].took, &told[1].set, told[1].answered.is_some()), (&None, &None, true));
        latencies.done(1, us(7));
        let told = latencies.status(1, &[]);
        assert_eq!((told[0].to.as_str(), told[0].from.as_str(), told.len()), ("this process", "press", 1));
    }
}
