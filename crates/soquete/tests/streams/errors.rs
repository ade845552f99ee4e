//! Each errno that can be provoked is, and its line is asserted word by word.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use soquete::{Cause, Endpoint, Error, ListenOptions, Listener, Operation, Stream};

use crate::network::without_capabilities;
use crate::place::{Folder, Place, unix};

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

/// A port that is taken, but where nobody listens, for as long as the socket lives.
fn deaf_port() -> (socket2::Socket, Endpoint) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address.into())
}

#[test]
fn econnrefused_over_every_way_to_connect() {
    let (_socket, deaf) = deaf_port();
    let line = format!("connect {deaf}: connection refused");
    let blocking = Stream::connect(&deaf).unwrap_err();
    assert_eq!(blocking.to_string(), line);
    assert!(blocking.is_refused());
    assert_eq!(blocking.act(), Some("start the program that listens there, or check the address"));
    assert_eq!(Stream::connect_timeout(&deaf, Duration::from_secs(10)).unwrap_err().to_string(), line);

    let background = Stream::connect_start(&deaf).and_then(|stream| {
        rustix::event::poll(&mut [rustix::event::PollFd::new(&stream, rustix::event::PollFlags::OUT)], None).unwrap();
        stream.finish_connect().map_err(|error| Error::new(Operation::Connect, &deaf, error))
    });
    assert_eq!(background.unwrap_err().to_string(), line);
}

#[test]
fn econnrefused_at_a_mem_or_abstract_name_nobody_has() {
    for name in [Place::mem(), Place::unix_abstract()] {
        let error = Stream::connect(&name.endpoint).unwrap_err();
        assert_eq!(error.to_string(), format!("connect {}: connection refused", name.endpoint));
        assert!(error.is_refused());
    }
}

#[test]
fn eaddrinuse_says_how_to_find_the_other_program() {
    let listener = Place::tcp_v4().listen();
    let error = Listener::bind(listener.local(), &ListenOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {}: address in use", listener.local()));
    assert_eq!(error.act(), Some("another program listens there: `ss -ltnp` names it"));
}

#[test]
fn eaddrnotavail_at_the_address_of_another_machine() {
    let error = Listener::bind(&endpoint("tcp://192.0.2.1:0"), &ListenOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "bind tcp://192.0.2.1:0: address not available");
}

#[test]
fn enetunreach_at_an_address_tcp_cannot_reach() {
    let error = Stream::connect(&endpoint("tcp://255.255.255.255:5555")).unwrap_err();
    assert_eq!(error.to_string(), "connect tcp://255.255.255.255:5555: network unreachable");
}

#[test]
fn econnreset_after_the_peer_aborted() {
    let (mut client, server) = Place::tcp_v4().pair();
    let peer = client.peer().unwrap();
    server.abort();
    let error = Error::new(Operation::Receive, peer, client.read(&mut [0]).unwrap_err());
    assert_eq!(error.to_string(), format!("receive {peer}: connection reset by peer"));
    assert!(error.is_closed());
}

#[test]
fn epipe_after_our_own_end() {
    let (mut client, _server) = Place::tcp_v4().pair();
    let peer = client.peer().unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let error = Error::new(Operation::Send, peer, client.write(b"x").unwrap_err());
    assert_eq!(error.to_string(), format!("send {peer}: the peer has closed the connection"));
    assert!(error.is_closed());
}

#[test]
fn enoent_at_a_path_or_in_a_folder_that_is_not_there() {
    let folder = Folder::new();
    let nowhere = unix(&folder.file("led.sock"));
    let error = Stream::connect(&nowhere).unwrap_err();
    assert_eq!(error.to_string(), format!("connect {nowhere}: no such file or folder"));
    let nowhere = unix(&folder.file("none/led.sock"));
    let error = Listener::bind(&nowhere, &ListenOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {nowhere}: no such file or folder"));
    assert_eq!(error.act(), Some("create the folder first"));
}

#[test]
fn eacces_at_a_socket_or_in_a_folder_that_is_not_ours() {
    let folder = Folder::new();
    let there = unix(&folder.file("led.sock"));
    let options = ListenOptions { mode: Some(0o000), ..ListenOptions::default() };
    let _listener = Listener::bind(&there, &options).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let new = unix(&folder.file("new.sock"));
    let (connect, bind) = without_capabilities(|| {
        (Stream::connect(&there).unwrap_err(), Listener::bind(&new, &ListenOptions::default()).unwrap_err())
    });
    assert_eq!(connect.to_string(), format!("connect {there}: permission denied"));
    assert!(connect.act().unwrap().contains("`ls -l`"));
    assert_eq!(bind.to_string(), format!("bind {new}: permission denied"));
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_name_is_tried_at_each_of_its_addresses() {
    let listener = Place::tcp_v4().listen();
    let Endpoint::Tcp { port, .. } = listener.local() else { panic!() };
    // Where localhost is `::1` first, that one refuses.
    let name = endpoint(&format!("tcp://localhost:{port}"));
    Stream::connect(&name).unwrap();
    Stream::connect_timeout(&name, Duration::from_secs(10)).unwrap();
    let bound = Listener::bind(&endpoint("tcp://localhost:0"), &ListenOptions::default()).unwrap();
    assert!(bound.local().socket_addr().unwrap().ip().is_loopback());
}

#[test]
fn what_does_not_listen_is_no_listener() {
    let (client, _server) = Stream::pair().unwrap();
    let error = Listener::from_fd(client.into()).unwrap_err();
    assert_eq!(error.to_string(), "listen: the descriptor is no socket that listens");
    assert!(matches!(error.cause(), Cause::Misuse(_)));
}
