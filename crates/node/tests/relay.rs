//! Lines of other servers, in threads of the test: what is commanded, what is told, and what goes round in circles.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

#[path = "kit/running.rs"]
mod running;

use running::{Running, new_path};
use soquete::{Client, ClientOptions, Clock, Endpoint, Exchange, Hub, Limits, Outbound, Outcome, Received, UnixName};
use soquete_node::Surroundings;
use soquete_node::config::{Direction, LineConfig, LineKind, Preset, ProcessConfig, RuleConfig, Serve, Trigger};
use soquete_node::status::ProcessStatus;
use soquete_proto::client::{Options, Request};
use soquete_proto::span::Span;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns an endpoint that another process can take over when this one has gone.
fn endpoint() -> Endpoint {
    Endpoint::Unix(UnixName::Path(new_path()))
}

fn process(name: &str, serve: &Endpoint) -> ProcessConfig {
    let mut config = ProcessConfig::new(name.parse().unwrap());
    config.serve.push(Serve::new(serve.clone()));
    config.syslog = None;
    config
}

fn add(config: &mut ProcessConfig, name: &str, kind: LineKind) {
    config.lines.push(LineConfig::new(name.parse().unwrap(), kind));
}

/// A process with two outputs that keep what they have.
fn board(serve: &Endpoint) -> ProcessConfig {
    let mut config = process("board_process", serve);
    for name in ["LED", "LAMP"] {
        add(&mut config, name, LineKind::Virtual(Direction::Output));
    }
    config
}

fn remote(at: &Endpoint, line: &str) -> LineKind {
    LineKind::Remote { direction: Direction::Output, at: at.clone(), line: line.parse().unwrap() }
}

/// A process whose LED is that of another server.
fn relay(serve: &Endpoint, at: &Endpoint) -> ProcessConfig {
    let mut config = process("relay_process", serve);
    add(&mut config, "LED", remote(at, "LED"));
    config
}

/// Starts a process with a control socket; returns it with the path.
fn start_with_control(config: ProcessConfig) -> (Running, PathBuf) {
    let control = new_path();
    let surroundings = Surroundings { control: Some(control.clone()), ..Surroundings::default() };
    (Running::start_in(config, surroundings), control)
}

fn control_of(path: &Path) -> Client {
    let control = Endpoint::Unix(UnixName::Path(path.into()));
    Client::connect(&control, ClientOptions::frames("control")).unwrap()
}

fn status(client: &mut Client) -> ProcessStatus {
    serde_json::from_slice(client.request(b"STATUS").unwrap()).unwrap()
}

fn ask(client: &mut Client, command: &str) -> String {
    String::from_utf8(client.request(command.as_bytes()).unwrap().to_vec()).unwrap()
}

fn call(client: &mut Client, command: &str) -> Outcome {
    client.call(command.as_bytes(), PATIENCE).unwrap()
}

fn done(words: &str) -> Outcome {
    Outcome::Done(words.as_bytes().to_vec())
}

fn watch(process: &Running) -> Client {
    let mut client = process.client();
    assert_eq!(ask(&mut client, "WATCH"), "OK WATCH");
    client
}

/// Waits for the next change: `LED ON`.
fn next_event(watch: &mut Client) -> String {
    match watch.receive().unwrap() {
        Received::Event { payload, .. } => {
            let text = String::from_utf8_lossy(payload);
            text.split(' ').take(2).collect::<Vec<_>>().join(" ")
        }
        other => panic!("{other:?}"),
    }
}

/// Waits until a line is told to have this value.
fn wait_for(process: &Running, value: &str) {
    let mut watch = watch(process);
    let mut client = process.client();
    if ask(&mut client, "LED") != format!("OK {value}") {
        while next_event(&mut watch) != value {}
    }
}

#[test]
fn a_line_at_the_end_of_a_chain_is_as_if_it_were_here() {
    let [far, middle, near] = [endpoint(), endpoint(), endpoint()];
    let _c = Running::start(board(&far));
    let _b = Running::start(relay(&middle, &far));
    let a = Running::start(relay(&near, &middle));
    wait_for(&a, "LED OFF");
    let mut watch = watch(&a);
    let mut client = a.client();
    let mut is_on = false;
    for nth in 0..100 {
        let command = if nth % 3 == 0 { "LED TOGGLE" } else { ["LED ON", "LED OFF"][nth % 2] };
        let was_on = is_on;
        is_on = if nth % 3 == 0 { !is_on } else { nth % 2 == 0 };
        let value = if is_on { "LED ON" } else { "LED OFF" };
        assert_eq!(call(&mut client, command), done(&format!("OK {value}")));
        assert_eq!(ask(&mut client, "LED"), format!("OK {value}"), "what was answered is so");
        if was_on != is_on {
            assert_eq!(next_event(&mut watch), value);
        }
    }
    assert_eq!(ask(&mut client, "LINES"), format!("OK 1\nLED {} OUTPUT", if is_on { "ON" } else { "OFF" }));
}

#[test]
fn a_value_is_unknown_while_its_board_is_away_and_told_again_when_it_is_back() {
    let [far, middle, near] = [endpoint(), endpoint(), endpoint()];
    let b = Running::start(relay(&middle, &far));
    let a = Running::start(relay(&near, &middle));
    let mut watch = watch(&a);
    let mut client = a.client();
    assert_eq!(ask(&mut client, "LED"), "OK LED UNKNOWN");
    for _ in 0..2 {
        let c = Running::start(board(&far));
        assert_eq!(next_event(&mut watch), "LED OFF");
        c.client().request(b"LED ON").unwrap();
        assert_eq!(next_event(&mut watch), "LED ON");
        let mut stops = c.client();
        stops.request(b"LED OFF").unwrap();
        assert_eq!(next_event(&mut watch), "LED OFF");
        drop(c);
        assert_eq!(next_event(&mut watch), "LED UNKNOWN");
    }
    let _c = Running::start(board(&far));
    assert_eq!(next_event(&mut watch), "LED OFF");
    drop(b);
    assert_eq!(next_event(&mut watch), "LED UNKNOWN");
    let _b = Running::start(relay(&middle, &far));
    assert_eq!(next_event(&mut watch), "LED OFF");
}

#[test]
fn a_toggle_waits_for_its_board_within_its_time_and_not_longer() {
    let [far, near] = [endpoint(), endpoint()];
    let a = Running::start(relay(&near, &far));
    let mut client = a.client();
    let late = client.call(b"LED TOGGLE", Duration::from_millis(50)).unwrap();
    assert!(
        matches!(&late, Outcome::NotDone(why) if why.contains("LED was not set: no server within its time")),
        "{late:?}"
    );
    let waiting = std::thread::spawn(move || call(&mut client, "LED TOGGLE"));
    let _c = Running::start(board(&far));
    assert_eq!(waiting.join().unwrap(), done("OK LED ON"));
}

#[test]
fn a_command_without_a_deadline_does_not_wait_for_ever() {
    let [far, near] = [endpoint(), endpoint()];
    let _a = Running::start(relay(&near, &far));
    let Endpoint::Unix(UnixName::Path(path)) = &near else { unreachable!() };
    let mut text = UnixStream::connect(path).unwrap();
    text.set_read_timeout(Some(PATIENCE)).unwrap();
    text.write_all(b"LED ON\n").unwrap();
    text.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    text.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("ERR LED was not set: no server within its time: connect "), "{answer}");
}

#[test]
fn lines_of_one_board_are_set_together_or_not_at_all() {
    let [far, near] = [endpoint(), endpoint()];
    let _c = Running::start(board(&far));
    let mut config = relay(&near, &far);
    add(&mut config, "RED", remote(&far, "LAMP"));
    add(&mut config, "NONE", remote(&far, "NOBODY"));
    add(&mut config, "OWN", LineKind::Virtual(Direction::Output));
    let a = Running::start(config);
    wait_for(&a, "LED OFF");
    let mut client = a.client();
    assert_eq!(call(&mut client, "RED ON OWN TOGGLE LED TOGGLE"), done("OK RED ON OWN ON LED ON"));
    let refused = call(&mut client, "LED OFF NONE ON");
    assert!(matches!(&refused, Outcome::NotDone(why) if why.contains("there is no line NOBODY")), "{refused:?}");
    assert_eq!(ask(&mut client, "LED RED OWN NONE"), "OK LED ON RED ON OWN ON NONE UNKNOWN");
    let partly = call(&mut client, "OWN OFF NONE ON");
    assert!(
        matches!(&partly, Outcome::Unknown(why) if why.contains("NONE was not set, other lines were")),
        "{partly:?}"
    );
}

/// Asks a process once, as a client that has passed this many servers.
fn ask_after(hops: u8, process: &Running, command: &str) -> Outcome {
    let mut hub = Hub::new(Limits::default()).unwrap();
    let mut client = Outbound::new(process.endpoint.clone(), Options { resume: true, ..Options::new("board") });
    let now = Clock::now();
    let deadline = Some(now + PATIENCE);
    client.request(now, Request { once: true, deadline, hops, ..Request::new(command.as_bytes()) }).unwrap();
    loop {
        client.drive(&mut hub, Clock::now());
        if let Some((_, outcome)) = client.next_outcome() {
            return outcome;
        }
        hub.turn(Some(Duration::from_millis(100)), &mut |_: Exchange<'_>| {}).unwrap();
        while hub.next_ready().is_some() {}
    }
}

#[test]
fn a_request_that_has_passed_eight_servers_is_refused() {
    let [far, near] = [endpoint(), endpoint()];
    let c = Running::start(board(&far));
    let a = Running::start(relay(&near, &far));
    assert_eq!(ask_after(7, &c, "LED ON"), done("OK LED ON"));
    let too_many = "it has passed 8 servers: a loop of relays?";
    for hops in [8, 9, 255] {
        assert_eq!(ask_after(hops, &c, "LED OFF"), Outcome::NotDone(too_many.into()));
    }
    assert_eq!(ask_after(6, &a, "LED OFF"), done("OK LED OFF"));
    let far = far.to_string();
    assert_eq!(ask_after(7, &a, "LED ON"), Outcome::NotDone(format!("LED was not set: {far}: {too_many}")));
    assert_eq!(ask(&mut c.client(), "LED"), "OK LED OFF");
}

/// Asserts that whatever goes into a loop comes out of it refused, and nobody is held up.
fn assert_ends(a: &Running, own: &str) {
    let mut client = a.client();
    // Behind the endpoint of the one that refuses it.
    let is_refusal = |why: &str| {
        why.starts_with("LED was not set: ") && why.ends_with(": it has passed 8 servers: a loop of relays?")
    };
    for command in ["LED ON", "LED TOGGLE"] {
        let outcome = call(&mut client, command);
        assert!(matches!(&outcome, Outcome::NotDone(why) if is_refusal(why)), "{outcome:?}");
    }
    let many: Vec<_> = (0..16)
        .map(|_| a.client())
        .map(|mut client| std::thread::spawn(move || call(&mut client, "LED OFF")))
        .collect();
    for outcome in many.into_iter().map(|thread| thread.join().unwrap()) {
        // So many at once that one or the other finds the line busy with them.
        assert!(
            matches!(&outcome, Outcome::NotDone(why) if is_refusal(why) || why.contains("wait for LED")),
            "{outcome:?}"
        );
    }
    assert_eq!(call(&mut client, &format!("{own} ON")), done(&format!("OK {own} ON")));
    assert_eq!(ask(&mut client, "LED"), "OK LED UNKNOWN");
}

#[test]
fn a_loop_of_relays_ends_in_a_refusal() {
    let [first, second] = [endpoint(), endpoint()];
    let mut config = relay(&first, &second);
    add(&mut config, "OWN", LineKind::Virtual(Direction::Output));
    let a = Running::start(config);
    let _b = Running::start(relay(&second, &first));
    assert_ends(&a, "OWN");
}

#[test]
fn a_relay_that_leads_to_itself_all_the_same_ends_in_a_refusal() {
    let near = endpoint();
    let mut config = relay(&near, &near);
    add(&mut config, "OWN", LineKind::Virtual(Direction::Output));
    assert_ends(&Running::start(config), "OWN");
}

#[test]
fn a_remote_output_is_touched_at_the_start_and_at_the_stop_only_where_it_is_told_so() {
    let [far, near] = [endpoint(), endpoint()];
    let c = Running::start(board(&far));
    let mut client = c.client();
    client.request(b"LED ON").unwrap();
    drop(Running::start(relay(&near, &far)));
    assert_eq!(ask(&mut client, "LED"), "OK LED ON");
    let mut told = watch(&c);
    let mut config = relay(&near, &far);
    (config.lines[0].start, config.lines[0].stop) = (Preset::Off, Preset::On);
    let a = Running::start(config);
    assert_eq!(next_event(&mut told), "LED OFF");
    drop(a);
    assert_eq!(ask(&mut client, "LED"), "OK LED ON");
}

#[test]
fn the_edges_of_a_remote_input_fire_rules_here_and_its_return_does_not() {
    let [far, near] = [endpoint(), endpoint()];
    let button = || {
        let mut config = process("button_process", &far);
        add(&mut config, "KEY", LineKind::Virtual(Direction::Input));
        start_with_control(config)
    };
    let mut config = process("relay_process", &near);
    let direction = Direction::Input;
    add(&mut config, "BUTTON", LineKind::Remote { direction, at: far.clone(), line: "KEY".parse().unwrap() });
    add(&mut config, "LED", LineKind::Virtual(Direction::Output));
    config.rules.push(RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED TOGGLE"));
    let a = Running::start(config);
    let mut told = watch(&a);
    let mut is_on = false;
    for _ in 0..2 {
        let (running, control) = button();
        assert_eq!(next_event(&mut told), "BUTTON OFF");
        for _ in 0..3 {
            assert_eq!(ask(&mut control_of(&control), "PRESS KEY"), "OK PRESS KEY");
            is_on = !is_on;
            let mut changes: Vec<String> = (0..3).map(|_| next_event(&mut told)).collect();
            changes.sort();
            assert_eq!(changes, ["BUTTON OFF", "BUTTON ON", if is_on { "LED ON" } else { "LED OFF" }]);
        }
        drop(running);
        assert_eq!(next_event(&mut told), "BUTTON UNKNOWN");
    }
    let refused = call(&mut a.client(), "BUTTON ON");
    assert!(matches!(&refused, Outcome::NotDone(why) if why.contains("BUTTON is an input")), "{refused:?}");
}

#[test]
fn presses_of_this_process_toggle_a_remote_line_of_its_own_once_each() {
    let [far, near] = [endpoint(), endpoint()];
    let c = Running::start(board(&far));
    let mut told = watch(&c);
    let mut config = relay(&near, &far);
    add(&mut config, "KEY", LineKind::Virtual(Direction::Input));
    config.rules.push(RuleConfig::new("KEY".parse().unwrap(), Trigger::Press, "LED TOGGLE"));
    let (_a, control) = start_with_control(config);
    let mut client = control_of(&control);
    for nth in 0..10 {
        assert_eq!(ask(&mut client, "PRESS KEY"), "OK PRESS KEY");
        assert_eq!(next_event(&mut told), if nth % 2 == 0 { "LED ON" } else { "LED OFF" });
    }
    while status(&mut client).rules[0].done < 10 {}
}

#[test]
fn a_remote_line_says_where_it_leads_and_cannot_be_pressed_here() {
    let [far, near] = [endpoint(), endpoint()];
    let c = Running::start(board(&far));
    let mut config = relay(&near, &far);
    let direction = Direction::Input;
    add(&mut config, "KEY", LineKind::Remote { direction, at: far.clone(), line: "LED".parse().unwrap() });
    let (a, control) = start_with_control(config);
    wait_for(&a, "LED OFF");
    let mut client = control_of(&control);
    let led = status(&mut client).lines.remove(0);
    let there = led.far.unwrap();
    assert_eq!((led.kind.as_str(), there.at, there.line.as_str()), ("remote", far.to_string(), "LED"));
    assert_eq!((there.connected, there.trouble), (true, None));
    drop(c);
    wait_for(&a, "LED UNKNOWN");
    let there = status(&mut client).lines.remove(0).far.unwrap();
    assert!(!there.connected && there.trouble.is_some());
    let refused = client.call(b"PRESS KEY", PATIENCE).unwrap();
    assert_eq!(refused, Outcome::NotDone("KEY is a line of another server; it is pressed there".into()));
}

#[test]
fn a_connection_that_watches_hears_of_a_change_before_it_is_answered() {
    let far = endpoint();
    let c = Running::start(board(&far));
    let mut client = watch(&c);
    for command in ["LED ON", "LED OFF LAMP ON", "LED TOGGLE"] {
        let changes = command.matches('L').count() - usize::from(command.contains("TOGGLE"));
        let set = client.submit(command.as_bytes()).unwrap();
        for _ in 0..changes.min(2) {
            assert!(matches!(client.receive().unwrap(), Received::Event { .. }), "{command}");
        }
        assert!(matches!(client.receive().unwrap(), Received::Reply { id, .. } if id == set), "{command}");
    }
}

#[test]
fn who_asks_over_datagrams_is_a_peer_and_who_sent_one_is_not() {
    let mut config = process("board_process", &"udp://127.0.0.1:0".parse().unwrap());
    add(&mut config, "LED", LineKind::Virtual(Direction::Output));
    let (board, control) = start_with_control(config);
    let mut client = control_of(&control);
    let at = status(&mut client).endpoints.remove(0);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.set_read_timeout(Some(PATIENCE)).unwrap();
    sender.send_to(b"LED", at.strip_prefix("udp://").unwrap()).unwrap();
    sender.recv(&mut [0; 64]).unwrap();
    assert_eq!(status(&mut client).peers, [""; 0]);
    let mut options = ClientOptions::frames("board");
    if let soquete::ClientFraming::Frames(frames) = &mut options.framing {
        frames.name = "asker".into();
    }
    let mut asker = Client::connect(&at.parse().unwrap(), options).unwrap();
    assert_eq!(ask(&mut asker, "LED"), "OK LED OFF");
    assert!(status(&mut client).peers[0].starts_with("asker (udp://127.0.0.1:"));
    drop(board);
}

/// Presses a button whose LED is behind a relay; returns what board, relay and button then tell of themselves.
fn pressed_through_a_relay(watched: &mut Vec<Duration>) -> [ProcessStatus; 3] {
    let [far, near] = [endpoint(), endpoint()];
    let (c, far_control) = start_with_control(board(&far));
    let (b, near_control) = start_with_control(relay(&near, &far));
    wait_for(&b, "LED OFF");
    let mut config = process("button_process", &endpoint());
    add(&mut config, "KEY", LineKind::Virtual(Direction::Input));
    let mut rule = RuleConfig::new("KEY".parse().unwrap(), Trigger::Press, "LED TOGGLE");
    (rule.to, rule.within) = (vec![near.clone()], PATIENCE);
    config.rules.push(rule);
    let (a, control) = start_with_control(config);
    let mut options = ClientOptions { timeout: Some(PATIENCE), ..ClientOptions::frames("board") };
    if let soquete::ClientFraming::Frames(frames) = &mut options.framing {
        frames.timed = true;
    }
    let mut watch = Client::connect(&b.endpoint, options).unwrap();
    assert_eq!(ask(&mut watch, "WATCH"), "OK WATCH");
    let mut client = control_of(&control);
    for presses in 1..=3 {
        assert_eq!(ask(&mut client, "PRESS KEY"), "OK PRESS KEY");
        let Received::Event { head, .. } = watch.receive().unwrap() else { panic!("no event") };
        watched.extend(head.lag.map(Span::duration));
        let begun = Clock::now();
        while status(&mut client).rules[0].done < presses {
            assert!(Clock::now() < begun + PATIENCE, "press {presses} does not end");
        }
    }
    let told = [far_control, near_control, control].map(|control| status(&mut control_of(&control)));
    drop((a, b, c));
    told
}

#[test]
fn how_long_it_took_adds_up_over_a_relay_without_its_ways() {
    let mut watched = Vec::new();
    let [far, near, button] = pressed_through_a_relay(&mut watched);
    let led = |process: &ProcessStatus| process.lines[0].latency.clone().unwrap();
    let (far, near, target) = (led(&far), led(&near), button.rules[0].latency[0].clone());
    let [sent, took, set, answered] = [target.sent, target.took, target.set, target.answered].map(Option::unwrap);
    assert_eq!([far.count, near.count, sent.count, took.count, set.count, answered.count], [3; 6]);
    assert_eq!(target.from, "press");
    // Each end cuts off what is less than a microsecond.
    assert!(far.max_us.abs_diff(near.max_us) <= 2, "{far:?} {near:?}");
    assert!(near.max_us <= answered.max_us && took.max_us <= answered.max_us, "{near:?} {took:?} {answered:?}");
    assert!(sent.max_us <= set.max_us && set.max_us <= answered.max_us, "{sent:?} {set:?} {answered:?}");
    // Who watches at the relay hears what the board knows.
    let longest = watched.iter().max().map(Duration::as_micros);
    assert_eq!((watched.len(), longest), (3, Some(far.max_us.into())));
}
