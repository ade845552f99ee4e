//! What some kinds have and others have not: packets, and three ways to close.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use soquete::{Cause, Closed, Error, Operation, Stream};

use crate::place::Place;

#[test]
fn a_packet_is_read_whole_and_alone() {
    let (mut client, mut server) = Place::seqpacket_path().pair();
    assert!(client.keeps_packets() && server.keeps_packets());
    for packet in [&b"LED ON"[..], b"LED"] {
        client.write_all(packet).unwrap();
    }
    // None is sent: it would be read as the end.
    assert_eq!(client.write(b"").unwrap(), 0);
    assert_eq!(client.write_vectored(&[]).unwrap(), 0);
    client.write_all(b"!").unwrap();
    let mut buf = [0; 64];
    let lens = [(); 3].map(|()| server.read(&mut buf).unwrap());
    assert_eq!(lens, [6, 3, 1]);
}

#[test]
fn a_packet_longer_than_the_buffer_is_an_error_and_the_next_is_whole() {
    let (mut client, mut server) = Place::seqpacket_abstract().pair();
    client.write_all(b"LED ON").unwrap();
    client.write_all(b"LED").unwrap();
    let mut buf = [0; 3];
    for error in [server.peek(&mut buf).unwrap_err(), server.read(&mut buf).unwrap_err()] {
        let error = Error::new(Operation::Receive, "seqpacket:@led", error);
        assert_eq!(error.to_string(), "receive seqpacket:@led: message too long");
        assert_eq!(error.act(), Some("receive into a larger buffer"));
    }
    assert_eq!(server.read(&mut buf).unwrap(), 3);
    client.write_all(b"LED ON").unwrap();
    assert!(server.receive_exact(&mut buf).is_err());
}

#[test]
fn the_longest_packet_arrives_and_one_octet_more_is_told_with_the_limit() {
    let place = Place::seqpacket_path();
    let (mut client, mut server) = place.pair();
    let max_bytes = client.packet_max_bytes().unwrap();
    assert_eq!(client.write(&vec![7; max_bytes]).unwrap(), max_bytes);
    assert_eq!(server.read(&mut vec![0; max_bytes]).unwrap(), max_bytes);
    let error = client.write(&vec![7; max_bytes + 1]).unwrap_err();
    let error = Error::of_send(&place.endpoint, max_bytes + 1, max_bytes, error);
    let octets = format!("message of {} octets, at most {max_bytes} allowed", max_bytes + 1);
    assert_eq!(error.to_string(), format!("send {}: {octets}", place.endpoint));
    assert!(matches!(error.cause(), Cause::Oversize { .. }));
    assert!(error.act().unwrap().starts_with("send it in parts"));
    assert_eq!(Place::tcp_v4().pair().0.packet_max_bytes(), None);
}

/// Fills the buffers of a connection; returns how many octets they hold.
fn fill(mut stream: &Stream) -> usize {
    stream.set_nonblocking(true).unwrap();
    let mut sent = 0;
    loop {
        match stream.write(&[b'x'; 16 << 10]) {
            Ok(len) => sent += len,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break sent;
            }
        }
    }
}

#[test]
fn a_close_at_once_loses_nothing_that_was_written() {
    let (client, mut server) = Place::tcp_v4().pair();
    let sent = fill(&client);
    drop(client);
    assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), sent);
}

#[test]
fn a_close_after_a_shutdown_loses_nothing_either() {
    let (client, mut server) = Place::tcp_v4().pair();
    let sent = fill(&client);
    client.shutdown(Shutdown::Both).unwrap();
    drop(client);
    assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), sent);
}

#[test]
fn a_close_that_waits_says_when_its_time_is_over_and_the_kernel_goes_on() {
    let (client, mut server) = Place::tcp_v4().pair();
    let sent = fill(&client);
    assert_eq!(client.close_within(Duration::from_secs(1)).unwrap(), Closed::TimeOver);
    assert_eq!(server.read_to_end(&mut Vec::new()).unwrap(), sent);
    let (client, _server) = Place::tcp_v4().pair();
    assert_eq!(client.close_within(Duration::ZERO).unwrap(), Closed::TimeOver);
}

#[test]
fn a_close_that_waits_tells_of_a_connection_that_was_broken_before() {
    let (client, server) = Place::tcp_v4().pair();
    server.abort();
    assert!(client.await_urgent(Some(Duration::from_secs(10))).is_ok());
    assert_eq!(client.close_within(Duration::from_secs(10)).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_throws_away_what_was_not_sent() {
    let (client, mut server) = Place::tcp_v4().pair();
    fill(&client);
    client.abort();
    let error = server.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn after_the_end_of_reading_the_peer_is_told_over_unix_and_not_over_tcp() {
    for place in [Place::unix_path(), Place::seqpacket_path(), Place::mem()] {
        let (client, mut server) = place.pair();
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(server.write(b"LED").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
    let (client, mut server) = Place::tcp_v4().pair();
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!((&client).read(&mut [0; 8]).unwrap(), 0);
    server.write_all(b"LED").unwrap();
    // Before the octets are there, a read gives the end.
    assert!((0..1_000_000).any(|_| (&client).read(&mut [0; 8]).unwrap() == 3));
}
