//! What every kind of datagram does alike.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use soquete::{Cause, DATAGRAM_MAX_BYTES, Datagram, DatagramOptions, Peer};

use crate::place::{Place, connect};

/// Makes a test of each function for each kind of endpoint.
macro_rules! conformance {
    ($tests:tt; $($kind:ident),+) => { $( conformance!(@ $kind $tests); )+ };
    (@ $kind:ident { $($test:ident),+ $(,)? }) => {
        mod $kind {
            $( #[test] fn $test() { super::$test(&crate::place::Place::$kind()); } )+
        }
    };
}

conformance! {
    {
        each_arrives_whole_with_its_sender_who_can_be_answered,
        many_arrive_and_over_unix_in_order,
        one_longer_than_the_buffer_is_an_error_and_the_next_is_whole,
        the_longest_arrives_and_one_octet_more_is_refused,
        a_peek_leaves_it_to_the_next_receive,
        a_receive_waits_no_longer_than_its_timeout,
        a_shutdown_wakes_a_receive_that_blocks,
        after_the_end_of_one_direction_the_other_goes_on,
        one_without_an_octet_is_not_the_end,
        a_receiver_says_where_it_receives_and_its_address_is_free_again_afterwards,
        a_socket_survives_as_a_bare_descriptor,
        segments_arrive_as_datagrams,
    };
    udp_v4, udp_v6, multicast, unixgram_path, unixgram_abstract
}

fn each_arrives_whole_with_its_sender_who_can_be_answered(place: &Place) {
    let (board, one) = place.pair();
    let other = connect(board.local());
    for (button, text) in [(&one, "LED ON"), (&other, ""), (&one, "LED OFF")] {
        button.send(text.as_bytes()).unwrap();
        let mut buf = [0; 64];
        let arrival = board.receive_from(&mut buf).unwrap();
        assert_eq!(&buf[..arrival.len_bytes], text.as_bytes());
        // Aimed at a group, it hears whoever answers, so it has no address of its own but a port.
        let port = |endpoint: &soquete::Endpoint| endpoint.host().map(|(_, port)| port);
        let (from, local) = (arrival.from.endpoint().unwrap(), button.local());
        assert!(from == *local || place.endpoint.is_multicast() && port(&from) == port(local), "{from} {local}");
        match arrival.peer {
            Peer::Udp(address) => assert_eq!(Some(address), from.socket_addr()),
            Peer::Unix { pid, .. } => assert_eq!(pid, std::process::id()),
            peer => panic!("{peer}"),
        }
        board.send_to(format!("OK {text}").as_bytes(), &arrival.from).unwrap();
        let len = button.receive(&mut buf).unwrap();
        assert_eq!(&buf[..len], format!("OK {text}").as_bytes());
    }
}

fn many_arrive_and_over_unix_in_order(place: &Place) {
    let (board, button) = place.pair();
    let sent: Vec<u8> = (0..100).collect();
    let received: Vec<u8> = thread::scope(|scope| {
        // The queue of a Unix socket holds ten or so; then its sender waits.
        scope.spawn(|| sent.iter().for_each(|number| button.send(&[*number]).unwrap()));
        let mut buf = [0; 8];
        sent.iter().map(|_| board.receive(&mut buf).map(|_| buf[0]).unwrap()).collect()
    });
    if place.is_unix() {
        assert_eq!(received, sent);
    } else {
        assert_eq!(BTreeSet::from_iter(received), BTreeSet::from_iter(sent));
    }
}

fn one_longer_than_the_buffer_is_an_error_and_the_next_is_whole(place: &Place) {
    let (board, button) = place.pair();
    button.send(b"LED ON").unwrap();
    button.send(b"LED").unwrap();
    let mut buf = [0; 3];
    assert_eq!(board.peek_from(&mut buf).unwrap_err().raw_os_error(), Some(90), "EMSGSIZE");
    assert_eq!(board.receive_from(&mut buf).unwrap_err().raw_os_error(), Some(90));
    assert_eq!(board.receive(&mut buf).unwrap(), 3);
}

fn the_longest_arrives_and_one_octet_more_is_refused(place: &Place) {
    let (board, button) = place.pair();
    assert_eq!(button.max_bytes(), DATAGRAM_MAX_BYTES);
    let mut longest = vec![7; DATAGRAM_MAX_BYTES];
    button.send(&longest).unwrap();
    let mut buf = vec![0; DATAGRAM_MAX_BYTES];
    assert_eq!(board.receive(&mut buf).unwrap(), DATAGRAM_MAX_BYTES);
    assert!(buf == longest);
    longest.push(7);
    assert_eq!(button.send(&longest).unwrap_err().raw_os_error(), Some(90));
}

fn a_peek_leaves_it_to_the_next_receive(place: &Place) {
    let (board, button) = place.pair();
    button.send(b"LED").unwrap();
    let mut buf = [0; 8];
    let peeked = [(); 2].map(|()| board.peek_from(&mut buf).unwrap());
    assert_eq!(peeked, [(); 2].map(|()| peeked[0].clone()));
    assert_eq!(board.receive_from(&mut buf).unwrap(), peeked[0]);
    assert_eq!(&buf[..3], b"LED");
}

fn a_receive_waits_no_longer_than_its_timeout(place: &Place) {
    let board = place.bind();
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));
    board.set_receive_timeout(Some(timeout)).unwrap();
    let error = board.receive(&mut [0; 8]).unwrap_err();
    assert!(begun.elapsed() >= timeout);
    assert!(matches!(Cause::from(error), Cause::Timeout));
    board.set_nonblocking(true).unwrap();
    assert_eq!(board.receive_from(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn a_shutdown_wakes_a_receive_that_blocks(place: &Place) {
    let (board, button) = place.pair();
    for socket in [board, button] {
        thread::scope(|scope| {
            let receiver = scope.spawn(|| socket.receive_from(&mut [0; 8]).unwrap_err());
            socket.shutdown(Shutdown::Both).unwrap();
            assert_eq!(Cause::from(receiver.join().unwrap()).to_string(), "shut down by this program");
        });
        assert!(socket.receive(&mut [0; 8]).is_err());
    }
}

fn after_the_end_of_one_direction_the_other_goes_on(place: &Place) {
    let (board, button) = place.pair();
    button.send(b"LED ON").unwrap();
    button.shutdown(Shutdown::Write).unwrap();
    assert_eq!(button.send(b"LED OFF").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut buf = [0; 8];
    let arrival = board.receive_from(&mut buf).unwrap();
    // What the peer has ended is not seen here, and it still receives.
    board.send_to(b"OK", &arrival.from).unwrap();
    assert_eq!(button.receive(&mut buf).unwrap(), 2);
    board.shutdown(Shutdown::Read).unwrap();
    board.send_to(b"OK", &arrival.from).unwrap();
    assert_eq!(button.receive(&mut buf).unwrap(), 2);
}

fn one_without_an_octet_is_not_the_end(place: &Place) {
    let (board, button) = place.pair();
    button.send(b"").unwrap();
    assert_eq!(board.receive(&mut [0; 8]).unwrap(), 0);
    button.send(b"LED").unwrap();
    assert_eq!(board.receive(&mut [0; 8]).unwrap(), 3);
}

fn a_receiver_says_where_it_receives_and_its_address_is_free_again_afterwards(place: &Place) {
    let board = place.bind();
    let local = board.local().clone();
    assert!(local.socket_addr().is_none_or(|address| address.port() != 0));
    let other = Datagram::bind(&local, &DatagramOptions::default());
    if place.endpoint.is_multicast() {
        // A group has many.
        other.unwrap();
    } else {
        let error = other.unwrap_err();
        assert!(error.is_in_use());
        assert_eq!(error.to_string(), format!("bind {local}: address in use"));
        let act = if place.is_unix() { "`ss -lxp` names it" } else { "`ss -lunp` names it" };
        assert!(error.act().unwrap().ends_with(act));
    }
    drop(board);
    Datagram::bind(&local, &DatagramOptions::default()).unwrap();
}

fn a_socket_survives_as_a_bare_descriptor(place: &Place) {
    let (board, button) = place.pair();
    let local = board.local().clone();
    let board = Datagram::from_fd(OwnedFd::from(board)).unwrap();
    assert_eq!(board.local().to_string(), local.to_string().split('?').next().unwrap());
    button.send(b"LED").unwrap();
    let arrival = board.receive_from(&mut [0; 8]).unwrap();
    assert_eq!(arrival.len_bytes, 3);
    assert_ne!(arrival.peer, Peer::Outside);
    board.send_to(b"OK", &arrival.from).unwrap();
    assert_eq!(button.receive(&mut [0; 8]).unwrap(), 2);
}

fn segments_arrive_as_datagrams(place: &Place) {
    let (board, button) = place.pair();
    // Two system calls' worth, and a shorter one at the end.
    let octets: Vec<u8> = (0..70u8).flat_map(|number| [number; 10]).chain([70; 3]).collect();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(button.send_segments(&octets, 10).unwrap(), octets.len()));
        let mut received = BTreeSet::new();
        let mut buf = [0; 64];
        for _ in 0..=70 {
            let len = board.receive(&mut buf).unwrap();
            assert!(buf[..len].iter().all(|octet| *octet == buf[0]));
            assert_eq!(len, if buf[0] == 70 { 3 } else { 10 });
            received.insert(buf[0]);
        }
        assert!(received.into_iter().eq(0..=70));
    });
}
