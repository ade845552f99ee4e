//! Urgent data of TCP.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::place::Place;

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

#[test]
fn an_urgent_octet_is_told_before_what_lies_before_it_is_read() {
    for place in [Place::tcp_v4(), Place::tcp_v6()] {
        let (mut client, mut server) = place.pair();
        assert!(!server.await_urgent(Some(Duration::ZERO)).unwrap());
        client.write_all(b"before").unwrap();
        client.send_urgent(b'!').unwrap();
        client.write_all(b"behind").unwrap();
        assert!(server.await_urgent(PATIENCE).unwrap());
        assert!(!server.is_at_mark().unwrap());
        let mut buf = [0; 64];
        // A read ends at the mark.
        assert_eq!(server.read(&mut buf).unwrap(), 6);
        assert_eq!(&buf[..6], b"before");
        assert!(server.is_at_mark().unwrap());
        assert_eq!(server.receive_urgent().unwrap(), Some(b'!'));
        assert_eq!(server.receive_urgent().unwrap(), None);
        assert!(!server.await_urgent(Some(Duration::ZERO)).unwrap());
        server.receive_exact(&mut buf[..6]).unwrap();
        assert_eq!(&buf[..6], b"behind");
    }
}

#[test]
fn an_urgent_octet_can_be_taken_before_all_others() {
    let (mut client, mut server) = Place::tcp_v4().pair();
    client.write_all(b"before").unwrap();
    client.send_urgent(b'!').unwrap();
    assert!(server.await_urgent(PATIENCE).unwrap());
    assert_eq!(server.receive_urgent().unwrap(), Some(b'!'));
    let mut buf = [0; 64];
    assert_eq!(server.read(&mut buf).unwrap(), 6);
}

#[test]
fn a_bell_is_readable_while_an_urgent_octet_is_there_and_not_for_other_octets() {
    let (mut client, server) = Place::tcp_v4().pair();
    let bell = server.urgent_bell().unwrap();
    let rings = |patience: Duration| {
        let patience = Timespec::try_from(patience).unwrap();
        poll(&mut [PollFd::new(&bell, PollFlags::IN)], Some(&patience)).unwrap() == 1
    };
    client.write_all(b"not urgent").unwrap();
    server.receive_exact(&mut [0; 10]).unwrap();
    assert!(!rings(Duration::ZERO));
    client.send_urgent(b'!').unwrap();
    assert!(rings(PATIENCE.unwrap()) && rings(Duration::ZERO));
    assert_eq!(server.receive_urgent().unwrap(), Some(b'!'));
    assert!(!rings(Duration::ZERO));
    drop(server);
    assert!(!rings(Duration::ZERO));
}

#[test]
fn in_line_it_is_the_octet_at_the_mark() {
    let (mut client, mut server) = Place::tcp_v4().pair();
    server.set_urgent_inline(true).unwrap();
    client.write_all(b"before").unwrap();
    client.send_urgent(b'!').unwrap();
    assert!(server.await_urgent(PATIENCE).unwrap());
    assert!(!server.is_at_mark().unwrap());
    assert_eq!(server.receive_urgent().unwrap(), None);
    let mut buf = [0; 64];
    assert_eq!(server.read(&mut buf).unwrap(), 6);
    assert!(server.is_at_mark().unwrap());
    assert_eq!(server.read(&mut buf).unwrap(), 1);
    assert_eq!(buf[0], b'!');
    assert!(!server.is_at_mark().unwrap());
}

#[test]
fn who_waits_for_an_urgent_octet_hears_of_the_end_and_of_the_time() {
    let (mut client, server) = Place::tcp_v4().pair();
    let (begun, timeout) = (Instant::now(), Duration::from_millis(20));
    assert!(!server.await_urgent(Some(timeout)).unwrap());
    assert!(begun.elapsed() >= timeout);
    client.write_all(b"not urgent").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert!(!server.await_urgent(None).unwrap());
}

#[test]
fn packets_have_nothing_urgent() {
    let (client, server) = Place::seqpacket_path().pair();
    assert_eq!(client.send_urgent(b'!').unwrap_err().raw_os_error(), Some(95), "EOPNOTSUPP");
    assert_eq!(server.receive_urgent().unwrap_err().raw_os_error(), Some(95));
}
