//! The end of a server, and the want of descriptors.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

#[path = "kit/hub.rs"]
mod kit;

use kit::*;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use soquete::{
    Bounds, Client, ClientOptions, Endpoint, Exchange, Framing, Limits, Outcome, Responder, Server, Stopper,
};
use soquete_proto::server::Options;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Running = (Endpoint, Stopper, JoinHandle<Result<(), soquete::Error>>);

/// Runs a server whose `LATER` goes to the channel.
fn run(endpoint: &str, framing: Framing) -> (Running, mpsc::Receiver<Responder>) {
    let (put, later) = mpsc::channel();
    let server = Server::bind(&endpoint.parse().unwrap(), framing).unwrap();
    let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
    let running = std::thread::spawn(move || {
        server.run(move |exchange: Exchange<'_>| {
            if exchange.payload == b"LATER" {
                return put.send(exchange.later()).unwrap();
            }
            let payload = exchange.payload;
            exchange.reply(payload).unwrap();
        })
    });
    ((endpoint, stopper, running), later)
}

#[test]
fn who_is_idle_is_told_goodbye_and_sees_the_end() {
    let ((endpoint, stopper, running), _later) = run("tcp://127.0.0.1:0", Framing::Frames);
    let (mut stream, mut frames) = (connect(&endpoint), Frames::default());
    stream.write_all(&hello_to("", 1, 1024, None)).unwrap();
    assert!(frames.show(&mut stream).contains("Welcome"));
    stopper.stop();
    let said = frames.show(&mut stream);
    assert!(said.contains("Goodbye") && said.contains("the server was stopped"), "{said}");
    assert_eq!(frames.show(&mut stream), "the end");
    running.join().unwrap().unwrap();
    assert!(soquete::Stream::connect(&endpoint).is_err());
}

#[test]
fn text_and_raw_clients_see_an_orderly_end() {
    let bounds = Bounds { receive_max_bytes: 64, send_max_bytes: 64 };
    for framing in [Framing::Line(bounds), Framing::Raw(bounds)] {
        let ((endpoint, stopper, running), _later) = run("tcp://127.0.0.1:0", framing);
        let mut stream = connect(&endpoint);
        stream.write_all(b"x\n").unwrap();
        let mut read = [0; 2];
        stream.read_exact(&mut read).unwrap();
        stopper.stop();
        assert_eq!(stream.read(&mut read).unwrap(), 0, "{framing:?}");
        running.join().unwrap().unwrap();
    }
}

#[test]
fn an_answer_that_is_out_is_waited_for() {
    let ((endpoint, stopper, running), later) = run("tcp://127.0.0.1:0", Framing::Frames);
    let (send, taken) = mpsc::channel();
    let asking = std::thread::spawn(move || {
        let mut client = Client::connect(&endpoint, ClientOptions::frames("")).unwrap();
        client.handshake().unwrap();
        send.send(()).unwrap();
        client.request(b"LATER").map(<[u8]>::to_vec)
    });
    taken.recv().unwrap();
    let responder = later.recv().unwrap();
    stopper.stop();
    responder.reply(b"at last");
    assert_eq!(asking.join().unwrap().unwrap(), b"at last");
    running.join().unwrap().unwrap();
}

#[test]
fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
    let ((endpoint, stopper, running), later) = run("tcp://127.0.0.1:0", Framing::Frames);
    let asking = std::thread::spawn(move || {
        let mut client = Client::connect(&endpoint, ClientOptions::frames("")).unwrap();
        client.call(b"LATER", Duration::from_secs(4))
    });
    let responder = later.recv().unwrap();
    let begin = Instant::now();
    stopper.stop();
    running.join().unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert!(matches!(asking.join().unwrap(), Ok(Outcome::Unknown(_))), "it was taken up, and nobody knows");
    drop(responder);
}

#[test]
fn who_takes_nothing_does_not_keep_it_from_ending() {
    let ((endpoint, stopper, running), _later) = run("unix:@soquete-stop-blocked", Framing::Frames);
    let mut client = Client::connect(&endpoint, ClientOptions::frames("")).unwrap();
    for _ in 0..64 {
        client.submit(&vec![0; 256 << 10]).unwrap();
    }
    let begin = Instant::now();
    stopper.stop();
    running.join().unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
}

#[test]
fn calls_at_the_moment_of_the_end_are_counted_right() {
    for round in 0..20 {
        let count = Arc::new(AtomicU32::new(0));
        let acted = count.clone();
        let server = Server::bind(&"tcp://127.0.0.1:0".parse().unwrap(), Framing::Frames).unwrap();
        let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
        let running = std::thread::spawn(move || {
            server.run(move |exchange: Exchange<'_>| {
                acted.fetch_add(1, Ordering::SeqCst);
                exchange.reply(b"OK").unwrap();
            })
        });
        let (tell, told) = mpsc::channel();
        let end = Arc::new(AtomicBool::new(false));
        let has_ended = end.clone();
        let calling = std::thread::spawn(move || {
            let mut client = Client::connect(&endpoint, ClientOptions::frames("")).unwrap();
            let (mut done, mut unknown) = (0, 0);
            loop {
                match client.call(b"x", Duration::from_millis(200)).unwrap() {
                    Outcome::Done(_) => done += 1,
                    Outcome::NotDone(_) if has_ended.load(Ordering::SeqCst) => return (done, unknown),
                    // A machine that is busy.
                    Outcome::NotDone(_) => {}
                    Outcome::Unknown(_) => unknown += 1,
                }
                let _ = tell.send(());
            }
        });
        (0..=round * 5).for_each(|_| told.recv().unwrap());
        stopper.stop();
        running.join().unwrap().unwrap();
        end.store(true, Ordering::SeqCst);
        let (done, unknown) = calling.join().unwrap();
        let acted = count.load(Ordering::SeqCst);
        assert!(done <= acted && acted <= done + unknown, "{done} done, {unknown} unknown, {acted} acted on");
        assert_eq!(unknown, 0, "a server that goes in order leaves nothing unknown");
    }
}

#[test]
fn a_unix_path_is_free_again() {
    let endpoint = format!("unix://{}/soquete-stop-{}", std::env::temp_dir().display(), std::process::id());
    for _ in 0..2 {
        let ((_, stopper, running), _later) = run(&endpoint, Framing::Frames);
        stopper.stop();
        running.join().unwrap().unwrap();
        assert!(!std::path::Path::new(endpoint.strip_prefix("unix://").unwrap()).exists());
    }
}

#[test]
fn stopping_before_it_runs_ends_it_at_once() {
    let server = Server::bind(&"mem:stopped-before".parse().unwrap(), Framing::Frames).unwrap();
    server.stopper().stop();
    server.run(|_: Exchange<'_>| {}).unwrap();
}

/// Makes sockets that are not connected yet: connecting them takes no descriptor.
fn sockets(count: usize) -> Vec<OwnedFd> {
    let socket = |_| rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    (0..count).map(|number| socket(number).unwrap()).collect()
}

fn connected(socket: OwnedFd, address: SocketAddr) -> TcpStream {
    rustix::net::connect(&socket, &address).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Leaves this process `spare` descriptors; returns the limit as it was.
fn leave_descriptors(spare: u64) -> Rlimit {
    let limit = getrlimit(Resource::Nofile);
    // The lowest that is free: all below it are taken, as none has been closed.
    let next = std::fs::File::open("/dev/null").unwrap().as_raw_fd();
    let current = Some(u64::try_from(next).unwrap() + spare);
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    limit
}

fn is_served(stream: &mut TcpStream) -> bool {
    let mut read = [0; 3];
    stream.write_all(b"LED\n").is_ok() && stream.read_exact(&mut read).is_ok() && read == *b"OK\n"
}

#[test]
fn where_no_descriptor_is_left_newcomers_are_turned_away_and_the_others_served() {
    alone("where_no_descriptor_is_left_newcomers_are_turned_away_and_the_others_served", || {
        let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"));
        let address = served.endpoint.socket_addr().unwrap();
        let mut sockets = sockets(40);
        let mut take = |count: usize| sockets.split_off(sockets.len() - count);
        let before = leave_descriptors(3);
        let mut there: Vec<_> = take(3).into_iter().map(|socket| connected(socket, address)).collect();
        assert!(there.iter_mut().all(is_served));
        // Kept: closing one would leave a descriptor to the server.
        let mut turned_away: Vec<_> = take(30).into_iter().map(|socket| connected(socket, address)).collect();
        for newcomer in &mut turned_away {
            assert!(!is_served(newcomer), "there was no descriptor for it");
            assert!(there.iter_mut().all(is_served), "the others do not notice");
        }
        drop(there.pop());
        served.log.endings(1);
        assert!(is_served(&mut connected(take(1).remove(0), address)), "one left, one came");
        setrlimit(Resource::Nofile, before).unwrap();
        served.assert_serves();
    });
}

#[test]
fn where_no_descriptor_is_left_the_oldest_that_said_nothing_goes() {
    alone("where_no_descriptor_is_left_the_oldest_that_said_nothing_goes", || {
        let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"));
        let address = served.endpoint.socket_addr().unwrap();
        let mut sockets = sockets(13);
        let before = leave_descriptors(3);
        let silent: Vec<_> = sockets.split_off(10).into_iter().map(|socket| connected(socket, address)).collect();
        for (socket, nth) in sockets.into_iter().take(3).zip(1..) {
            assert!(is_served(&mut connected(socket, address)), "newcomer {nth}");
        }
        let gone = served.log.endings(1);
        assert!(gone.contains(&soquete::Ending::Refused("silent, and its place was needed".into())), "{gone:?}");
        setrlimit(Resource::Nofile, before).unwrap();
        drop(silent);
        served.assert_serves();
    });
}

#[test]
fn where_not_even_the_reserve_helps_accept_does_not_spin_and_recovers() {
    alone("where_not_even_the_reserve_helps_accept_does_not_spin_and_recovers", || {
        let served = serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"));
        let address = served.endpoint.socket_addr().unwrap();
        let mut sockets = sockets(2);
        let mut there = connected(sockets.remove(0), address);
        assert!(is_served(&mut there));
        let stat = std::fs::File::open(served.cpu_path()).unwrap();
        // The reserve's own number is beyond the limit, as if another thread had been faster.
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
        let mut newcomer = connected(sockets.remove(0), address);
        let (before, begin) = (kit::cpu_of(&stat), Instant::now());
        while begin.elapsed() < Duration::from_millis(500) {
            assert!(is_served(&mut there), "the others do not notice");
            // sleep is the thing under test: the time in which the loop must not spin.
            std::thread::sleep(Duration::from_millis(50));
        }
        let spent = kit::cpu_of(&stat) - before;
        setrlimit(Resource::Nofile, limit).unwrap();
        assert!(spent < Duration::from_millis(100), "{spent:?} of {:?}", begin.elapsed());
        assert!(is_served(&mut newcomer) || is_served(&mut TcpStream::connect(address).unwrap()), "it has recovered");
        served.assert_serves();
    });
}
