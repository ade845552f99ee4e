//! An output whose LED is a line in the log.

use crate::console;
use soquete_board::Level;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Priority of the syslog messages: facility *user*, severity *informational* (RFC 5424, 6.2.1).
const PRIORITY: u8 = 8 + 6;

/// An output that prints `LED Status: On`, to standard output and syslog, at each command it carries out.
#[derive(Debug)]
pub(crate) struct Log {
    /// `LED TCP[pid]: LED Status: `, as in the seeds.
    prefix: String,
    syslog: Option<(UnixDatagram, PathBuf)>,
}

impl Log {
    pub(crate) fn new(name: &str, syslog: Option<&Path>) -> Self {
        let prefix = format!("{name} TCP[{}]: {name} Status: ", std::process::id());
        // Without a socket of our own there is no syslog, which is no error.
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let syslog = syslog.zip(socket.ok()).map(|(path, socket)| (socket, path.to_owned()));
        Log { prefix, syslog }
    }

    pub(crate) fn print(&self, level: Level) {
        let value = match level {
            Level::Off => "Off",
            Level::On => "On",
        };
        let line = format!("{}{value}", self.prefix);
        console::say(&line);
        if let Some((socket, path)) = &self.syslog {
            // No syslog, or one that does not keep up, is no error. It puts the time in by itself.
            let _ = socket.send_to(format!("<{PRIORITY}>{line}").as_bytes(), path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_hears_what_the_seeds_print() {
        let path = std::env::temp_dir().join(format!("soquete-syslog-{}", std::process::id()));
        let syslog = UnixDatagram::bind(&path).unwrap();
        Log::new("LED", Some(&path)).print(Level::On);
        let mut buffer = [0; 100];
        let len = syslog.recv(&mut buffer).unwrap();
        std::fs::remove_file(&path).unwrap();
        let expected = format!("<14>LED TCP[{}]: LED Status: On", std::process::id());
        assert_eq!(std::str::from_utf8(&buffer[..len]), Ok(&*expected));
    }

    #[test]
    fn no_syslog_is_no_error() {
        Log::new("LED", Some(Path::new("/nonexistent/log"))).print(Level::Off);
    }
}
