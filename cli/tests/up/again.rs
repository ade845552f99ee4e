//! What dies and is started again.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::home::{Home, descriptor, pid, signal, wait_for_end};

#[test]
fn a_process_that_dies_is_started_again_with_the_reason_in_the_log() {
    let home = Home::new("again");
    let mut up = home.up();
    let [led, button] = home.pids();
    signal(&descriptor(led), Signal::KILL);
    let said = up.lines.until("led_process is ready");
    let ended = said.iter().find(|line| line.contains("led_process has ended")).unwrap();
    assert!(ended.starts_with("up | led_process has ended: killed by SIGKILL; it starts again in "), "{ended}");
    let report = home.report();
    let process = &report["processes"][0];
    assert_eq!((process["state"].as_str(), process["restarts"].as_u64()), (Some("ready"), Some(1)));
    assert_eq!(process["last_exit"].as_str(), Some("killed by SIGKILL"));
    assert_ne!(pid(&process["pid"]), led);
    assert_eq!(pid(&report["processes"][1]["pid"]), button, "the other goes on");
    home.press();
    up.lines.until("LED Status: On");
}

#[test]
fn a_process_starts_again_with_the_configuration_that_up_has_read() {
    let home = Home::new("same");
    let mut up = home.up();
    fs::remove_file(home.path.join("home.toml")).unwrap();
    signal(&descriptor(home.pids()[0]), Signal::KILL);
    up.lines.until("led_process is ready");
    home.press();
    up.lines.until("LED Status: On");
}

#[test]
fn a_process_that_ends_in_order_by_itself_is_started_again_too() {
    let home = Home::new("order");
    let mut up = home.up();
    let button = descriptor(home.pids()[1]);
    signal(&button, Signal::TERM);
    wait_for_end(&button);
    up.lines.until("button_process has ended: exit code 0; it starts again");
    up.lines.until("button_process is ready");
}

/// Puts a file that is no FIFO where the FIFO is, which keeps the button from starting. In one step: who lives and finds no
/// FIFO makes it anew.
fn put_letters_in_place_of(fifo: &Path) {
    let letters = fifo.with_extension("letters");
    fs::write(&letters, "letters\n").unwrap();
    fs::rename(letters, fifo).unwrap();
}

#[test]
fn one_that_cannot_start_again_is_tried_until_it_can() {
    let home = Home::new("tries");
    let mut up = home.up();
    let descriptors = format!("/proc/{}/fd", up.child.id());
    let open = || fs::read_dir(&descriptors).unwrap().count();
    let before = open();
    let fifo = home.path.join("button");
    put_letters_in_place_of(&fifo);
    signal(&descriptor(home.pids()[1]), Signal::KILL);
    up.lines.until("button_process has ended: killed by SIGKILL");
    let said = up.lines.until("button_process has ended: exit code 1; it starts again in ");
    assert!(said.iter().any(|line| line.starts_with("button_process | soquete: ")), "{said:?}");
    for _ in 0..3 {
        up.lines.until("button_process has ended: exit code 1; it starts again in ");
    }
    fs::remove_file(&fifo).unwrap();
    up.lines.until("button_process is ready");
    // A thread or a connection may just be about to end.
    assert!(open() <= before + 2, "nothing is kept of what ended");
    assert!(home.report()["processes"][1]["restarts"].as_u64() >= Some(5));
}

#[test]
fn what_waits_for_its_next_start_is_stopped_at_once() {
    let home = Home::new("waits");
    let mut up = home.up();
    let fifo = home.path.join("button");
    put_letters_in_place_of(&fifo);
    signal(&descriptor(home.pids()[1]), Signal::KILL);
    for _ in 0..4 {
        up.lines.until("it starts again in ");
    }
    up.signal(Signal::TERM);
    let said = up.lines.rest().join("\n");
    assert!(said.contains("led_process has stopped: exit code 0"), "{said}");
    assert_eq!(up.end().0, Some(0));
    home.assert_clean();
}
