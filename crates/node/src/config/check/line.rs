//! What can be wrong with a line.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use soquete::{Endpoint, Host};
use soquete_board::{Direction, LineName};

use super::{Check, MODE_MAX, has_no_port};
use crate::config::{Counted, DEBOUNCE_MAX, Gpio, LineKind, Place, Problem, ProcessConfig, Serve, TIMEOUT_MIN};

impl<'a> Check<'a> {
    /// Checks the lines of a process and returns which way each goes.
    pub(super) fn lines(&mut self, process: usize, config: &'a ProcessConfig) -> HashMap<&'a LineName, Direction> {
        self.count(Place::Process(process), Counted::Lines, config.lines.len());
        let (mut directions, mut far) = (HashMap::new(), HashSet::new());
        for (nth, line) in config.lines.iter().enumerate() {
            let place = Place::Line { process, nth };
            if directions.insert(&line.name, line.kind.direction()).is_some() {
                self.found(place, Problem::RepeatedLine(line.name.clone()));
            }
            match &line.kind {
                LineKind::Fifo { path, mode } => self.fifo(place, path, *mode),
                LineKind::Remote { at, .. } => {
                    far.insert(at);
                    self.remote(place.at(), at, &config.serve);
                }
                LineKind::Gpio(gpio) => self.gpio(place, gpio),
                LineKind::Log | LineKind::Virtual(_) => {}
            }
        }
        self.count(Place::Process(process), Counted::Far, far.len());
        directions
    }

    fn fifo(&mut self, place: Place, path: &'a Path, mode: u32) {
        if !path.is_absolute() {
            self.found(place, Problem::RelativeFifo(path.to_owned()));
        }
        if !self.fifos.insert(path) {
            self.found(place, Problem::RepeatedFifo(path.to_owned()));
        }
        if mode > MODE_MAX {
            self.found(place, Problem::BadMode(mode));
        }
    }

    fn gpio(&mut self, place: Place, gpio: &'a Gpio) {
        if !self.hardware.insert(&gpio.line) {
            self.found(place, Problem::RepeatedHardware(gpio.line.clone()));
        }
        if gpio.debounce.is_some_and(|time| !(TIMEOUT_MIN..=DEBOUNCE_MAX).contains(&time)) {
            self.found(place, Problem::BadDebounce);
        }
    }

    fn remote(&mut self, place: Place, at: &Endpoint, serve: &[Serve]) {
        if has_no_port(at) {
            self.found(place, Problem::NoPort(at.clone()));
        } else if at.reaches_many() {
            self.found(place, Problem::RemoteGroup(at.clone()));
        } else if serve.iter().any(|serve| reaches(at, &serve.at)) {
            self.found(place, Problem::RelayToItself(at.clone()));
        }
    }
}

/// Says whether who connects to `at` on this machine comes to who listens at `served`, as far as the two tell: a loop over
/// names and addresses that they do not is found by the hops.
fn reaches(at: &Endpoint, served: &Endpoint) -> bool {
    let (Endpoint::Tcp { host, port }, Endpoint::Tcp { host: other, port: other_port }) = (at, served) else {
        return at == served;
    };
    let is_any = |host: &Host| matches!(host, Host::Ip(ip) if ip.to_canonical().is_unspecified());
    let is_name = |host: &Host| matches!(host, Host::Name(_));
    // A name on loopback may be any address of it, and every address of the machine has loopback among them.
    let is_near = |host: &Host| host.is_loopback() || is_any(host);
    let is_same = host == other
        || (is_near(host) && is_near(other) && [host, other].iter().any(|host| is_any(host) || is_name(host)));
    port == other_port && is_same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::check::fixture::{name, problem, process, serving};
    use crate::config::{LineConfig, Mistake, Network, check};

    #[test]
    fn a_line_of_the_hardware_is_used_once_and_debounced_within_bounds() {
        let gpio = |line: &str| LineConfig::new(name(line), LineKind::output("gpio:GPIO17").unwrap());
        let place = Place::Line { process: 0, nth: 3 };
        let both = problem(|p| p.lines.extend(["A", "B"].map(gpio)));
        assert_eq!(both, Some((place, Problem::RepeatedHardware("GPIO17".parse().unwrap()))));
        let mut apart = [process("a"), process("b")];
        apart.iter_mut().for_each(|process| process.lines.push(gpio("C")));
        assert_eq!(check(&apart)[0].place, Place::Line { process: 1, nth: 2 });
        let debounced = |debounce| {
            let line = "GPIO4".parse().unwrap();
            let kind = LineKind::Gpio(Gpio { debounce, ..Gpio::new(Direction::Input, line) });
            problem(|p| p.lines.push(LineConfig::new(name("B"), kind))).map(|(_, problem)| problem)
        };
        assert_eq!(debounced(Some(DEBOUNCE_MAX)), None);
        let too_long = Some(DEBOUNCE_MAX + TIMEOUT_MIN);
        assert_eq!((debounced(too_long), debounced(None)), (Some(Problem::BadDebounce), None));
    }

    #[test]
    fn a_remote_line_leads_to_another_process() {
        let remote = |served: &str, at: &str| {
            let kind = LineKind::Remote { direction: Direction::Output, at: at.parse().unwrap(), line: name("LED") };
            let mut config = serving(served);
            config.serve[0]
                .anyone_from
                .extend(served.contains("0.0.0.0").then(|| "10.0.0.0/8".parse::<Network>().unwrap()));
            config.lines.push(LineConfig::new(name("FAR"), kind));
            check(&[config])
        };
        let mistake = |problem| [Mistake { place: Place::At { process: 0, line: 2 }, problem }];
        for (served, at) in [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555"),
            ("tcp://0.0.0.0:5555", "tcp://127.0.0.1:5555"),
            ("tcp://127.0.0.1:5555", "tcp://localhost:5555"),
            ("unix:@led", "unix:@led"),
        ] {
            assert_eq!(remote(served, at), mistake(Problem::RelayToItself(at.parse().unwrap())), "{served} {at}");
        }
        for at in ["tcp://127.0.0.1:5556", "tcp://127.0.0.2:5555", "tcp://10.0.0.2:5555", "unix:@led", "tcp://led:5555"]
        {
            assert_eq!(remote("tcp://127.0.0.1:5555", at), [], "{at}");
        }
        assert_eq!(remote("unix:@led", "tcp://a:0"), mistake(Problem::NoPort("tcp://a:0".parse().unwrap())));
    }
}
