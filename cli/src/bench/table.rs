//! The rows, and how they are printed.

use super::child::Cores;
use super::failed;
use super::measure::{Bench, Measured, Transport, Work};
use crate::output::{Failure, print};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

/// What the library is to reach first.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Aim {
    /// It is shown, and nothing more.
    None,
    /// The ratio to the bare side is at most this.
    RatioMax(f64),
    /// The ratio to the bare side is at least this.
    RatioMin(f64),
    /// The figure itself is at most this.
    Max(f64),
}

/// One figure of a work.
struct Figure {
    name: &'static str,
    unit: &'static str,
    /// By what the measured number is divided to have the unit.
    scale: f64,
    aim: Aim,
}

const fn figure(name: &'static str, unit: &'static str, scale: f64, aim: Aim) -> Figure {
    Figure { name, unit, scale, aim }
}

/// What is measured, in this order, over each transport.
const fn works_of(transport: Transport) -> &'static [Work] {
    match transport {
        Transport::Tcp | Transport::Unix => &STREAM_WORKS,
        Transport::Seqpacket => &[Work::RoundTrip(32), Work::BesideUnix(32)],
        Transport::Udp => &[Work::RoundTrip(32), Work::OneWaySingle(64), Work::OneWay(64)],
        Transport::Unixgram => &[Work::RoundTrip(32)],
    }
}

const STREAM_WORKS: [Work; 10] = [
    Work::RoundTrip(32),
    Work::Spinning(32),
    Work::InFlight(32),
    Work::InFlightNear(32),
    Work::OneWay(64),
    Work::OneWay(1 << 10),
    Work::OneWay(64 << 10),
    Work::Commands(1),
    Work::Commands(64),
    Work::Idle,
];

/// One line of the table.
struct Row {
    transport: Transport,
    figure: Figure,
    bare: f64,
    soquete: f64,
    ratio: f64,
}

/// Measures every row, each side for this long, and prints the table.
///
/// # Errors
/// A child cannot be started or fails, or standard output takes no more.
pub(super) fn run(secs: Duration, is_json: bool) -> Result<(), Failure> {
    let bench = Bench { cores: Cores::choose().map_err(failed)?, secs };
    let mut rows = Vec::new();
    let works: Vec<_> = Transport::ALL.into_iter().flat_map(|t| works(t, &bench.cores).map(move |w| (t, w))).collect();
    for (place, (transport, work)) in (1..).zip(&works) {
        let figures = figures(*work, *transport);
        progress(&format!("{place} of {}: {transport}, {}", works.len(), figures.first().map_or("", |f| f.name)));
        let measured = bench.measure(*transport, *work)?;
        rows.extend(rows_of(*transport, figures, &measured));
    }
    progress("");
    let machine = Machine::new(&bench.cores);
    print(if is_json { document(&machine, &rows) } else { text(&machine, &rows) })
}

/// Returns what can be measured: two ends that spin on one core would only hold each other up.
fn works(transport: Transport, cores: &Cores) -> impl Iterator<Item = Work> + use<> {
    let has_two = cores.near != cores.far;
    works_of(transport).iter().copied().filter(move |work| has_two || !matches!(work, Work::Spinning(_)))
}

fn rows_of(transport: Transport, figures: Vec<Figure>, measured: &Measured) -> impl Iterator<Item = Row> {
    figures.into_iter().enumerate().map(move |(place, figure)| Row {
        transport,
        bare: measured.bare[place] / figure.scale,
        soquete: measured.soquete[place] / figure.scale,
        ratio: measured.ratio[place],
        figure,
    })
}

/// Says what the figures of a work are, in the order in which they are measured.
fn figures(work: Work, transport: Transport) -> Vec<Figure> {
    let round_trip = match transport {
        Transport::Tcp => [Aim::RatioMax(1.08), Aim::RatioMax(1.2)],
        Transport::Unix => [Aim::RatioMax(1.05), Aim::RatioMax(1.2)],
        // There is no session under bare datagrams, and none of its acknowledgements.
        Transport::Seqpacket | Transport::Udp | Transport::Unixgram => [Aim::None, Aim::None],
    };
    match work {
        Work::RoundTrip(_) => vec![
            figure("round trip, 32 B, p50", "us", 1e3, round_trip[0]),
            figure("round trip, 32 B, p99", "us", 1e3, round_trip[1]),
        ],
        Work::BesideUnix(_) => vec![
            figure("round trip, 32 B, p50, beside our unix", "us", 1e3, Aim::RatioMax(1.0)),
            figure("round trip, 32 B, p99, beside our unix", "us", 1e3, Aim::None),
        ],
        Work::Spinning(_) => vec![
            figure("round trip, 32 B, p50, two cores, spinning", "us", 1e3, Aim::RatioMax(0.2)),
            figure("round trip, 32 B, p99, two cores, spinning", "us", 1e3, Aim::None),
        ],
        Work::InFlight(_) => vec![figure("64 in flight, 32 B, two cores", "thousand/s", 1e3, Aim::RatioMin(0.8))],
        Work::InFlightNear(_) => vec![figure("64 in flight, 32 B", "thousand/s", 1e3, Aim::None)],
        Work::OneWaySingle(_) => {
            vec![figure("one way, 64 B, a call a datagram, two cores", "thousand/s", 1e3, Aim::RatioMin(0.9))]
        }
        Work::OneWay(64) if transport == Transport::Udp => vec![
            figure("one way, 64 B, offload, two cores", "thousand/s", 1e3, Aim::RatioMin(20.0)),
            figure("one way, 64 B, receiver's CPU a message", "us", 1e3, Aim::None),
            figure("one way, 64 B, sender's CPU a message", "us", 1e3, Aim::None),
        ],
        Work::OneWay(64) => vec![
            figure("one way, 64 B, two cores", "thousand/s", 1e3, Aim::RatioMin(0.5)),
            figure("one way, 64 B, receiver's CPU a message", "us", 1e3, Aim::Max(0.06)),
            figure("one way, 64 B, sender's CPU a message", "us", 1e3, Aim::Max(0.06)),
        ],
        Work::OneWay(1024) => vec![figure("one way, 1 KiB, two cores", "thousand/s", 1e3, Aim::RatioMin(0.8))],
        Work::OneWay(_) => vec![figure("one way, 64 KiB, two cores", "thousand/s", 1e3, Aim::RatioMin(0.9))],
        Work::Commands(1) => vec![figure("one command a connection", "thousand/s", 1e3, Aim::RatioMin(0.9))],
        Work::Commands(_) => vec![
            figure("one command a connection, 64 at once", "thousand/s", 1e3, Aim::RatioMin(0.95)),
            figure("one command a connection, 64 at once, lost", "clients", 1.0, Aim::Max(0.0)),
        ],
        Work::Idle => vec![figure("idle connection, user memory", "KiB", 1024.0, Aim::Max(0.5))],
    }
}

/// Shows a person what is being waited for, in a line that the next one covers.
fn progress(text: &str) {
    let mut error = io::stderr().lock();
    if error.is_terminal() {
        // There is nobody to tell that standard error is gone.
        let _ = write!(error, "\r\x1b[K{text}");
        let _ = error.flush();
    }
}

/// The machine that the figures are of.
struct Machine {
    cores: u32,
    kernel: String,
}

impl Machine {
    fn new(cores: &Cores) -> Self {
        let system = rustix::system::uname();
        let [name, release, machine] =
            [system.sysname(), system.release(), system.machine()].map(|word| word.to_string_lossy().into_owned());
        Machine { cores: cores.count(), kernel: format!("{name} {release} {machine}") }
    }
}

impl Row {
    /// Says whether the aim is met, where there is one.
    fn is_met(&self) -> Option<bool> {
        match self.figure.aim {
            Aim::None => None,
            Aim::RatioMax(max) => Some(self.ratio <= max),
            Aim::RatioMin(min) => Some(self.ratio >= min),
            Aim::Max(max) => Some(self.soquete <= max),
        }
    }

    fn aim(&self) -> String {
        match self.figure.aim {
            Aim::None => String::new(),
            Aim::RatioMax(max) => format!("at most {max}"),
            Aim::RatioMin(min) => format!("at least {min}"),
            Aim::Max(max) => format!("{max} {}", self.figure.unit),
        }
    }

    fn line(&self) -> String {
        let Row { transport, figure, bare, soquete, ratio } = self;
        let ratio = if ratio.is_finite() { format!("{ratio:.2}") } else { "-".to_owned() };
        let mark = if self.is_met() == Some(false) { "  missed" } else { "" };
        let what = format!("{:<9} {:<43} {:>10}", transport.to_string(), figure.name, figure.unit);
        let line = format!("{what} {:>9} {:>9} {ratio:>6}  {:<13}{mark}", short(*bare), short(*soquete), self.aim());
        line.trim_end().to_owned()
    }

    fn json(&self) -> Value {
        let Row { transport, figure, bare, soquete, ratio } = self;
        // What is not finite becomes null.
        let mut row = json!({
            "transport": transport.to_string(), "work": figure.name, "unit": figure.unit,
            "bare": bare, "soquete": soquete, "ratio": ratio, "is_met": self.is_met(),
        });
        match figure.aim {
            Aim::None => {}
            Aim::RatioMax(max) => row["ratio_max"] = max.into(),
            Aim::RatioMin(min) => row["ratio_min"] = min.into(),
            Aim::Max(max) => row["max"] = max.into(),
        }
        row
    }
}

/// Prints a number with about three digits.
fn short(number: f64) -> String {
    match number {
        _ if !number.is_finite() => "-".to_owned(),
        _ if number >= 100.0 => format!("{number:.0}"),
        _ if number >= 10.0 => format!("{number:.1}"),
        _ if number >= 1.0 => format!("{number:.2}"),
        // A count is a whole number.
        0.0 => "0".to_owned(),
        _ => format!("{number:.3}"),
    }
}

fn text(machine: &Machine, rows: &[Row]) -> String {
    let Machine { cores, kernel } = machine;
    let cores = if *cores == 1 { "1 core".to_owned() } else { format!("{cores} cores") };
    let mut text = format!("{cores}, {kernel}; only ratios within one run hold\n");
    text.push_str("both ends on one core where it does not say two; bare and ours in turn; a ratio is the median of\neach pair's own, so it need not be that of the two medians beside it; first aim: where soquete wants to be at least\n\n");
    let what = format!("{:<9} {:<43} {:>10}", "over", "work", "in");
    let _ = writeln!(text, "{what} {:>9} {:>9} {:>6}  first aim", "bare", "soquete", "ratio");
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    text
}

fn document(machine: &Machine, rows: &[Row]) -> String {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    format!("{:#}\n", json!({ "cores": machine.cores, "kernel": machine.kernel, "rows": rows }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(aim: Aim, bare: f64, soquete: f64) -> Row {
        let figure = figure("round trip", "us", 1.0, aim);
        Row { transport: Transport::Tcp, figure, bare, soquete, ratio: soquete / bare }
    }

    #[test]
    fn a_missed_aim_is_marked() {
        assert!(row(Aim::RatioMax(1.08), 10.0, 11.0).line().ends_with("missed"));
        assert!(row(Aim::RatioMin(0.8), 10.0, 7.0).line().ends_with("missed"));
        assert!(row(Aim::Max(0.5), 0.0, 0.6).line().ends_with("missed"));
        for row in [row(Aim::RatioMax(1.08), 10.0, 10.8), row(Aim::Max(0.5), 0.0, 0.5), row(Aim::None, 1.0, 9.0)] {
            assert!(!row.line().contains("missed"), "{}", row.line());
        }
    }

    #[test]
    fn a_ratio_to_nothing_is_left_out() {
        assert!(row(Aim::Max(0.5), 0.0, 0.5).line().contains("     -  "));
        let json = row(Aim::Max(0.5), 0.0, 0.5).json();
        assert_eq!((&json["ratio"], &json["max"], &json["is_met"]), (&Value::Null, &json!(0.5), &json!(true)));
    }

    #[test]
    fn every_work_has_figures() {
        for transport in Transport::ALL {
            assert!(works_of(transport).iter().all(|work| !figures(*work, transport).is_empty()));
        }
    }
}
