//! Every way to an end, and its exit code.

use super::common::{PATIENCE, Place, Program, tool, until};
use super::kit::{Listener, endpoint, run, send, sockets, soquete};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

/// Listens, and does something with the one who comes.
fn serve(place: &Place, with: impl FnOnce(TcpStream) + Send + 'static) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind((place.host, 0)).unwrap();
    let at = format!("tcp://{}", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        with(stream);
    });
    (at, serving)
}

#[test]
fn the_end_of_the_input_closes_the_sending_side_and_answers_still_come() {
    let place = Place::bare();
    let answer = |mut stream: TcpStream| {
        let mut all = String::new();
        stream.read_to_string(&mut all).unwrap();
        stream.write_all(format!("{} octets", all.len()).as_bytes()).unwrap();
    };
    let (at, serving) = serve(&place, answer);
    let mut client = soquete(&place, &["send", &at]);
    assert_eq!(tool::feed(&mut client, "one\ntwo\n").ok(), "8 octets");
    serving.join().unwrap();
    let (at, serving) = serve(&place, answer);
    assert_eq!(run(&place, &["send", &at]).ok(), "0 octets", "nothing was typed");
    serving.join().unwrap();
    let (at, serving) = serve(&place, answer);
    assert_eq!(place.shell(&format!("soquete send {at} <&-")).ok(), "0 octets", "standard input is closed");
    serving.join().unwrap();
}

#[test]
fn the_end_of_the_peer_is_the_end_of_an_idle_conversation() {
    let place = Place::bare();
    let (at, serving) = serve(&place, |mut stream| stream.write_all(b"bye\n").unwrap());
    let mut client = soquete(&place, &["send", &at, "--wait", "10ms"]);
    // Nothing comes from there, and it does not end.
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let input = client.stdin.take().unwrap();
    let mut said = String::new();
    client.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), client.wait().unwrap().code()), ("bye\n", Some(0)));
    drop(input);
    serving.join().unwrap();
}

#[test]
fn nobody_there_is_not_done() {
    let place = Place::bare();
    for kind in ["tcp", "unix", "unix@", "seqpacket", "unixgram", "unixgram@", "udp"] {
        let at = endpoint(&place, kind).replace(":0", ":1");
        let refused = run(&place, &["send", &at, "hello", "--timeout", "20s"]);
        assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.err.starts_with("soquete: ") && refused.err.contains(&at), "{refused:?}");
    }
}

#[test]
fn no_answer_in_time_is_not_done_and_an_answer_is() {
    let place = Place::bare();
    let silent = UdpSocket::bind((place.host, 0)).unwrap();
    let at = format!("udp://{}", silent.local_addr().unwrap());
    let unanswered = run(&place, &["send", &at, "hello", "--timeout", "50ms"]);
    assert_eq!(unanswered.code, Some(1), "{unanswered:?}");
    assert!(unanswered.err.contains(&format!("receive {at}: timed out")), "{unanswered:?}");
    assert_eq!(run(&place, &["send", &at, "hello", "--wait", "50ms"]).code, Some(0), "none was asked for");
    let (at, serving) = serve(&place, |mut stream| {
        stream.write_all(b"OK\n").unwrap();
        // It does not end before the client does.
        stream.read_to_end(&mut Vec::new()).unwrap();
        let _ = stream.read(&mut [0]);
    });
    let mut client = soquete(&place, &["send", &at, "--timeout", "50ms"]);
    client.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let input = client.stdin.take().unwrap();
    let mut said = String::new();
    client.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    let code = client.wait().unwrap().code();
    // On a machine that was too slow for the answer it is none.
    assert!(matches!((said.as_str(), code), ("OK\n", Some(0)) | ("", Some(1))), "{said:?} {code:?}");
    drop(input);
    serving.join().unwrap();
    let nobody = run(&place, &["listen", &endpoint(&place, "tcp"), "--timeout", "50ms"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
    assert!(nobody.err.contains("accept tcp://") && nobody.err.contains("timed out"), "{nobody:?}");
}

#[test]
fn a_silence_behind_datagrams_is_their_end() {
    let place = Place::bare();
    // sleep is the thing under test: the listener's patience, over which nothing comes.
    let mut listener = Listener::new(&place, &endpoint(&place, "udp"), &["--timeout", "500ms"]);
    let sender = UdpSocket::bind((place.host, 0)).unwrap();
    let sent = sender.send_to(b"hello", (place.host, listener.port().parse().unwrap()));
    let code = listener.program.wait().code();
    let is_heard = listener.program.log.lines().contains(&"hello".to_owned());
    // On a machine so slow that its time was over before, nothing was heard.
    assert_eq!(code, Some(if is_heard { 0 } else { 1 }), "{sent:?} {}", listener.program.log.text());
}

#[test]
fn a_reset_behind_what_was_sent_leaves_everybody_guessing() {
    let place = Place::bare();
    let reset = |stream: TcpStream| {
        (&stream).read_exact(&mut [0; 6]).unwrap();
        (&stream).write_all(b"no").unwrap();
        until("the client has the answer", || unacknowledged(&stream) == 0);
        set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    };
    let (at, serving) = serve(&place, reset);
    let lost = run(&place, &["send", &at, "hello", "--timeout", "20s"]);
    assert_eq!((lost.code, lost.out.as_str()), (Some(3), "no"), "{lost:?}");
    assert!(lost.err.contains("connection reset by peer"), "{lost:?}");
    serving.join().unwrap();
}

/// Returns how many octets the peer's kernel has not confirmed.
fn unacknowledged(stream: &TcpStream) -> u64 {
    let port = stream.local_addr().unwrap().port();
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let peer = format!(":{:04X} ", stream.peer_addr().unwrap().port());
    let own = sockets.lines().find(|line| line.contains(&format!(":{port:04X} ")) && line.contains(&peer));
    let own = own.filter(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&format!("{port:04X}"))));
    let queues = own.and_then(|line| line.split_whitespace().nth(4)).unwrap_or("0:0").to_owned();
    u64::from_str_radix(queues.split(':').next().unwrap(), 16).unwrap()
}

#[test]
fn signals_end_it_in_order_and_leave_no_file() {
    for signal in [Signal::INT, Signal::TERM] {
        for kind in ["unix", "seqpacket", "unixgram"] {
            let place = Place::bare();
            let path = place.dir.join(kind);
            let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--keep"]);
            assert!(path.exists());
            let mut command = soquete(&place, &["send", &listener.at]);
            command.stdin(Stdio::piped());
            let mut client = Program::begin(command);
            if kind == "unixgram" {
                until("the client has a path of its own", || sockets(&place) == 2);
            } else {
                listener.program.next("is here");
            }
            client.signal(signal);
            // Where the signal came before it was caught, there is no file either.
            let code = client.wait().code();
            assert!(code == Some(0) || (code.is_none() && kind != "unixgram"), "{code:?} {}", client.log.text());
            listener.program.signal(signal);
            listener.done();
            assert_eq!(sockets(&place), 0, "{kind}");
        }
    }
}

#[test]
fn a_signal_that_comes_twice_is_one() {
    let place = Place::bare();
    for words in [&["--raw"][..], &["--frames"]] {
        for _ in 0..12 {
            let mut listener = Listener::new(&place, &endpoint(&place, "udp"), words);
            listener.program.signal(Signal::INT);
            listener.program.signal(Signal::INT);
            listener.done();
        }
    }
}

#[test]
fn a_later_signal_ends_it_at_once() {
    let place = Place::bare();
    // It takes what is asked, and never answers.
    let (at, serving) = serve(&place, |stream| drop((&stream).read_to_end(&mut Vec::new())));
    let mut asking = Program::begin(soquete(&place, &["send", "--frames", &at, "LED", "--timeout", "1h"]));
    until("it catches signals", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", asking.pid())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() >> (Signal::INT.as_raw() - 1) & 1 == 1
    });
    until("it is ended", || {
        // sleep is the thing under test: signals that are apart.
        thread::sleep(Duration::from_millis(100));
        asking.signal(Signal::INT);
        serving.is_finished()
    });
    assert_eq!(asking.wait().code(), Some(3), "{}", asking.log.text());
    serving.join().unwrap();
}

#[test]
fn who_comes_and_goes_without_an_octet_is_not_the_one_client() {
    for kind in ["tcp", "unix"] {
        let place = Place::bare();
        let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--reply", "OK"]);
        assert_eq!(run(&place, &["send", &listener.at]).ok(), "", "nothing was typed");
        listener.program.next("has left");
        assert_eq!(send(&place, &listener.at, &["LED ON"]).ok(), "OK\n", "{kind}");
        listener.program.next("LED ON");
        listener.done();
    }
    let place = Place::bare();
    let mut listener = Listener::saying(&place, &endpoint(&place, "tcp"), b"it is lit\n", &[]);
    assert_eq!(run(&place, &["send", &listener.at]).ok(), "it is lit\n", "it was told something");
    listener.done();
}

#[test]
fn nobody_who_reads_is_no_error() {
    let place = Place::bare();
    let line = format!("soquete listen {} --keep --reply OK | head -n 1", endpoint(&place, "tcp"));
    let mut listener = Listener::of(place.shell_command(&line));
    assert_eq!(send(&place, &listener.at, &["one"]).ok(), "OK\n");
    listener.program.next("one");
    listener.done();
}

#[test]
fn what_cannot_be_begun_is_wrong_usage() {
    let place = Place::bare();
    for words in [
        &["send", "mem:led", "x"][..],
        &["listen", "mem:led"],
        &["send", "tcp://127.0.0.1:1", "--hex", "0"],
        &["send", "udp://127.0.0.1:1", "--urgent", "!"],
        &["listen", "unix:@x", "--hex", "--reply", "xx"],
        &["send", "127.0.0.1:1"],
        &["send", "tcp://127.0.0.1:0", "x"],
        &["send", "--frames", "tcp://127.0.0.1:0", "x"],
    ] {
        let wrong = run(&place, words);
        assert_eq!((wrong.code, wrong.out.as_str()), (Some(2), ""), "{words:?} {wrong:?}");
    }
    let mem = run(&place, &["send", "mem:led", "x"]);
    assert!(mem.err.contains("threads of one process") && mem.err.contains("unix:@led"), "{mem:?}");
}

#[test]
fn off_loopback_it_says_that_everybody_can_come() {
    let place = Place::bare();
    let listener = Listener::new(&place, "tcp://0.0.0.0:0", &[]);
    listener.program.next("every machine that reaches this address can send here");
    let local = Listener::new(&place, &endpoint(&place, "tcp"), &[]);
    assert_eq!(local.program.log.lines().len(), 1);
}
