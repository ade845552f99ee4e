//! `up --detach`.

use std::fs;
use std::net::TcpListener;

use rustix::process::getsid;

use super::home::{Home, descriptor, pid, proc, text, wait_for_end};

#[test]
fn detach_returns_when_all_are_ready_and_says_how_to_see_and_stop_it() {
    let home = Home::new("detach");
    let up = home.run(&["up", "-c", "home.toml", "--detach"]);
    let (out, err) = text(&up);
    assert_eq!((up.status.code(), err.as_str()), (Some(0), ""));
    for expected in ["led_process, pid ", "soquete logs -f ", "soquete down "] {
        assert!(out.contains(expected), "expected {expected:?} in:\n{out}");
    }
    let report = home.report();
    assert!((0..2).all(|nth| report["processes"][nth]["state"] == "ready"), "{report}");
    let supervisor = pid(&report["pid"]);
    assert_eq!(getsid(Some(supervisor)).unwrap(), supervisor, "in a session of its own");
    assert_eq!(proc(supervisor, "comm"), "soquete\n");
    for fd in 0..3 {
        let path = format!("/proc/{}/fd/{fd}", supervisor.as_raw_nonzero());
        assert_eq!(fs::read_link(path).unwrap().to_str(), Some("/dev/null"));
    }
    let supervisor = descriptor(supervisor);
    let down = home.run(&["down"]);
    assert_eq!(text(&down).0, "button_process stopped\nled_process stopped\n");
    wait_for_end(&supervisor);
    home.assert_clean();
}

#[test]
fn detach_ends_with_the_message_of_what_failed() {
    let home = Home::new("detach-taken");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", taken.local_addr().unwrap());
    home.write("home.toml", &home.seeds(&at));
    let up = home.run(&["up", "-c", "home.toml", "--detach"]);
    let (out, err) = text(&up);
    assert_eq!((up.status.code(), out.as_str()), (Some(1), "configuration: home.toml (instance home)\n"));
    assert!(err.starts_with(&format!("soquete: led_process: bind {at}: address in use\n")), "{err}");
    home.assert_clean();
}

#[test]
fn detach_of_what_runs_already_says_who_runs_it() {
    let home = Home::new("detach-twice");
    let first = home.up();
    let (_, err) = text(&home.run(&["up", "-c", "home.toml", "--detach"]));
    assert!(err.starts_with(&format!("soquete: home runs already: pid {}", first.child.id())), "{err}");
}
