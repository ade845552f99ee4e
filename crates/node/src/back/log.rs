//! An output whose LED is a line in the log.

use crate::console;
use soquete_board::Level;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Priority of the messages: severity *informational* (RFC 5424, 6.2.1).
const SEVERITY: u8 = 6;

/// Their facility: *user*.
const FACILITY: u8 = 1;

/// systemd's socket for the syslog protocol, to which `/dev/log` leads on a machine with systemd.
const JOURNAL_SYSLOG: &str = "dev-log";

/// systemd's socket for its own protocol, in the same folder.
const JOURNAL: &str = "socket";

/// An output that prints `LED Status: On`, to standard output and to the log of the machine, at each command it carries out.
#[derive(Debug)]
pub(crate) struct Log {
    /// `LED TCP`, as in the seeds.
    identifier: String,
    /// `LED Status: `.
    words: String,
    system: Option<(UnixDatagram, System)>,
    is_printed_there: bool,
}

/// The log of the machine.
#[derive(Debug)]
enum System {
    Syslog(PathBuf),
    /// systemd's, in its own protocol: in the one of syslog it takes no identifier with a blank, so that nobody could look
    /// for `LED TCP`.
    Journal(PathBuf),
}

impl Log {
    pub(crate) fn new(name: &str, syslog: Option<&Path>) -> Self {
        // Without a socket of our own there is no syslog, which is no error.
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        let system = socket.ok().zip(syslog.map(System::at));
        let is_printed_there = matches!(system, Some((_, System::Journal(_)))) && prints_to_journal();
        Log { identifier: format!("{name} TCP"), words: format!("{name} Status: "), system, is_printed_there }
    }

    pub(crate) fn print(&self, level: Level) {
        let value = match level {
            Level::Off => "Off",
            Level::On => "On",
        };
        let Log { identifier, words, .. } = self;
        let pid = std::process::id();
        let line = format!("{identifier}[{pid}]: {words}{value}");
        // No log, or one that does not keep up, is no error. It puts the time in by itself.
        let logged = self.system.as_ref().map(|(socket, system)| match system {
            System::Syslog(path) => socket.send_to(format!("<{}>{line}", (FACILITY << 3) | SEVERITY).as_bytes(), path),
            System::Journal(path) => {
                let entry = format!(
                    "MESSAGE={words}{value}\nPRIORITY={SEVERITY}\nSYSLOG_FACILITY={FACILITY}\n\
                     SYSLOG_IDENTIFIER={identifier}\nSYSLOG_PID={pid}\n"
                );
                socket.send_to(entry.as_bytes(), path)
            }
        });
        if !(self.is_printed_there && matches!(logged, Some(Ok(_)))) {
            console::say(&line);
        }
    }
}

impl System {
    fn at(path: &Path) -> Self {
        let real = fs::canonicalize(path).ok().filter(|real| real.ends_with(JOURNAL_SYSLOG));
        match real.map(|real| real.with_file_name(JOURNAL)).filter(|journal| journal.exists()) {
            Some(journal) => Self::Journal(journal),
            None => Self::Syslog(path.to_owned()),
        }
    }
}

/// Says whether standard output goes to systemd's journal, where each line would be a second time.
fn prints_to_journal() -> bool {
    // As systemd tells it: the device and the inode of what it has connected.
    let told = std::env::var("JOURNAL_STREAM").ok();
    let ours = fs::metadata("/proc/self/fd/1").map(|found| format!("{}:{}", found.dev(), found.ino()));
    told.is_some() && told == io::Result::ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a log gets in a folder of its own, at this path there.
    fn received(test: &str, sockets: [&str; 2], path: &str) -> [Option<String>; 2] {
        let folder = std::env::temp_dir().join(format!("soquete-{test}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let bound = sockets.map(|name| UnixDatagram::bind(folder.join(name)).unwrap());
        std::os::unix::fs::symlink(folder.join(sockets[0]), folder.join("log")).unwrap();
        Log::new("LED", Some(&folder.join(path))).print(Level::On);
        fs::remove_dir_all(&folder).unwrap();
        bound.map(|socket| {
            socket.set_nonblocking(true).unwrap();
            let mut buffer = [0; 200];
            let len = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..len].to_vec()).unwrap())
        })
    }

    #[test]
    fn syslog_hears_what_the_seeds_print() {
        let heard = received("syslog", ["syslog", "socket"], "log");
        let expected = format!("<14>LED TCP[{}]: LED Status: On", std::process::id());
        assert_eq!(heard, [Some(expected), None]);
    }

    #[test]
    fn the_journal_is_told_an_identifier_with_a_blank() {
        for path in ["log", "dev-log"] {
            let [syslog, journal] = received(&format!("journal-{path}"), ["dev-log", "socket"], path);
            assert_eq!(syslog, None);
            let entry = journal.unwrap();
            let fields: Vec<&str> = entry.lines().collect();
            let pid = format!("SYSLOG_PID={}", std::process::id());
            let identifier = "SYSLOG_IDENTIFIER=LED TCP";
            assert_eq!(fields, ["MESSAGE=LED Status: On", "PRIORITY=6", "SYSLOG_FACILITY=1", identifier, &pid]);
        }
    }

    #[test]
    fn no_syslog_is_no_error() {
        Log::new("LED", Some(Path::new("/nonexistent/log"))).print(Level::Off);
    }
}
