//! Errors that need a network of one's own.

use std::io::{Read, Write};
use std::process::Command;

use soquete::{Endpoint, Error, ListenOptions, Listener, Operation, Stream};

use crate::network::{in_a_network_of_its_own, without_capabilities};
use crate::place::Place;

#[test]
fn ehostunreach_where_no_route_leads() {
    let test = "unreachable::ehostunreach_where_no_route_leads";
    in_a_network_of_its_own(test, "ip route add unreachable 10.9.9.0/24", || {
        let there: Endpoint = "tcp://10.9.9.9:5555".parse().unwrap();
        let error = Stream::connect(&there).unwrap_err();
        assert_eq!(error.to_string(), "connect tcp://10.9.9.9:5555: no route to host");
        assert_eq!(error.act(), Some("check that both machines are on the network"));
    });
}

#[test]
fn etimedout_where_nobody_acknowledges() {
    let test = "unreachable::etimedout_where_nobody_acknowledges";
    in_a_network_of_its_own(test, "", || {
        let (mut client, _server) = Place::tcp_v4().pair();
        let peer = client.peer().unwrap();
        rustix::net::sockopt::set_tcp_user_timeout(&client, 100).unwrap();
        assert!(Command::new("ip").args(["link", "set", "lo", "down"]).status().unwrap().success());
        client.write_all(b"LED ON").unwrap();
        let error = Error::new(Operation::Receive, peer, client.read(&mut [0]).unwrap_err());
        assert_eq!(error.to_string(), format!("receive {peer}: connection timed out"));
        assert_eq!(error.act(), Some("check that the machine is on and that no firewall drops the packets"));
        assert!(error.is_timeout());
    });
}

#[test]
fn etimedout_where_nobody_answers_a_connect() {
    let test = "unreachable::etimedout_where_nobody_answers_a_connect";
    // What the other end of the wire is sent is for a machine that is not there.
    let setup = "ip link add hole type veth peer name far; ip addr add 10.9.9.1/24 dev hole; \
                 ip link set far up; ip link set hole up; \
                 ip neigh add 10.9.9.9 lladdr 02:00:00:00:00:09 nud permanent dev hole";
    in_a_network_of_its_own(test, setup, || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        rustix::net::sockopt::set_tcp_user_timeout(&socket, 100).unwrap();
        let there: std::net::SocketAddr = "10.9.9.9:5555".parse().unwrap();
        let endpoint = Endpoint::from(there);
        let error = Error::new(Operation::Connect, &endpoint, socket.connect(&there.into()).unwrap_err());
        assert_eq!(error.to_string(), "connect tcp://10.9.9.9:5555: connection timed out");
        assert_eq!(error.act(), Some("check that the machine is on and that no firewall drops the packets"));
        // The library's own patience ends before the kernel's two minutes.
        let patience = std::time::Duration::from_millis(20);
        let error = Stream::connect_timeout(&endpoint, patience).unwrap_err();
        assert_eq!(error.to_string(), "connect tcp://10.9.9.9:5555: timed out");
    });
}

#[test]
fn eacces_at_a_port_for_root() {
    let test = "unreachable::eacces_at_a_port_for_root";
    in_a_network_of_its_own(test, "", || {
        let there: Endpoint = "tcp://127.0.0.1:80".parse().unwrap();
        let error = without_capabilities(|| Listener::bind(&there, &ListenOptions::default()).unwrap_err());
        assert_eq!(error.to_string(), "bind tcp://127.0.0.1:80: permission denied");
        assert_eq!(error.act(), Some("choose a port of 1024 or more, or grant CAP_NET_BIND_SERVICE"));
    });
}

#[test]
fn eaddrnotavail_where_every_local_port_is_in_use() {
    let test = "unreachable::eaddrnotavail_where_every_local_port_is_in_use";
    in_a_network_of_its_own(test, "", || {
        let listener = Place::tcp_v4().listen();
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40001").unwrap();
        let mut streams = Vec::new();
        let error = loop {
            match Stream::connect(listener.local()) {
                Ok(stream) => streams.push(stream),
                Err(error) => break error,
            }
        };
        assert!(streams.len() <= 2);
        assert_eq!(error.to_string(), format!("connect {}: address not available", listener.local()));
        let act = "every local port is in use: keep connections open instead of making new ones";
        assert_eq!(error.act(), Some(act));
    });
}
