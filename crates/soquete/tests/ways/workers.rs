//! A process for each connection: crashes, bounds, the stop, and what is left behind.

use crate::kit::{ALL, PATIENCE, alone, connect, line, text_to_end};
use crate::proxy::{Cut, Proxy};
use crate::serving::{BOUNDS, Served, serve_by_workers};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use soquete::{Client, ClientOptions, Endpoint, Framing, Outcome, Stream, WorkerEvent, Workers, WorkersOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

fn tcp() -> Endpoint {
    "tcp://127.0.0.1:0".parse().unwrap()
}

fn lines(workers_max: usize) -> Served {
    let options = WorkersOptions { workers_max, ..WorkersOptions::default() };
    serve_by_workers(&tcp(), Framing::Line(BOUNDS), &options)
}

fn ask(stream: &mut Stream, text: &str) -> String {
    stream.write_all(format!("{text}\n").as_bytes()).unwrap();
    line(stream)
}

/// Says whether this process has a child, alive or a zombie.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, options), Err(Errno::CHILD))
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn each_connection_has_a_process_of_its_own() {
    let served = lines(4);
    let (mut one, mut other) = (connect(&served.endpoint), connect(&served.endpoint));
    let (first, second) = (ask(&mut one, "PID"), ask(&mut other, "PID"));
    assert_ne!(first, second);
    assert_ne!(first, std::process::id().to_string());
    let WorkerEvent::Started { pid, peer } = served.event() else { panic!("it was not started") };
    assert_eq!(pid.to_string(), first);
    assert!(peer.is_local());
    drop(one);
    assert_eq!(served.ended(), (pid, false, "exit status: 0".to_owned()));
    assert_eq!(ask(&mut other, "PID"), second);
}

#[test]
fn a_crash_is_seen_and_harms_no_other() {
    let served = lines(4);
    let mut other = connect(&served.endpoint);
    let pid = ask(&mut other, "PID");
    for (word, how) in [("ABORT", "signal: 6 (SIGABRT)"), ("EXIT", "exit status: 3")] {
        let mut crashing = connect(&served.endpoint);
        let crashed = ask(&mut crashing, "PID");
        crashing.write_all(format!("{word}\n").as_bytes()).unwrap();
        assert_eq!(text_to_end(&mut crashing), "");
        let (pid, is_crash, status) = served.ended();
        assert_eq!((pid.to_string(), is_crash), (crashed, true));
        assert!(status.starts_with(how), "{status}");
    }
    assert_eq!(ask(&mut other, "PID"), pid);
}

#[test]
fn at_the_bound_newcomers_wait_in_the_backlog() {
    let served = lines(2);
    let (mut first, mut second) = (connect(&served.endpoint), connect(&served.endpoint));
    ask(&mut first, "one");
    ask(&mut second, "two");
    let mut third = connect(&served.endpoint);
    third.write_all(b"PID\n").unwrap();
    for _ in 0..2 {
        assert!(matches!(served.event(), WorkerEvent::Started { .. }));
    }
    // The two go on talking, and no third is begun meanwhile.
    for _ in 0..10 {
        ask(&mut first, "one");
        ask(&mut second, "two");
    }
    assert!(served.events.try_recv().is_err());
    third.set_nonblocking(true).unwrap();
    assert_eq!(third.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    third.set_nonblocking(false).unwrap();
    drop(first);
    served.ended();
    let WorkerEvent::Started { pid, .. } = served.event() else { panic!("it was not started") };
    assert_eq!(line(&mut third), pid.to_string());
}

#[test]
fn a_worker_grants_no_session_that_another_would_not_know() {
    let served = serve_by_workers(&tcp(), Framing::Frames, &WorkersOptions::default());
    let proxy = Proxy::start_first(&served.endpoint, &[Cut::AnswerFrames(1)]);
    let mut client = Client::connect(&proxy.endpoint, ClientOptions::frames("")).unwrap();
    let outcome = client.call(b"one", PATIENCE).unwrap();
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
    assert_eq!(client.call(b"two", PATIENCE).unwrap(), Outcome::Done(b"two".to_vec()));
}

#[test]
fn nothing_is_left_of_fifty_workers() {
    alone("workers::nothing_is_left_of_fifty_workers", || {
        let before = descriptors();
        let served = lines(8);
        let endpoint = &served.endpoint;
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    for word in ["one", "BYE", "PID", "ABORT", "x", "EXIT", "x", "BYE", "y", "z"] {
                        let mut stream = connect(endpoint);
                        stream.write_all(format!("{word}\n").as_bytes()).unwrap();
                        if word == "x" { stream.abort() } else { drop(stream) }
                    }
                });
            }
        });
        for _ in 0..50 {
            served.ended();
        }
        drop(served);
        assert!(!has_children(), "a child is left");
        assert_eq!(descriptors(), before);
    });
}

#[test]
fn a_stop_asks_first_and_then_insists() {
    alone("workers::a_stop_asks_first_and_then_insists", || {
        let options = WorkersOptions { stop_timeout: Duration::from_millis(1500), ..WorkersOptions::default() };
        let served = serve_by_workers(&tcp(), Framing::Line(BOUNDS), &options);
        let (mut idle, mut hanging) = (connect(&served.endpoint), connect(&served.endpoint));
        let (idle_pid, hanging_pid) = (ask(&mut idle, "PID"), ask(&mut hanging, "PID"));
        hanging.write_all(b"HANG\n").unwrap();
        served.stop();
        assert_eq!(text_to_end(&mut idle), "");
        assert_eq!(text_to_end(&mut hanging), "");
        let mut ends = [served.ended(), served.ended()];
        ends.sort_by_key(|(pid, ..)| pid.to_string() == hanging_pid);
        assert_eq!((ends[0].0.to_string(), &ends[0].2[..]), (idle_pid, "exit status: 0"));
        assert_eq!((ends[1].0.to_string(), &ends[1].2[..]), (hanging_pid, "signal: 9 (SIGKILL)"));
        drop(served);
        assert!(!has_children(), "a child is left");
    });
}

#[test]
fn a_server_that_panics_leaves_no_worker() {
    alone("workers::a_server_that_panics_leaves_no_worker", || {
        let command = Command::new("cat");
        let workers = Workers::bind(&tcp(), command, &WorkersOptions::default()).unwrap();
        let endpoint = workers.endpoint().clone();
        let running = std::thread::spawn(move || workers.run(|event| panic!("{event:?}")));
        let _stream = connect(&endpoint);
        assert!(running.join().is_err());
        assert!(!has_children(), "a child is left");
    });
}

#[test]
fn a_client_that_says_nothing_holds_its_worker_no_longer_than_the_limit() {
    let options = WorkersOptions { workers_max: 1, ..WorkersOptions::default() };
    let served = serve_by_workers(&tcp(), ALL, &options);
    let (mut silent, mut next) = (connect(&served.endpoint), connect(&served.endpoint));
    assert_eq!(text_to_end(&mut silent), "");
    assert_eq!(text_to_end(&mut next), "");
    let (_, is_crash, status) = served.ended();
    assert!(!is_crash, "{status}");
}

#[test]
fn a_worker_does_not_outlive_its_server() {
    const ROLE: &str = "SOQUETE_TEST_SERVER";
    if std::env::var_os(ROLE).is_some() {
        let served = lines(1);
        println!("\nlistens at {}", served.endpoint);
        loop {
            std::thread::park();
        }
    }
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["workers::a_worker_does_not_outlive_its_server", "--exact", "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(server.stdout.take().unwrap()).lines();
    let endpoint = said.find_map(|line| line.unwrap().strip_prefix("listens at ")?.parse().ok()).unwrap();
    let mut stream = connect(&endpoint);
    ask(&mut stream, "one");
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(text_to_end(&mut stream), "");
}

#[test]
fn any_program_that_talks_over_its_standard_input_will_do() {
    let mut command = Command::new("sh");
    command.args(["-c", "read line; echo \"you said $line\" >&0"]);
    let workers = Workers::bind(&tcp(), command, &WorkersOptions::default()).unwrap();
    let (endpoint, stopper) = (workers.endpoint().clone(), workers.stopper());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| workers.run(|event| assert!(!event.is_crash(), "{event:?}")));
        let mut stream = connect(&endpoint);
        stream.write_all(b"hello\n").unwrap();
        assert_eq!(text_to_end(&mut stream), "you said hello\n");
        drop(stream);
        stopper.stop();
        running.join().unwrap().unwrap();
    });
}

#[test]
fn a_program_that_is_not_there_is_told_for_each_connection() {
    let workers = Workers::bind(&tcp(), Command::new("/no/such/program"), &WorkersOptions::default()).unwrap();
    let (endpoint, stopper) = (workers.endpoint().clone(), workers.stopper());
    let mut failures = 0;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            workers.run(|event| {
                let WorkerEvent::Failed { error, .. } = &event else { panic!("{event:?}") };
                assert_eq!(error.kind(), ErrorKind::NotFound);
                failures += 1;
            })
        });
        for _ in 0..2 {
            assert_eq!(text_to_end(&mut connect(&endpoint)), "");
        }
        stopper.stop();
        running.join().unwrap().unwrap();
    });
    assert_eq!(failures, 2);
}

#[test]
fn what_cannot_be_served_by_workers_is_said() {
    let bind = |url: &str, workers_max| {
        let options = WorkersOptions { workers_max, ..WorkersOptions::default() };
        Workers::bind(&url.parse().unwrap(), Command::new("cat"), &options).err().unwrap().to_string()
    };
    assert_eq!(bind("mem:x", 1), "bind mem:x: another process cannot reach mem:");
    assert_eq!(bind("tcp://127.0.0.1:0", 0), "bind tcp://127.0.0.1:0: there must be room for one worker");
}
