//! Open descriptors that are handed to another process.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::{FdFlags, fcntl_getfd};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use soquete::{DESCRIPTORS_MAX, Handed, Stream};

use crate::place::Place;

#[test]
fn a_descriptor_that_is_handed_over_works_at_the_other_end() {
    for place in [Place::unix_path(), Place::unix_abstract(), Place::seqpacket_path(), Place::mem()] {
        let (client, server) = place.pair();
        let (near, mut far) = Stream::pair().unwrap();
        assert_eq!(client.send_with_descriptors(b"LED", &[near.as_fd()]).unwrap(), 3);
        drop(near);
        let mut buf = [0; 64];
        let Handed { len_bytes, descriptors, is_cut } = server.receive_with_descriptors(&mut buf).unwrap();
        assert_eq!((&buf[..len_bytes], is_cut), (&b"LED"[..], false));
        let [descriptor] = <[OwnedFd; 1]>::try_from(descriptors).unwrap();
        assert!(fcntl_getfd(&descriptor).unwrap().contains(FdFlags::CLOEXEC));
        Stream::from(descriptor).write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();

        assert_eq!(client.send_with_descriptors(b"none", &[]).unwrap(), 4);
        assert_eq!(server.receive_with_descriptors(&mut buf).unwrap().descriptors.len(), 0);
        drop(client);
        assert_eq!(server.receive_with_descriptors(&mut buf).unwrap().len_bytes, 0);
    }
}

#[test]
fn descriptors_above_the_bound_are_closed_and_reported() {
    let (client, server) = Place::unix_path().pair();
    let (near, mut far) = Stream::pair().unwrap();
    let many = [near.as_fd(); DESCRIPTORS_MAX + 4];
    send_unbounded(&client, &many);
    drop(near);
    let handed = server.receive_with_descriptors(&mut [0; 8]).unwrap();
    assert!(handed.is_cut);
    assert_eq!(handed.descriptors.len(), DESCRIPTORS_MAX);
    drop(handed);
    // The end comes when nobody has it any more.
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

/// Sends what the library would not.
fn send_unbounded(stream: &Stream, descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX + 4))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    sendmsg(stream, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
}

#[test]
fn a_read_that_does_not_ask_for_descriptors_closes_them() {
    for place in [Place::unix_path(), Place::seqpacket_path()] {
        let (client, mut server) = place.pair();
        let (near, mut far) = Stream::pair().unwrap();
        client.send_with_descriptors(b"LED", &[near.as_fd()]).unwrap();
        drop(near);
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 3);
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn what_cannot_be_handed_over_is_refused() {
    let (client, _server) = Place::unix_path().pair();
    let many = [client.as_fd(); DESCRIPTORS_MAX + 1];
    let refused = client.send_with_descriptors(b"x", &many).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
    assert_eq!(refused.to_string(), "at most 16 descriptors go with one message");
    let refused = client.send_with_descriptors(b"", &many[..1]).unwrap_err();
    assert_eq!(refused.to_string(), "descriptors need at least one octet to go with");
    assert_eq!(client.send_with_descriptors(b"x", &many[..DESCRIPTORS_MAX]).unwrap(), 1);
    let (tcp, _server) = Place::tcp_v4().pair();
    let refused = tcp.send_with_descriptors(b"x", &many[..1]).unwrap_err();
    assert_eq!(refused.to_string(), "only Unix sockets and `mem:` carry descriptors");
}
