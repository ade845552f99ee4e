//! The status as a page for people.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use soquete_node::status::{LineStatus, ProcessStatus, RuleLatency, RuleStatus};

use super::far::Far;
use super::{Answer, Document};
use crate::command::answer::{known, owner, plain};
use crate::command::latency::{LATENCY_HEAD, latency_row};
use crate::command::moment::{Moment, Span};
use crate::command::table::Table;
use crate::up::report::{ProcessReport, Report, State};

/// What stands below the line of a process.
const INDENT: &str = "  ";

/// The most peers that are named; those beyond are counted.
const PEERS_SHOWN_MAX: usize = 8;

/// A status, printed for people.
pub(super) struct Page<'a>(pub(super) &'a Document);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Document { instance, supervisor, processes } = self.0;
        if let Some(instance) = instance {
            write_instance(f, instance, supervisor.as_ref())?;
        }
        let reports = supervisor.iter().flat_map(|report| &report.processes);
        for report in reports.clone() {
            writeln!(f)?;
            match processes.iter().find(|answer| answer.name() == report.name) {
                Some(answer) => write_process(f, answer, Some(report))?,
                None => writeln!(f, "{}", headline(report, None))?,
            }
        }
        for answer in processes {
            if !reports.clone().any(|report| report.name == answer.name()) {
                // The page of an endpoint has nothing above its only process.
                instance.iter().try_for_each(|_| writeln!(f))?;
                write_process(f, answer, None)?;
            }
        }
        Ok(())
    }
}

fn write_instance(f: &mut fmt::Formatter<'_>, instance: &str, supervisor: Option<&Report>) -> fmt::Result {
    match supervisor {
        Some(up) => writeln!(
            f,
            "{instance} ({}): `soquete up`, pid {}, for {}",
            plain(&up.config),
            up.pid,
            Span::from_secs(since(up.since_us))
        ),
        None => writeln!(f, "{instance}: no `soquete up` answers"),
    }
}

/// Returns the seconds since a moment.
fn since(time_us: u64) -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(std::time::Duration::from_micros(time_us)).as_secs_f64()
}

/// Says in one line what a process does: `led_process: ready, pid 124, for 3m 12s, restarted once`.
fn headline(report: &ProcessReport, uptime_secs: Option<f64>) -> String {
    let state = match report.state {
        State::Starting => "starting",
        State::Ready => "ready",
        State::Waiting => "waits to be started again",
        State::Stopping => "stopping",
        State::Stopped => "stopped",
    };
    let pid = report.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let span = Span::from_secs(uptime_secs.unwrap_or_else(|| since(report.since_us)));
    let restarts = match report.restarts {
        0 => String::new(),
        1 => ", restarted once".to_owned(),
        times => format!(", restarted {times} times"),
    };
    let last = report.last_exit.as_ref().map(|exit| format!(" (last: {})", plain(exit))).unwrap_or_default();
    format!("{}: {state}{pid}, for {span}{restarts}{last}", report.name)
}

fn write_process(f: &mut fmt::Formatter<'_>, answer: &Answer, report: Option<&ProcessReport>) -> fmt::Result {
    match answer {
        Answer::Far(far) => write_far(f, far),
        Answer::Silent { name, error } => {
            writeln!(f, "{}", report.map_or_else(|| name.clone(), |report| headline(report, None)))?;
            writeln!(f, "{INDENT}does not answer: {error}")
        }
        Answer::Here(status) => {
            let head = match report {
                Some(report) => headline(report, Some(status.uptime_secs)),
                None => format!("{}: pid {}, for {}", status.name, status.pid, Span::from_secs(status.uptime_secs)),
            };
            writeln!(f, "{head}")?;
            write_status(f, status)
        }
    }
}

fn write_status(f: &mut fmt::Formatter<'_>, status: &ProcessStatus) -> fmt::Result {
    if !status.endpoints.is_empty() {
        writeln!(f, "{INDENT}serves {}", status.endpoints.join(", "))?;
    }
    write_peers(f, status)?;
    if status.forgotten > 0 {
        writeln!(f, "{INDENT}{} of an earlier run, killed meanwhile, forgotten", presses(status.forgotten))?;
    }
    write!(f, "{}", lines(&status.lines))?;
    write_far_ends(f, &status.lines)?;
    write_hardware(f, &status.lines)?;
    write_owed(f, &status.lines)?;
    write!(f, "{}", rules(&status.rules))?;
    write!(f, "{}", latencies(status))?;
    for rule in &status.rules {
        for trouble in rule.lease.iter().flat_map(|lease| &lease.trouble) {
            writeln!(f, "{INDENT}{} has no lease on {}", plain(&rule.on), plain(trouble))?;
        }
        if let Some(trouble) = &rule.trouble {
            let at = Moment::from_us(trouble.at_us).rough();
            writeln!(f, "{INDENT}{at} {} {}: {}", plain(&rule.on), plain(&trouble.outcome), plain(&trouble.reason))?;
        }
    }
    Ok(())
}

fn write_peers(f: &mut fmt::Formatter<'_>, status: &ProcessStatus) -> fmt::Result {
    if !status.peers.is_empty() {
        let shown = status.peers.iter().take(PEERS_SHOWN_MAX).map(|peer| plain(peer));
        let shown = shown.collect::<Vec<_>>().join(", ");
        match status.peers.len().saturating_sub(PEERS_SHOWN_MAX) {
            0 => writeln!(f, "{INDENT}peers {shown}")?,
            more => writeln!(f, "{INDENT}peers {shown} and {more} more")?,
        }
    }
    match status.refused {
        0 => Ok(()),
        1 => writeln!(f, "{INDENT}1 connection refused"),
        refused => writeln!(f, "{INDENT}{refused} connections refused"),
    }
}

fn presses(count: u64) -> String {
    if count == 1 { "1 press".to_owned() } else { format!("{count} presses") }
}

fn lines(lines: &[LineStatus]) -> Table {
    let mut table = Table::new(&["LINE", "DIRECTION", "KIND", "VALUE", "SINCE", "BY", "LEASED BY"]).indented(INDENT);
    for line in lines {
        let since = line.since_us.map(|us| Moment::from_us(us).rough()).unwrap_or_default();
        let by = plain(line.by.as_deref().unwrap_or_default());
        let kind = match &line.far {
            Some(far) => format!("{} {} at {}", line.kind, far.line, far.at),
            None => line.kind.clone(),
        };
        let owner = owner(line.lease.as_ref());
        table.add([line.name.clone(), line.direction.clone(), kind, line.value.clone(), since, by, owner]);
    }
    table
}

/// Says which far ends cannot be reached, each once, and which lines those that can do not have.
fn write_far_ends(f: &mut fmt::Formatter<'_>, lines: &[LineStatus]) -> fmt::Result {
    let gone: BTreeMap<&str, Option<&str>> = lines
        .iter()
        .filter_map(|line| line.far.as_ref().filter(|far| !far.connected))
        .map(|far| (far.at.as_str(), far.trouble.as_deref()))
        .collect();
    for (at, trouble) in gone {
        writeln!(f, "{INDENT}{at} is not connected: {}", plain(trouble.unwrap_or("not tried yet")))?;
    }
    let connected = |line: &LineStatus| line.far.clone().filter(|far| far.connected)?.trouble;
    let troubles = lines.iter().filter_map(|line| Some((&line.name, connected(line)?)));
    troubles.into_iter().try_for_each(|(line, why)| writeln!(f, "{INDENT}{line} is unknown: {}", plain(&why)))
}

/// Says which lines do not have their safe value although they are to.
fn write_owed(f: &mut fmt::Formatter<'_>, lines: &[LineStatus]) -> fmt::Result {
    for (line, owed) in lines.iter().filter_map(|line| Some((line, line.owed.as_ref()?))) {
        let (name, value, cause, trouble) = (&line.name, &owed.value, plain(&owed.cause), plain(&owed.trouble));
        writeln!(f, "{INDENT}{name} is not {value} yet, by {cause}: {trouble}")?;
    }
    Ok(())
}

/// Says which lines of the hardware are not there, and which were too fast.
fn write_hardware(f: &mut fmt::Formatter<'_>, lines: &[LineStatus]) -> fmt::Result {
    for (line, gpio) in lines.iter().filter_map(|line| Some((line, line.gpio.as_ref()?))) {
        if let Some(trouble) = &gpio.trouble {
            writeln!(f, "{INDENT}{} is not there: {}", plain(&line.kind), plain(trouble))?;
        }
        if gpio.missed_edges > 0 {
            writeln!(
                f,
                "{INDENT}{}: edges that came too fast and were lost: {}",
                plain(&line.name),
                gpio.missed_edges
            )?;
        }
    }
    Ok(())
}

fn rules(rules: &[RuleStatus]) -> Table {
    let head = ["ON", "SENDS", "TO", "LEASE", "DONE", "NOT DONE", "UNKNOWN", "WAITING"];
    let mut table = Table::new(&head).indented(INDENT);
    for rule in rules {
        let [done, not_done, unknown, waiting] =
            [rule.done, rule.not_done, rule.unknown, rule.waiting].map(|count| count.to_string());
        let (send, to) = (rule.send.join(", "), rule.to.join(", "));
        let lease = rule.lease.as_ref().map(|lease| lease.time.clone()).unwrap_or_default();
        table.add([rule.on.clone(), send, to, lease, done, not_done, unknown, waiting]);
    }
    table
}

/// Says how long presses took, and commands on outputs.
fn latencies(status: &ProcessStatus) -> Table {
    let mut table = Table::new(&LATENCY_HEAD).indented(INDENT);
    for rule in &status.rules {
        for RuleLatency { to, from, set, answered, .. } in &rule.latency {
            let from = format!("{} ({})", plain(&rule.on), plain(from));
            // Without what the far end says only this side is known.
            let until = set.as_ref().map(|set| ("set by", set));
            if let Some((what, latency)) = until.or_else(|| Some(("answered by", answered.as_ref()?))) {
                table.add(latency_row([&from, &format!("{what} {}", plain(to))], latency));
            }
        }
    }
    for (line, latency) in status.lines.iter().filter_map(|line| Some((line, line.latency.as_ref()?))) {
        table.add(latency_row(["edge, without the wire", &format!("{} set", plain(&line.name))], latency));
    }
    table
}

fn write_far(f: &mut fmt::Formatter<'_>, far: &Far) -> fmt::Result {
    match far.name.as_str() {
        "" => writeln!(f, "{}", far.endpoints[0])?,
        name => writeln!(f, "{name} at {}", far.endpoints[0])?,
    }
    let mut table = Table::new(&["LINE", "DIRECTION", "VALUE", "LEASED BY"]).indented(INDENT);
    for line in &far.lines {
        let owner = owner(line.lease.as_ref());
        table.add([line.name.clone(), line.direction.to_owned(), known(line.value, line.why.as_deref()), owner]);
    }
    write!(f, "{table}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use soquete_node::status::{FarStatus, GpioStatus, LatencyStatus, LeaseStatus, OwedStatus, RuleLease, Trouble};

    fn led() -> ProcessStatus {
        ProcessStatus {
            name: "led_process".into(),
            pid: 124,
            uptime_secs: 192.5,
            endpoints: vec!["tcp://127.0.0.1:5555".into()],
            lines: vec![LineStatus {
                name: "LED".into(),
                direction: "output".into(),
                kind: "log".into(),
                value: "on".into(),
                since_us: None,
                by: Some("start".into()),
                lease: None,
                far: None,
                gpio: None,
                latency: None,
                owed: None,
            }],
            rules: vec![],
            peers: vec![],
            refused: 0,
            forgotten: 0,
        }
    }

    fn button() -> ProcessStatus {
        let rule = RuleStatus {
            on: "BUTTON press".into(),
            send: vec!["LED ON".into(), "LED OFF".into()],
            to: vec!["tcp://127.0.0.1:5555".into()],
            lease: None,
            done: 12,
            not_done: 1,
            unknown: 0,
            waiting: 0,
            trouble: Some(Trouble { at_us: u64::MAX, outcome: "not done".into(), reason: "no \x1bserver".into() }),
            latency: vec![],
        };
        let peers = (0..10).map(|port| format!("127.0.0.1:{port}")).collect();
        let (lines, endpoints) = (vec![], vec![]);
        ProcessStatus {
            name: "button".into(),
            lines,
            endpoints,
            rules: vec![rule],
            peers,
            refused: 2,
            forgotten: 1,
            ..led()
        }
    }

    fn page(processes: Vec<Answer>, supervisor: Option<Report>) -> String {
        Page(&Document { instance: Some("default".into()), supervisor, processes }).to_string()
    }

    #[test]
    fn a_process_is_a_headline_and_what_it_tells() {
        let up = Report {
            pid: 1,
            name: "default".into(),
            config: "built-in pc".into(),
            since_us: u64::MAX,
            processes: vec![ProcessReport {
                name: "led_process".into(),
                pid: Some(124),
                state: State::Ready,
                restarts: 2,
                since_us: 0,
                last_exit: Some("killed by SIGKILL".into()),
            }],
        };
        assert_eq!(
            page(vec![Answer::Here(Box::new(led()))], Some(up)),
            "default (built-in pc): `soquete up`, pid 1, for 0s\n\n\
             led_process: ready, pid 124, for 3m 12s, restarted 2 times (last: killed by SIGKILL)\n\
             \x20 serves tcp://127.0.0.1:5555\n\
             \x20 LINE  DIRECTION  KIND  VALUE  BY\n\
             \x20 LED   output     log   on     start\n"
        );
    }

    #[test]
    fn presses_that_failed_are_counted_and_the_latest_is_told() {
        let page = page(vec![Answer::Here(Box::new(button()))], None);
        assert_eq!(
            page,
            "default: no `soquete up` answers\n\n\
             button: pid 124, for 3m 12s\n\
             \x20 peers 127.0.0.1:0, 127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3, 127.0.0.1:4, 127.0.0.1:5, \
             127.0.0.1:6, 127.0.0.1:7 and 2 more\n\
             \x20 2 connections refused\n\
             \x20 1 press of an earlier run, killed meanwhile, forgotten\n\
             \x20 ON            SENDS            TO                    DONE  NOT DONE  UNKNOWN  WAITING\n\
             \x20 BUTTON press  LED ON, LED OFF  tcp://127.0.0.1:5555  12    1         0        0\n\
             \x20 18446744073709551615 us BUTTON press not done: no  server\n"
        );
    }

    #[test]
    fn a_remote_line_shows_where_it_leads_and_why_it_is_not_connected() {
        let mut relay = led();
        let far = |connected, trouble: Option<&str>| {
            let (at, trouble) = ("tcp://10.0.0.2:5555".to_owned(), trouble.map(str::to_owned));
            Some(FarStatus { at, line: "LAMP".into(), connected, trouble })
        };
        (relay.lines[0].kind, relay.lines[0].far) = ("remote".into(), far(true, None));
        let connected = page(vec![Answer::Here(Box::new(relay.clone()))], None);
        assert!(connected.contains(" remote LAMP at tcp://10.0.0.2:5555  on "), "{connected}");
        assert!(!connected.contains("not connected"), "{connected}");
        relay.lines[0].far = far(true, Some("there is no line LAMP"));
        let missing = page(vec![Answer::Here(Box::new(relay.clone()))], None);
        assert!(missing.ends_with("\n  LED is unknown: there is no line LAMP\n"), "{missing}");
        relay.lines[0].far = far(false, Some("connection refused"));
        let gone = page(vec![Answer::Here(Box::new(relay))], None);
        assert!(gone.ends_with("\n  tcp://10.0.0.2:5555 is not connected: connection refused\n"), "{gone}");
    }

    #[test]
    fn hardware_that_is_not_there_is_told_and_so_are_lost_edges() {
        let mut process = led();
        process.lines[0].kind = "gpio:GPIO17".into();
        let gpio = GpioStatus { place: None, trouble: Some("the chip is gone".into()), missed_edges: 3 };
        process.lines[0].gpio = Some(gpio);
        let page = page(vec![Answer::Here(Box::new(process))], None);
        let lost = "  gpio:GPIO17 is not there: the chip is gone\n  LED: edges that came too fast and were lost: 3\n";
        assert!(page.ends_with(lost), "{page}");
    }

    #[test]
    fn a_line_that_is_not_safe_although_it_is_to_be_is_told() {
        let mut process = led();
        let (value, cause, trouble) = ("off".into(), "the end of the lease of eve".into(), "not done: stuck".into());
        process.lines[0].owed = Some(OwedStatus { value, cause, trouble });
        let page = page(vec![Answer::Here(Box::new(process))], None);
        assert!(page.ends_with("\n  LED is not off yet, by the end of the lease of eve: not done: stuck\n"), "{page}");
    }

    #[test]
    fn who_owns_a_line_and_who_wants_to_is_told() {
        let (mut led, mut button) = (led(), button());
        led.lines[0].lease = Some(LeaseStatus { by: "eve (tcp://10.0.0.2:1)".into(), left_secs: 2.44 });
        let led = page(vec![Answer::Here(Box::new(led))], None);
        assert!(led.ends_with(" start  eve (tcp://10.0.0.2:1), for 2.4 s more\n"), "{led}");
        let trouble = vec!["LED at tcp://10.0.0.2:5555: LED is leased by eve".to_owned()];
        button.rules[0].lease = Some(RuleLease { time: "3s".into(), held: false, trouble });
        let button = page(vec![Answer::Here(Box::new(button))], None);
        assert!(button.contains("\n  BUTTON press has no lease on LED at tcp://10.0.0.2:5555: LED is leased by eve\n"));
        assert!(button.contains(" LEASE  DONE ") && button.contains(" 3s     12 "), "{button}");
    }

    #[test]
    fn who_does_not_answer_is_named_with_the_reason() {
        let silent = Answer::Silent { name: "led_process".into(), error: "receive unix:///led.sock: timed out".into() };
        let page = page(vec![silent], None);
        assert!(page.ends_with("\nled_process\n  does not answer: receive unix:///led.sock: timed out\n"), "{page}");
    }

    #[test]
    fn how_long_presses_took_is_told_by_target_and_how_long_commands_did_by_line() {
        let times = |count, p50_us, p99_us, max_us| Some(LatencyStatus { count, p50_us, p99_us, max_us });
        let target = |to: &str, set, answered| {
            let (to, from) = (to.to_owned(), "fifo".to_owned());
            RuleLatency { to, from, sent: None, took: None, set, answered }
        };
        let (mut led, mut button) = (led(), button());
        led.lines[0].latency = times(12, 290, 512, 1_204);
        button.rules[0].latency = vec![
            target("tcp://10.0.0.2:5555", times(12, 312, 999, 2_319), times(12, 400, 1_500, 2_500)),
            target("tcp://10.0.0.3:5555", None, times(1, 1_000_000, 1_000_000, 1_000_000)),
        ];
        let button = page(vec![Answer::Here(Box::new(button))], None);
        let table = "\x20 FROM                 UNTIL                            COUNT  P50     P99     MAX\n\
                     \x20 BUTTON press (fifo)  set by tcp://10.0.0.2:5555       12     312 us  999 us  2.31 ms\n\
                     \x20 BUTTON press (fifo)  answered by tcp://10.0.0.3:5555  1      1.00 s  1.00 s  1.00 s\n";
        assert!(button.contains(table), "{button}");
        let led = page(vec![Answer::Here(Box::new(led))], None);
        assert!(led.ends_with("  edge, without the wire  LED set  12     290 us  512 us  1.20 ms\n"), "{led}");
    }
}
