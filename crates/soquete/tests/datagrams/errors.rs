//! Each errno of datagrams that can be provoked is, and its line is asserted word by word.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use rustix::event::{PollFd, PollFlags, poll};
use soquete::{Address, Cause, Datagram, DatagramOptions, Endpoint, Error, Operation};

use crate::network::{in_a_network_of_its_own, without_capabilities};
use crate::place::{Folder, PATIENCE, Place, connect};

fn open(text: &str) -> Result<Datagram, Error> {
    Datagram::connect(&text.parse().unwrap(), &DatagramOptions::default())
}

/// An endpoint of UDP where somebody received a moment ago.
fn gone() -> Endpoint {
    Place::udp_v4().bind().local().clone()
}

#[test]
fn econnrefused_reaches_the_sender_with_its_next_call() {
    let deaf = gone();
    let button = connect(&deaf);
    button.send(b"LED ON").unwrap();
    let error = Error::new(Operation::Receive, &deaf, button.receive(&mut [0; 8]).unwrap_err());
    assert_eq!(error.to_string(), format!("receive {deaf}: connection refused"));
    assert_eq!(error.act(), Some("start the program that listens there, or check the address"));
    assert!(error.is_refused());
    // It was told, and the socket is as good as before.
    button.send(b"LED ON").unwrap();
}

#[test]
fn one_that_is_gone_is_named_and_stops_nobody_else() {
    for place in [Place::udp_v4(), Place::udp_v6()] {
        let board = place.bind();
        board.report_errors().unwrap();
        assert!(board.take_error().unwrap().is_none());
        let mut buf = [0; 64];
        let gone: Vec<Address> = (0..3)
            .map(|_| {
                connect(board.local()).send(b"LED ON").unwrap();
                board.receive_from(&mut buf).unwrap().from
            })
            .collect();
        for far in &gone {
            board.send_to(b"OK LED ON", far).unwrap();
            await_error(&board);
            let (to, error) = board.take_error().unwrap().unwrap();
            assert_eq!(to, *far);
            let error = Error::new(Operation::Send, &to, error);
            assert_eq!(error.to_string(), format!("send {far}: connection refused"));
        }
        // An error that nobody has taken meets the next call, to whomever, and then no other.
        let button = connect(board.local());
        board.send_to(b"OK LED ON", &gone[0]).unwrap();
        await_error(&board);
        let near = Address::of(button.local()).unwrap();
        assert_eq!(board.send_to(b"OK", &near).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(board.take_error().unwrap().unwrap().0, gone[0]);
        assert!(board.take_error().unwrap().is_none());
        button.send(b"LED OFF").unwrap();
        let arrival = board.receive_from(&mut buf).unwrap();
        board.send_to(b"OK LED OFF", &arrival.from).unwrap();
        assert_eq!(button.receive(&mut buf).unwrap(), 10);
    }
}

/// Waits for what a loop is told as EPOLLERR.
fn await_error(socket: &Datagram) {
    let patience = rustix::event::Timespec::try_from(PATIENCE).unwrap();
    let mut waiting = [PollFd::new(socket, PollFlags::empty())];
    assert_eq!(poll(&mut waiting, Some(&patience)).unwrap(), 1);
    assert_eq!(waiting[0].revents(), PollFlags::ERR);
}

#[test]
fn one_that_is_gone_is_not_even_noticed_by_who_does_not_ask() {
    let (board, button) = Place::udp_v4().pair();
    button.send(b"LED ON").unwrap();
    let mut buf = [0; 64];
    let far = board.receive_from(&mut buf).unwrap().from;
    drop(button);
    for _ in 0..10 {
        board.send_to(b"OK LED ON", &far).unwrap();
    }
    assert!(board.take_error().unwrap().is_none());
    connect(board.local()).send(b"LED OFF").unwrap();
    assert_eq!(board.receive(&mut buf).unwrap(), 7);
}

#[test]
fn a_unix_receiver_that_is_gone_is_told_at_once() {
    let (board, button) = Place::unixgram_path().pair();
    button.send(b"LED ON").unwrap();
    let far = board.receive_from(&mut [0; 8]).unwrap().from;
    drop(button);
    let error = Error::new(Operation::Send, &far, board.send_to(b"OK", &far).unwrap_err());
    assert_eq!(error.to_string(), format!("send {far}: no such file or folder"));
    board.report_errors().unwrap();
    assert!(board.take_error().unwrap().is_none());
}

#[test]
fn econnrefused_or_enoent_where_no_unix_socket_receives() {
    let error = open("unixgram:@soquete-nobody-has-it").unwrap_err();
    assert_eq!(error.to_string(), "connect unixgram:@soquete-nobody-has-it: connection refused");
    let folder = Folder::new();
    let nowhere = format!("unixgram://{}", folder.file("led.sock").display());
    let error = open(&nowhere).unwrap_err();
    assert_eq!(error.to_string(), format!("connect {nowhere}: no such file or folder"));
    assert_eq!(error.act(), Some("start the program that listens there, or check the path"));
    let nowhere: Endpoint = format!("unixgram://{}", folder.file("none/led.sock").display()).parse().unwrap();
    let error = Datagram::bind(&nowhere, &DatagramOptions::default()).unwrap_err();
    assert_eq!(error.act(), Some("create the folder first"));
}

#[test]
fn emsgsize_is_told_with_size_and_limit() {
    for place in [Place::udp_v4(), Place::unixgram_path()] {
        let (board, button) = place.pair();
        let picture = vec![0; 70_000];
        let error = button.send(&picture).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(90));
        let error = Error::of_send(board.local(), picture.len(), button.max_bytes(), error);
        let line = format!("send {}: message of 70000 octets, at most 65507 allowed", board.local());
        assert_eq!(error.to_string(), line);
        assert!(matches!(error.cause(), Cause::Oversize { len_bytes: 70_000, max_bytes: 65_507 }));
        let act = "send it in parts, or over `tcp:` or `unix:`, which set no bound to a message";
        assert_eq!(error.act(), Some(act));
        button.send(b"LED ON").unwrap();
        let error = Error::new(Operation::Receive, board.local(), board.receive(&mut [0; 3]).unwrap_err());
        assert_eq!(error.to_string(), format!("receive {}: message too long", board.local()));
        assert_eq!(error.act(), Some("receive into a larger buffer"));
    }
}

#[test]
fn emsgsize_of_a_small_buffer_for_sending_is_told_with_that_limit() {
    let (board, button) = Place::unixgram_path().pair();
    rustix::net::sockopt::set_socket_send_buffer_size(&button, 4096).unwrap();
    let limit = button.max_bytes();
    assert!(limit < 65_507);
    button.send(&vec![0; limit]).unwrap();
    let error = button.send(&vec![0; limit + 1]).unwrap_err();
    let error = Error::of_send(board.local(), limit + 1, limit, error);
    assert!(matches!(error.cause(), Cause::Oversize { max_bytes, .. } if *max_bytes == limit));
}

#[test]
fn eacces_at_a_broadcast_address_without_the_option() {
    let test = "errors::eacces_at_a_broadcast_address_without_the_option";
    in_a_network_of_its_own(test, "", || {
        let error = open("udp://127.255.255.255:5555").unwrap_err();
        assert_eq!(error.to_string(), "connect udp://127.255.255.255:5555: permission denied");
        let act = "it is a broadcast address: add `?broadcast=yes` to reach every machine there";
        assert_eq!(error.act(), Some(act));
        let board = Place::udp_v4().bind();
        let all = Address::of(&"udp://127.255.255.255:5555".parse().unwrap()).unwrap();
        let error = Error::new(Operation::Send, &all, board.send_to(b"LED ON", &all).unwrap_err());
        assert_eq!(error.to_string(), "send udp://127.255.255.255:5555: permission denied");
        assert_eq!(error.act(), Some(act));
        // With it, the machines of that network hear it, which here are one.
        let board = Datagram::bind(&"udp://0.0.0.0:5555".parse().unwrap(), &DatagramOptions::default()).unwrap();
        board.set_receive_timeout(Some(PATIENCE)).unwrap();
        open("udp://127.255.255.255:5555?broadcast=yes").unwrap().send(b"LED ON").unwrap();
        assert_eq!(board.receive(&mut [0; 8]).unwrap(), 6);
    });
}

#[test]
fn eacces_at_a_unix_socket_that_is_not_ours() {
    let folder = Folder::new();
    let there: Endpoint = format!("unixgram://{}", folder.file("led.sock").display()).parse().unwrap();
    let options = DatagramOptions { mode: Some(0o000), ..DatagramOptions::default() };
    let _board = Datagram::bind(&there, &options).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let new: Endpoint = format!("unixgram://{}", folder.file("new.sock").display()).parse().unwrap();
    let (connect, bind) = without_capabilities(|| {
        let options = DatagramOptions::default();
        (Datagram::connect(&there, &options).unwrap_err(), Datagram::bind(&new, &options).unwrap_err())
    });
    assert_eq!(connect.to_string(), format!("connect {there}: permission denied"));
    assert!(connect.act().unwrap().contains("`ls -l`"));
    assert_eq!(bind.to_string(), format!("bind {new}: permission denied"));
    assert_eq!(bind.act(), Some("this user needs the right to read and write the folder"));
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn ehostunreach_where_no_route_leads() {
    let test = "errors::ehostunreach_where_no_route_leads";
    in_a_network_of_its_own(test, "ip route add unreachable 10.9.9.0/24", || {
        let error = open("udp://10.9.9.9:5555").unwrap_err();
        assert_eq!(error.to_string(), "connect udp://10.9.9.9:5555: no route to host");
        let board = Place::udp_v4().bind();
        let far = Address::of(&"udp://10.9.9.9:5555".parse().unwrap()).unwrap();
        let error = Error::new(Operation::Send, &far, board.send_to(b"LED ON", &far).unwrap_err());
        assert_eq!(error.act(), Some("check that both machines are on the network"));
    });
}

#[test]
fn eaddrnotavail_at_the_address_of_another_machine() {
    let error = Datagram::bind(&"udp://192.0.2.1:0".parse().unwrap(), &DatagramOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "bind udp://192.0.2.1:0: address not available");
    assert_eq!(error.act(), Some("listen at an address of this machine: `ip address` lists them"));
}

#[test]
fn enodev_where_an_interface_is_named_that_is_not_there() {
    let group: Endpoint = "udp://239.255.0.1:0?interface=nope".parse().unwrap();
    for error in
        [open(&group.to_string()).unwrap_err(), Datagram::bind(&group, &DatagramOptions::default()).unwrap_err()]
    {
        assert!(error.to_string().ends_with("239.255.0.1:0?interface=nope: no such network interface"), "{error}");
        assert_eq!(error.act(), Some("name one that is there: `ip link` lists them"));
    }
}
