//! The log, the control socket, and standard output that nobody reads.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdout, Command, Stdio};

use rustix::process::Signal;
use soquete::Received;

use super::home::{Home, Lines, Up, text};

#[test]
fn logs_has_what_up_printed() {
    let home = Home::new("logs");
    let mut up = home.up();
    home.press();
    up.lines.until("button_process | BUTTON press");
    let (out, err) = text(&home.run(&["logs"]));
    assert_eq!(err, "");
    let said: Vec<_> = out.lines().collect();
    assert!(said.iter().any(|line| line.starts_with("up | button_process is ready, pid ")), "{out}");
    assert!(said.iter().any(|line| line.starts_with("led_process | ") && line.ends_with("LED Status: On")), "{out}");
}

#[test]
fn logs_of_nothing_says_so() {
    let home = Home::new("nologs");
    for arguments in [&["logs"][..], &["logs", "-f"]] {
        let logs = home.run(arguments);
        assert_eq!(
            (logs.status.code(), text(&logs).1.lines().next().unwrap()),
            (Some(1), "soquete: nothing runs as default")
        );
    }
}

#[test]
fn logs_f_follows_until_up_ends() {
    let home = Home::new("follow");
    let up = home.up();
    let mut logs = Up::of(home.soquete(&["logs", "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    logs.lines.until("up | button_process is ready");
    home.press();
    logs.lines.until("LED Status: On");
    up.signal(Signal::TERM);
    let said = logs.lines.rest().join("\n");
    assert!(said.ends_with("up | led_process has stopped: exit code 0"), "to the last line: {said}");
    assert_eq!(logs.end(), (Some(0), String::new()));
}

#[test]
fn a_reader_of_logs_that_has_seen_enough_is_no_error() {
    let home = Home::new("enough");
    let mut up = home.up();
    let mut logs = home.soquete(&["logs", "-f"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(logs.stdout.take());
    home.press();
    up.lines.until("LED Status: On");
    let output = logs.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output).1.as_str()), (Some(0), ""));
}

#[test]
fn the_control_socket_answers_and_refuses() {
    let home = Home::new("control");
    let up = home.up();
    let report = home.report();
    assert_eq!((report["pid"].as_u64(), report["name"].as_str()), (Some(up.child.id().into()), Some("home")));
    assert_eq!(report["config"].as_str(), home.path.join("home.toml").to_str());
    assert_eq!(report["processes"][1]["name"].as_str(), Some("button_process"));
    let mut control = home.control();
    let refused = control.request(b"DANCE").unwrap_err().to_string();
    assert!(refused.contains("expected STATUS, DOWN, LOGS or FOLLOW"), "{refused}");
    let answer = String::from_utf8(control.request(b"LOGS 1").unwrap().to_vec()).unwrap();
    let (next, lines) = answer.split_once('\n').unwrap();
    let next: usize = next.parse().unwrap();
    assert_eq!(lines.lines().count(), next - 1);
    assert_eq!(control.request(format!("LOGS {next}").as_bytes()).unwrap(), format!("{next}\n").as_bytes());
}

#[test]
fn a_follower_from_now_on_hears_the_next_line_only() {
    let home = Home::new("from-now");
    let _up = home.up();
    let mut control = home.control();
    assert_eq!(control.request(b"FOLLOW").unwrap(), b"OK");
    home.press();
    let Received::Event { head, payload, .. } = control.receive().unwrap() else { panic!("no event") };
    let line = String::from_utf8_lossy(payload).into_owned();
    assert!(line.starts_with("led_process | ") || line.starts_with("button_process | "), "{line}");
    assert!(head.seq > 0 && head.missed == 0, "{head:?}");
}

#[test]
fn a_reader_of_up_that_has_gone_stops_nothing() {
    let home = Home::new("gone");
    let mut command = home.soquete(&["up", "-c", "home.toml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("soquete down") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0);
    }
    drop(out);
    let mut logs = Lines::of(follow(&home));
    logs.until("button_process is ready");
    home.press();
    logs.until("LED Status: On");
    home.press();
    logs.until("LED Status: Off");
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output).1.as_str()), (Some(0), ""));
}

#[test]
fn a_terminal_that_is_held_holds_nothing_up() {
    let home = Home::new("held");
    let mut command = home.soquete(&["up", "-c", "home.toml"]);
    // Nobody ever reads it.
    let mut up = home.ready(command.stdout(Stdio::piped()));
    // More lines than a pipe and the queue before it hold.
    home.switch(6_000);
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
    assert_eq!(up.wait().unwrap().code(), Some(0));
}

#[test]
fn standard_output_may_be_closed() {
    let home = Home::new("closed");
    let mut shell = Command::new("sh");
    let script = format!("exec '{}' up -c home.toml >&- 2>&- <&-", env!("CARGO_BIN_EXE_soquete"));
    let like = home.soquete(&[]);
    let variables = like.get_envs().filter_map(|(key, value)| Some((key, value?)));
    shell.args(["-c", &script]).env_clear().envs(variables).current_dir(&home.path);
    let mut up = home.ready(&mut shell);
    let mut logs = Lines::of(follow(&home));
    logs.until("button_process is ready");
    home.press();
    logs.until("LED Status: On");
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
    assert_eq!(up.wait().unwrap().code(), Some(0));
}

#[test]
fn a_slow_follower_hears_how_many_lines_it_missed_and_holds_nothing_up() {
    let home = Home::new("slow");
    let _up = home.up();
    let mut slow = home.control();
    assert_eq!(slow.request(b"FOLLOW 0").unwrap(), b"OK");
    // More than is kept of the log, and more than its connection holds.
    home.switch(16_000);
    let mut quick = home.control();
    quick.request(b"FOLLOW").unwrap();
    home.press();
    let Received::Event { head, .. } = quick.receive().unwrap() else { panic!("no event") };
    let (last, mut next, mut missed) = (head.seq, 0, 0);
    while next <= last {
        let Received::Event { head, .. } = slow.receive().unwrap() else { panic!("no event") };
        missed += u64::from(head.missed);
        assert_eq!(head.seq, next + u64::from(head.missed), "each line comes once or is counted");
        next = head.seq + 1;
    }
    assert!(missed > 0);
}

/// Starts `logs -f`, which ends with `up`.
fn follow(home: &Home) -> ChildStdout {
    home.soquete(&["logs", "-f"]).stdout(Stdio::piped()).spawn().unwrap().stdout.unwrap()
}
