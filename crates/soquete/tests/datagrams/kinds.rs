//! What some kinds of datagrams have and others have not.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use soquete::{Address, Cause, Datagram, DatagramOptions, Endpoint, Peer, Stream, UnixName};

use crate::network::in_a_network_of_its_own;
use crate::place::{PATIENCE, Place, connect};

#[test]
fn the_path_of_a_client_goes_with_it() {
    let place = Place::unixgram_path();
    let board = place.bind();
    let button = connect(board.local());
    let Some(UnixName::Path(path)) = button.local().unix_name().cloned() else { panic!("a path") };
    assert!(path.exists());
    drop(button);
    assert!(!path.exists());
}

#[test]
fn a_client_can_be_answered_by_whoever_runs_the_server_and_by_nobody_else() {
    let (board, button) = Place::unixgram_path().pair();
    let Endpoint::Unixgram(UnixName::Path(path)) = button.local() else { panic!("{}", button.local()) };
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o666);
    let (at, stranger) = (Address::of(button.local()).unwrap(), Place::unixgram_path().bind());
    let refused = stranger.send_to(b"OK LED ON", &at).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    board.send_to(b"OK", &at).unwrap();
    assert_eq!(button.receive(&mut [0; 16]).unwrap(), 2);
}

#[test]
fn who_keeps_the_folder_for_temporary_files_locked_keeps_no_client_waiting() {
    let place = Place::unixgram_path();
    let board = place.bind();
    let folder = File::open(std::env::temp_dir()).unwrap();
    flock(&folder, FlockOperation::LockExclusive).unwrap();
    let button = Datagram::connect(board.local(), &DatagramOptions::default());
    drop(folder);
    button.unwrap().send(b"LED ON").unwrap();
}

#[test]
fn the_path_of_a_bare_descriptor_stays() {
    let place = Place::unixgram_path();
    let bare = std::os::fd::OwnedFd::from(place.bind());
    let Some(UnixName::Path(path)) = place.endpoint.unix_name() else { panic!("a path") };
    drop(Datagram::from_fd(bare).unwrap());
    assert!(path.exists());
    drop(place.bind());
    assert!(!path.exists());
}

#[test]
fn a_full_queue_of_a_unix_socket_lets_its_sender_wait_or_tells_it() {
    for place in [Place::unixgram_path(), Place::unixgram_abstract()] {
        let (board, button) = place.pair();
        button.set_nonblocking(true).unwrap();
        let mut sent = 0;
        let full = loop {
            match button.send(b"x") {
                Ok(()) => sent += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        button.set_nonblocking(false).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| (0..50).for_each(|_| button.send(b"y").unwrap()));
            (0..sent + 50).for_each(|_| assert_eq!(board.receive(&mut [0; 8]).unwrap(), 1));
        });
        button.set_send_timeout(Some(std::time::Duration::from_millis(10))).unwrap();
        let full = (0..1000).find_map(|_| button.send(b"x").err()).unwrap();
        assert!(matches!(Cause::from(full), Cause::Timeout));
    }
}

#[test]
fn a_full_buffer_of_udp_loses_what_comes_and_its_sender_hears_nothing() {
    let options = DatagramOptions { receive_buffer_bytes: 4096, ..DatagramOptions::default() };
    let board = Datagram::bind(&Place::udp_v4().endpoint, &options).unwrap();
    let button = connect(board.local());
    (0..1000).for_each(|_| button.send(&[0; 1000]).unwrap());
    board.set_nonblocking(true).unwrap();
    let received = (0..1000).take_while(|_| board.receive(&mut [0; 1000]).is_ok()).count();
    assert!((1..1000).contains(&received), "{received}");
}

#[test]
fn a_group_is_told_once_and_each_of_it_hears() {
    tell_a_group(&Place::multicast().endpoint);
}

#[test]
fn addresses_of_ipv6_that_are_of_a_link_alone_go_by_the_interface_that_is_named() {
    // Some time passes between "up" and a link that carries: what is sent before is lost.
    const SETUP: &str =
        "ip link add here type veth peer name there; ip link set there up; ip link set here addrgenmode none up;
        ip -6 address add fe80::5/64 dev here nodad; until ip link show here | grep -q 'state UP'; do sleep 0.02; done";
    let test = "kinds::addresses_of_ipv6_that_are_of_a_link_alone_go_by_the_interface_that_is_named";
    in_a_network_of_its_own(test, SETUP, || {
        for group in ["ff11::7", "ff12::7", "ff15::7"] {
            tell_a_group(&format!("udp://[{group}]:0?interface=here").parse().unwrap());
        }
        let alone = "udp://[fe80::5]:0?interface=here".parse().unwrap();
        let board = Datagram::bind(&alone, &DatagramOptions::default()).unwrap();
        connect(board.local()).send(b"LED ON").unwrap();
        assert_eq!(board.receive(&mut [0; 64]).unwrap(), 6);
    });
}

fn tell_a_group(group: &Endpoint) {
    let one = Datagram::bind(group, &DatagramOptions::default()).unwrap();
    let other = Datagram::bind(one.local(), &DatagramOptions::default()).unwrap();
    assert!(one.local().is_multicast());
    let button = connect(one.local());
    button.send(b"LED ON").unwrap();
    for board in [one, other] {
        board.set_receive_timeout(Some(PATIENCE)).unwrap();
        let mut buf = [0; 64];
        let arrival = board.receive_from(&mut buf).unwrap();
        assert_eq!(&buf[..arrival.len_bytes], b"LED ON");
        // It answers from an address of its own, which is heard all the same.
        board.send_to(b"OK LED ON", &arrival.from).unwrap();
        assert_eq!(button.receive(&mut buf).unwrap(), 9);
    }
}

#[test]
fn a_sender_without_a_name_is_known_and_cannot_be_answered() {
    let place = Place::unixgram_path();
    let board = place.bind();
    let nameless = std::os::unix::net::UnixDatagram::unbound().unwrap();
    let Some(UnixName::Path(path)) = board.local().unix_name() else { panic!("a path") };
    nameless.send_to(b"LED", path).unwrap();
    let arrival = board.receive_from(&mut [0; 8]).unwrap();
    assert!(arrival.from.is_nowhere());
    assert!(matches!(arrival.peer, Peer::Unix { pid, .. } if pid == std::process::id()));
    assert_eq!(board.send_to(b"OK", &arrival.from).unwrap_err().raw_os_error(), Some(89), "EDESTADDRREQ");
    assert_eq!(Datagram::from_fd(nameless.into()).unwrap().local().to_string(), "unixgram:@");
}

/// Sends one octet, and descriptors with it.
fn send_descriptors(button: &Datagram, descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(descriptors)));
    assert_eq!(sendmsg(button, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()), Ok(1));
}

/// The most that the kernel takes with one message.
const DESCRIPTORS_MOST: usize = 253;

#[test]
fn descriptors_that_are_sent_along_are_closed() {
    type Receive = fn(&Datagram, &mut [u8]) -> std::io::Result<usize>;
    let ways: [Receive; 4] = [
        |board, buf| board.receive(buf),
        |board, buf| board.receive_from(buf).map(|arrival| arrival.len_bytes),
        |board, buf| board.receive_segments(buf).map(|segments| segments.len_bytes),
        |board, buf| board.peek_from(buf).and_then(|_| board.receive(buf)),
    ];
    for (place, way) in
        [Place::unixgram_path, Place::unixgram_abstract].iter().flat_map(|place| ways.map(|way| (place(), way)))
    {
        for count in [1, 16, DESCRIPTORS_MOST] {
            let (board, button) = place.pair();
            let (mut near, far) = std::os::unix::net::UnixStream::pair().unwrap();
            near.set_read_timeout(Some(PATIENCE)).unwrap();
            send_descriptors(&button, &vec![far.as_fd(); count]);
            drop(far);
            assert_eq!(way(&board, &mut [0; 8]).unwrap(), 1);
            assert_eq!(near.read(&mut [0; 8]).unwrap(), 0, "nobody has it any more");
        }
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
    let mistake = Stream::connect(&udp).unwrap_err().to_string();
    assert_eq!(mistake, "connect udp://127.0.0.1:1: datagrams have no connections: open a Datagram there");
    assert!(Address::of(&tcp).is_err());
    let (stream, _) = Stream::pair().unwrap();
    let mistake = Datagram::from_fd(stream.into()).unwrap_err().to_string();
    assert_eq!(mistake, "bind: the descriptor is no socket of UDP or Unix datagrams");
}
