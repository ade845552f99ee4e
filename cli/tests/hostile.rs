//! Bad input: each peer is refused in its own language, costs little, changes nothing and disturbs nobody.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;

use common::wire::{ERROR, GOODBYE, HELLO, OPENING, REJECT, REPLY, REQUEST, WELCOME, Wire, frame, hello, request};
use common::{Place, Program, tool, until, vitals};
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long a client may wait while others misbehave. It is served in a fraction of a millisecond; the rest is for
/// machines that do something else meanwhile.
const SERVED_WITHIN: Duration = Duration::from_secs(2);

/// By how much the memory of the process may grow in a test. An allocator keeps what it once had; a frame that claims
/// 4 GiB, a line of 1 MiB or 500 buffers of 64 KiB would show.
const GROWTH_MAX_BYTES: u64 = 900 << 10;

/// An LED process, and a client that it has and must not neglect.
struct Scene {
    place: Place,
    led: Program,
    neighbour: Wire,
    memory_bytes: u64,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new();
        let led = place.start("led_process");
        let mut neighbour = Wire::connect(place.addr());
        assert_eq!(neighbour.ask("LED"), "OK LED OFF");
        // What every language costs once is not what is measured.
        let descriptors = vitals::descriptors(led.pid());
        Wire::connect(place.addr()).send(hello("board")).frame();
        until("that connection is gone", || vitals::descriptors(led.pid()) == descriptors);
        let memory_bytes = vitals::memory_bytes(led.pid());
        Scene { place, led, neighbour, memory_bytes }
    }

    fn connect(&self) -> Wire {
        Wire::connect(self.place.addr())
    }

    /// Sends this over a connection of its own, ends it and returns all that is answered.
    fn answer_to(&self, octets: impl AsRef<[u8]>) -> String {
        self.connect().send(octets).finish().text()
    }

    /// Says that the neighbour is served as ever, that the LED was never switched, and that the memory has not grown.
    #[track_caller]
    fn is_unharmed(&mut self) {
        let begun = Instant::now();
        assert_eq!(self.neighbour.ask("LED"), "OK LED OFF");
        assert!(begun.elapsed() < SERVED_WITHIN, "the neighbour waited {:?}", begun.elapsed());
        assert_eq!(self.led.log.count("Status: "), 0, "{}", self.led.log.text());
        let growth = vitals::memory_bytes(self.led.pid()).saturating_sub(self.memory_bytes);
        assert!(growth < GROWTH_MAX_BYTES, "the memory grew by {growth} octets");
    }
}

#[test]
fn what_is_no_command_is_answered_by_what_can_be_typed_and_the_third_ends_the_connection() {
    let mut scene = Scene::new();
    let mut wire = scene.connect();
    for _ in 0..2 {
        let answer = wire.ask("BLINK!");
        assert!(answer.starts_with("ERR unknown command") && answer.contains("LED TOGGLE, LED, LINES"), "{answer}");
        assert_eq!(wire.ask("LED"), "OK LED OFF", "one mistake is no end");
    }
    assert!(wire.ask("LED \u{fc}").starts_with("ERR octet 0xc3 at 4"));
    assert_eq!(wire.rest(), b"");
    assert!(scene.led.next("refused tcp://127.").contains("3 lines that are no command"));
    scene.is_unharmed();
}

#[test]
fn a_line_that_is_not_there_is_answered_by_those_that_are() {
    let mut scene = Scene::new();
    let mut wire = scene.connect();
    for command in ["LAMP ON", "LAMP", "WATCH LAMP", "LED ON LAMP ON"] {
        assert_eq!(wire.ask(command), "ERR there is no line LAMP; lines: LED", "{command}");
    }
    wire.send(["\n".repeat(1000), format!("{} ON\n", "L".repeat(33))].concat());
    assert!(wire.line().starts_with("ERR "));
    let mut frames = scene.connect();
    assert_eq!(frames.send(hello("board")).frame().kind, WELCOME);
    let refusal = frames.send(request(1, "LAMP ON")).frame();
    assert_eq!((refusal.kind, refusal.reason()), (ERROR, (6, "there is no line LAMP; lines: LED".into())));
    assert_eq!(frames.send(request(2, "LED")).frame().payload, b"OK LED OFF");
    scene.is_unharmed();
}

#[test]
fn a_line_of_a_mebibyte_without_an_end_is_refused_at_its_limit() {
    let mut scene = Scene::new();
    let mut wire = scene.connect();
    wire.send(vec![b'A'; 1 << 20]);
    let answer = wire.line();
    assert!(answer.starts_with("ERR ") && answer.contains("1024"), "{answer}");
    wire.rest();
    let answer = scene.answer_to([&[b' '; 1025][..], b"LED ON\n"].concat());
    assert!(answer.starts_with("ERR ") && answer.lines().count() == 1, "{answer}");
    scene.is_unharmed();
    scene.led.log.wait_for("refused tcp://127.", 2);
}

#[test]
fn a_frame_that_claims_4_gib_is_refused_by_its_header() {
    let mut scene = Scene::new();
    let claim = |kind: u8| [&[0xff, 0xff, 0xff, 0xff, kind, 0, 0, 0, 1, 0, 0, 0][..], b"LED ON"].concat();
    let reject = scene.connect().send(OPENING).send(claim(HELLO)).frame();
    assert_eq!((reject.kind, reject.reason().0), (REJECT, 5), "{reject:?}");
    let mut wire = scene.connect();
    assert_eq!(wire.send(hello("board")).frame().kind, WELCOME);
    let goodbye = wire.send(claim(REQUEST)).frame();
    assert_eq!((goodbye.kind, goodbye.reason().0), (GOODBYE, 5), "{goodbye:?}");
    assert_eq!(wire.rest(), b"");
    for _ in 0..2 {
        scene.led.next("refused tcp://127.");
    }
    scene.is_unharmed();
}

#[test]
fn strangers_who_begin_as_frames_do_are_told_why_not() {
    let mut scene = Scene::new();
    let reject = |octets: &[u8]| {
        let mut wire = scene.connect();
        let reject = wire.send(octets).frame();
        assert_eq!(reject.kind, REJECT, "{reject:?}");
        assert_eq!(wire.rest(), b"");
        reject.reason()
    };
    // A wrong octet is an error at once, whatever has not come yet.
    assert_eq!(reject(&[0xd3, b'S', b'X']).0, 5);
    assert_eq!(reject(&[0xd3, b'S', b'O', b'Q', b'\n', 0x1a, 1]).0, 5, "CR LF was made LF on the way");
    assert_eq!(reject(&[&OPENING[..7], &[2]].concat()).0, 1, "another layout");
    assert_eq!(reject(&[&OPENING[..], &frame(HELLO, 0, &[0; 41])].concat()).0, 1, "version 0");
    let (code, text) = reject(&[hello("lamp"), request(1, "LED ON")].concat());
    assert_eq!(code, 2);
    assert!(text.contains("board"), "{text}");
    assert_eq!(reject(&[&OPENING[..], &request(1, "LED ON")].concat()).0, 5, "no HELLO before it");
    assert_eq!(scene.connect().send([0x80, b'L']).rest(), b"", "no language begins so, so there is none to answer in");
    for _ in 0..7 {
        scene.led.next("refused tcp://127.");
    }
    scene.is_unharmed();
}

#[test]
fn silence_in_the_middle_of_frames_costs_no_processor_time_and_is_given_up() {
    let mut scene = Scene::new();
    let mut magic = scene.connect();
    magic.send(&OPENING[..3]);
    let mut half_hello = scene.connect();
    half_hello.send(&hello("board")[..30]);
    let mut half_request = scene.connect();
    assert_eq!(half_request.send(hello("board")).frame().kind, WELCOME);
    half_request.send(&request(1, "LED ON")[..20]);
    let mut half_line = scene.connect();
    half_line.send("LED O");
    scene.is_unharmed();
    let before = vitals::cpu_time(scene.led.pid());
    let begun = Instant::now();
    for wire in [&mut magic, &mut half_hello] {
        let reject = wire.frame();
        assert_eq!((reject.kind, reject.reason().0), (REJECT, 5), "{reject:?}");
    }
    assert!(begun.elapsed() > Duration::from_secs(4), "the handshake may take 5 s");
    let used = vitals::cpu_time(scene.led.pid()) - before;
    assert!(used < Duration::from_millis(100), "{used:?} of processor time in {:?} of silence", begun.elapsed());
    scene.is_unharmed();
    half_line.reset();
    drop(half_request);
    scene.is_unharmed();
}

#[test]
fn tls_on_a_port_without_it_is_answered_by_an_alert() {
    let mut scene = Scene::new();
    // Record header of a ClientHello, and the first octets of it.
    let hello = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03];
    assert_eq!(scene.connect().send(hello).rest(), [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]);
    let mut openssl = tool::command(&scene.place, "openssl", "openssl");
    openssl.args(["s_client", "-connect", &scene.place.addr().to_string()]);
    let ended = tool::feed(&mut openssl, "LED ON\n");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("handshake failure"), "{ended:?}");
    for _ in 0..2 {
        assert!(scene.led.next("refused tcp://127.").contains("TLS is not spoken here"));
    }
    scene.is_unharmed();
}

#[test]
fn nothing_that_comes_over_http_is_a_command() {
    let mut scene = Scene::new();
    let page = scene.answer_to("GET / HTTP/1.1\r\nHost: led\r\n\r\nLED ON\n");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("LED OFF"), "{page}");
    let head = "POST / HTTP/1.1\r\nHost: led\r\nContent-Type: text/plain\r\nContent-Length: 7\r\n\r\n";
    let answer = scene.answer_to([head, "LED ON\n"].concat());
    assert!(answer.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"), "{answer}");
    let mut wire = scene.connect();
    assert_eq!(wire.send(head).line(), "HTTP/1.1 405 Method Not Allowed\r", "the head alone is answered");
    wire.send("LED ON\n").finish().rest();
    let mut wire = scene.connect();
    wire.send(&head[..9]);
    scene.is_unharmed();
    wire.send(&head[9..]).send("LED ON\n").finish();
    assert!(wire.text().starts_with("HTTP/1.1 405 "));
    for method in ["PUT", "LED", "get"] {
        let answer = scene.answer_to(format!("{method} /LED HTTP/1.0\r\n\r\nLED ON\r\n"));
        assert!(answer.starts_with("HTTP/1.1 405 "), "{method}: {answer}");
    }
    // A head that hides its first line.
    let long = format!("POST /{} HTTP/1.1\r\nHost: led\r\n\r\nLED ON\n", "a".repeat(2000));
    let answer = scene.answer_to("\r\nPOST / HTTP/1.1\r\nHost: led\r\n\r\nLED ON\n");
    assert!(answer.starts_with("HTTP/1.1 405 "), "behind a blank line: {answer}");
    for octets in [long.as_str(), "hOST: led\r\n\r\nLED ON\n"] {
        let answer = scene.answer_to(octets);
        assert!(answer.lines().all(|line| line.starts_with("ERR ")), "{answer}");
    }
    scene.is_unharmed();
}

#[test]
fn curl_gets_the_page_and_posts_in_vain() {
    let mut scene = Scene::new();
    let curl = |arguments: &[&str]| {
        let mut curl = tool::command(&scene.place, "curl", "curl");
        curl.args(["--silent", "--show-error", "--write-out", "%{http_code}"]).args(arguments);
        tool::feed(curl.arg(format!("http://{}/", scene.place.addr())).env("LC_ALL", "C"), "").ok()
    };
    let page = curl(&[]);
    assert!(page.contains("This is led_process") && page.contains("LED OFF") && page.ends_with("200"), "{page}");
    assert!(curl(&["--data", "LED ON"]).ends_with("405"));
    assert!(curl(&["--data-binary", "\nLED ON\n", "--header", "Expect: 100-continue"]).ends_with("405"));
    assert!(curl(&["--head"]).ends_with("405"));
    scene.is_unharmed();
}

#[test]
fn a_command_in_two_pieces_is_one_and_half_a_command_is_none() {
    let mut scene = Scene::new();
    let mut pieces = scene.connect();
    pieces.send("LE");
    scene.is_unharmed();
    assert_eq!(pieces.send("D OFF\n").line(), "OK LED OFF");
    scene.led.next("LED Status: Off");
    for half in ["LED ON", "LED O", "LED ON\r"] {
        let mut wire = scene.connect();
        wire.send(half);
        assert_eq!(scene.neighbour.ask("LED"), "OK LED OFF");
        wire.reset();
    }
    assert_eq!(scene.neighbour.ask("LED"), "OK LED OFF");
    let mut whole = scene.connect();
    whole.send("LED ON\0LED O");
    whole.reset();
    scene.led.next("LED Status: On");
    assert_eq!(scene.neighbour.ask("LED"), "OK LED ON", "what was terminated before the reset counts");
    assert_eq!(scene.answer_to("LED OFF"), "OK LED OFF\n", "and so does an orderly end");
    scene.led.log.wait_for("Status: ", 3);
    assert_eq!(scene.led.log.count("refused"), 0, "{}", scene.led.log.text());
}

#[test]
fn an_empty_connection_changes_nothing_and_is_not_worth_a_word() {
    let mut scene = Scene::new();
    for _ in 0..10 {
        drop(scene.connect());
        scene.connect().reset();
        assert_eq!(scene.answer_to(""), "");
        assert_eq!(scene.answer_to("\n \r\n\0"), "", "nor is a blank line");
    }
    scene.is_unharmed();
    assert_eq!(scene.led.log.lines(), [""; 0]);
}

#[test]
fn five_hundred_connections_that_send_nothing_cost_little_and_disturb_nobody() {
    let mut scene = Scene::new();
    let descriptors = vitals::descriptors(scene.led.pid());
    let mut silent: Vec<Wire> = (0..500).map(|_| scene.connect()).collect();
    // The neighbour is answered between accepts, so its answer does not say that all were accepted.
    until("all are accepted", || {
        scene.is_unharmed();
        vitals::descriptors(scene.led.pid()) == descriptors + 500
    });
    let before = vitals::cpu_time(scene.led.pid());
    // Each can still be used.
    assert_eq!(silent[499].ask("LED"), "OK LED OFF");
    assert_eq!(silent[0].ask("LED"), "OK LED OFF");
    drop(silent);
    until("those connections are gone", || {
        scene.is_unharmed();
        vitals::descriptors(scene.led.pid()) == descriptors
    });
    assert!(vitals::cpu_time(scene.led.pid()) - before < Duration::from_secs(1));
    assert_eq!(scene.led.log.lines(), [""; 0]);
}

#[test]
fn a_thousand_refusals_are_a_few_lines_in_the_log() {
    let mut scene = Scene::new();
    for _ in 0..250 {
        scene.connect().send([0x80]).rest();
        scene.connect().send([0xd3, 0]).rest();
        scene.connect().send([0x16, 3, 1]).rest();
        scene.answer_to("POST / HTTP/1.1\r\n\r\nLED ON\n");
    }
    scene.is_unharmed();
    let lines = scene.led.log.lines();
    assert!((10..=40).contains(&lines.len()), "{} lines: {}", lines.len(), lines.join("\n"));
    assert!(scene.place.run("status --json").ok().contains("\"refused\": 1000"));
}

/// Sends this again and again without ever reading an answer, until it is no longer taken.
fn flood(scene: &mut Scene, begin: &[u8], again: &[u8]) {
    let mut wire = scene.connect();
    wire.send(begin);
    wire.0.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let is_taken = |wire: &mut TcpStream| match wire.write(again) {
        Ok(len) => len,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("{error}"),
    };
    // It takes no more once nothing goes in during a few answers to somebody else.
    let mut refusals = 0;
    while refusals < 20 {
        let len = is_taken(&mut wire.0);
        sent += len;
        refusals = if len == 0 { refusals + 1 } else { 0 };
        scene.is_unharmed();
        assert!(sent < 256 << 20, "it takes {sent} octets whose answers nobody reads");
    }
}

#[test]
fn a_client_that_floods_and_never_reads_is_not_read_any_more() {
    let mut scene = Scene::new();
    flood(&mut scene, b"", "LINES\nHELP\n".repeat(4096).as_bytes());
    flood(&mut scene, b"", "LED\n".repeat(8192).as_bytes());
    // Over frames each needs an id of its own; a ping needs none.
    flood(&mut scene, &hello("board"), &frame(10, 0, b"").repeat(4096));
    assert_eq!(scene.connect().send(hello("board")).send(request(1, "LED")).frame().kind, WELCOME);
}

#[test]
fn answers_to_requests_of_one_flight_are_all_given() {
    let mut scene = Scene::new();
    let requests: Vec<u8> = (1..=1000).flat_map(|id| request(id, "LED")).collect();
    let mut wire = scene.connect();
    wire.send([hello("board"), requests].concat());
    assert_eq!(wire.frame().kind, WELCOME);
    for _ in 0..1000 {
        assert_eq!(wire.frame().kind, REPLY);
    }
    scene.is_unharmed();
}

#[test]
fn wrong_arguments_and_configurations_exit_with_2_and_say_what_was_wrong() {
    let place = Place::new();
    place.write_config("[processes.led_process]\nserve = ['tcp://0.0.0.0:5555']\n");
    for (arguments, wrong) in [
        ("frobnicate", "frobnicate"),
        ("get", "LINE"),
        ("set LED maybe", "maybe"),
        ("get LED --at 127.0.0.1:5555", "tcp://127.0.0.1:5555"),
        ("toggle LED --timeout never", "never"),
        ("get 1LED", "1LED"),
        ("up --anyone-from 10.0.0.1/24", "expected 10.0.0.0/24"),
        ("up --platform amiga", "amiga"),
        ("up", "soquete.toml:2:"),
        ("run led_process", "soquete.toml:2:"),
        ("config check", "anyone-from"),
        ("up -c missing.toml", "missing.toml: no such file"),
        ("run led_process -c missing.toml", "missing.toml: no such file"),
        ("run nobody --platform pc", "no process nobody"),
    ] {
        let run = place.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{arguments}: {run:?}");
        assert!(run.err.starts_with("soquete: ") && run.err.contains(wrong), "{arguments}: {}", run.err);
    }
}
