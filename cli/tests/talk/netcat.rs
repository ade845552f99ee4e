//! With both netcats, in both directions.

use super::common::{Place, tool};
use super::kit::{Listener, begin, endpoint, send};
use tool::NETCATS;

const OPENBSD: (&str, &str) = NETCATS[0];

#[test]
fn both_netcats_talk_to_a_listener_over_tcp_and_udp() {
    for (netcat, end) in NETCATS.into_iter().zip([&["-N"][..], &["-q", "20"]]) {
        for (kind, flags) in [("tcp", end), ("udp", &["-u"])] {
            let place = Place::bare();
            let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
            let client =
                begin(&place, netcat, &[flags, &[&place.host.to_string(), listener.port()]].concat(), b"LED ON\n");
            listener.program.next("LED ON");
            if kind == "udp" || netcat != OPENBSD {
                // Neither says when it has nothing more to send.
                client.next("OK");
                listener.interrupt();
            } else {
                listener.done();
                client.next("OK");
            }
        }
    }
}

#[test]
fn netcat_talks_to_a_listener_over_both_kinds_of_unix_sockets() {
    for (kind, flags) in [("unix", "-NU"), ("unixgram", "-uU")] {
        let place = Place::bare();
        let listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
        let path = place.dir.join(kind);
        let client = begin(&place, OPENBSD, &[flags, path.to_str().unwrap()], b"LED ON\n");
        listener.program.next("LED ON");
        client.next("OK");
    }
}

#[test]
fn a_listening_netcat_is_talked_to_over_tcp_and_udp() {
    for netcat in NETCATS {
        for (kind, flags) in [("tcp", "-lnv"), ("udp", "-lnuv")] {
            let place = Place::bare();
            let (host, port) = (place.host.to_string(), place.port.to_string());
            let at = if netcat == OPENBSD { vec![&*host, &*port] } else { vec!["-s", &host, "-p", &port] };
            let server = begin(&place, netcat, &[&[flags][..], &at].concat(), b"OK\n");
            server.next(if netcat == OPENBSD && kind == "udp" { "ound on" } else { "istening on" });
            send(&place, &format!("{kind}://{host}:{port}"), &["LED ON"]);
            server.next("LED ON");
        }
    }
}

#[test]
fn a_listening_netcat_answers_over_every_kind_it_knows() {
    for (kind, flags, ready) in [
        ("tcp", "-lnvN", "istening on"),
        ("udp", "-lnuv", "ound on"),
        ("unix", "-lUvN", "istening on"),
        ("unixgram", "-luUv", "ound on"),
    ] {
        let place = Place::bare();
        let (host, port) = (place.host.to_string(), place.port.to_string());
        let path = place.dir.join(kind).display().to_string();
        let (at, words) = match kind {
            "tcp" | "udp" => (format!("{kind}://{host}:{port}"), vec![flags, &host, &port]),
            _ => (format!("{kind}://{path}"), vec![flags, &path]),
        };
        let server = begin(&place, OPENBSD, &words, b"OK\n");
        server.next(ready);
        assert_eq!(send(&place, &at, &["LED ON"]).ok(), "OK\n", "{kind}");
        server.next("LED ON");
    }
}

#[test]
fn a_netcat_that_sends_a_file_is_heard_to_its_end_by_a_listener_with_nothing_to_say() {
    let octets: Vec<u8> = (0..5_000_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    for (netcat, flags) in NETCATS.into_iter().zip(["-N", "-q0"]) {
        let place = Place::bare();
        let out = place.dir.join("out");
        // As a shell begins it in the background: with /dev/null as standard input.
        let line = format!("exec soquete listen {} --raw > {}", endpoint(&place, "tcp"), out.display());
        let mut listener = Listener::of(place.shell_command(&line));
        let mut client = begin(&place, netcat, &[flags, &place.host.to_string(), listener.port()], &octets);
        client.wait();
        listener.done();
        assert!(std::fs::read(out).unwrap() == octets, "{netcat:?}: something else arrived");
    }
}
