//! The outputs of a process that `up` holds for it: while it does, the kernel leaves them as they are at its death.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use soquete_node::config::{Direction, Level, LineConfig, LineKind, ProcessConfig};
use soquete_node::holder::{drive, line_of};

use super::child::Held;

/// The outputs on hardware of a process, and a descriptor of each that it has handed over: one a line, so never more than
/// its configuration has.
#[derive(Debug)]
pub(super) struct Outputs {
    lines: Vec<LineConfig>,
    /// By the name of the line: the name of the descriptor, and the descriptor.
    held: BTreeMap<String, (String, OwnedFd)>,
}

/// What an output is to have when its process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// What its configuration calls safe: it died.
    Safe,
    /// What its configuration has for a stop: it was to stop, and could not.
    Stop,
}

impl Outputs {
    /// Makes the outputs of a process; none is held yet.
    pub(super) fn new(config: &ProcessConfig) -> Self {
        let is_output =
            |line: &&LineConfig| matches!(&line.kind, LineKind::Gpio(gpio) if gpio.direction == Direction::Output);
        Self { lines: config.lines.iter().filter(is_output).cloned().collect(), held: BTreeMap::new() }
    }

    /// Holds a descriptor, in the place of an earlier one of the same line.
    ///
    /// # Errors
    /// It is of no output of this process, in words; it is closed.
    pub(super) fn hold(&mut self, name: String, descriptor: OwnedFd) -> Result<(), String> {
        let line = line_of(&name).filter(|line| self.lines.iter().any(|known| known.name.as_str() == *line));
        let Some(line) = line.map(str::to_owned) else {
            return Err(format!("a descriptor called {name:?} is of no output of it, and is closed"));
        };
        self.held.insert(line, (name, descriptor));
        Ok(())
    }

    /// Closes a descriptor.
    pub(super) fn give_back(&mut self, name: &str) {
        self.held.retain(|_, (held, _)| held != name);
    }

    /// Closes all descriptors.
    pub(super) fn give_back_all(&mut self) {
        self.held.clear();
    }

    /// Returns the descriptors for the next run of the process, with their names.
    ///
    /// # Errors
    /// EMFILE or ENFILE when no descriptor is left.
    pub(super) fn copies(&self) -> io::Result<Vec<Held>> {
        self.held.values().map(|(name, descriptor)| Ok((name.clone(), descriptor.try_clone()?))).collect()
    }

    /// Gives every output that is held what is due, at once; returns what is to be said about it.
    pub(super) fn settle(&mut self, due: Due) -> Vec<String> {
        let mut said = Vec::new();
        for line in &self.lines {
            let Some((_, descriptor)) = self.held.get(line.name.as_str()) else { continue };
            let (preset, word) = match due {
                Due::Safe => (line.safe, "safe"),
                Due::Stop => (line.stop, "stop"),
            };
            let Some(level) = preset.level() else { continue };
            let (name, to) = (&line.name, if level == Level::On { "on" } else { "off" });
            match drive(descriptor, level) {
                Ok(()) => said.push(format!("{name} set to {to} ({word})")),
                // Nobody has driven it yet, so there is nothing to make safe.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                Err(error) if error.raw_os_error() == Some(Errno::NODEV.raw_os_error()) => {
                    said.push(format!("{name} cannot be set to {to} ({word}): its chip is gone"));
                    self.held.remove(line.name.as_str());
                }
                Err(error) => said.push(format!("{name} cannot be set to {to} ({word}): {error}")),
            }
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read};

    use super::*;

    fn outputs() -> Outputs {
        let mut config = ProcessConfig::new("led_process".parse().unwrap());
        let line = |name: &str, kind| LineConfig::new(name.parse().unwrap(), kind);
        config.lines = vec![
            line("LED", LineKind::output("gpio:GPIO17").unwrap()),
            line("BUTTON", LineKind::input("gpio:GPIO4").unwrap()),
            line("LOG", LineKind::output("log").unwrap()),
        ];
        Outputs::new(&config)
    }

    /// Returns a descriptor, and what tells of its end.
    fn descriptor() -> (OwnedFd, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        (writer.into(), reader)
    }

    #[test]
    fn one_descriptor_of_each_output_on_hardware_is_held_and_no_other() {
        let mut outputs = outputs();
        for name in ["gpio/BUTTON/soc/4", "gpio/LOG/soc/5", "gpio/LED", "tcp", ""] {
            let (descriptor, mut end) = descriptor();
            assert!(outputs.hold(name.to_owned(), descriptor).unwrap_err().contains(name));
            assert_eq!(end.read(&mut [0]).unwrap(), 0, "{name:?} is closed");
        }
        let (first, mut end_of_first) = descriptor();
        outputs.hold("gpio/LED/soc/17".to_owned(), first).unwrap();
        let (second, mut end_of_second) = descriptor();
        outputs.hold("gpio/LED/usb/1".to_owned(), second).unwrap();
        assert_eq!(end_of_first.read(&mut [0]).unwrap(), 0);
        outputs.give_back("gpio/LED/soc/17");
        assert_eq!(outputs.copies().unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>(), ["gpio/LED/usb/1"]);
        outputs.give_back("gpio/LED/usb/1");
        assert_eq!(end_of_second.read(&mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_cannot_be_set_is_said_and_held_all_the_same() {
        let mut outputs = outputs();
        assert!(outputs.settle(Due::Safe).is_empty());
        let (descriptor, _end) = descriptor();
        outputs.hold("gpio/LED/soc/17".to_owned(), descriptor).unwrap();
        let said = outputs.settle(Due::Safe);
        assert!(said[0].starts_with("LED cannot be set to off (safe): Inappropriate ioctl"), "{said:?}");
        assert!(outputs.settle(Due::Stop)[0].contains("(stop)"));
        assert_eq!(outputs.copies().unwrap().len(), 1);
    }
}
