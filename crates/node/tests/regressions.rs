//! What a reviewer found in a process at work.

#![allow(clippy::unwrap_used)]
use soquete::{Client, ClientOptions, Endpoint, Stream};
use soquete_node::config::{LineConfig, LineKind, ProcessConfig, RuleConfig, Serve, Trigger};
use soquete_node::{Process, Surroundings};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

struct Running {
    endpoint: Option<Endpoint>,
    stop: Option<std::io::PipeWriter>,
    thread: Option<std::thread::JoinHandle<()>>,
}
impl Running {
    fn start(config: ProcessConfig) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let surroundings = Surroundings { stop_on: vec![reader.into()], ..Surroundings::default() };
        let process = Process::new(config, surroundings).unwrap();
        let endpoint = process.endpoints().first().cloned();
        let thread = std::thread::spawn(move || process.run().unwrap());
        Running { endpoint, stop: Some(writer), thread: Some(thread) }
    }
}
impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if !std::thread::panicking() {
            self.thread.take().unwrap().join().unwrap();
        }
    }
}
fn path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("soquete-review-{name}-{}", std::process::id()))
}
fn config(name: &str) -> (ProcessConfig, std::path::PathBuf) {
    let path = path(name);
    let mut config = ProcessConfig::new("button_process".parse().unwrap());
    config.syslog = None;
    config.lines.push(LineConfig::new("BUTTON".parse().unwrap(), LineKind::Fifo { path: path.clone(), mode: 0o600 }));
    config.serve.push(Serve::new("tcp://127.0.0.1:0".parse().unwrap()));
    (config, path)
}

/// Asserts that a client is served at once while somebody writes `line` to the FIFO without end.
fn assert_served_while_written(config: ProcessConfig, path: std::path::PathBuf, line: &str) {
    let button = Running::start(config);
    let address = button.endpoint.as_ref().unwrap().socket_addr().unwrap();
    let many = line.repeat(2000);
    let (began, has_begun) = std::sync::mpsc::channel();
    let (answered, is_answered) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn(move || {
        let mut fifo = std::fs::File::options().write(true).open(&path).unwrap();
        let begin = Instant::now();
        fifo.write_all(many.as_bytes()).unwrap();
        began.send(()).unwrap();
        while is_answered.try_recv().is_err() && begin.elapsed() < Duration::from_secs(5) {
            if fifo.write_all(many.as_bytes()).is_err() {
                break;
            }
        }
    });
    has_begun.recv().unwrap();
    let begin = Instant::now();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"LINES\nQUIT\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let took = begin.elapsed();
    answered.send(()).ok();
    writing.join().unwrap();
    assert!(took < Duration::from_secs(1), "a client waited {took:?}");
}

#[test]
fn who_writes_nonsense_into_the_fifo_holds_up_nobody() {
    let (config, path) = config("yes");
    assert_served_while_written(config, path, "y\n");
}

#[test]
fn watches_end_with_a_refused_connection() {
    use soquete_proto::frame::{self, Kind};
    use soquete_proto::handshake::{Features, Hello, RequestHead, SessionKey, VERSION};
    let mut config = ProcessConfig::new("led_process".parse().unwrap());
    config.syslog = None;
    config.serve.push(Serve::new("unix:@soquete-review-watch2".parse().unwrap()));
    for name in ["A", "B"] {
        config.lines.push(LineConfig::new(name.parse().unwrap(), LineKind::Log));
    }
    let led = Running::start(config);
    let endpoint = led.endpoint.as_ref().unwrap();
    let mut other = Client::connect(endpoint, ClientOptions::frames("board")).unwrap();
    let mut out = soquete_proto::opening::OPENING.to_vec();
    Hello {
        version_max: VERSION,
        features: Features::NONE,
        payload_max_bytes: 4096,
        resume: SessionKey::default(),
        service: "board",
        name: "x",
    }
    .put(&mut out);
    for (id, what) in [(1, &b"WATCH A"[..]), (2, b"WATCH B")] {
        let head = RequestHead { lowest: 1, ..RequestHead::default() };
        frame::put(&mut out, frame::header(Kind::Request, id), &[&head.encode(), what], 4096).unwrap();
    }
    // No such kind: the connection is refused and lingers.
    out.extend_from_slice(&[0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0]);
    for nth in 0..4200 {
        let mut stream = Stream::connect(endpoint).unwrap();
        stream.write_all(&out).unwrap();
        // Read up to the GOODBYE's end, and keep the connection.
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        if nth == 0 {
            eprintln!("READ {}", all.escape_ascii());
        }
        let _ = other.request(b"A TOGGLE").unwrap();
    }
    for _ in 0..3 {
        assert_eq!(other.request(b"WATCH").map(<[u8]>::to_vec).unwrap(), b"OK WATCH");
    }
}

#[test]
fn one_client_leaves_watches_to_the_others() {
    let mut config = ProcessConfig::new("led_process".parse().unwrap());
    config.syslog = None;
    config.serve.push(Serve::new("unix:@soquete-review-greedy".parse().unwrap()));
    config.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::Log));
    let led = Running::start(config);
    let connect = || Client::connect(led.endpoint.as_ref().unwrap(), ClientOptions::frames("board")).unwrap();
    let (mut greedy, mut other) = (connect(), connect());
    for _ in 0..5000 {
        let _ = greedy.request(b"WATCH");
    }
    assert_eq!(other.request(b"WATCH").map(<[u8]>::to_vec).unwrap(), b"OK WATCH");
}

#[test]
fn a_press_that_waited_in_the_fifo_does_not_fire_late() {
    let (mut config, path) = config("late2");
    let mut rule = RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED TOGGLE");
    let to: Endpoint = "unix:@soquete-review-late2".parse().unwrap();
    rule.to = vec![to.clone()];
    rule.within = Duration::from_millis(500);
    config.rules.push(rule);
    let _button = Running::start(config);
    let mut fifo = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    fifo.write_all("0\n".repeat(300).as_bytes()).unwrap();
    // sleep is the thing under test: time goes by
    std::thread::sleep(Duration::from_millis(1500));
    let mut led = ProcessConfig::new("led_process".parse().unwrap());
    led.syslog = None;
    led.serve.push(Serve::new(to.clone()));
    led.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::Log));
    let _led = Running::start(led);
    let mut watch =
        Client::connect(&to, ClientOptions { timeout: Some(Duration::from_secs(2)), ..ClientOptions::frames("board") })
            .unwrap();
    watch.request(b"WATCH").unwrap();
    let mut events = 0;
    while let Ok(soquete::Received::Event { .. }) = watch.receive() {
        events += 1;
    }
    assert_eq!(events, 0, "all were pressed 1.5 s before, and were good for 0.5 s");
}
#[test]
fn who_presses_without_end_holds_up_nobody() {
    let (mut config, path) = config("yes0");
    config.lines.push(LineConfig::new("LED".parse().unwrap(), LineKind::Log));
    config.rules.push(RuleConfig::new("BUTTON".parse().unwrap(), Trigger::Press, "LED TOGGLE"));
    assert_served_while_written(config, path, "0\n");
}
