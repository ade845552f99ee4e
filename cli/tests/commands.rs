//! `lines`, `get`, `set`, `toggle`, `press`, `watch` and `status`, with the built program against doubles of processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

#[path = "commands/double.rs"]
mod double;
#[path = "commands/real.rs"]
mod real;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use double::{Double, Mood, PATIENCE, Plan};
use real::Real;
use rustix::process::{Pid, Signal, kill_process};
use soquete::Endpoint;
use soquete_node::config::{Direction, LineConfig, LineKind, ProcessConfig, RuleConfig, Serve, Trigger};

/// A machine of its own: a folder for control sockets that no other test sees.
struct Machine(PathBuf);

/// How a run of the program ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A `watch` under way.
struct Watching {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Machine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("soquete-commands-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join("soquete/default")).unwrap();
        Self(path)
    }

    /// Returns the control socket of a process.
    fn control(&self, process: &str) -> Endpoint {
        format!("unix://{}/soquete/default/{process}.sock", self.0.display()).parse().unwrap()
    }

    /// Puts a double where a process of this machine would be.
    fn process(&self, name: &'static str, lines: &[(&'static str, &'static str, &'static str)]) -> Double {
        Plan::process(name, lines).serve_at(&self.control(name))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soquete"));
        let command_in_zone = command.args(arguments).env_clear().env("TZ", "XYZ+3");
        command_in_zone.env("HOME", &self.0).env("XDG_RUNTIME_DIR", &self.0).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    fn watch(&self, arguments: &[&str]) -> Watching {
        let mut command = self.command(&[&["watch"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Watching { child, out }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |octets| String::from_utf8(octets).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts that it went well, and returns what it printed.
    #[track_caller]
    fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Asserts that it ended so, printing nothing to standard output and these words to standard error.
    #[track_caller]
    fn refused(self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        assert!(self.err.starts_with("soquete: "), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "expected {word:?} in:\n{}", self.err);
        }
    }
}

impl Watching {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Waits until standard error says this; returns what it said up to then.
    #[track_caller]
    fn wait_for_note(&mut self, words: &str) -> String {
        let mut said = String::new();
        // The end of the program ends this too.
        while !said.contains(words) {
            let mut octet = [0];
            let read = self.child.stderr.as_mut().unwrap().read(&mut octet).unwrap();
            assert!(read > 0, "expected {words:?} in:\n{said}");
            said.push(char::from(octet[0]));
        }
        said
    }

    /// Presses Ctrl-C and returns how it ended.
    fn interrupt(self) -> Run {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.end()
    }

    fn end(mut self) -> Run {
        let mut out = String::new();
        self.out.read_to_string(&mut out).unwrap();
        let end = Run::of(self.child.wait_with_output().unwrap());
        Run { out, ..end }
    }
}

/// Runs `command --at` the endpoint of a double.
fn at(double: &Double, command: &[&str]) -> Run {
    let endpoint = double.endpoint.to_string();
    Machine::new().run(&[command, &["--at", &endpoint]].concat())
}

#[test]
fn a_line_is_read_and_set_at_an_endpoint() {
    let board = Plan::board().serve();
    assert_eq!(at(&board, &["get", "led"]).done(), "off\n");
    assert_eq!(at(&board, &["set", "led", "ON"]).done(), "LED on\n");
    assert_eq!(at(&board, &["get", "LED"]).done(), "on\n");
    assert_eq!(at(&board, &["toggle", "LED"]).done(), "LED off\n");
    assert_eq!(at(&board, &["get", "BUTTON"]).done(), "unknown\n");
    let table = "LINE    DIRECTION  VALUE\nLED     output     off\nBUTTON  input      unknown\n";
    assert_eq!(at(&board, &["lines"]).done(), table);
}

#[test]
fn a_refusal_says_why_and_ends_with_1() {
    let board = Plan::board().serve();
    at(&board, &["set", "BUTTON", "on"]).refused(1, &["BUTTON: not done: BUTTON is an input and cannot be set"]);
    at(&board, &["get", "LAMP"]).refused(1, &[&format!("{}: there is no line LAMP", board.endpoint)]);
    let other = Plan { service: "bench", ..Plan::board() }.serve();
    at(&other, &["set", "LED", "on"]).refused(1, &["handshake tcp://127.0.0.1:", "unknown service"]);
}

#[test]
fn wrong_usage_ends_with_2() {
    let board = Plan::board().serve();
    at(&board, &["set", "LED", "blink"]).refused(2, &["blink"]);
    at(&board, &["get", "led_process/LED"]).refused(2, &["an endpoint is one process", "\nwrite LED\n"]);
    at(&board, &["watch", "led_process/LED"]).refused(2, &["an endpoint is one process"]);
    at(&board, &["press", "BUTTON"]).refused(2, &["--at"]);
}

#[test]
fn nobody_there_is_not_done() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("tcp://{closed}");
    for command in [&["get", "LED"][..], &["toggle", "LED"], &["lines"], &["status"], &["watch"]] {
        let run = Machine::new().run(&[command, &["--at", &endpoint]].concat());
        run.refused(1, &[&format!("connect {endpoint}: connection refused"), "\nstart the program that listens there"]);
    }
}

#[test]
fn a_server_that_dies_between_act_and_answer_leaves_it_unknown() {
    let board = Plan { mood: Mood::Dies, ..Plan::board() }.serve();
    at(&board, &["toggle", "LED", "--timeout", "600ms"])
        .refused(3, &["LED: nobody knows whether it was done: ", "`soquete get` tells the value"]);
    board.wait_for("LED TOGGLE");
}

#[test]
fn a_server_that_was_restarted_does_not_know_the_session_and_nothing_is_repeated() {
    let first = Plan { mood: Mood::Dies, ..Plan::board() }.serve();
    let machine = Machine::new();
    let endpoint = first.endpoint.clone();
    let arguments = ["toggle", "LED", "--at", &endpoint.to_string(), "--timeout", "20s"];
    let toggling = machine.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    first.wait_for("LED TOGGLE");
    first.crash();
    let second = Plan::board().serve_at(&endpoint);
    Run::of(toggling.wait_with_output().unwrap())
        .refused(3, &["LED: nobody knows whether it was done: unknown session"]);
    assert_eq!(at(&second, &["get", "LED"]).done(), "off\n");
}

#[test]
fn nobody_waits_longer_than_the_timeout() {
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", deaf.local_addr().unwrap());
    let stalling = Plan { mood: Mood::Stalls, ..Plan::board() }.serve();
    let begun = Instant::now();
    for command in [&["get", "LED"][..], &["lines"], &["status"], &["set", "LED", "on"], &["watch"]] {
        let run = Machine::new().run(&[command, &["--at", &endpoint, "--timeout", "200ms"]].concat());
        run.refused(1, &[]);
    }
    at(&stalling, &["set", "LED", "on", "--timeout", "200ms"]).refused(3, &["nobody knows whether it was done"]);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let begun = Instant::now();
    at(&stalling, &["set", "LED", "on", "--timeout", "1s"]).refused(3, &[]);
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[test]
fn where_nothing_runs_it_says_what_to_type() {
    let machine = Machine::new();
    for command in [&["get", "LED"][..], &["lines"], &["press", "BUTTON"], &["status"], &["watch"], &["toggle", "LED"]]
    {
        machine.run(command).refused(1, &["nothing runs", "\n`soquete up` "]);
    }
}

#[test]
fn a_line_of_this_machine_is_found_by_its_name() {
    let machine = Machine::new();
    let _led = machine.process("led_process", &[("LED", "OFF", "OUTPUT")]);
    let button = machine.process("button_process", &[("BUTTON", "OFF", "INPUT")]);
    assert_eq!(machine.run(&["toggle", "LED"]).done(), "LED on\n");
    assert_eq!(machine.run(&["get", "led"]).done(), "on\n");
    assert_eq!(machine.run(&["press", "button"]).done(), "pressed BUTTON\n");
    assert_eq!(button.wait_for("PRESS"), "PRESS BUTTON");
    machine.run(&["press", "LED"]).refused(1, &["LED: not done: LED is an output and cannot be pressed"]);
    let known = "LAMP: no such line; there are button_process/BUTTON, led_process/LED";
    machine.run(&["set", "LAMP", "on"]).refused(1, &[known]);
    machine.run(&["watch", "LAMP"]).refused(1, &[known]);
    machine
        .run(&["get", "lamp_process/LED"])
        .refused(1, &["no such process runs; there are button_process, led_process"]);
    let table = machine.run(&["lines"]).done();
    let row = "led_process     LED     output     on     2026-11-18 08:06:40  start\n";
    assert!(table.starts_with("PROCESS         LINE    DIRECTION  VALUE  SINCE"), "{table}");
    assert!(table.ends_with(row), "{table}");
}

#[test]
fn a_name_that_several_processes_have_needs_its_process() {
    let machine = Machine::new();
    let (_kitchen, _hall) =
        (machine.process("kitchen", &[("LED", "ON", "OUTPUT")]), machine.process("hall", &[("LED", "OFF", "OUTPUT")]));
    machine
        .run(&["get", "LED"])
        .refused(2, &["LED: several processes have a line of this name\nwrite hall/LED or kitchen/LED\n"]);
    assert_eq!(machine.run(&["get", "kitchen/LED"]).done(), "on\n");
    assert_eq!(machine.run(&["set", "hall/led", "on"]).done(), "LED on\n");
}

#[test]
fn a_process_that_does_not_answer_holds_up_no_other() {
    let machine = Machine::new();
    let _led = machine.process("led_process", &[("LED", "OFF", "OUTPUT")]);
    let socket = machine.0.join("soquete/default/deaf.sock");
    let _deaf = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(machine.run(&["get", "LED", "--timeout", "1s"]).done(), "off\n");
    let lines = machine.run(&["lines", "--timeout", "500ms"]);
    assert_eq!(lines.code, Some(1));
    assert!(lines.out.contains("LED") && lines.err.contains("deaf.sock: timed out"), "{lines:?}");
    machine
        .run(&["get", "LAMP", "--timeout", "500ms"])
        .refused(1, &["no such line in the processes that answer", "deaf.sock: timed out"]);
    let status = machine.run(&["status", "--timeout", "500ms"]).done();
    assert!(status.contains("\ndeaf\n  does not answer: "), "{status}");
}

#[test]
fn each_change_is_printed_with_its_time_and_who_caused_it() {
    let board = Plan::board().serve();
    let machine = Machine::new();
    let mut watching = machine.watch(&["LED", "--at", &board.endpoint.to_string()]);
    assert_eq!(board.wait_for("WATCH"), "WATCH LED");
    at(&board, &["set", "LED", "on"]).done();
    assert_eq!(watching.line(), "08:06:40.123456 LED on   by button_process (tcp://127.0.0.1:44800)\n");
    at(&board, &["set", "LED", "off"]).done();
    assert_eq!(watching.line(), "08:06:40.123456 LED off  by button_process (tcp://127.0.0.1:44800)\n");
    assert_eq!(watching.interrupt().done(), "");
}

#[test]
fn a_change_is_one_json_document_a_line() {
    let machine = Machine::new();
    let led = machine.process("led_process", &[("LED", "OFF", "OUTPUT")]);
    let mut watching = machine.watch(&["--json"]);
    led.wait_for("WATCH");
    machine.run(&["set", "LED", "on"]).done();
    let change: serde_json::Value = serde_json::from_str(&watching.line()).unwrap();
    let expected = serde_json::json!({
        "time_us": 1_795_000_000_123_456_u64, "process": "led_process", "line": "LED", "value": "on",
        "by": "button_process (tcp://127.0.0.1:44800)", "latency_us": null, "seq": 1, "missed": 0,
    });
    assert_eq!(change, expected);
    assert_eq!(watching.interrupt().done(), "");
}

#[test]
fn all_processes_are_watched_at_once_and_named_where_lines_share_a_name() {
    let machine = Machine::new();
    let kitchen = machine.process("kitchen", &[("LED", "ON", "OUTPUT")]);
    let hall = machine.process("hall", &[("LED", "OFF", "OUTPUT"), ("BELL", "OFF", "OUTPUT")]);
    let mut watching = machine.watch(&["LED", "hall/BELL"]);
    assert_eq!(kitchen.wait_for("WATCH"), "WATCH LED");
    assert_eq!(hall.wait_for("WATCH"), "WATCH LED BELL");
    machine.run(&["toggle", "kitchen/LED"]).done();
    let line = watching.line();
    assert!(line.contains(" kitchen/LED off  by "), "{line}");
    machine.run(&["toggle", "BELL"]).done();
    let line = watching.line();
    assert!(line.contains(" BELL        on   by "), "{line}");
    watching.interrupt().done();
}

#[test]
fn a_server_that_comes_back_is_watched_again_and_what_was_missed_is_told() {
    let board = Plan::board().serve();
    let (machine, endpoint) = (Machine::new(), board.endpoint.clone());
    let mut watching = machine.watch(&["--at", &endpoint.to_string()]);
    board.wait_for("WATCH");
    at(&board, &["set", "LED", "on"]).done();
    assert!(watching.line().contains(" LED    on   by "));
    board.crash();
    watching.wait_for_note("; trying again\n");
    let board = Plan { seq: 4, ..Plan::board() }.serve_at(&endpoint);
    board.wait_for("WATCH");
    watching.wait_for_note(&format!("{endpoint} is back: LED off, BUTTON unknown\n"));
    at(&board, &["set", "LED", "on"]).done();
    watching.wait_for_note(&format!("{endpoint}: 3 changes missed\n"));
    assert!(watching.line().contains(" LED    on   by "));
    assert_eq!(watching.interrupt().done(), "");
}

#[test]
fn a_watch_whose_reader_is_gone_ends_without_a_word() {
    let board = Plan::board().serve();
    let machine = Machine::new();
    let endpoint = board.endpoint.to_string();
    let mut command = machine.command(&["watch", "--at", &endpoint]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    board.wait_for("WATCH");
    drop(child.stdout.take());
    Run::of(child.wait_with_output().unwrap()).done();
}

#[test]
fn the_status_of_this_machine_is_a_page_or_one_document() {
    let machine = Machine::new();
    let _led = machine.process("led_process", &[("LED", "OFF", "OUTPUT")]);
    let page = machine.run(&["status"]).done();
    assert!(page.starts_with("default: no `soquete up` answers\n\nled_process: pid "), "{page}");
    assert!(page.contains(", for 1m 1s\n  serves tcp://127.0.0.1:5555\n  LINE  DIRECTION  KIND "), "{page}");

    let process = |name| {
        serde_json::json!({
            "name": name, "pid": 7, "state": "ready", "restarts": 1, "since_us": 1, "last_exit": null,
        })
    };
    let report = serde_json::json!({
        "pid": 5, "name": "default", "config": "built-in pc", "since_us": 1,
        "processes": [process("led_process"), process("gone_process")],
    });
    let up = Plan { status: report.to_string(), ..Plan::process("up", &[]) };
    let _up = up.serve_at(&machine.control(".up"));
    let page = machine.run(&["status"]).done();
    assert!(page.starts_with("default (built-in pc): `soquete up`, pid 5, for "), "{page}");
    assert!(page.contains("\nled_process: ready, pid 7, for 1m 1s, restarted once\n  serves tcp"), "{page}");
    assert!(page.contains("\ngone_process: ready, pid 7, for "), "{page}");
    let document: serde_json::Value = serde_json::from_str(&machine.run(&["status", "--json"]).done()).unwrap();
    assert_eq!((&document["instance"], &document["supervisor"]["pid"]), (&"default".into(), &5.into()));
    assert_eq!(document["processes"][0]["lines"][0]["value"], "off");
}

#[test]
fn an_endpoint_tells_its_name_and_its_lines() {
    let board = Plan::board().serve();
    let page = at(&board, &["status"]).done();
    assert!(page.starts_with(&format!("led_process at {}\n  LINE    DIRECTION  VALUE\n", board.endpoint)), "{page}");
    let document: serde_json::Value = serde_json::from_str(&at(&board, &["status", "--json"]).done()).unwrap();
    assert_eq!(document["instance"], serde_json::Value::Null);
    let process = &document["processes"][0];
    assert_eq!(
        (&process["name"], &process["endpoints"][0]),
        (&"led_process".into(), &board.endpoint.to_string().into())
    );
    let button =
        serde_json::json!({"name": "BUTTON", "direction": "input", "value": "unknown", "why": null, "lease": null});
    assert_eq!(process["lines"][1], button);
}

#[test]
fn a_pulse_and_a_blink_are_kept_by_the_process_that_has_the_line() {
    let machine = Machine::new();
    let mut led = ProcessConfig::new("led_process".parse().unwrap());
    led.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::output("virtual").unwrap()));
    let _led = Real::run(led, &machine.control("led_process"));
    assert_eq!(machine.run(&["pulse", "LED", "20ms"]).done(), "LED on\n");
    let begun = Instant::now();
    while machine.run(&["get", "LED"]).done() != "off\n" {
        assert!(begun.elapsed() < PATIENCE, "{}", machine.run(&["status"]).out);
    }
    let table = machine.run(&["lines"]).done();
    assert!(table.contains("  the pulse of soquete"), "{table}");
    assert_eq!(machine.run(&["blink", "led", "1h", "10ms", "--count", "3"]).done(), "LED on\n");
    assert_eq!(machine.run(&["toggle", "LED"]).done(), "LED off\n");
    machine.run(&["blink", "LED", "5ms"]).refused(2, &["expected 10ms to 1h, such as 500ms"]);
    machine.run(&["pulse", "LED", "2h"]).refused(2, &["expected 1ms to 1h"]);
}

#[test]
fn why_a_line_is_unknown_is_said_beside_its_value() {
    let machine = Machine::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut relay = ProcessConfig::new("relay".parse().unwrap());
    relay.serve.push(Serve::new("tcp://127.0.0.1:0".parse().unwrap()));
    let (direction, line) = (Direction::Output, "LED".parse().unwrap());
    let far = LineKind::Remote { direction, at: format!("tcp://{closed}").parse().unwrap(), line };
    relay.lines.push(LineConfig::new("FAR".parse().unwrap(), far));
    let relay = Real::run(relay, &machine.control("relay"));
    let endpoint = relay.endpoints[0].to_string();
    let why = format!("connect tcp://{closed}: connection refused");
    let begun = Instant::now();
    while !machine.run(&["lines"]).done().contains(&format!("unknown: {why}")) {
        assert!(begun.elapsed() < PATIENCE, "{}", machine.run(&["status"]).out);
    }
    for command in ["lines", "status"] {
        assert!(machine.run(&[command, "--at", &endpoint]).done().contains(&format!("unknown: {why}")), "{command}");
    }
    for command in [&["get", "FAR"][..], &["get", "far", "--at", &endpoint]] {
        let run = machine.run(command);
        assert_eq!((run.code, run.out.as_str()), (Some(0), "unknown\n"));
        assert!(run.err.ends_with(&format!(" is unknown: {why}\n")), "{}", run.err);
    }
}

#[test]
fn a_press_on_one_real_process_switches_a_line_of_another() {
    let machine = Machine::new();
    let mut led = ProcessConfig::new("led_process".parse().unwrap());
    led.serve.push(Serve::new("tcp://127.0.0.1:0".parse().unwrap()));
    led.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::output("virtual").unwrap()));
    let led = Real::run(led, &machine.control("led_process"));
    let mut button = ProcessConfig::new("button_process".parse().unwrap());
    button.lines.push(LineConfig::new("BUTTON".parse().unwrap(), LineKind::input("virtual").unwrap()));
    let mut rule = RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED TOGGLE");
    rule.to.push(led.endpoints[0].clone());
    button.rules.push(rule);
    let _button = Real::run(button, &machine.control("button_process"));

    assert_eq!(machine.run(&["get", "LED"]).done(), "off\n");
    assert_eq!(machine.run(&["press", "BUTTON"]).done(), "pressed BUTTON\n");
    let endpoint = led.endpoints[0].to_string();
    let begun = Instant::now();
    while machine.run(&["get", "LED", "--at", &endpoint]).done() != "on\n" {
        assert!(begun.elapsed() < PATIENCE, "{}", machine.run(&["status"]).out);
    }
    assert_eq!(machine.run(&["toggle", "LED"]).done(), "LED off\n");
    machine.run(&["press", "LED"]).refused(1, &["LED: not done: "]);
    machine.run(&["set", "BUTTON", "on"]).refused(1, &["BUTTON: not done: BUTTON is an input and cannot be set"]);
    let page = machine.run(&["status"]).done();
    assert!(page.contains("  BUTTON press  LED TOGGLE  "), "{page}");
    assert!(page.contains(&format!("  serves {endpoint}\n")), "{page}");
    let far = machine.run(&["status", "--at", &endpoint]).done();
    assert!(far.starts_with(&format!("led_process at {endpoint}\n")), "{far}");
}
