//! What cannot be seen in one value alone: names given twice, rules on lines that are not there, doors left open.

#[cfg(test)]
mod fixture;
mod line;
mod rule;

use std::collections::HashSet;
use std::path::Path;

use soquete::{Endpoint, UnixName};
use soquete_board::{LINES_MAX, RULES_MAX};

use super::{
    BACKLOG_MAX, COMMANDS_MAX, Counted, ENDPOINTS_MAX, FAR_MAX, HardwareLine, Mistake, NETWORKS_MAX, PROCESSES_MAX,
    Place, Problem, ProcessConfig, Serve, TARGETS_MAX,
};

/// The largest mode of a file: permissions of owner, group and others.
const MODE_MAX: u32 = 0o777;

/// Checks a whole configuration and returns every mistake, in the order of the configuration.
///
/// Whoever reads or makes a configuration calls it once; what it passes, the rest of the program trusts.
///
/// ```
/// use soquete_node::config::{Problem, ProcessConfig, Serve, check};
///
/// let mut led = ProcessConfig::new("led_process".parse()?);
/// led.serve.push(Serve::new("tcp://0.0.0.0:5555".parse()?));
/// assert!(matches!(check(&[led.clone()])[0].problem, Problem::OffLoopback(_)));
///
/// led.serve[0].anyone_from.push("10.0.0.0/24".parse()?);
/// assert!(check(&[led]).is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn check(processes: &[ProcessConfig]) -> Vec<Mistake> {
    let mut check = Check::default();
    if processes.is_empty() {
        check.found(Place::Whole, Problem::NoProcess);
    }
    check.count(Place::Whole, Counted::Processes, processes.len());
    for (process, config) in processes.iter().enumerate() {
        check.process(process, config);
    }
    check.mistakes
}

/// What was seen so far of a configuration.
#[derive(Default)]
struct Check<'a> {
    mistakes: Vec<Mistake>,
    processes: HashSet<&'a str>,
    endpoints: HashSet<&'a Endpoint>,
    files: HashSet<&'a Path>,
    fifos: HashSet<&'a Path>,
    hardware: HashSet<&'a HardwareLine>,
}

impl<'a> Check<'a> {
    fn found(&mut self, place: Place, problem: Problem) {
        self.mistakes.push(Mistake { place, problem });
    }

    fn count(&mut self, place: Place, counted: Counted, count: usize) {
        let max = match counted {
            Counted::Processes => PROCESSES_MAX,
            Counted::Endpoints => ENDPOINTS_MAX,
            Counted::Networks => NETWORKS_MAX,
            Counted::Lines => LINES_MAX,
            Counted::Far => FAR_MAX,
            Counted::Rules => RULES_MAX,
            Counted::Commands => COMMANDS_MAX,
            Counted::Targets => TARGETS_MAX,
        };
        if count > max {
            self.found(place, Problem::TooMany { counted, count, max });
        }
    }

    fn process(&mut self, process: usize, config: &'a ProcessConfig) {
        let place = Place::Process(process);
        if !self.processes.insert(config.name.as_str()) {
            self.found(place, Problem::RepeatedProcess(config.name.clone()));
        }
        if config.syslog.as_ref().is_some_and(|path| !path.is_absolute()) {
            self.found(place, Problem::RelativeSyslog);
        }
        self.count(place, Counted::Endpoints, config.serve.len());
        for (nth, serve) in config.serve.iter().enumerate() {
            self.serve(Place::Serve { process, nth }, serve);
        }
        let lines = self.lines(process, config);
        self.count(place, Counted::Rules, config.rules.len());
        for (nth, rule) in config.rules.iter().enumerate() {
            self.rule(Place::Rule { process, nth }, rule, &lines);
        }
    }

    fn serve(&mut self, place: Place, serve: &'a Serve) {
        let at = &serve.at;
        match at.host() {
            Some((host, _)) if !host.is_loopback() && serve.anyone_from.is_empty() => {
                self.found(place, Problem::OffLoopback(at.clone()));
            }
            None if !serve.anyone_from.is_empty() => self.found(place, Problem::NetworksWithoutTcp(at.clone())),
            _ => {}
        }
        self.count(place, Counted::Networks, serve.anyone_from.len());
        match (at.unix_name(), serve.mode) {
            (Some(UnixName::Path(_)), Some(mode)) if mode > MODE_MAX => self.found(place, Problem::BadMode(mode)),
            (Some(UnixName::Path(_)), _) | (_, None) => {}
            (_, Some(_)) => self.found(place, Problem::ModeWithoutFile(at.clone())),
        }
        if serve.speak.is_empty() {
            self.found(place, Problem::NoLanguage);
        }
        if !(1..=BACKLOG_MAX).contains(&serve.backlog) {
            self.found(place, Problem::BadBacklog(serve.backlog));
        }
        // The kernel gives a new port for each 0, any number may be in a group, and `mem:` means the threads of one process.
        let has_own = matches!(at, Endpoint::Mem(_)) || at.is_multicast() || has_no_port(at);
        let is_shared = !has_own;
        let is_first_file = match at.unix_name() {
            Some(UnixName::Path(path)) => self.files.insert(path),
            _ => true,
        };
        if is_shared && !self.endpoints.insert(at) {
            self.found(place, Problem::RepeatedEndpoint(at.clone()));
        } else if !is_first_file {
            self.found(place, Problem::RepeatedFile(at.clone()));
        }
    }
}

fn has_no_port(at: &Endpoint) -> bool {
    matches!(at.host(), Some((_, 0)))
}

#[cfg(test)]
mod tests {
    use super::fixture::{SERVE, name, problem, process, serving};
    use super::*;
    use crate::config::{LineConfig, LineKind};
    use soquete_board::Direction;

    #[test]
    fn a_process_without_mistakes_has_none() {
        assert_eq!(problem(|_| ()), None);
        assert_eq!(check(&[serving("unix:///run/led.sock"), process("button")]), []);
    }

    #[test]
    fn nothing_at_all_is_a_mistake() {
        assert_eq!(check(&[]), [Mistake { place: Place::Whole, problem: Problem::NoProcess }]);
    }

    #[test]
    fn off_loopback_wants_networks() {
        for at in ["tcp://0.0.0.0:5555", "tcp://[::]:5555", "tcp://10.0.0.100:5555", "tcp://board:5555"] {
            let problems = check(&[serving(at)]);
            assert_eq!(problems, [Mistake { place: SERVE, problem: Problem::OffLoopback(at.parse().unwrap()) }]);
        }
        for at in ["tcp://localhost:5555", "tcp://[::1]:5555", "unix:@led", "mem:led"] {
            assert_eq!(check(&[serving(at)]), []);
        }
    }

    #[test]
    fn names_endpoints_and_fifos_are_given_once() {
        let mistakes = check(&[serving("tcp://127.0.0.1:5555"), serving("tcp://127.0.0.1:5555")]);
        let problems: Vec<_> = mistakes.into_iter().map(|mistake| mistake.problem).collect();
        let at = "tcp://127.0.0.1:5555".parse().unwrap();
        assert_eq!(problems, [Problem::RepeatedProcess("led".parse().unwrap()), Problem::RepeatedEndpoint(at)]);

        let same = problem(|p| p.lines.push(LineConfig::new(name("led"), LineKind::Log)));
        assert_eq!(same, Some((Place::Line { process: 0, nth: 2 }, Problem::RepeatedLine(name("LED")))));

        let fifo = || LineKind::input("fifo:/tmp/tcp_file").unwrap();
        let both = problem(|p| p.lines.extend(["A", "B"].map(|line| LineConfig::new(name(line), fifo()))));
        let place = Place::Line { process: 0, nth: 3 };
        assert_eq!(both, Some((place, Problem::RepeatedFifo("/tmp/tcp_file".into()))));
    }

    #[test]
    fn a_path_is_served_by_one_kind_of_socket_and_a_name_by_each() {
        let both = |one: &str, other: &str| {
            problem(|p| p.serve = [one, other].map(|at| Serve::new(at.parse().unwrap())).into())
        };
        let other = "unix:///tmp/x".parse().unwrap();
        let place = Place::Serve { process: 0, nth: 1 };
        assert_eq!(both("seqpacket:///tmp/x", "unix:///tmp/x"), Some((place, Problem::RepeatedFile(other))));
        assert_eq!(both("seqpacket:@x", "unix:@x"), None);
    }

    #[test]
    fn port_0_and_mem_may_be_served_again() {
        let mut other = serving("tcp://127.0.0.1:0");
        other.name = "other".parse().unwrap();
        assert_eq!(check(&[serving("tcp://127.0.0.1:0"), other.clone()]), []);
        other.serve[0].at = "mem:led".parse().unwrap();
        assert_eq!(check(&[serving("mem:led"), other]), []);
    }

    #[test]
    fn what_an_endpoint_cannot_have_is_a_mistake() {
        let networks = |p: &mut ProcessConfig| {
            p.serve[0].at = "unix:@led".parse().unwrap();
            p.serve[0].anyone_from.push("10.0.0.0/24".parse().unwrap());
        };
        assert_eq!(problem(networks), Some((SERVE, Problem::NetworksWithoutTcp("unix:@led".parse().unwrap()))));
        let tcp = "tcp://127.0.0.1:5555".parse().unwrap();
        assert_eq!(problem(|p| p.serve[0].mode = Some(0o600)), Some((SERVE, Problem::ModeWithoutFile(tcp))));
        assert_eq!(problem(|p| p.serve[0].speak = [].into_iter().collect()), Some((SERVE, Problem::NoLanguage)));
        assert_eq!(problem(|p| p.serve[0].backlog = 0), Some((SERVE, Problem::BadBacklog(0))));
        assert_eq!(problem(|p| p.serve[0].backlog = 65_536), Some((SERVE, Problem::BadBacklog(65_536))));
        let mode = |p: &mut ProcessConfig| {
            p.serve[0] = Serve { mode: Some(0o1777), ..Serve::new("unix:///led".parse().unwrap()) };
        };
        assert_eq!(problem(mode), Some((SERVE, Problem::BadMode(0o1777))));
    }

    #[test]
    fn every_count_has_a_bound() {
        let too_many = |counted, count, max| Some(Problem::TooMany { counted, count, max });
        let of = |change: &dyn Fn(&mut ProcessConfig)| problem(change).map(|(_, problem)| problem);

        let processes: Vec<_> = (0..=PROCESSES_MAX).map(|n| process(&format!("p{n}"))).collect();
        assert_eq!(Some(check(&processes)[0].problem.clone()), too_many(Counted::Processes, 65, 64));

        let serve = |n: usize| Serve::new(format!("unix:@{n}").parse().unwrap());
        assert_eq!(of(&|p| p.serve = (0..17).map(serve).collect()), too_many(Counted::Endpoints, 17, 16));
        let network = "10.0.0.0/24".parse().unwrap();
        assert_eq!(of(&|p| p.serve[0].anyone_from = vec![network; 65]), too_many(Counted::Networks, 65, 64));
        let line = |n: usize| LineConfig::new(name(&format!("L{n}")), LineKind::Log);
        let lines = of(&|p| p.lines.extend((1..LINES_MAX).map(line)));
        assert_eq!(lines, too_many(Counted::Lines, LINES_MAX + 1, LINES_MAX));
        let far = |n: usize| {
            let at = format!("unix:@{n}").parse().unwrap();
            let kind = LineKind::Remote { direction: Direction::Output, at, line: name("LED") };
            LineConfig::new(name(&format!("L{n}")), kind)
        };
        assert_eq!(of(&|p| p.lines.extend((0..=FAR_MAX).map(far))), too_many(Counted::Far, FAR_MAX + 1, FAR_MAX));
        let rules = of(&|p| p.rules = vec![p.rules[0].clone(); RULES_MAX + 1]);
        assert_eq!(rules, too_many(Counted::Rules, RULES_MAX + 1, RULES_MAX));
        assert_eq!(of(&|p| p.rules[0].send = vec!["LED ON".into(); 65]), too_many(Counted::Commands, 65, 64));
        let to = |n: usize| format!("unix:@{n}").parse().unwrap();
        assert_eq!(of(&|p| p.rules[0].to = (0..17).map(to).collect()), too_many(Counted::Targets, 17, 16));
    }

    #[test]
    fn paths_are_absolute() {
        let fifo = LineKind::Fifo { path: "tcp_file".into(), mode: 0o600 };
        let relative = problem(|p| p.lines.push(LineConfig::new(name("FIFO"), fifo)));
        let place = Place::Line { process: 0, nth: 2 };
        assert_eq!(relative, Some((place, Problem::RelativeFifo("tcp_file".into()))));
        let syslog = problem(|p| p.syslog = Some("log".into()));
        assert_eq!(syslog, Some((Place::Process(0), Problem::RelativeSyslog)));
        assert_eq!(problem(|p| p.syslog = None), None);
    }

    #[test]
    fn every_problem_says_what_was_expected() {
        let mut wrong = process("led");
        wrong.serve.push(Serve { mode: Some(0o1777), backlog: 0, ..Serve::new("tcp://0.0.0.0:0".parse().unwrap()) });
        wrong.rules[0].send = vec!["LED".into(), "LAMP ON".into(), "=".into()];
        wrong.rules[0].within = std::time::Duration::ZERO;
        let mistakes = check(&[wrong.clone(), wrong]);
        assert_eq!(mistakes.len(), 15);
        for mistake in mistakes {
            let text = mistake.to_string();
            assert!(text.contains("; expected ") && !text.contains('\n'), "{text}");
        }
    }
}
