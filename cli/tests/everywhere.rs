//! The board at every kind of endpoint, with the built program and with other people's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::{Place, Program, Rule, Run, tool, until};
use rustix::process::Signal;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

/// Every kind of endpoint in a place, by its scheme.
fn endpoints(place: &Place) -> Vec<(&'static str, String)> {
    let (dir, host, port) = (place.dir.display(), place.host, place.port);
    vec![
        ("tcp", format!("tcp://{host}:{port}")),
        ("udp", format!("udp://{host}:{port}")),
        ("unix", format!("unix://{dir}/led.sock")),
        ("abstract", format!("unix:@{dir}")),
        ("seqpacket", format!("seqpacket://{dir}/led.seq")),
        ("unixgram", format!("unixgram://{dir}/led.gram")),
    ]
}

/// A place whose LED is served at every kind of endpoint, with a button that goes `to` one of them.
fn everywhere(to: &str, rule: &Rule<'_>) -> Place {
    let place = Place::bare();
    place.configure(&Rule { to: format!("'{to}'"), ..*rule });
    let all: Vec<String> = endpoints(&place).into_iter().map(|(_, url)| format!("'{url}'")).collect();
    let text = std::fs::read_to_string(place.config()).unwrap();
    let text = text.replace(&format!("serve = ['{}']", place.endpoint()), &format!("serve = [{}]", all.join(", ")));
    place.write_config(&text);
    place
}

#[test]
fn every_command_reaches_the_board_at_every_kind_of_endpoint() {
    let place = everywhere("tcp://127.0.0.1:1", &Rule::default());
    let _led = place.start("led_process");
    for (_, at) in endpoints(&place) {
        assert_eq!(place.run(&format!("set LED on --at {at}")).ok(), "LED on\n", "{at}");
        assert_eq!(place.run(&format!("toggle LED --at {at}")).ok(), "LED off\n", "{at}");
        assert_eq!(place.run(&format!("get LED --at {at}")).ok(), "off\n", "{at}");
        assert!(place.run(&format!("lines --at {at}")).ok().contains("LED"), "{at}");
        let status = place.run(&format!("status --at {at}")).ok();
        assert!(status.contains("led_process") && status.contains("LED"), "{at}: {status}");
        let mut watch = Program::begin(place.soquete(&format!("watch --at {at}")));
        until("the watch tells of a change", || {
            place.run(&format!("toggle LED --at {}", place.endpoint())).ok();
            watch.log.count("LED") > 0
        });
        watch.signal(Signal::INT);
        watch.wait();
    }
}

#[test]
fn a_watch_over_datagrams_hears_soon_that_a_board_was_restarted() {
    let place = everywhere("tcp://127.0.0.1:1", &Rule::default());
    for kind in ["udp", "unixgram"] {
        let at = endpoints(&place).into_iter().find(|(scheme, _)| *scheme == kind).unwrap().1;
        let mut led = place.start("led_process");
        let watch = Program::begin(place.soquete(&format!("watch --at {at}")));
        until("the watch tells of a change", || {
            place.run(&format!("toggle LED --at {}", place.endpoint())).ok();
            watch.log.count("LED o") > 0
        });
        led.kill();
        let _led = place.start("led_process");
        watch.next("; trying again");
        watch.next("is back: LED off");
    }
}

#[test]
fn whatever_ends_a_command_leaves_no_path_at_which_it_was_answered() {
    let place = everywhere("tcp://127.0.0.1:1", &Rule::default());
    let led = place.start("led_process");
    let at = endpoints(&place).into_iter().find(|(scheme, _)| *scheme == "unixgram").unwrap().1;
    let folder = place.dir.join("answers");
    std::fs::create_dir(&folder).unwrap();
    let paths = || std::fs::read_dir(&folder).unwrap().count();
    let begin = |command: &str| {
        let mut command = place.soquete(&format!("{command} --at {at}"));
        Program::begin({
            command.env("TMPDIR", &folder);
            command
        })
    };
    for signal in [Signal::INT, Signal::TERM] {
        let mut watch = begin("watch");
        until("the watch is answered", || paths() == 1);
        watch.signal(signal);
        watch.wait();
        assert_eq!(paths(), 0, "watch {signal:?}");
    }
    led.pause();
    for signal in [Signal::INT, Signal::TERM] {
        let mut get = begin("set LED on --timeout 1m");
        until("the command waits", || paths() == 1);
        get.signal(signal);
        assert_eq!(get.wait().signal(), Some(signal.as_raw()), "as without a path");
        assert_eq!(paths(), 0, "set {signal:?}");
    }
    let mut late = begin("get LED --timeout 50ms");
    assert_eq!((late.wait().code(), paths()), (Some(1), 0));
    led.go_on();
}

#[test]
fn a_press_goes_to_every_kind_of_endpoint_in_frames_and_in_text() {
    for (kind, language, send) in [
        ("udp", "frames", "'LED TOGGLE'"),
        ("udp", "text", "['LED ON', 'LED OFF']"),
        ("seqpacket", "frames", "'LED TOGGLE'"),
        ("seqpacket", "text", "'LED TOGGLE'"),
        ("unixgram", "frames", "'LED TOGGLE'"),
        ("unixgram", "text", "['LED ON', 'LED OFF']"),
        ("abstract", "frames", "'LED TOGGLE'"),
    ] {
        let place = Place::bare();
        let to = endpoints(&place).into_iter().find(|(scheme, _)| *scheme == kind).unwrap().1;
        let text = format!(
            "[processes.led_process]\nserve = '{to}'\nsyslog = 'off'\nlines.LED.output = 'log'\n\
             [processes.button_process]\nsyslog = 'off'\nlines.BUTTON.input = 'fifo:{}'\n\
             [[processes.button_process.rules]]\non = 'BUTTON press'\nsend = {send}\nto = '{to}'\nas = '{language}'\n",
            place.fifo().display()
        );
        place.write_config(&text);
        let (led, button) = (place.start("led_process"), place.start("button_process"));
        for value in ["On", "Off", "On"] {
            place.press(1);
            led.next(&format!("LED Status: {value}"));
            assert!(button.next("BUTTON press").ends_with(": done"), "{kind} as {language}: {}", button.log.text());
        }
        drop(led);
        place.press(1);
        let lost = button.next("BUTTON press");
        assert!(lost.contains("not done") || lost.contains("unknown"), "{kind} as {language}: {lost}");
    }
}

/// Returns what a program is answered that sends `input`; it is killed then, since over datagrams it hears of no end.
fn answer(place: &Place, mut command: Command, input: &str) -> String {
    let file = place.dir.join("input");
    std::fs::write(&file, input).unwrap();
    command.stdin(File::open(file).unwrap());
    Program::begin(command).next("OK LED")
}

#[test]
fn other_peoples_programs_reach_the_board_by_datagrams_and_packets() {
    let place = everywhere("tcp://127.0.0.1:1", &Rule::default());
    let led = place.start("led_process");
    let (host, port, dir) = (place.host.to_string(), place.port.to_string(), place.dir.display().to_string());
    for (netcat, package) in tool::NETCATS {
        let mut command = place.command(tool::find(netcat, package));
        command.args(["-u", &host, &port]);
        assert_eq!(answer(&place, command, "LED ON\n"), "OK LED ON", "{netcat}");
        led.next("LED Status: On");
    }
    let mut command = place.command(tool::find("nc.openbsd", "netcat-openbsd"));
    command.args(["-U", "-u", &format!("{dir}/led.gram")]);
    assert_eq!(answer(&place, command, "LED OFF\n"), "OK LED OFF");
    led.next("LED Status: Off");
    for (to, end) in [
        (format!("UDP:{host}:{port}"), ""),
        (format!("UNIX-SENDTO:{dir}/led.gram,bind={dir}/answer"), ""),
        // A packet ends a line, whether it says so or not.
        (format!("UNIX-CONNECT:{dir}/led.seq,type=5"), ""),
        (format!("UNIX-CONNECT:{dir}/led.seq,type=5"), "\n"),
    ] {
        let mut command = place.command(tool::find("socat", "socat"));
        command.args(["-t", "60", "-", &to]);
        assert_eq!(answer(&place, command, &format!("LED TOGGLE{end}")), "OK LED ON", "{to}");
        led.next("LED Status: On");
        place.run(&format!("set LED off --at {}", place.endpoint())).ok();
    }
}

#[test]
fn a_group_of_boards_is_told_and_each_does_it_once() {
    let place = Place::bare();
    let [_, b, c, d] = place.host.octets();
    let group = format!("udp://239.{b}.{c}.{d}:{}?interface=lo&ttl=0", place.port);
    let board = |name: &str| {
        format!(
            "[processes.{name}]\nserve = {{ at = '{group}', anyone-from = ['0.0.0.0/0'] }}\nsyslog = 'off'\n\
             lines.LED.output = 'log'\n"
        )
    };
    place.write_config(&format!(
        "{}{}[processes.button]\nsyslog = 'off'\nlines.BUTTON.input = 'fifo:{}'\n\
         [[processes.button.rules]]\non = 'BUTTON press'\nsend = 'LED TOGGLE'\nto = '{group}'\nwithin = '500ms'\n",
        board("one"),
        board("two"),
        place.fifo().display()
    ));
    let (one, mut two, button) = (place.start("one"), place.start("two"), place.start("button"));
    for value in ["On", "Off", "On"] {
        place.press(1);
        for board in [&one, &two] {
            board.next(&format!("LED Status: {value}"));
        }
        assert!(button.next("BUTTON press").ends_with(": done"), "{}", button.log.text());
    }
    for command in ["get LED --at", "lines --at", "toggle LED --at", "status --at", "watch --at"] {
        let refused = Run::of({
            let mut refused = place.soquete(command);
            refused.arg(&group);
            refused
        });
        assert_eq!(refused.code, Some(2), "{command}: {refused:?}");
        assert!(refused.err.contains("a group has no session\ntell all of it"), "{command}: {refused:?}");
    }
    let mut send = place.soquete("send --frames");
    send.args([&group, "LED TOGGLE"]);
    assert_eq!(Run::of(send).code, Some(2));
    // It was told three times each time.
    assert_eq!((one.log.count("LED Status"), two.log.count("LED Status")), (3, 3));
    // A board that was stopped for longer than a press has does not do it late.
    two.pause();
    place.press(1);
    one.next("LED Status: Off");
    assert!(button.next("BUTTON press").ends_with(": done"));
    // sleep is the thing under test: what lies in a buffer for more than a second
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    two.go_on();
    place.press(1);
    one.next("LED Status: On");
    two.next("LED Status: Off");
    assert!(button.next("BUTTON press").ends_with(": done"));
    assert_eq!(two.log.count("LED Status"), 4);
    two.stop();
    drop(one);
    place.press(1);
    assert!(button.next("BUTTON press").contains("unknown"), "{}", button.log.text());
}
