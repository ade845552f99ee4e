//! Every way to an end, and that nothing is left.

use rustix::process::Signal;

use super::home::{Home, descriptor, signal, text, wait_for_end};

/// Asserts that these lines stand in this order.
#[track_caller]
fn assert_order(lines: &[String], order: &[&str]) {
    let mut rest = lines.iter();
    for words in order {
        assert!(rest.any(|line| line.contains(words)), "expected {words:?} in its place in:\n{}", lines.join("\n"));
    }
}

const REVERSE: [&str; 2] = ["button_process has stopped: exit code 0", "led_process has stopped: exit code 0"];

#[test]
fn down_stops_in_reverse_order_and_leaves_no_file() {
    let home = Home::new("down");
    let up = home.up();
    let processes = home.pids().map(descriptor);
    let down = home.run(&["down"]);
    assert_eq!(text(&down), ("button_process stopped\nled_process stopped\n".into(), String::new()));
    assert_eq!(down.status.code(), Some(0));
    processes.iter().for_each(wait_for_end);
    home.assert_clean();
    assert_order(&up.lines.rest(), &REVERSE);
    assert_eq!(up.end(), (Some(0), String::new()));
}

#[test]
fn down_without_anything_that_runs_says_so() {
    let home = Home::new("nothing");
    let down = home.run(&["down"]);
    let looked = home.path.join("run/soquete/default");
    let nothing = format!(
        "soquete: nothing runs as default\n`soquete up` starts it. Looked at were {} and /run/soquete/units\n",
        looked.display()
    );
    assert_eq!((down.status.code(), text(&down)), (Some(1), (String::new(), nothing)));
    let (_, err) = text(&home.run(&["down", "-c", "home.toml"]));
    assert!(err.starts_with("soquete: nothing runs as home\n"), "{err}");
    home.assert_clean();
}

#[test]
fn ctrl_c_and_other_signals_stop_gracefully() {
    for (name, stop) in [("int", Signal::INT), ("term", Signal::TERM), ("hup", Signal::HUP)] {
        let home = Home::new(name);
        let up = home.up();
        let processes = home.pids().map(descriptor);
        up.signal(stop);
        processes.iter().for_each(wait_for_end);
        assert_order(&up.lines.rest(), &REVERSE);
        assert_eq!(up.end(), (Some(0), String::new()), "{name}");
        home.assert_clean();
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let home = Home::new("twice");
    let mut up = home.up();
    let processes = home.pids().map(descriptor);
    // It cannot stop by itself.
    signal(&processes[1], Signal::STOP);
    up.signal(Signal::INT);
    up.lines.until("Ctrl-C once more stops at once");
    up.signal(Signal::INT);
    processes.iter().for_each(wait_for_end);
    assert_order(&up.lines.rest(), &["stopping at once", "has stopped: killed by SIGKILL"]);
    let (code, said) = up.end();
    assert_eq!(code, Some(1));
    assert!(said.contains("stopped at once"), "{said}");
    home.assert_clean();
}

#[test]
fn what_does_not_stop_is_stopped_by_force() {
    let home = Home::new("force");
    let _up = home.up();
    let processes = home.pids().map(descriptor);
    signal(&processes[1], Signal::STOP);
    // The five seconds that it is given are the thing under test.
    let (out, _) = text(&home.run(&["down"]));
    assert_eq!(out, "button_process stopped by force\nled_process stopped\n");
    home.assert_clean();
}

#[test]
fn down_during_the_start_stops_what_was_started() {
    let home = Home::new("early");
    let mut up = home.begin_up("home.toml");
    up.lines.until("led_process is ready");
    let down = home.run(&["down"]);
    assert_eq!(down.status.code(), Some(0), "{down:?}");
    home.assert_clean();
}

#[test]
fn the_death_of_up_leaves_no_orphan_and_keeps_nobody_from_starting_again() {
    for (name, death) in [("kill", Signal::KILL), ("abort", Signal::ABORT)] {
        let home = Home::new(name);
        let up = home.up();
        let processes = home.pids().map(descriptor);
        up.signal(death);
        // At once, while its processes are about to stop.
        let mut again = home.up();
        processes.iter().for_each(wait_for_end);
        home.press();
        again.lines.until("LED Status: On");
        again.signal(Signal::TERM);
        assert_eq!(again.end().0, Some(0));
        home.assert_clean();
    }
}

#[test]
fn what_a_killed_up_has_left_is_removed_by_down() {
    let home = Home::new("leftovers");
    let up = home.up();
    let processes = home.pids().map(descriptor);
    up.signal(Signal::KILL);
    processes.iter().for_each(wait_for_end);
    assert!(home.instance().join(".up.sock").exists());
    assert_eq!(home.run(&["down", "-c", "home.toml"]).status.code(), Some(1));
    home.assert_clean();
}

#[test]
fn an_up_that_was_stopped_by_hand_does_not_hold_down_for_ever() {
    let home = Home::new("frozen");
    let up = home.up();
    up.signal(Signal::STOP);
    // The ten seconds that it waits are the thing under test.
    let down = home.run(&["down", "-c", "home.toml"]);
    let (_, err) = text(&down);
    assert_eq!(down.status.code(), Some(1));
    assert!(err.contains("timed out") && err.contains("`kill -CONT PID`"), "{err}");
    up.signal(Signal::CONT);
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
}
