//! What every kind of endpoint does alike.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use soquete::{Cause, Closed, Endpoint, ListenOptions, Listener, Peer, Stream};

use crate::place::Place;

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
        octets_arrive_in_order_both_ways,
        after_the_end_of_one_direction_the_other_goes_on,
        a_mebibyte_goes_each_way_at_once,
        a_read_waits_no_longer_than_its_timeout,
        a_write_waits_no_longer_than_its_timeout,
        a_peek_leaves_the_octets_to_the_next_read,
        a_shutdown_wakes_a_read_that_blocks,
        a_write_to_a_peer_that_is_gone_is_an_error_and_no_signal,
        an_address_is_taken_once_and_free_again_afterwards,
        a_listener_says_where_it_listens_and_who_came,
        a_listener_that_does_not_block_becomes_readable,
        a_connect_in_the_background_is_finished,
        a_connect_bounded_in_time_leaves_no_timeout_behind,
        a_stream_survives_as_a_bare_descriptor,
        an_aborted_stream_is_closed,
        a_number_of_octets_is_received_exactly_or_it_is_an_error,
        a_send_into_a_full_buffer_waits_and_goes_on_or_says_that_it_would,
        after_the_end_of_reading_the_other_direction_goes_on,
        a_close_that_waits_says_that_all_is_sent,
        a_shutdown_wakes_an_accept_that_blocks,
    };
    tcp_v4, tcp_v6, unix_path, unix_abstract, seqpacket_path, seqpacket_abstract, mem
}

/// Octets of one write: seqpacket takes no more than about 208 KiB as one packet.
const PIECE_BYTES: usize = 16 << 10;

/// Writes in pieces that fit a packet.
fn write_pieces(mut stream: &Stream, octets: &[u8]) -> std::io::Result<()> {
    octets.chunks(PIECE_BYTES).try_for_each(|piece| stream.write_all(piece))
}

/// Reads until the end, each time as much as a packet may have.
fn read_pieces(mut stream: &Stream) -> Vec<u8> {
    let (mut received, mut buf) = (Vec::new(), vec![0; PIECE_BYTES]);
    loop {
        match stream.read(&mut buf).unwrap() {
            0 => return received,
            len => received.extend(&buf[..len]),
        }
    }
}

fn octets_arrive_in_order_both_ways(place: &Place) {
    let (mut client, mut server) = place.pair();
    for round in 0..100u8 {
        client.write_all(&[round, b'>']).unwrap();
        server.write_all(&[b'<', round]).unwrap();
    }
    for round in 0..100u8 {
        let mut buf = [0; 2];
        server.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [round, b'>']);
        client.read_exact(&mut buf).unwrap();
        assert_eq!(buf, [b'<', round]);
    }
}

fn after_the_end_of_one_direction_the_other_goes_on(place: &Place) {
    let (mut client, mut server) = place.pair();
    client.write_all(b"LED ON").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    server.read_to_string(&mut text).unwrap();
    assert_eq!(text, "LED ON");
    server.write_all(b"OK").unwrap();
    drop(server);
    text.clear();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "OK");
}

fn a_mebibyte_goes_each_way_at_once(place: &Place) {
    let (client, server) = place.pair();
    let sent: Vec<u8> = (0..1 << 20).map(|place: u32| place.to_le_bytes()[place as usize % 3]).collect();
    let send = |stream: &Stream| {
        write_pieces(stream, &sent).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
    };
    let receive = |stream: &Stream| assert!(read_pieces(stream) == sent);
    thread::scope(|scope| {
        for stream in [&client, &server] {
            scope.spawn(move || send(stream));
            scope.spawn(move || receive(stream));
        }
    });
}

fn a_read_waits_no_longer_than_its_timeout(place: &Place) {
    let (mut client, _server) = place.pair();
    let timeout = Duration::from_millis(20);
    client.set_receive_timeout(Some(timeout)).unwrap();
    let start = Instant::now();
    let error = client.read(&mut [0]).unwrap_err();
    assert!(start.elapsed() >= timeout);
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(matches!(Cause::from(error), Cause::Timeout));
}

fn a_write_waits_no_longer_than_its_timeout(place: &Place) {
    let (client, _server) = place.pair();
    client.set_send_timeout(Some(Duration::from_millis(20))).unwrap();
    // No kernel buffers 64 MiB for a peer that does not read.
    let error = write_pieces(&client, &vec![0; 64 << 20]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

fn a_peek_leaves_the_octets_to_the_next_read(place: &Place) {
    let (mut client, mut server) = place.pair();
    client.write_all(b"LED").unwrap();
    for _ in 0..2 {
        let mut first = [0; 8];
        assert_eq!(server.peek(&mut first).unwrap(), 3);
        assert_eq!(&first[..3], b"LED");
    }
    let mut all = [0; 3];
    server.read_exact(&mut all).unwrap();
    assert_eq!(&all, b"LED");
}

fn a_shutdown_wakes_a_read_that_blocks(place: &Place) {
    let (client, _server) = place.pair();
    thread::scope(|scope| {
        let reader = scope.spawn(|| (&client).read(&mut [0]).unwrap());
        client.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

fn a_write_to_a_peer_that_is_gone_is_an_error_and_no_signal(place: &Place) {
    let (mut client, server) = place.pair();
    drop(server);
    // Over TCP the first writes may leave before the peer's reset arrives.
    let error = (0..1_000_000).find_map(|_| client.write(b"x").err()).unwrap();
    assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
}

fn an_address_is_taken_once_and_free_again_afterwards(place: &Place) {
    let listener = place.listen();
    let error = Listener::bind(listener.local(), &ListenOptions::default()).unwrap_err();
    assert!(error.is_in_use());
    assert_eq!(error.to_string(), format!("bind {}: address in use", listener.local()));
    let local = listener.local().clone();
    drop(listener);
    Listener::bind(&local, &ListenOptions::default()).unwrap();
}

fn a_listener_says_where_it_listens_and_who_came(place: &Place) {
    let listener = place.listen();
    let client = Stream::connect(listener.local()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(server.peer().unwrap(), peer);
    assert!(peer.is_local());
    let here = std::process::id();
    match (listener.local(), client.peer().unwrap()) {
        (local @ Endpoint::Tcp { port, .. }, there @ Peer::Tcp(_)) => {
            assert_ne!(*port, 0);
            assert_eq!(there.to_string(), local.to_string());
        }
        (Endpoint::Unix(_) | Endpoint::Seqpacket(_), Peer::Unix { pid, .. }) => {
            assert_eq!(pid, here);
            assert!(peer.to_string().starts_with(&format!("unix: pid {here} uid ")));
            assert_eq!(listener.local(), &place.endpoint);
        }
        (local, Peer::Mem) => assert_eq!(local, &place.endpoint),
        (local, there) => panic!("{local} and {there}"),
    }
}

fn a_listener_that_does_not_block_becomes_readable(place: &Place) {
    let options = ListenOptions { nonblocking: true, ..ListenOptions::default() };
    let listener = Listener::bind(&place.endpoint, &options).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let _client = Stream::connect(listener.local()).unwrap();
    await_ready(&listener, PollFlags::IN);
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn a_connect_in_the_background_is_finished(place: &Place) {
    let listener = place.listen();
    let mut client = Stream::connect_start(listener.local()).unwrap();
    await_ready(&client, PollFlags::OUT);
    client.finish_connect().unwrap();
    assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

fn a_connect_bounded_in_time_leaves_no_timeout_behind(place: &Place) {
    let listener = place.listen();
    for timeout in [Duration::from_secs(10), Duration::MAX] {
        let client = Stream::connect_timeout(listener.local(), timeout).unwrap();
        let left = rustix::net::sockopt::socket_timeout(&client, rustix::net::sockopt::Timeout::Send);
        assert_eq!(left.unwrap(), None);
    }
}

fn a_stream_survives_as_a_bare_descriptor(place: &Place) {
    let (mut client, server) = place.pair();
    let mut server = Stream::from(OwnedFd::from(server));
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
}

fn an_aborted_stream_is_closed(place: &Place) {
    let (mut client, server) = place.pair();
    server.abort();
    match client.read(&mut [0]) {
        Ok(len) => assert_eq!(len, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

fn a_number_of_octets_is_received_exactly_or_it_is_an_error(place: &Place) {
    let (mut client, server) = place.pair();
    let mut buf = [0; 6];
    thread::scope(|scope| {
        let receiver = scope.spawn(|| server.receive_exact(&mut buf).map(|()| buf));
        for piece in [b"LE", b"D ", b"ON"] {
            client.write_all(piece).unwrap();
        }
        assert_eq!(&receiver.join().unwrap().unwrap(), b"LED ON");
    });
    server.set_receive_timeout(Some(Duration::from_millis(20))).unwrap();
    client.write_all(b"LED").unwrap();
    assert_eq!(server.receive_exact(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.write_all(b"LED").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let early = server.receive_exact(&mut buf).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::UnexpectedEof);
    assert!(matches!(Cause::from(early), Cause::Closed));
    server.receive_exact(&mut []).unwrap();
}

fn a_send_into_a_full_buffer_waits_and_goes_on_or_says_that_it_would(place: &Place) {
    let (mut client, server) = place.pair();
    client.set_nonblocking(true).unwrap();
    let mut sent = 0;
    let full = loop {
        match client.write(&[b'x'; PIECE_BYTES]) {
            Ok(len) => sent += len,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            write_pieces(&client, &[b'y'; 4 * PIECE_BYTES]).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let received = read_pieces(&server);
        assert_eq!(received.len(), sent + 4 * PIECE_BYTES);
        assert!(
            received[..sent].iter().all(|octet| *octet == b'x') && received[sent..].iter().all(|octet| *octet == b'y')
        );
    });
}

fn after_the_end_of_reading_the_other_direction_goes_on(place: &Place) {
    let (mut client, mut server) = place.pair();
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 0);
    client.write_all(b"LED ON").unwrap();
    let mut buf = [0; 6];
    server.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"LED ON");
}

fn a_close_that_waits_says_that_all_is_sent(place: &Place) {
    let (mut client, server) = place.pair();
    client.write_all(b"LED ON").unwrap();
    assert_eq!(client.close_within(Duration::from_secs(60)).unwrap(), Closed::Sent);
    assert_eq!(read_pieces(&server), b"LED ON");
}

fn a_shutdown_wakes_an_accept_that_blocks(place: &Place) {
    let listener = place.listen();
    thread::scope(|scope| {
        let acceptor = scope.spawn(|| listener.accept().unwrap_err());
        listener.shutdown().unwrap();
        assert_eq!(Cause::from(acceptor.join().unwrap()).to_string(), "shut down by this program");
    });
    assert!(listener.accept().is_err());
    assert!(Stream::connect(listener.local()).unwrap_err().is_refused());
}

fn await_ready(descriptor: &impl AsFd, flags: PollFlags) {
    let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
    assert_eq!(poll(&mut [PollFd::new(descriptor, flags)], Some(&patience)).unwrap(), 1);
}
