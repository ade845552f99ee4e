//! Sockets of datagrams: who sent it, how long it was, and what is refused.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

use std::io::ErrorKind;
use std::time::Duration;

use soquete::{Address, Datagram, DatagramOptions, Endpoint, Peer};

fn bind(endpoint: &str) -> Datagram {
    let options = DatagramOptions::default();
    let socket = Datagram::bind(&endpoint.parse().unwrap(), &options).unwrap();
    socket.set_receive_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn connect(endpoint: &Endpoint) -> Datagram {
    let socket = Datagram::connect(endpoint, &DatagramOptions::default()).unwrap();
    socket.set_receive_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn path(name: &str) -> String {
    std::env::temp_dir().join(format!("soquete-{}-{name}.sock", std::process::id())).display().to_string()
}

/// A place of each kind.
fn places(name: &str) -> [String; 4] {
    let (path, pid) = (path(name), std::process::id());
    let (path, hidden) = (format!("unixgram://{path}"), format!("unixgram:@soquete-{pid}-{name}"));
    ["udp://127.0.0.1:0".into(), "udp://[::1]:0".into(), path, hidden]
}

#[test]
fn each_datagram_arrives_whole_with_its_sender_who_can_be_answered() {
    for place in places("answer") {
        let board = bind(&place);
        let (one, other) = (connect(board.local()), connect(board.local()));
        for (button, text) in [(&one, "LED ON"), (&other, ""), (&one, "LED OFF")] {
            button.send(text.as_bytes()).unwrap();
            let mut buf = [0; 64];
            let peeked = board.peek_from(&mut buf).unwrap();
            let arrival = board.receive_from(&mut buf).unwrap();
            assert_eq!(&buf[..arrival.len_bytes], text.as_bytes(), "{place}");
            assert_eq!(peeked, arrival);
            assert_eq!(arrival.from.endpoint().as_ref(), Some(button.local()), "{place}");
            match arrival.peer {
                Peer::Udp(address) => assert_eq!(Some(address), button.local().socket_addr()),
                Peer::Unix { pid, .. } => assert_eq!(pid, std::process::id()),
                peer => panic!("{peer}"),
            }
            board.send_to(format!("OK {text}").as_bytes(), &arrival.from).unwrap();
            let len = button.receive(&mut buf).unwrap();
            assert_eq!(&buf[..len], format!("OK {text}").as_bytes());
        }
    }
}

#[test]
fn one_that_is_longer_than_the_buffer_is_an_error_and_the_next_is_whole() {
    for place in places("long") {
        let board = bind(&place);
        let button = connect(board.local());
        button.send(b"LED ON").unwrap();
        button.send(b"LED").unwrap();
        let mut buf = [0; 3];
        assert_eq!(board.peek_from(&mut buf).unwrap_err().raw_os_error(), Some(90), "EMSGSIZE over {place}");
        assert_eq!(board.receive_from(&mut buf).unwrap_err().raw_os_error(), Some(90));
        assert_eq!(board.receive(&mut buf).unwrap(), 3);
        let too_long = vec![0; soquete::DATAGRAM_MAX_BYTES + 1];
        assert_eq!(button.send(&too_long).unwrap_err().raw_os_error(), Some(90));
    }
}

#[test]
fn the_path_of_a_client_goes_with_it() {
    let board = bind(&format!("unixgram://{}", path("client")));
    let button = connect(board.local());
    let Some(soquete::UnixName::Path(path)) = button.local().unix_name().cloned() else { panic!("a path") };
    assert!(path.exists());
    drop(button);
    assert!(!path.exists());
}

#[test]
fn a_receive_waits_no_longer_than_its_timeout() {
    for place in places("timeout") {
        let board = bind(&place);
        board.set_receive_timeout(Some(Duration::from_millis(10))).unwrap();
        assert_eq!(board.receive(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock, "{place}");
        board.set_nonblocking(true).unwrap();
        assert_eq!(board.receive_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock, "{place}");
    }
}

#[test]
fn a_group_is_told_once_and_each_of_it_hears() {
    let group: Endpoint = "udp://239.255.83.79:0?interface=lo&ttl=0".parse().unwrap();
    let one = Datagram::bind(&group, &DatagramOptions::default()).unwrap();
    let other = Datagram::bind(one.local(), &DatagramOptions::default()).unwrap();
    assert!(one.local().is_multicast());
    let button = connect(one.local());
    button.send(b"LED ON").unwrap();
    for board in [one, other] {
        board.set_receive_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut buf = [0; 64];
        let arrival = board.receive_from(&mut buf).unwrap();
        assert_eq!(&buf[..arrival.len_bytes], b"LED ON");
        // It answers from an address of its own, which is heard all the same.
        board.send_to(b"OK LED ON", &arrival.from).unwrap();
        assert_eq!(button.receive(&mut buf).unwrap(), 9);
    }
}

#[test]
fn what_is_no_endpoint_of_datagrams_is_refused_with_what_to_use() {
    let options = DatagramOptions::default();
    let tcp = "tcp://127.0.0.1:1".parse().unwrap();
    let mistake = Datagram::bind(&tcp, &options).unwrap_err().to_string();
    assert_eq!(mistake, "bind tcp://127.0.0.1:1: only udp: and unixgram: carry datagrams");
    assert!(Datagram::connect(&tcp, &options).is_err());
    let udp: Endpoint = "udp://127.0.0.1:1".parse().unwrap();
    let mistake = soquete::Stream::connect(&udp).unwrap_err().to_string();
    assert_eq!(mistake, "connect udp://127.0.0.1:1: datagrams have no connections: open a Datagram there");
    assert!(Address::of(&tcp).is_err());
}
