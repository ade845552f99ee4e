//! Unix paths outlive their servers: whose is the file?

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use soquete::{Cause, Datagram, DatagramOptions, Endpoint, ListenOptions, Listener, Stream};

use crate::place::{Folder, Place, unix};

fn bind(path: &Path) -> Result<Listener, soquete::Error> {
    Listener::bind(&unix(path), &ListenOptions::default())
}

/// Leaves the socket file of a server that died.
fn leave_stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
}

#[test]
fn the_file_of_a_dead_server_is_replaced() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    leave_stale(&path);
    let listener = bind(&path).unwrap();
    Stream::connect(listener.local()).unwrap();
}

#[test]
fn the_file_of_a_living_server_is_not() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    let living = UnixListener::bind(&path).unwrap();
    let error = bind(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {}: address in use", unix(&path)));
    assert_eq!(error.act(), Some("another program listens there: `ss -lxp` names it"));
    drop(living);
    let datagrams = folder.file("datagrams.sock");
    let living = UnixDatagram::bind(&datagrams).unwrap();
    assert!(bind(&datagrams).unwrap_err().is_in_use());
    // One that hears somebody else alone takes no other's connection.
    living.connect(&datagrams).unwrap();
    assert!(bind(&datagrams).unwrap_err().is_in_use());
}

#[test]
fn whoever_looks_whether_somebody_lives_there_is_no_visitor() {
    let folder = Folder::new();
    for scheme in ["unix", "seqpacket"] {
        let path = folder.file(&format!("{scheme}.sock"));
        let endpoint: Endpoint = format!("{scheme}://{}", path.display()).parse().unwrap();
        let mut living = Listener::bind(&endpoint, &ListenOptions::default()).unwrap();
        for other in ["unix", "seqpacket", "unixgram"] {
            let other: Endpoint = format!("{other}://{}", path.display()).parse().unwrap();
            let error = if other.is_datagram() {
                Datagram::bind(&other, &DatagramOptions::default()).unwrap_err()
            } else {
                Listener::bind(&other, &ListenOptions::default()).unwrap_err()
            };
            assert!(error.is_in_use(), "{error}");
        }
        living.set_nonblocking(true).unwrap();
        assert_eq!(living.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "{scheme}");
    }
}

#[test]
fn one_that_is_bound_and_does_not_listen_yet_lives() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    for kind in [SocketType::STREAM, SocketType::SEQPACKET] {
        let bound = rustix::net::socket(AddressFamily::UNIX, kind, None).unwrap();
        rustix::net::bind(&bound, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        assert!(bind(&path).unwrap_err().is_in_use(), "{kind:?}");
        drop(bound);
        drop(bind(&path).unwrap());
    }
}

#[test]
fn a_file_that_is_no_socket_is_named_and_left_alone() {
    let folder = Folder::new();
    let path = folder.file("notes.txt");
    fs::write(&path, "dear to somebody").unwrap();
    let error = bind(&path).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {}: a file that is no socket is in the way", unix(&path)));
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear to somebody");

    let link = folder.file("link.sock");
    leave_stale(&folder.file("led.sock"));
    symlink(folder.file("led.sock"), &link).unwrap();
    assert!(matches!(bind(&link).unwrap_err().cause(), Cause::FileInTheWay));
    assert!(link.is_symlink());
}

#[test]
fn the_file_goes_with_its_listener_and_no_other_does() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    drop(bind(&path).unwrap());
    assert!(!path.exists());

    let listener = bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let successor = bind(&path).unwrap();
    drop(listener);
    Stream::connect(successor.local()).unwrap();
}

#[test]
fn a_listener_taken_over_leaves_the_file_to_who_bound_it() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    let bound = bind(&path).unwrap();
    let taken = Listener::from_fd(bound.as_fd().try_clone_to_owned().unwrap()).unwrap();
    assert_eq!(taken.local(), bound.local());
    let _client = Stream::connect(taken.local()).unwrap();
    taken.accept().unwrap();
    drop(taken);
    assert!(fs::metadata(&path).unwrap().file_type().is_socket());
}

#[test]
fn of_two_that_race_for_a_dead_servers_path_exactly_one_wins() {
    let folder = Folder::new();
    for round in 0..200 {
        let path = folder.file(&format!("{round}.sock"));
        leave_stale(&path);
        let start = Barrier::new(2);
        let race = || {
            start.wait();
            bind(&path)
        };
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(race);
            (race(), other.join().unwrap())
        });
        let (winner, loser) = if one.is_ok() { (one, other) } else { (other, one) };
        let winner = winner.unwrap();
        assert!(loser.unwrap_err().is_in_use());
        Stream::connect(winner.local()).unwrap();
    }
}

#[test]
fn the_mode_is_exactly_what_was_asked_for() {
    let folder = Folder::new();
    let path = folder.file("led.sock");
    for mode in [0o600, 0o660, 0o666, 0o777] {
        let options = ListenOptions { mode: Some(mode), ..ListenOptions::default() };
        let _listener = Listener::bind(&unix(&path), &options).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
    }
}

#[test]
fn a_mode_without_effect_is_refused() {
    let with_mode = |endpoint: &Endpoint, mode| {
        let options = ListenOptions { mode: Some(mode), ..ListenOptions::default() };
        Listener::bind(endpoint, &options).unwrap_err().cause().to_string()
    };
    assert_eq!(with_mode(&Place::tcp_v4().endpoint, 0o600), "only the path of a Unix socket has a mode");
    assert_eq!(with_mode(&Place::unix_path().endpoint, 0o1777), "a mode is at most 0777");
}

#[test]
fn a_folder_that_somebody_keeps_locked_holds_nobody_up_for_ever() {
    let folder = Folder::new();
    let held = fs::File::open(folder.path()).unwrap();
    flock(&held, FlockOperation::LockExclusive).unwrap();
    let error = bind(&folder.file("led.sock")).unwrap_err();
    assert_eq!(error.cause().to_string(), "another program keeps the folder locked");
    drop(held);
    assert!(bind(&folder.file("led.sock")).is_ok());
}

#[test]
fn every_ipv4_and_every_ipv6_address_can_be_had_side_by_side() {
    // Another program may have the same port of the other family: then try the next.
    let both = (0..20).any(|_| {
        let all_v4 = Listener::bind(&"tcp://0.0.0.0:0".parse().unwrap(), &ListenOptions::default()).unwrap();
        let port = all_v4.local().socket_addr().unwrap().port();
        let all_v6: Endpoint = format!("tcp://[::]:{port}").parse().unwrap();
        Listener::bind(&all_v6, &ListenOptions::default()).is_ok()
    });
    assert!(both);
}
