//! `--keep`: many clients at once.

use super::common::{Place, until};
use super::kit::{DATAGRAMS, Listener, STREAMS, endpoint, send};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;

#[test]
fn clients_come_and_go_and_each_line_has_its_speaker() {
    for kind in [&STREAMS[..], &DATAGRAMS].concat() {
        let place = Place::bare();
        let mut listener = Listener::new(&place, &endpoint(&place, kind), &["--keep", "--reply", "OK"]);
        for word in ["one", "two", "three"] {
            assert_eq!(send(&place, &listener.at, &[word]).ok(), "OK\n", "{kind}");
            let shown = listener.program.next(word);
            assert!(shown.contains(':') && shown.ends_with(&format!(": {word}")), "{shown}");
        }
        listener.interrupt();
    }
}

#[test]
fn a_line_is_shown_whole_however_its_parts_arrive() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--keep"]);
    let at = (place.host, listener.port().parse().unwrap());
    let [mut one, mut other] = [TcpStream::connect(at).unwrap(), TcpStream::connect(at).unwrap()];
    one.write_all(b"LED").unwrap();
    other.write_all(b"other\n").unwrap();
    listener.program.next(": other");
    one.write_all(b" ON\nlast").unwrap();
    listener.program.next(": LED ON");
    drop(one);
    listener.program.next(": last");
    listener.program.log.wait_for("has left", 1);
    listener.interrupt();
}

#[test]
fn one_who_floods_and_reads_nothing_holds_up_nobody_else() {
    let place = Place::bare();
    let reply = "x".repeat(1000);
    let mut listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--keep", "--reply", &reply]);
    let at = (place.host, listener.port().parse().unwrap());
    let mut flood = TcpStream::connect(at).unwrap();
    flood.set_nonblocking(true).unwrap();
    let mut len = 0;
    // Until it is not read any more: its answers wait.
    until("the flood is stemmed", || match flood.write(&[b'\n'; 64 << 10]) {
        Ok(written) => {
            len += written;
            false
        }
        Err(error) => error.kind() == ErrorKind::WouldBlock && len > 0,
    });
    let mut other = TcpStream::connect(at).unwrap();
    other.write_all(b"and me\n").unwrap();
    let mut answer = String::new();
    BufReader::new(other).read_line(&mut answer).unwrap();
    assert_eq!(answer.trim_end(), reply);
    assert!(super::common::vitals::memory_bytes(listener.program.pid()) < 64 << 20);
    listener.interrupt();
}

#[test]
fn the_silent_are_parted_from_and_the_others_are_not() {
    let place = Place::bare();
    // sleep is the thing under test: the listener's patience, over which the silent one is let go.
    let mut listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--keep", "--timeout", "200ms"]);
    // On a machine so slow that it does not even come, it is the same.
    let silent = TcpStream::connect((place.host, listener.port().parse().unwrap()));
    listener.program.next("timed out");
    drop(silent);
    // Then nobody comes, and nobody has said anything.
    assert_eq!(listener.program.wait().code(), Some(1), "{}", listener.program.log.text());
}

#[test]
fn no_more_are_taken_in_than_the_bound_until_somebody_leaves() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "tcp"), &["--keep"]);
    let at = (place.host, listener.port().parse().unwrap());
    let mut clients: Vec<TcpStream> = (0..257).map(|_| TcpStream::connect(at).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"here\n").unwrap();
    }
    listener.program.log.wait_for(": here", 256);
    listener.program.log.wait_for("256 are here, and no more are taken in before one has left", 1);
    drop(clients.remove(0));
    listener.program.log.wait_for(": here", 257);
    listener.interrupt();
}

#[test]
fn strangers_are_told_of_and_no_more_often_than_the_bound() {
    let place = Place::bare();
    let mut listener = Listener::new(&place, &endpoint(&place, "udp"), &[]);
    let at = (place.host, listener.port().parse::<u16>().unwrap());
    let [first, stranger] = [UdpSocket::bind((place.host, 0)).unwrap(), UdpSocket::bind((place.host, 0)).unwrap()];
    first.send_to(b"first", at).unwrap();
    (0..20).for_each(|_| assert_eq!(stranger.send_to(b"strange", at).unwrap(), 7));
    first.send_to(b"last", at).unwrap();
    listener.program.log.wait_for("last", 1);
    listener.program.log.wait_for("not heard, since another came first", 10);
    assert_eq!(listener.program.log.count("strange"), 0);
    listener.interrupt();
}

#[test]
fn an_answer_that_cannot_be_sent_is_told_with_whom_it_was_for() {
    let place = Place::bare();
    let listener = Listener::new(&place, &endpoint(&place, "unixgram"), &["--keep", "--reply", "OK"]);
    let (path, other) = (place.dir.join("client"), place.dir.join("other"));
    let (client, _other) = (UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind(&other).unwrap());
    // It hears the other alone.
    client.connect(&other).unwrap();
    client.send_to(b"LED\n", listener.at.strip_prefix("unixgram://").unwrap()).unwrap();
    let told = listener.program.next("operation not permitted");
    assert!(told.contains(&format!("send unixgram://{}: ", path.display())), "{told}");
}
