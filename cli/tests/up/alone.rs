//! `run`, and which instance a command means.

use std::process::Stdio;

use rustix::process::{Pid, Signal};

use super::home::{Home, Up, descriptor, proc, signal, text};

/// Starts one process in the foreground and waits until it says that it is ready.
fn run_led(home: &Home) -> Up {
    let mut command = home.soquete(&["run", "led_process", "-c", "home.toml"]);
    Up::of(home.ready(command.stdout(Stdio::piped()).stderr(Stdio::piped())))
}

#[test]
fn run_is_one_process_under_its_name_until_a_signal() {
    for (name, stop) in [("alone-term", Signal::TERM), ("alone-int", Signal::INT), ("alone-hup", Signal::HUP)] {
        let home = Home::new(name);
        let led = run_led(&home);
        assert_eq!(proc(Pid::from_child(&led.child), "comm"), "led_process\n");
        home.switch(1);
        led.signal(stop);
        let said = led.lines.rest().join("\n");
        assert!(said.contains("LED Status: Off"), "with its stop value: {said}");
        assert_eq!(led.end(), (Some(0), String::new()));
    }
}

#[test]
fn a_second_signal_ends_run_at_once() {
    let home = Home::new("alone-second");
    let led = run_led(&home);
    let process = descriptor(Pid::from_child(&led.child));
    // It sees both when it goes on.
    for stop in [Signal::STOP, Signal::INT, Signal::TERM, Signal::CONT] {
        signal(&process, stop);
    }
    assert_eq!(led.end(), (Some(1), String::new()));
}

#[test]
fn run_that_cannot_have_what_it_needs_says_so() {
    let home = Home::new("alone-twice");
    let _led = run_led(&home);
    let second = home.run(&["run", "led_process", "-c", "home.toml"]);
    let (_, err) = text(&second);
    assert_eq!(second.status.code(), Some(1));
    assert!(err.starts_with("soquete: bind unix://") && err.contains("address in use"), "{err}");
}

#[test]
fn a_command_without_a_choice_means_the_only_one_that_runs() {
    let home = Home::new("only");
    let up = home.up();
    assert_eq!(home.run(&["logs"]).status.code(), Some(0));
    assert_eq!(home.run(&["logs", "-c", "home.toml"]).status.code(), Some(0));
    let (_, err) = text(&home.run(&["logs", "--platform", "pc"]));
    assert!(err.starts_with("soquete: nothing runs as default\n"), "a choice is a choice: {err}");
    let named = home.soquete(&["logs"]).env("SOQUETE_CONFIG", home.path.join("home.toml")).output().unwrap();
    assert_eq!(named.status.code(), Some(0));
    drop(up);
}

#[test]
fn of_several_a_command_wants_to_know_which() {
    let home = Home::new("several");
    let _up = home.up();
    let other = Home::new("several-other");
    home.write("other.toml", &other.seeds("tcp://127.0.0.1:0"));
    let mut second = home.begin_up("other.toml");
    second.lines.until("soquete down");
    let down = home.run(&["down"]);
    let (_, err) = text(&down);
    assert_eq!(down.status.code(), Some(2));
    assert!(err.starts_with("soquete: 2 instances run"), "{err}");
    let folder = home.path.display();
    assert!(err.contains(&format!("\n  home: -c {folder}/home.toml\n  other: -c {folder}/other.toml\n")), "{err}");
    assert_eq!(home.run(&["down", "-c", "other.toml"]).status.code(), Some(0));
    assert_eq!(second.end().0, Some(0));
    assert_eq!(home.run(&["down"]).status.code(), Some(0), "now there is only one");
}

#[test]
fn a_configuration_with_mistakes_does_not_keep_what_runs_from_being_stopped() {
    let home = Home::new("broken");
    let _up = home.up();
    let folder = home.path.join(".config/soquete");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("soquete.toml"), "[processes").unwrap();
    assert_eq!(home.run(&["down"]).status.code(), Some(0));
}
