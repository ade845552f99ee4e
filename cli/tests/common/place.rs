//! A home of its own for each test: folders, an address, a configuration.

use super::program::{Program, Run};
use super::{Log, tool};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where one test lives. No other has its folder or its address; both go with it.
pub(crate) struct Place {
    /// The home, with everything that the test makes.
    pub(crate) dir: PathBuf,
    /// An address of the loopback network that no other test uses.
    pub(crate) host: Ipv4Addr,
    /// A port of that address that is free.
    pub(crate) port: u16,
}

/// The rule of the button. Its values are TOML.
pub(crate) struct Rule<'a> {
    pub(crate) send: &'a str,
    /// Where to; empty for the LED of the same place.
    pub(crate) to: String,
    pub(crate) language: &'a str,
    pub(crate) within: &'a str,
}

impl Default for Rule<'_> {
    fn default() -> Self {
        Rule { send: "'LED TOGGLE'", to: String::new(), language: "frames", within: "2s" }
    }
}

impl Place {
    /// Makes a place with the usual configuration: an LED, and a button that toggles it.
    pub(crate) fn new() -> Self {
        let place = Self::bare();
        place.configure(&Rule::default());
        place
    }

    /// Makes a place without a configuration.
    pub(crate) fn bare() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = std::process::id();
        // Short, since the paths of sockets are.
        let dir = std::env::temp_dir().join(format!("sq{id}-{nth}"));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("run")).unwrap();
        let octet = |number: u32| u8::try_from(number % 254 + 1).unwrap();
        let host = Ipv4Addr::new(127, octet(id >> 8), octet(id), octet(nth));
        Self { dir, host, port: free_port(host) }
    }

    /// Writes the configuration: an LED, and a button with this rule.
    pub(crate) fn configure(&self, rule: &Rule<'_>) {
        let Rule { send, language, within, .. } = rule;
        let to = if rule.to.is_empty() { format!("'{}'", self.endpoint()) } else { rule.to.clone() };
        let (endpoint, syslog, fifo) = (self.endpoint(), self.syslog_path(), self.fifo());
        let (syslog, fifo) = (syslog.display(), fifo.display());
        self.write_config(&format!(
            "[processes.led_process]\nserve = ['{endpoint}']\nsyslog = '{syslog}'\n\
             [processes.led_process.lines.LED]\noutput = 'log'\n\
             [processes.button_process]\nsyslog = 'off'\n\
             [processes.button_process.lines.BUTTON]\ninput = 'fifo:{fifo}'\n\
             [[processes.button_process.rules]]\non = 'BUTTON press'\nsend = {send}\nto = {to}\nas = '{language}'\n\
             within = '{within}'\n"
        ));
    }

    /// Writes any configuration.
    pub(crate) fn write_config(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    /// Returns the configuration's path; every command here uses it.
    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("soquete.toml")
    }

    /// Returns where the LED is served.
    pub(crate) fn endpoint(&self) -> String {
        format!("tcp://{}:{}", self.host, self.port)
    }

    /// Returns the same as an address.
    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from((self.host, self.port))
    }

    /// Returns the path of the button's FIFO.
    pub(crate) fn fifo(&self) -> PathBuf {
        self.dir.join("tcp_file")
    }

    /// Returns the path of the syslog socket.
    pub(crate) fn syslog_path(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Listens where syslog would.
    pub(crate) fn syslog(&self) -> Log {
        let socket = UnixDatagram::bind(self.syslog_path()).unwrap();
        let log = Log::default();
        // Datagrams as lines; the thread ends with the test.
        log.read(Datagrams(socket));
        log
    }

    /// Makes a command in this place: nothing of the environment of whoever runs the tests is left.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.env_clear().env("PATH", tool::PATH).env("HOME", &self.dir).env("XDG_RUNTIME_DIR", self.dir.join("run"));
        command.env("SOQUETE_CONFIG", self.config()).env("TZ", "UTC").stdin(Stdio::null()).current_dir(&self.dir);
        command
    }

    /// Makes a command of the built program.
    pub(crate) fn soquete(&self, arguments: &str) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_soquete"));
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the built program to its end.
    pub(crate) fn run(&self, arguments: &str) -> Run {
        Run::of(self.soquete(arguments))
    }

    /// Runs a line of shell to its end; `soquete` is the built program.
    pub(crate) fn shell(&self, line: &str) -> Run {
        Run::of(self.shell_command(line))
    }

    /// Makes a command of a line of shell; `soquete` is the built program.
    pub(crate) fn shell_command(&self, line: &str) -> Command {
        let mut command = self.command("/bin/sh");
        let folder = Path::new(env!("CARGO_BIN_EXE_soquete")).parent().unwrap();
        command.env("PATH", format!("{}:{}", folder.display(), tool::PATH)).args(["-c", line]);
        command
    }

    /// Starts one process of the configuration and waits until it is ready.
    pub(crate) fn start(&self, process: &str) -> Program {
        Program::start(self, process)
    }

    /// Presses the button: as many times as told, in one write.
    pub(crate) fn press(&self, presses: usize) {
        self.write_fifo(&"0\n".repeat(presses));
    }

    /// Writes to the button's FIFO, and closes it again.
    pub(crate) fn write_fifo(&self, text: &str) {
        let mut fifo = fs::File::options().write(true).open(self.fifo()).unwrap();
        fifo.write_all(text.as_bytes()).unwrap();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Returns a port of an address of one's own, so that nobody takes it before it is used.
pub(crate) fn free_port(host: Ipv4Addr) -> u16 {
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port()
}

/// Reads each datagram as a line.
struct Datagrams(UnixDatagram);

impl std::io::Read for Datagrams {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        let last = room.len() - 1;
        let len = self.0.recv(&mut room[..last])?;
        room[len] = b'\n';
        Ok(len + 1)
    }
}
