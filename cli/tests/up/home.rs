//! A folder with a configuration, and the program in it.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;
use soquete::{Client, ClientOptions, Endpoint, Exchange, Hub, Limits, UnixName};

/// How long anything may take before the test is over.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder for one test: its configuration, its button, and the runtime folder. Removed at the end.
pub(crate) struct Home {
    pub(crate) path: PathBuf,
}

/// An `up` in the foreground, as a person sees it.
pub(crate) struct Up {
    pub(crate) child: Child,
    pub(crate) lines: Lines,
}

/// Lines that a program prints.
pub(crate) struct Lines(Receiver<String>);

impl Home {
    /// Makes a home with a button and an LED, as the built-in configuration has them; every test has a name of its own.
    pub(crate) fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("soquete-{}-{test}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("run")).unwrap();
        let home = Self { path };
        home.write("home.toml", &home.seeds("tcp://127.0.0.1:0"));
        home
    }

    /// Returns the configuration of the seeds: a button, and an LED that is served on two endpoints.
    pub(crate) fn seeds(&self, served: &str) -> String {
        let folder = self.path.display();
        format!(
            r#"
            [processes.led_process]
            serve = ["{served}", "unix://{folder}/led.sock"]
            syslog = "off"
            lines.LED.output = "log"
            [processes.button_process]
            syslog = "off"
            lines.BUTTON.input = "fifo:{folder}/button"
            [[processes.button_process.rules]]
            on = "BUTTON press"
            send = "LED TOGGLE"
            to = "unix://{folder}/led.sock"
            "#
        )
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Returns the program with nothing in its environment but this home.
    pub(crate) fn soquete(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soquete"));
        command.args(arguments).env_clear().env("HOME", &self.path).env("XDG_RUNTIME_DIR", self.path.join("run"));
        command.current_dir(&self.path).stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.soquete(arguments).output().unwrap()
    }

    /// Starts `up` and waits until it says what to type next.
    pub(crate) fn up(&self) -> Up {
        let mut up = self.begin_up("home.toml");
        up.lines.until("soquete down");
        up
    }

    /// Starts `up` with this configuration.
    pub(crate) fn begin_up(&self, configuration: &str) -> Up {
        let mut command = self.soquete(&["up", "-c", configuration]);
        Up::of(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a program and waits until it says that it is ready, as systemd would.
    pub(crate) fn ready(&self, command: &mut Command) -> Child {
        let notify = self.path.join("notify.sock");
        let socket = UnixDatagram::bind(&notify).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = command.env("NOTIFY_SOCKET", &notify).spawn().unwrap();
        let mut message = [0; 64];
        let len = socket.recv(&mut message).unwrap();
        assert!(message[..len].starts_with(b"READY=1\n"), "{message:?}");
        child
    }

    /// Returns the folder of the instance.
    pub(crate) fn instance(&self) -> PathBuf {
        self.path.join("run/soquete/home")
    }

    /// Connects to the control socket of `up`.
    pub(crate) fn control(&self) -> Client {
        let endpoint = Endpoint::Unix(UnixName::Path(self.instance().join(".up.sock")));
        let options = ClientOptions { timeout: Some(PATIENCE), ..ClientOptions::frames("control") };
        Client::connect(&endpoint, options).unwrap()
    }

    /// Asks `up` what runs.
    pub(crate) fn report(&self) -> Value {
        serde_json::from_slice(self.control().request(b"STATUS").unwrap()).unwrap()
    }

    /// Returns the process ids of LED and button.
    pub(crate) fn pids(&self) -> [Pid; 2] {
        let report = self.report();
        [0, 1].map(|nth| pid(&report["processes"][nth]["pid"]))
    }

    /// Presses the button.
    pub(crate) fn press(&self) {
        // A FIFO without a reader shall not hold the test up.
        let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let mut button =
            OpenOptions::new().write(true).custom_flags(nonblocking).open(self.path.join("button")).unwrap();
        button.write_all(b"0\n").unwrap();
    }

    /// Sets the LED over its socket, as netcat would, this many times in a row; the last time on.
    pub(crate) fn switch(&self, times: usize) {
        let mut led = UnixStream::connect(self.path.join("led.sock")).unwrap();
        let mut answers = BufReader::new(led.try_clone().unwrap());
        for nth in 0..times {
            let value = if (times - nth).is_multiple_of(2) { "OFF" } else { "ON" };
            writeln!(led, "LED {value}").unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert_eq!(answer, format!("OK LED {value}\n"));
        }
    }

    /// Asserts that nothing is left of what ran.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        let left = fs::read_dir(self.path.join("run")).unwrap().count();
        assert_eq!(left, 0, "{:?}", files(&self.path.join("run")));
        assert!(!self.path.join("led.sock").exists());
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

impl Up {
    /// Reads what this program prints.
    pub(crate) fn of(mut child: Child) -> Self {
        let lines = Lines::of(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; returns its code and what it said to standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        wait_for_end(&descriptor(Pid::from_child(&self.child)));
        let mut said = String::new();
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut said).unwrap();
        }
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // A test that failed shall leave nothing behind; what it started ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    /// Reads lines in a thread of its own.
    pub(crate) fn of(out: ChildStdout) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self(lines)
    }

    /// Waits for a line with these words in it, and returns all up to it.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &str) -> Vec<String> {
        let mut all = Vec::new();
        while !all.last().is_some_and(|line: &String| line.contains(words)) {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) => all.push(line),
                Err(_) => panic!("expected {words:?} in:\n{}", all.join("\n")),
            }
        }
        all
    }

    /// Returns the lines up to the end.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.0.iter().collect()
    }
}

/// Returns a process by its id, as JSON has it.
#[track_caller]
pub(crate) fn pid(value: &Value) -> Pid {
    Pid::from_raw(value.as_i64().unwrap().try_into().unwrap()).unwrap()
}

/// Returns a descriptor of a process, which can be waited for whoever its parent is.
pub(crate) fn descriptor(pid: Pid) -> OwnedFd {
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Sends a signal to a process.
pub(crate) fn signal(process: &OwnedFd, signal: Signal) {
    pidfd_send_signal(process, signal).unwrap();
}

/// Waits until a process has ended.
#[track_caller]
pub(crate) fn wait_for_end(process: &OwnedFd) {
    let mut hub = Hub::new(Limits::default()).unwrap();
    hub.watch(process.as_fd()).unwrap();
    hub.turn(Some(PATIENCE), &mut |_: Exchange<'_>| {}).unwrap();
    assert!(hub.next_ready().is_some(), "it has not ended");
}

/// Returns a field of what the kernel says about a process.
pub(crate) fn proc(pid: Pid, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", pid.as_raw_nonzero())).unwrap()
}

/// Returns what a program printed, both outputs.
pub(crate) fn text(output: &Output) -> (String, String) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Returns what is below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.flat_map(|entry| [vec![entry.path()], files(&entry.path())].concat()).collect()
}
