//! Equals without a server: two that both bind and connect, and many that send each other datagrams.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

use soquete::{
    Address, Datagram, DatagramOptions, DatagramPeers, Dropped, Endpoint, First, PeersOptions, Stream, UnixName,
};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

type Pair = (Endpoint, Endpoint);

fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("soquete-peers-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Gives two TCP addresses that are free at this moment. Those of IPv4 have a machine's address that no other test has, so
/// that none of its ports is given away as a client's own.
fn tcp(ip: &str) -> Pair {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let [_, high, low, _] = std::process::id().to_be_bytes();
    let ip = match ip {
        "127.0.0.1" => format!("127.{}.{low}.{}", 64 | high, COUNT.fetch_add(1, Ordering::Relaxed) % 250 + 2),
        other => other.to_owned(),
    };
    let free = || TcpListener::bind(format!("{ip}:0")).unwrap();
    let (one, other) = (free(), free());
    let endpoint = |listener: &TcpListener| Endpoint::from(listener.local_addr().unwrap());
    (endpoint(&one), endpoint(&other))
}

/// Gives an address and the one of all interfaces with the same port, which is free everywhere at this moment.
fn everywhere(all: &str, own: &str) -> Pair {
    let port = TcpListener::bind(format!("{all}:0")).unwrap().local_addr().unwrap().port();
    let endpoint = |ip| format!("tcp://{ip}:{port}").parse().unwrap();
    (endpoint(own), endpoint(all))
}

fn unix(scheme: &str) -> Pair {
    let unique = unique();
    let endpoint = |end: &str| {
        let name = match scheme.ends_with('@') {
            true => format!("{scheme}{unique}-{end}"),
            false => format!("{scheme}{}/{unique}-{end}", std::env::temp_dir().display()),
        };
        name.parse().unwrap()
    };
    (endpoint("a"), endpoint("b"))
}

/// Gives a pair of each kind.
fn pairs() -> Vec<Pair> {
    let unix = ["unix:@", "unix://", "seqpacket:@", "seqpacket://"].map(unix);
    [tcp("127.0.0.1"), tcp("[::1]")].into_iter().chain(unix).collect()
}

fn meet(own: &Endpoint, other: &Endpoint) -> (Stream, First) {
    Stream::meet(own, other, PATIENCE).unwrap_or_else(|error| panic!("{error}"))
}

/// Waits until the kernel knows a socket at an endpoint.
fn await_bound(endpoint: &Endpoint) {
    let (file, mark) = match (endpoint.socket_addr(), endpoint.unix_name()) {
        // State 0A is that of a socket that listens.
        (Some(SocketAddr::V4(address)), _) => ("tcp", format!(":{:04X} 00000000:0000 0A", address.port())),
        (Some(SocketAddr::V6(address)), _) => ("tcp6", format!(":{:04X} {}:0000 0A", address.port(), "0".repeat(32))),
        (None, Some(UnixName::Abstract(name))) => ("unix", format!("@{name}\n")),
        (None, Some(UnixName::Path(path))) => ("unix", format!("{}\n", path.display())),
        (None, None) => panic!("{endpoint}"),
    };
    let deadline = Instant::now() + PATIENCE;
    while !std::fs::read_to_string(format!("/proc/net/{file}")).unwrap().contains(&mark) {
        assert!(Instant::now() < deadline, "nobody is at {endpoint}");
        thread::yield_now();
    }
}

/// Asserts that two streams are the ends of one connection, of which one speaks first, and closes them.
fn assert_one_connection((mut one, first): (Stream, First), (mut other, second): (Stream, First)) {
    assert_ne!(first, second);
    one.set_receive_timeout(Some(PATIENCE)).unwrap();
    other.set_receive_timeout(Some(PATIENCE)).unwrap();
    let (speaker, listener) = if first == First::Own { (&mut one, &mut other) } else { (&mut other, &mut one) };
    let mut heard = [0; 16];
    speaker.write_all(b"ping").unwrap();
    assert_eq!(listener.read(&mut heard).unwrap(), 4);
    listener.write_all(b"pong").unwrap();
    assert_eq!(speaker.read(&mut heard).unwrap(), 4);
}

#[test]
fn it_does_not_matter_who_is_there_first() {
    for (a, b) in pairs() {
        for (early, late) in [(&a, &b), (&b, &a)] {
            thread::scope(|scope| {
                let waiting = scope.spawn(|| meet(early, late));
                await_bound(early);
                let came = meet(late, early);
                assert_one_connection(waiting.join().unwrap(), came);
            });
        }
    }
}

#[test]
fn two_that_come_together_meet_a_hundred_times() {
    for kind in [|| tcp("127.0.0.1"), || tcp("[::1]"), || unix("unix:@"), || unix("seqpacket://")] {
        for _ in 0..100 {
            let ((a, b), start) = (kind(), Barrier::new(2));
            let come = |own, other| {
                start.wait();
                meet(own, other)
            };
            thread::scope(|scope| {
                let one = scope.spawn(|| come(&a, &b));
                assert_one_connection(come(&b, &a), one.join().unwrap());
            });
        }
    }
}

#[test]
fn two_that_part_meet_again_at_the_same_addresses() {
    for (a, b) in pairs() {
        for _ in 0..5 {
            thread::scope(|scope| {
                let one = scope.spawn(|| meet(&a, &b));
                // The second ends first, so that over TCP its end is the one that lingers in the kernel.
                assert_one_connection(meet(&b, &a), one.join().unwrap());
            });
        }
    }
}

#[test]
fn the_lower_address_speaks_first() {
    let (one, other) = tcp("127.0.0.1");
    let tcp = if one.socket_addr() < other.socket_addr() { (one, other) } else { (other, one) };
    for (a, b) in [tcp, unix("unix:@"), unix("seqpacket:@")] {
        thread::scope(|scope| {
            let one = scope.spawn(|| meet(&a, &b));
            assert_eq!(meet(&b, &a).1, First::Other);
            assert_eq!(one.join().unwrap().1, First::Own);
        });
    }
}

#[test]
fn a_peer_may_stand_at_all_interfaces() {
    let ((a, anywhere), (b, _)) = (everywhere("0.0.0.0", "127.0.0.1"), tcp("127.0.0.1"));
    thread::scope(|scope| {
        let one = scope.spawn(|| meet(&anywhere, &b));
        assert_one_connection(meet(&b, &a), one.join().unwrap());
    });
}

#[test]
fn strangers_and_what_they_say_are_thrown_out() {
    for (a, b) in pairs() {
        // Over Unix only the lower name can be connected to.
        thread::scope(|scope| {
            let waiting = scope.spawn(|| meet(&a, &b));
            await_bound(&a);
            for _ in 0..40 {
                let mut stranger = Stream::connect_timeout(&a, PATIENCE).unwrap();
                // It may be closed already.
                let _ = stranger.write(b"GET / HTTP/1.1\r\n\r\n");
                let mut said = [0; 16];
                assert!(matches!(stranger.read(&mut said), Ok(0) | Err(_)), "a stranger is told nothing");
            }
            assert_one_connection(meet(&b, &a), waiting.join().unwrap());
        });
    }
}

#[test]
fn a_peer_that_never_comes_is_named() {
    for (a, b) in pairs() {
        for (own, other) in [(&a, &b), (&b, &a)] {
            let error = Stream::meet(own, other, Duration::from_millis(30)).unwrap_err();
            assert_eq!(error.to_string(), format!("meet {other} from {own}: timed out"));
            assert!(error.is_timeout());
        }
    }
}

#[test]
fn nobody_meets_itself() {
    let why = "a peer cannot meet itself: give each an address of its own";
    for (a, _) in pairs() {
        let error = Stream::meet(&a, &a, PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), format!("meet {a} from {a}: {why}"));
    }
    // The kernel would connect these to themselves.
    for (all, own) in [("0.0.0.0", "127.0.0.1"), ("[::]", "[::1]")] {
        let (a, anywhere) = everywhere(all, own);
        let error = Stream::meet(&anywhere, &a, PATIENCE).unwrap_err();
        assert_eq!(error.to_string(), format!("meet {a} from {anywhere}: {why}"));
    }
    let (a, _) = everywhere("0.0.0.0", "127.0.0.1");
    let name: Endpoint = format!("tcp://localhost:{}", a.socket_addr().unwrap().port()).parse().unwrap();
    assert!(Stream::meet(&a, &name, PATIENCE).unwrap_err().to_string().ends_with(why));
}

#[test]
fn what_cannot_meet_is_said() {
    let mistake = |own: &str, other: &str| {
        let (own, other) = (own.parse().unwrap(), other.parse().unwrap());
        let error = Stream::meet(&own, &other, PATIENCE).unwrap_err().to_string();
        error.split_once(&format!("{other} from {own}: ")).unwrap().1.to_owned()
    };
    assert_eq!(mistake("tcp://127.0.0.1:0", "tcp://127.0.0.1:1"), "both ports must be known");
    assert_eq!(mistake("tcp://127.0.0.1:1", "tcp://[::1]:1"), "one is an address of IPv4, the other of IPv6");
    assert_eq!(mistake("unix:@a", "seqpacket:@b"), "the two are endpoints of different kinds");
    assert_eq!(mistake("mem:a", "mem:b"), "the threads of a process are no peers");
    assert_eq!(mistake("udp://127.0.0.1:1", "udp://127.0.0.1:2"), "datagrams have no connections: use DatagramPeers");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = Endpoint::from(taken.local_addr().unwrap());
    let error = Stream::meet(&own, &"tcp://127.0.0.1:9".parse().unwrap(), PATIENCE).unwrap_err();
    assert_eq!(error.to_string(), format!("bind {own}: address in use"));
}

const SOON: Option<Duration> = Some(PATIENCE);

/// Makes three peers, each with its address.
fn three(endpoints: [String; 3]) -> [(DatagramPeers, Address); 3] {
    endpoints.map(|endpoint| {
        let peers = DatagramPeers::bind(&endpoint.parse().unwrap()).unwrap();
        let address = Address::of(peers.local()).unwrap();
        (peers, address)
    })
}

fn places() -> Vec<[String; 3]> {
    let (unique, folder) = (unique(), std::env::temp_dir());
    let named = |scheme: String| ["a", "b", "c"].map(|end| format!("{scheme}{unique}-{end}"));
    vec![
        ["udp://127.0.0.1:0"; 3].map(str::to_owned),
        ["udp://[::1]:0"; 3].map(str::to_owned),
        named("unixgram:@".into()),
        named(format!("unixgram://{}/", folder.display())),
    ]
}

#[test]
fn what_arrives_is_sorted_by_sender() {
    for endpoints in places() {
        let [(mut a, at_a), (b, at_b), (c, at_c)] = three(endpoints);
        // A Unix socket may have no room for more than ten.
        for round in 0..4u8 {
            b.send_to(&[b'b', round], &at_a).unwrap();
            c.send_to(&[b'c', round], &at_a).unwrap();
        }
        for round in 0..2 {
            assert_eq!(a.receive_from(&at_c, SOON).unwrap().unwrap().octets, [b'c', round]);
        }
        // The rest in the order in which it came.
        let rest: Vec<_> = (0..6).map(|_| a.receive(SOON).unwrap().unwrap()).collect();
        let of = |from: &Address| -> Vec<u8> {
            rest.iter().filter(|parcel| parcel.from == *from).map(|parcel| parcel.octets[1]).collect()
        };
        assert_eq!(of(&at_b), [0, 1, 2, 3]);
        assert_eq!(of(&at_c), [2, 3]);
        assert!(a.receive(Some(Duration::ZERO)).unwrap_err().is_timeout());
        assert_eq!(a.dropped(), Dropped::default());
        a.send_to(b"", &at_b).unwrap();
    }
}

#[test]
fn an_empty_datagram_and_one_of_the_longest_arrive() {
    for endpoints in places() {
        let [(mut a, at_a), (b, at_b), _] = three(endpoints);
        for len in [0, soquete::DATAGRAM_MAX_BYTES] {
            b.send_to(&vec![7; len], &at_a).unwrap();
            let parcel = a.receive_from(&at_b, SOON).unwrap().unwrap();
            assert_eq!((parcel.from, parcel.octets.len(), parcel.dropped), (at_b.clone(), len, 0));
        }
    }
}

/// Binds peers with narrow bounds.
fn narrow(options: PeersOptions) -> (DatagramPeers, Address) {
    let socket = Datagram::bind(&"udp://127.0.0.1:0".parse().unwrap(), &DatagramOptions::default()).unwrap();
    let peers = DatagramPeers::over(socket, options).unwrap();
    let address = Address::of(peers.local()).unwrap();
    (peers, address)
}

#[test]
fn who_sends_more_than_there_is_room_for_is_told_from_who_does_not() {
    let (mut a, at_a) = narrow(PeersOptions { waiting_max: 3, waiting_max_bytes: 10, ..PeersOptions::default() });
    let [(loud, at_loud), (long, at_long), (calm, at_calm)] = three(["udp://127.0.0.1:0"; 3].map(str::to_owned));
    for number in 0..5 {
        loud.send_to(&[number], &at_a).unwrap();
        long.send_to(&[number; 4], &at_a).unwrap();
    }
    calm.send_to(b"calm", &at_a).unwrap();
    assert_eq!(a.receive_from(&at_calm, SOON).unwrap().unwrap().octets, b"calm");
    assert_eq!(a.dropped(), Dropped { full: 2 + 3, ..Dropped::default() });
    let mut dropped = |from| (0..2).map(|_| a.receive_from(from, SOON).unwrap().unwrap().dropped).collect::<Vec<_>>();
    assert_eq!((dropped(&at_loud), dropped(&at_long)), (vec![2, 0], vec![3, 0]));
    assert_eq!(a.receive_from(&at_loud, SOON).unwrap().unwrap().octets, [2]);
    assert!(a.receive(Some(Duration::ZERO)).unwrap_err().is_timeout(), "all else was dropped");
}

#[test]
fn strangers_take_no_place_from_who_is_expected_and_give_theirs_back() {
    let (mut a, at_a) = narrow(PeersOptions { senders_max: 2, ..PeersOptions::default() });
    let [(friend, at_friend), (late, at_late), _] = three(["udp://127.0.0.1:0"; 3].map(str::to_owned));
    a.expect(&at_friend);
    for _ in 0..2 {
        let strangers = three(["udp://127.0.0.1:0"; 3].map(str::to_owned));
        for (stranger, _) in &strangers {
            stranger.send_to(b"stranger", &at_a).unwrap();
        }
        friend.send_to(b"friend", &at_a).unwrap();
        late.send_to(b"late", &at_a).unwrap();
        assert_eq!(a.receive_from(&at_late, SOON).unwrap().unwrap().octets, b"late", "who is asked for needs no place");
        let received = [(); 3].map(|()| a.receive(SOON).unwrap().unwrap().octets);
        assert_eq!(received, [&b"stranger"[..], b"stranger", b"friend"]);
        assert!(a.receive(Some(Duration::ZERO)).unwrap_err().is_timeout());
    }
    assert_eq!(a.dropped(), Dropped { senders: 2, ..Dropped::default() });
}

#[test]
fn who_is_flooded_by_others_sees_the_end_of_the_time() {
    let (mut a, at_a) = narrow(PeersOptions::default());
    let [(flood, _), (_never, at_never), _] = three(["udp://127.0.0.1:0"; 3].map(str::to_owned));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = flood.send_to(b"flood", &at_a);
            }
        });
        let error = a.receive_from(&at_never, Some(Duration::from_millis(30))).unwrap_err();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(error.to_string(), format!("receive {}: timed out", a.local()));
    });
}

#[test]
fn a_stop_ends_a_receive_and_those_to_come() {
    for endpoints in places() {
        let [(mut a, _), (b, _), (_, at_c)] = three(endpoints);
        drop(b);
        let stopper = a.stopper();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| a.receive(None).unwrap());
            stopper.stop();
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(a.receive_from(&at_c, SOON).unwrap(), None);
    }
}
