//! The two with each other, over every kind of endpoint.

use super::common::{Place, tool};
use super::kit::{DATAGRAMS, Listener, STREAMS, endpoint, run, send, sending};

#[test]
fn each_message_is_a_line_and_gets_its_answer_over_every_kind() {
    for kind in [&STREAMS[..], &DATAGRAMS].concat() {
        let place = Place::bare();
        let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
        if DATAGRAMS.contains(&kind) {
            assert_eq!(send(&place, &listener.at, &["LED ON"]).ok(), "OK\n", "{kind}");
            listener.program.next("LED ON");
            listener.interrupt();
            continue;
        }
        assert_eq!(send(&place, &listener.at, &["LED ON", "LED OFF"]).ok(), "OK\nOK\n", "{kind}");
        listener.program.next("LED ON");
        listener.program.next("LED OFF");
        listener.done();
    }
}

#[test]
fn standard_input_goes_both_ways_over_every_kind() {
    for kind in [&STREAMS[..], &DATAGRAMS].concat() {
        let place = Place::bare();
        let mut listener = Listener::saying(&place, &endpoint(&place, kind), b"it is lit\n", &[]);
        let mut client = sending(&place, &listener.at, &[]);
        assert_eq!(tool::feed(&mut client, "light\nit\n").ok(), "it is lit\n", "{kind}");
        listener.program.next("light");
        listener.program.next("it");
        if DATAGRAMS.contains(&kind) {
            listener.interrupt();
        } else {
            listener.done();
        }
    }
}

#[test]
fn it_says_where_it_listens_and_what_to_type_at_the_other_side() {
    let place = Place::bare();
    let listener = Listener::new(&place, &format!("tcp://{}:0", place.host), &["--hex"]);
    assert_ne!(listener.port(), "0");
    let expected = format!("listening at {0}: try `soquete send --hex {0} '68 65 6c 6c 6f'`", listener.at);
    assert_eq!(listener.program.log.text(), expected);
    let said = listener.at.replace("tcp://", "");
    place.shell(&format!("soquete send --hex tcp://{said} '68 65 6c 6c 6f'")).ok();
    listener.program.next("68 65 6c 6c 6f");
}

#[test]
fn raw_is_neither_given_nor_shown_a_line_end() {
    for kind in [&STREAMS[..], &DATAGRAMS].concat() {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--raw", "--reply", "ab"]);
        assert_eq!(send(&place, &listener.at, &["--raw", "LED"]).ok(), "ab", "{kind}");
    }
}

#[test]
fn hex_is_given_and_shown_message_by_message() {
    for kind in ["seqpacket", "udp", "unixgram"] {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--hex", "--reply", "0a0b"]);
        let answers = send(&place, &listener.at, &["--hex", "4C 45", "44"]).ok();
        assert!(answers.starts_with("0a 0b\n"), "{kind}: {answers}");
        listener.program.next("4c 45");
        listener.program.next("44");
        let wrong = run(&place, &["send", "--hex", &endpoint(&place, "unix"), "00 0g"]);
        assert_eq!(wrong.code, Some(2));
        assert!(wrong.err.contains("message 1: character 5: 'g' is no hex digit"), "{wrong:?}");
    }
}

#[test]
fn boundaries_are_kept_where_the_kind_has_them() {
    for kind in ["seqpacket", "udp", "unixgram"] {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--hex", "--reply", "00"]);
        let mut client = sending(&place, &listener.at, &[]);
        tool::feed(&mut client, "a\nbc\nd").ok();
        listener.program.next("61 0a");
        listener.program.next("62 63 0a");
        listener.program.next("64");
    }
    let place = Place::bare();
    let refused = run(&place, &["send", "seqpacket:@nobody", "--raw", ""]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}

#[test]
fn a_group_hears_what_is_sent_to_it() {
    let place = Place::bare();
    let group = format!("udp://239.77.{}.{}:0?interface=lo&ttl=0", place.host.octets()[2], place.host.octets()[3]);
    let one = Listener::new(&place, &group, &["--reply", "one"]);
    assert!(one.at.contains("?interface=lo"), "{}", one.at);
    one.program.next("every machine that reaches this address");
    let said = send(&place, &one.at, &["hello all"]).ok();
    assert!(said.starts_with("udp://") && said.ends_with(": one\n"), "{said}");
    one.program.next("hello all");
}

#[test]
fn what_comes_first_can_be_looked_at_before_it_is_taken() {
    for kind in ["tcp", "seqpacket", "udp", "unixgram"] {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--peek", "--reply", "later"]);
        let sent = send(&place, &listener.at, &["--peek", "first"]);
        listener.program.next("peek: 6 octets wait: \"first\\n\"");
        assert!(sent.err.contains("peek: 6 octets wait: \"later\\n\""), "{sent:?}");
        assert_eq!(sent.ok(), "later\n", "{kind}");
    }
}

#[test]
fn urgent_data_is_sent_and_shown_when_it_comes() {
    let place = Place::bare();
    let mut listener = Listener::saying(&place, &endpoint(&place, "tcp"), b"", &[]);
    send(&place, &listener.at, &["--urgent", "!", "calm"]).ok();
    listener.program.log.wait_for("urgent from tcp://", 1);
    let shown = listener.done();
    assert!(shown.contains(": \"!\"\n") || shown.ends_with(": \"!\""), "{shown}");
    assert!(shown.contains("\ncalm"), "{shown}");
    let refused = run(&place, &["send", "unix:@nobody", "--urgent", "!", "x"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
