//! Golden transcripts: conversations as they must go.

use crate::dialogue::{Dialogue, unindented};
use crate::ends::{Ends, ms, once, plain, resuming, until};
use soquete_proto::client::{Options, Request};
use soquete_proto::handshake::{Code, EventHead, put_event};
use soquete_proto::server;

fn board() -> server::Options {
    server::Options {
        name: "led_process".to_owned(),
        payload_max_bytes: 4096,
        in_flight_max: 64,
        ..server::Options::new("board")
    }
}

fn named(options: Options) -> Options {
    Options { name: "button_process".to_owned(), ..options }
}

#[test]
fn a_command_costs_one_round_trip() {
    let mut dialogue = Dialogue::new(Ends::apart(named(plain()), board()));
    dialogue.ends.connect(1);
    dialogue.ends.ask(Request::new(b"LED TOGGLE"));
    dialogue.serve();
    dialogue.ends.answer(b"OK LED ON");
    dialogue.hear();
    dialogue.ends.client.goodbye(&mut dialogue.ends.to_server);
    dialogue.serve();
    let expected = r#"
        client: the opening octets
        client: HELLO, version 1, features 0, payload 1048576, resume none, service "board", name "button_process"
        client: REQUEST 1, deadline 0, hops 0, lowest 1, "LED TOGGLE"
        server: WELCOME, version 1, features 0, payload 4096, in flight 64, clock 1, New, session none, name "led_process"
        server: REPLY 1, "OK LED ON"
        client: GOODBYE, last 0, Closing ""
    "#;
    assert_eq!(dialogue.said(), unindented(expected));
}

#[test]
fn a_request_with_a_deadline_waits_for_the_clock() {
    let mut dialogue = Dialogue::new(Ends::apart(named(plain()), board()));
    dialogue.ends.connect(1);
    dialogue.ends.ask(until(dialogue.ends.now + ms(2_000), b"LED ON"));
    dialogue.serve();
    dialogue.hear();
    dialogue.serve();
    dialogue.ends.answer(b"OK LED ON");
    dialogue.hear();
    dialogue.note("five seconds later");
    dialogue.ends.now += ms(5_000);
    dialogue.ends.ask(until(dialogue.ends.now + ms(2_000), b"LED OFF"));
    dialogue.serve();
    dialogue.hear();
    dialogue.serve();
    let expected = r#"
        client: the opening octets
        client: HELLO, version 1, features 0, payload 1048576, resume none, service "board", name "button_process"
        server: WELCOME, version 1, features 0, payload 4096, in flight 64, clock 1, New, session none, name "led_process"
        client: REQUEST 1, deadline 2000001, hops 0, lowest 1, "LED ON"
        server: REPLY 1, "OK LED ON"
        -- five seconds later
        client: PING 1
        server: PONG 1, clock 5000001
        client: REQUEST 2, deadline 7000001, hops 0, lowest 2, "LED OFF"
    "#;
    assert_eq!(dialogue.said(), unindented(expected));
}

#[test]
fn a_resumed_session_is_answered_from_memory() {
    let mut dialogue = Dialogue::new(Ends::apart(named(resuming()), board()));
    dialogue.ends.connect(1);
    dialogue.ends.ask(once(b"LED TOGGLE"));
    dialogue.serve();
    dialogue.hear();
    dialogue.serve();
    dialogue.ends.answer(b"OK LED ON");
    dialogue.note("the reply is lost with the connection");
    dialogue.ends.cut();
    dialogue.ends.connect(2);
    dialogue.serve();
    dialogue.hear();
    dialogue.serve();
    dialogue.hear();
    let token = 8 + dialogue.ends.now.as_nanos();
    let expected = r#"
        client: the opening octets
        client: HELLO, version 1, features 1, payload 1048576, resume none, service "board", name "button_process"
        server: WELCOME, version 1, features 1, payload 4096, in flight 64, clock 1, New, session 1 token TOKEN, name "led_process"
        client: REQUEST 1 once, deadline 0, hops 0, lowest 1, "LED TOGGLE"
        -- the reply is lost with the connection
        client: the opening octets
        client: HELLO, version 1, features 1, payload 1048576, resume 1 token TOKEN, service "board", name "button_process"
        server: WELCOME, version 1, features 1, payload 4096, in flight 64, clock 1, Resumed, session 1 token TOKEN, name "led_process"
        client: REQUEST 1 once, deadline 0, hops 0, lowest 1, "LED TOGGLE"
        server: REPLY 1, "OK LED ON"
    "#;
    assert_eq!(dialogue.said(), unindented(&expected.replace("TOKEN", &token.to_string())));
}

#[test]
fn a_watch_is_a_request_whose_id_its_events_carry() {
    let mut dialogue = Dialogue::new(Ends::open(plain(), board()));
    let id = dialogue.ends.ask(Request::new(b"WATCH LED"));
    dialogue.serve();
    dialogue.ends.answer(b"OK WATCH");
    for (seq, missed) in [(41, 0), (45, 3)] {
        let event = b"LED ON 1767225600000000 text 127.0.0.1:40312";
        put_event(&mut dialogue.ends.to_client, id, EventHead { seq, missed, lag: None }, event, 4096).unwrap();
    }
    dialogue.hear();
    dialogue.ends.client.cancel(id, &mut dialogue.ends.to_server);
    dialogue.serve();
    let expected = r#"
        client: REQUEST 1, deadline 0, hops 0, lowest 1, "WATCH LED"
        server: REPLY 1, "OK WATCH"
        server: EVENT 1, seq 41, missed 0, "LED ON 1767225600000000 text 127.0.0.1:40312"
        server: EVENT 1, seq 45, missed 3, "LED ON 1767225600000000 text 127.0.0.1:40312"
        client: CANCEL 1
    "#;
    assert_eq!(dialogue.said(), unindented(expected));
}

#[test]
fn a_stranger_is_told_why() {
    let mut dialogue = Dialogue::new(Ends::apart(Options { service: "echo".to_owned(), ..plain() }, board()));
    dialogue.ends.connect(1);
    dialogue.serve();
    dialogue.hear();
    let expected = r#"
        client: the opening octets
        client: HELLO, version 1, features 0, payload 1048576, resume none, service "echo", name ""
        server: REJECT, Service "unknown service \"echo\", this end serves \"board\""
    "#;
    assert_eq!(dialogue.said(), unindented(expected));
}

#[test]
fn a_server_that_goes_says_what_it_took_up() {
    let mut dialogue = Dialogue::new(Ends::open(plain(), board()));
    dialogue.ends.ask(Request::new(b"LED ON"));
    dialogue.serve();
    dialogue.ends.answer(b"OK LED ON");
    dialogue.ends.server.refuse(&mut dialogue.ends.link, Code::Closing, "stopping", &mut dialogue.ends.to_client);
    dialogue.hear();
    let expected = r#"
        client: REQUEST 1, deadline 0, hops 0, lowest 1, "LED ON"
        server: REPLY 1, "OK LED ON"
        server: GOODBYE, last 1, Closing "stopping"
    "#;
    assert_eq!(dialogue.said(), unindented(expected));
}
