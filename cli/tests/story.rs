//! The story with the built program: start, press, light, look, stop. Each test has a home and an address of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::proxy::{Proxy, Way};
use common::wire::Wire;
use common::{Place, Program, Rule, Run, tool, until, vitals};
use rustix::process::Signal;
use std::fs;
use std::net::{Shutdown, TcpListener};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

/// What `soquete status --json` says.
fn status(place: &Place) -> serde_json::Value {
    serde_json::from_str(&place.run("status --json").ok()).unwrap()
}

/// Returns the process id of a process that `up` runs.
fn pid_of(place: &Place, process: &str) -> u32 {
    let status = status(place);
    let mut processes = status["processes"].as_array().unwrap().iter();
    let found = processes.find(|found| found["name"] == process).unwrap();
    found["pid"].as_u64().unwrap().try_into().unwrap()
}

/// Says that nothing is left of what ran here.
#[track_caller]
fn nothing_is_left(place: &Place, pids: &[u32]) {
    assert!(!pids.iter().any(|pid| vitals::lives(*pid)), "a process lives on");
    assert!(!place.fifo().exists(), "the FIFO is still there");
    let left: Vec<_> = fs::read_dir(place.dir.join("run")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
    let down = place.run("down");
    assert_eq!(down.code, Some(1), "{down:?}");
    assert!(down.err.contains("nothing runs as soquete"), "{down:?}");
}

#[test]
fn up_says_what_runs_and_what_to_type_next() {
    let place = Place::new();
    let up = Program::up(&place, "");
    let said = up.log.text();
    for expected in [
        &format!("led_process, pid {}", pid_of(&place, "led_process")),
        &format!("button_process, pid {}", pid_of(&place, "button_process")),
        &place.endpoint(),
        &place.config().display().to_string(),
        "soquete toggle LED",
        "soquete press BUTTON",
        &format!("echo \"0\" > {}", place.fifo().display()),
        "soquete status",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in:\n{said}");
    }
}

#[test]
fn each_way_of_pressing_toggles_the_led_and_syslog_hears_it() {
    let place = Place::new();
    let syslog = place.syslog();
    let up = Program::up(&place, "");
    let led = pid_of(&place, "led_process");
    let fifo = place.fifo();
    let presses: [&dyn Fn() -> Run; 4] = [
        &|| place.shell(&format!("echo \"0\" > {}", fifo.display())),
        &|| place.shell(&format!("echo 0 > {}", fifo.display())),
        &|| place.shell("soquete press BUTTON"),
        &|| place.shell("soquete press button_process/button"),
    ];
    for (press, value) in presses.iter().zip(["On", "Off", "On", "Off"]) {
        press().ok();
        let expected = format!("LED TCP[{led}]: LED Status: {value}");
        assert_eq!(up.next("LED Status"), format!("led_process | {expected}"));
        // Facility user, severity informational.
        assert_eq!(syslog.next("LED Status"), format!("<14>{expected}"));
        assert!(up.next("BUTTON press").ends_with(&format!("LED TOGGLE to {}: done", place.endpoint())));
    }
}

#[test]
fn the_led_gets_its_stop_value_and_syslog_hears_that_too() {
    let place = Place::new();
    let syslog = place.syslog();
    let _up = Program::up(&place, "");
    assert_eq!(place.run("set LED on").ok(), "LED on\n");
    syslog.next("LED Status: On");
    place.run("down").ok();
    syslog.next("LED Status: Off");
}

#[test]
fn both_netcats_switch_the_led_and_end() {
    let place = Place::new();
    let led = place.start("led_process");
    for (netcat, package) in tool::NETCATS {
        let mut command = tool::command(&place, netcat, package);
        command.args([place.host.to_string(), place.port.to_string()]);
        // A netcat that does not end is ended by `timeout`, with code 124.
        let answer = tool::feed(&mut command, "LED ON\nQUIT\n").ok();
        assert_eq!(answer, "OK LED ON\nOK QUIT\n", "{netcat}");
        let mut command = tool::command(&place, netcat, package);
        command.args(["-q", "1", &place.host.to_string(), &place.port.to_string()]);
        assert_eq!(tool::feed(&mut command, "led toggle\r\nLED").ok(), "OK LED OFF\nOK LED OFF\n", "{netcat}");
        led.next("LED Status: On");
        led.next("LED Status: Off");
    }
}

#[test]
fn socat_switches_the_led_over_tcp_and_over_a_unix_socket() {
    let place = Place::new();
    let path = place.dir.join("led.sock");
    let text = fs::read_to_string(place.config()).unwrap();
    let both = format!("['{}', 'unix://{}']", place.endpoint(), path.display());
    place.write_config(&text.replace(&format!("['{}']", place.endpoint()), &both));
    let led = place.start("led_process");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for to in [format!("TCP:{}", place.addr()), format!("UNIX-CONNECT:{}", path.display())] {
        let mut socat = tool::command(&place, "socat", "socat");
        let answer = tool::feed(socat.args(["-t", "5", "-", &to]), "LED ON\nLINES\nLED OFF\n").ok();
        assert_eq!(answer, "OK LED ON\nOK 1\nLED ON OUTPUT\nOK LED OFF\n", "{to}");
        led.next("LED Status: Off");
    }
}

#[test]
fn the_programs_of_the_seeds_set_the_led_without_reading_an_answer() {
    let place = Place::new();
    let led = place.start("led_process");
    for (command, value) in [("LED OFF\0", "Off"), ("LED ON\0", "On"), ("LED OFF\0", "Off")] {
        let mut client = Wire::connect(place.addr());
        client.send(command).0.shutdown(Shutdown::Both).unwrap();
        drop(client);
        led.next(&format!("LED Status: {value}"));
    }
    assert_eq!(led.log.count("refused"), 0, "their reset is no error: {}", led.log.text());
}

#[test]
fn the_line_commands_answer_through_control_sockets_and_at_an_endpoint() {
    let place = Place::new();
    let _up = Program::up(&place, "");
    let at = format!("--at {}", place.endpoint());
    for at in ["", &at] {
        assert_eq!(place.run(&format!("get LED {at}")).ok(), "off\n");
        assert_eq!(place.run(&format!("toggle LED {at}")).ok(), "LED on\n");
        assert_eq!(place.run(&format!("get led {at}")).ok(), "on\n");
        assert_eq!(place.run(&format!("set LED on {at}")).ok(), "LED on\n");
        assert_eq!(place.run(&format!("set LED OFF {at}")).ok(), "LED off\n");
        let lines = place.run(&format!("lines {at}")).ok();
        assert!(lines.contains("LED") && lines.contains("output") && lines.contains("off"), "{lines}");
        let unknown = place.run(&format!("toggle LAMP {at}"));
        assert_eq!(unknown.code, Some(1), "{unknown:?}");
        assert!(unknown.err.contains("LAMP") && unknown.err.contains("LED"), "{unknown:?}");
    }
    let lines = place.run("lines").ok();
    assert!(lines.contains("BUTTON") && lines.contains("input"), "{lines}");
    assert_eq!(place.run("get led_process/LED").ok(), "off\n");
    assert_eq!(place.run("get BUTTON").ok(), "off\n");
    assert_eq!(place.run("press LED").code, Some(1), "an output has no button");
    assert_eq!(place.run("set BUTTON on").code, Some(1), "an input is not set");
    let down = place.run(&format!("get LED --at tcp://{}:1", place.host));
    assert_eq!(down.code, Some(1));
    assert_eq!(
        down.err.lines().next().unwrap(),
        format!("soquete: connect tcp://{}:1: connection refused", place.host)
    );
}

#[test]
fn a_command_of_which_nobody_knows_ends_with_3_and_one_that_is_not_done_with_1() {
    let place = Place::new();
    let led = place.start("led_process");
    let proxy = Proxy::new(place.host, place.addr());
    // WELCOME and PONG come through; the answer does not.
    proxy.lose_after(Way::ToClient, 12 + 50 + "led_process".len() + 12 + 8);
    let run = place.run(&format!("toggle LED --timeout 500ms --at tcp://{}", proxy.addr));
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.err.contains("LED: nobody knows whether it was done") && run.err.contains("soquete get"), "{run:?}");
    led.next("LED Status: On");
    led.pause();
    for at in [String::new(), format!("--at {}", place.endpoint())] {
        let run = place.run(&format!("toggle LED --timeout 300ms {at}"));
        assert_eq!(run.code, Some(1), "{run:?}");
    }
    led.go_on();
    assert_eq!(place.run("toggle LED").ok(), "LED off\n", "what was not done then is not done now");
    led.log.wait_for("LED Status", 2);
}

#[test]
fn status_says_what_runs_who_set_what_and_how_presses_ended() {
    let place = Place::bare();
    place.configure(&Rule { within: "300ms", ..Rule::default() });
    let up = Program::up(&place, "");
    place.press(1);
    up.next("BUTTON press");
    let status = status(&place);
    let processes = status["processes"].as_array().unwrap();
    let [led, button] = [&processes[0], &processes[1]];
    assert_eq!((&led["name"], &button["name"]), (&"led_process".into(), &"button_process".into()));
    assert_eq!(led["endpoints"][0], place.endpoint());
    assert_eq!((&led["lines"][0]["name"], &led["lines"][0]["value"]), (&"LED".into(), &"on".into()));
    assert!(led["lines"][0]["by"].as_str().unwrap().starts_with("button_process (tcp://127.0.0.1:"), "{led}");
    assert!(led["peers"][0].as_str().unwrap().starts_with("button_process (tcp://127.0.0.1:"), "{led}");
    assert_eq!((&button["rules"][0]["done"], &button["rules"][0]["waiting"]), (&1.into(), &0.into()));
    assert_eq!(status["supervisor"]["pid"], up.pid());
    let page = place.run("status").ok();
    for expected in ["led_process: ready, pid", "button_process: ready, pid", "LED", "button_process (tcp://127.0.0.1:"]
    {
        assert!(page.contains(expected), "{expected:?} is not in:\n{page}");
    }
    let far = place.run(&format!("status --at {}", place.endpoint())).ok();
    assert!(far.contains("led_process") && far.contains("LED"), "{far}");
}

#[test]
fn watch_shows_each_change_and_who_caused_it() {
    let place = Place::new();
    let _up = Program::up(&place, "");
    let watch = Program::begin(place.soquete("watch LED"));
    let json = Program::begin(place.soquete(&format!("watch --json --at {}", place.endpoint())));
    // Changes until both have begun to watch; each is told only to whoever does.
    until("both watch", || {
        place.run("toggle LED").ok();
        !watch.log.lines().is_empty() && !json.log.lines().is_empty()
    });
    place.run("set LED off").ok();
    place.press(1);
    let told = watch.next("by button_process (tcp://127.0.0.1:");
    assert!(told.contains("LED on "), "{told}");
    let told: serde_json::Value = serde_json::from_str(&json.next("button_process")).unwrap();
    assert_eq!((&told["line"], &told["value"], &told["missed"]), (&"LED".into(), &"on".into(), &0.into()));
    place.run("set LED on").ok();
    place.run(&format!("set LED off --at {}", place.endpoint())).ok();
    let told = watch.next("LED off");
    assert!(told.contains("by soquete (tcp://127.0.0.1:"), "{told}");
    assert!(watch.next_is_none(), "what changes nothing is no change");
}

#[test]
fn a_watcher_in_text_hears_each_change_until_it_quits() {
    let place = Place::new();
    let (_led, button) = (place.start("led_process"), place.start("button_process"));
    let mut wire = Wire::connect(place.addr());
    assert_eq!(wire.ask("WATCH"), "OK WATCH");
    place.press(2);
    assert_eq!([wire.line(), wire.line()], ["EVENT LED ON", "EVENT LED OFF"]);
    button.log.wait_for(": done", 2);
    assert_eq!(wire.ask("LED ON"), "OK LED ON");
    assert_eq!(wire.line(), "EVENT LED ON");
    assert_eq!(wire.ask("QUIT"), "OK QUIT");
    assert_eq!(wire.rest(), b"");
}

#[test]
fn logs_shows_what_was_said_and_follows_what_is_said() {
    let place = Place::new();
    let up = Program::up(&place, "");
    place.press(1);
    up.next("BUTTON press");
    let logs = place.run("logs").ok();
    assert!(logs.contains("led_process | LED TCP[") && logs.contains("button_process | BUTTON press"), "{logs}");
    let mut follower = Program::begin(place.soquete("logs -f"));
    follower.next("BUTTON press");
    place.press(1);
    follower.next("LED Status: Off");
    follower.next("BUTTON press");
    place.run("down").ok();
    assert_eq!(follower.wait().code(), Some(0), "it ends with what it follows");
}

#[test]
fn processes_show_under_their_names() {
    let place = Place::new();
    let _up = Program::up(&place, "");
    tool::find("pgrep", "procps");
    for process in ["led_process", "button_process"] {
        let pid = pid_of(&place, process);
        assert_eq!(vitals::name(pid), process);
        let found = place.shell(&format!("pgrep -x {process}")).ok();
        assert!(found.lines().any(|line| line == pid.to_string()), "{pid} is not in {found}");
        let found = place.shell("ps -ef | grep _process").ok();
        let line = found.lines().find(|line| line.split_whitespace().nth(1) == Some(&pid.to_string())).unwrap();
        assert!(line.contains(&format!(" {process} run {process}")), "{line}");
    }
}

#[test]
fn presses_of_one_write_all_count_and_what_is_no_press_is_named_and_ignored() {
    let place = Place::new();
    let (led, button) = (place.start("led_process"), place.start("button_process"));
    place.write_fifo("0\n0\r\n1\n\n0\nhello\n00\n");
    button.log.wait_for("BUTTON press: ", 3);
    button.log.wait_for("is ignored; a press is the line 0", 4);
    assert!(button.next("\"hello\" is ignored").starts_with("BUTTON: "));
    place.write_fifo(&"x".repeat(100_000));
    place.write_fifo("\n");
    // A press may come in pieces, from writers that come and go.
    place.write_fifo("0");
    place.write_fifo("\n");
    button.log.wait_for("BUTTON press: ", 4);
    button.log.wait_for("is ignored", 5);
    led.log.wait_for("LED Status", 4);
}

#[test]
fn a_fifo_is_made_for_its_owner_alone_and_one_that_is_there_is_used_and_stays() {
    let place = Place::new();
    let mut button = place.start("button_process");
    let made = fs::metadata(place.fifo()).unwrap();
    assert!(made.file_type().is_fifo());
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
    assert_eq!(button.stop().code(), Some(0));
    assert!(!place.fifo().exists(), "who made it removes it");
    place.shell(&format!("mkfifo -m 622 {}", place.fifo().display())).ok();
    let _led = place.start("led_process");
    let mut button = place.start("button_process");
    place.press(1);
    button.next(": done");
    assert_eq!(button.stop().code(), Some(0));
    assert_eq!(fs::metadata(place.fifo()).unwrap().permissions().mode() & 0o777, 0o622);
}

#[test]
fn a_virtual_button_is_pressed_by_command_and_sets_a_line_of_its_own_process() {
    let place = Place::bare();
    place.write_config(
        "[processes.both]\nsyslog = 'off'\nlines.KNOB = { input = 'virtual' }\nlines.LED = { output = 'log' }\n\
         [[processes.both.rules]]\non = 'KNOB press'\nsend = 'LED ON'\n\
         [[processes.both.rules]]\non = 'KNOB release'\nsend = 'LED OFF'\n",
    );
    let up = Program::up(&place, "");
    assert_eq!(place.run("press KNOB").ok(), "pressed KNOB\n");
    up.next("LED Status: On");
    up.next("LED Status: Off");
    up.next("KNOB press: LED ON: done");
    up.next("KNOB release: LED OFF: done");
}

#[test]
fn an_ordinary_file_in_the_place_of_the_fifo_is_named_and_never_removed() {
    let place = Place::new();
    let fifo = place.fifo();
    for (content, act) in [
        ("0\n", format!("rm {}", fifo.display())),
        ("", format!("rm {}", fifo.display())),
        ("0\n0\n0\n", format!("rm {}", fifo.display())),
        ("my diary\n", "look what it is".to_owned()),
    ] {
        fs::write(&fifo, content).unwrap();
        let up = place.run("up");
        assert_eq!(up.code, Some(1), "{up:?}");
        assert!(up.err.contains(&format!("fifo:{}", fifo.display())) && up.err.contains(&act), "{content:?}: {up:?}");
        assert_eq!(fs::read_to_string(&fifo).unwrap(), content);
        let left = fs::read_dir(place.dir.join("run")).unwrap().count();
        assert_eq!(left, 0, "what had started was stopped");
    }
    fs::remove_file(&fifo).unwrap();
    drop(Program::up(&place, ""));
}

#[test]
fn a_second_up_says_who_runs_already() {
    let place = Place::new();
    let up = Program::up(&place, "");
    for second in ["up", "up --detach"] {
        let second = place.run(second);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(second.err.contains(&format!("soquete runs already: pid {}", up.pid())), "{second:?}");
        assert!(second.err.contains("soquete down"), "{second:?}");
    }
    assert_eq!(place.run("get LED").ok(), "off\n");
}

#[test]
fn a_port_that_is_taken_ends_up_with_the_address_and_what_to_do() {
    let place = Place::new();
    let taken = TcpListener::bind(place.addr()).unwrap();
    for up in ["up", "up --detach"] {
        let up = place.run(up);
        assert_eq!(up.code, Some(1), "{up:?}");
        let wrong = format!("bind {}: address in use", place.endpoint());
        assert!(up.err.contains(&wrong), "{up:?}");
        assert!(up.err.lines().count() > 1, "it says what to do: {up:?}");
    }
    nothing_is_left(&place, &[]);
    drop(taken);
    drop(Program::up(&place, ""));
}

#[test]
fn down_stops_in_reverse_order_and_leaves_nothing_behind() {
    let place = Place::new();
    let mut up = Program::up(&place, "");
    let pids = [pid_of(&place, "led_process"), pid_of(&place, "button_process"), up.pid()];
    let down = place.run("down").ok();
    assert_eq!(down, "button_process stopped\nled_process stopped\n");
    assert_eq!(up.wait().code(), Some(0));
    nothing_is_left(&place, &pids);
}

#[test]
fn detach_returns_when_all_are_ready_and_leaves_them_running() {
    let place = Place::new();
    let said = place.run("up --detach").ok();
    assert!(said.contains("soquete logs -f") && said.contains("soquete down"), "{said}");
    assert_eq!(place.run("toggle LED").ok(), "LED on\n");
    let pids = [pid_of(&place, "led_process"), pid_of(&place, "button_process")];
    assert!(place.run("logs").ok().contains("LED Status: On"));
    place.run("down").ok();
    nothing_is_left(&place, &pids);
}

#[test]
fn ctrl_c_reaches_up_alone_which_stops_all_in_order() {
    let place = Place::new();
    let mut up = Program::up(&place, "");
    let pids = [pid_of(&place, "led_process"), pid_of(&place, "button_process")];
    for pid in pids {
        assert_eq!(vitals::group(pid), pid, "a process of `up` has a group of its own");
    }
    place.run("set LED on").ok();
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(0), "{}", up.log.text());
    assert_eq!(up.log.count("LED Status: Off"), 1, "the stop value: {}", up.log.text());
    nothing_is_left(&place, &pids);
}

#[test]
fn a_second_ctrl_c_stops_at_once() {
    let place = Place::bare();
    place.configure(&Rule::default());
    let mut up = Program::up(&place, "");
    let pids = [pid_of(&place, "led_process"), pid_of(&place, "button_process")];
    // It cannot stop by itself.
    let button = rustix::process::Pid::from_raw(pids[1].try_into().unwrap()).unwrap();
    rustix::process::kill_process(button, Signal::STOP).unwrap();
    up.signal(Signal::INT);
    up.next("Ctrl-C once more stops at once");
    up.signal(Signal::INT);
    assert_eq!(up.wait().code(), Some(1), "{}", up.log.text());
    up.next("button_process has stopped: killed by SIGKILL");
    assert!(!pids.iter().any(|pid| vitals::lives(*pid)), "a process lives on");
    fs::remove_file(place.fifo()).unwrap();
    assert_eq!(place.run("down").code, Some(1));
}

#[test]
fn the_death_of_up_leaves_no_orphan() {
    let place = Place::new();
    let syslog = place.syslog();
    let mut up = Program::up(&place, "");
    let pids = [pid_of(&place, "led_process"), pid_of(&place, "button_process")];
    place.run("set LED on").ok();
    up.kill();
    syslog.next("LED Status: Off");
    until("no process lives on", || !pids.iter().any(|pid| vitals::lives(*pid)));
    drop(Program::up(&place, ""));
}

#[test]
fn a_process_that_dies_is_started_again_and_a_killed_button_says_what_it_forgot() {
    let place = Place::bare();
    place.configure(&Rule { to: format!("'tcp://{}:1'", place.host), within: "1m", ..Rule::default() });
    let up = Program::up(&place, "");
    let led = pid_of(&place, "led_process");
    place.shell(&format!("kill -9 {led}")).ok();
    up.next("led_process has ended: killed by SIGKILL; it starts again in");
    up.next("led_process is ready");
    assert_ne!(pid_of(&place, "led_process"), led);
    assert!(place.run("status").ok().contains("restarted once"));
    place.press(2);
    until("the presses wait", || status(&place)["processes"][1]["rules"][0]["waiting"] == 2);
    place.shell(&format!("kill -9 {}", pid_of(&place, "button_process"))).ok();
    up.next("2 presses were under way when this process was killed, and forgotten with it");
    assert_eq!(status(&place)["processes"][1]["forgotten"], 2);
}
