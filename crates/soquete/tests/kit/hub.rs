//! A hub in a thread of its own, whose handler counts and obeys the text grammar; and what a client without manners says.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use soquete::{Clock, Peer, Responder, Stopper, Stream, Tongue};
use soquete::{ConnectionId, Ending, Endpoint, Exchange, Framing, Handler, Hub, Languages, Limits, ListenOptions};
use soquete_proto::content::Content;
use soquete_proto::frame::{self, Flags, Header, Kind};
use soquete_proto::handshake::{Features, Hello, RequestHead, SessionKey, VERSION};
use soquete_proto::opening::OPENING;
use soquete_proto::server::Options;
use soquete_proto::text::{Command, Verb, parse};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Every language there is.
pub const ALL: Framing = Framing::Detect(Languages { text: true, frames: true, http: true });

/// What the handler has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Commands that set a line, in order.
    pub commands: Vec<String>,
    /// All messages.
    pub messages: usize,
    /// How connections ended.
    pub endings: Vec<Ending>,
    /// What clients took back.
    pub cancelled: Vec<u32>,
    /// What is answered when the test says so.
    pub responders: Vec<Responder>,
}

/// What the handler has seen, for the test to wait on.
#[derive(Debug, Default)]
pub struct Log {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Log {
    /// Changes or reads it.
    pub fn with<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let result = change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        result
    }

    /// Waits until it is as wanted; returns what `want` does.
    pub fn wait<T>(&self, mut want: impl FnMut(&mut Seen) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(wanted) = want(&mut seen) {
                return wanted;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain; seen: {seen:?}");
            seen = self.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a number of endings.
    pub fn endings(&self, count: usize) -> Vec<Ending> {
        self.wait(|seen| (seen.endings.len() >= count).then(|| seen.endings.clone()))
    }

    pub fn commands(&self) -> Vec<String> {
        self.with(|seen| seen.commands.clone())
    }
}

/// Obeys `LED ON` and the like; `BIG n` is answered by n octets, `LATER` when the test says so.
pub struct Counting(pub Arc<Log>);

impl Handler for Counting {
    fn receive(&mut self, mut exchange: Exchange<'_>) {
        self.0.with(|seen| seen.messages += 1);
        let payload = exchange.payload;
        if payload == b"LATER" {
            let responder = exchange.later();
            return self.0.with(|seen| seen.responders.push(responder));
        }
        if let Some(len) = payload.strip_prefix(b"BIG ") {
            let len: usize = std::str::from_utf8(len).ok().and_then(|len| len.parse().ok()).unwrap_or(0);
            return drop(exchange.reply(&vec![b'.'; len]));
        }
        if payload == b"QUIT" {
            exchange.close_after();
        }
        match parse(payload) {
            Ok(Some(Command::Set(sets))) => {
                let words = sets.iter().map(|(line, verb)| format!("{line} {verb:?}"));
                let command = words.collect::<Vec<_>>().join(" ").to_uppercase();
                self.0.with(|seen| seen.commands.push(command.clone()));
                assert!(sets.iter().all(|(_, verb)| matches!(verb, Verb::On | Verb::Off | Verb::Toggle)));
                // One that is longer than the client takes is told so.
                let _ = exchange.reply(format!("OK {command}").as_bytes());
            }
            Ok(None) if exchange.tongue == Tongue::Text => {}
            Ok(_) => drop(exchange.reply(b"OK")),
            Err(malformed) => exchange.malformed(&malformed.to_string()),
        }
    }

    fn cancel(&mut self, _: ConnectionId, id: u32) {
        self.0.with(|seen| seen.cancelled.push(id));
    }

    fn close(&mut self, _: ConnectionId, _: &Peer, ending: &Ending) {
        self.0.with(|seen| seen.endings.push(ending.clone()));
    }

    fn page(&mut self, _: usize) -> String {
        "This is a test.\n".into()
    }
}

/// A hub at work; dropping it ends it at once, without a goodbye.
pub struct Served {
    pub endpoint: Endpoint,
    pub log: Arc<Log>,
    stopper: Stopper,
    thread: i32,
    serving: Option<JoinHandle<()>>,
}

/// Limits under which the hub looks after silence every 10 ms.
pub fn impatient() -> Limits {
    Limits { idle: Duration::from_millis(40), silence: Duration::from_secs(3600), ..Limits::default() }
}

/// Serves all languages at a free port of TCP, with the defaults.
pub fn serve() -> Served {
    serve_with("tcp://127.0.0.1:0", ALL, Limits::default(), Options::new("board"))
}

pub fn serve_with(endpoint: &str, framing: Framing, limits: Limits, options: Options) -> Served {
    let log = Arc::new(Log::default());
    let handler = Counting(log.clone());
    serve_by(endpoint, framing, limits, options, (log, handler))
}

pub fn serve_by<H: Handler + Send + 'static>(
    endpoint: &str,
    framing: Framing,
    limits: Limits,
    options: Options,
    (log, mut handler): (Arc<Log>, H),
) -> Served {
    let mut hub = Hub::new(limits).unwrap();
    let service = hub.add_service(framing, options);
    let endpoint = hub.listen(service, &endpoint.parse().unwrap(), &ListenOptions::default()).unwrap();
    let stopper = hub.stopper();
    let (tell, told) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        while !hub.is_stopped() {
            hub.turn(None, &mut handler).unwrap();
        }
    });
    Served { endpoint, log, stopper, thread: told.recv().unwrap(), serving: Some(serving) }
}

impl Served {
    /// Connects.
    pub fn connect(&self) -> Stream {
        connect(&self.endpoint)
    }

    /// Returns the time for which the hub's thread has held a core.
    pub fn cpu(&self) -> Duration {
        cpu_of(&File::open(self.cpu_path()).unwrap())
    }

    /// Returns where the kernel says it.
    pub fn cpu_path(&self) -> String {
        format!("/proc/self/task/{}/schedstat", self.thread)
    }

    /// Asserts that somebody else is served, and how soon.
    pub fn assert_serves(&self) {
        let begin = Clock::now();
        let mut other = self.connect();
        other.write_all(b"LED\nQUIT\n").unwrap();
        assert_eq!(text_to_end(&mut other), "OK\nOK\n");
        let took = Clock::now() - begin;
        assert!(took < Duration::from_secs(2), "another client waited {took:?}");
    }

    /// Ends it and waits for it.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stopper.stop();
        if let Some(serving) = self.serving.take()
            && serving.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the hub panicked");
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads the time for which a thread has held a core from a file that was opened while there were descriptors.
pub fn cpu_of(stat: &File) -> Duration {
    let mut octets = [0; 64];
    let len = stat.read_at(&mut octets, 0).unwrap();
    let text = std::str::from_utf8(&octets[..len]).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

pub fn connect(endpoint: &Endpoint) -> Stream {
    let stream = Stream::connect(endpoint).unwrap();
    stream.set_receive_timeout(Some(PATIENCE)).unwrap();
    stream.set_send_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads to the end, orderly or not.
pub fn read_to_end(stream: &mut Stream) -> Vec<u8> {
    let mut read = Vec::new();
    match stream.read_to_end(&mut read) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}, after {read:?}"),
        _ => read,
    }
}

pub fn text_to_end(stream: &mut Stream) -> String {
    String::from_utf8(read_to_end(stream)).unwrap()
}

/// Reads a line without its end.
pub fn line(stream: &mut Stream) -> String {
    let mut line = Vec::new();
    let mut octet = [0];
    while stream.read(&mut octet).unwrap() == 1 && octet != *b"\n" {
        line.push(octet[0]);
    }
    String::from_utf8(line).unwrap()
}

/// The opening octets and a HELLO for `board`.
pub fn hello(version_max: u8, payload_max_bytes: u32, resume: Option<SessionKey>) -> Vec<u8> {
    hello_to("board", version_max, payload_max_bytes, resume)
}

/// The opening octets and a HELLO for a service.
pub fn hello_to(service: &str, version_max: u8, payload_max_bytes: u32, resume: Option<SessionKey>) -> Vec<u8> {
    let features = if resume.is_some() { Features::RESUME } else { Features::NONE };
    let resume = resume.unwrap_or_default();
    let hello = Hello { version_max, features, payload_max_bytes, resume, service, name: "test" };
    let mut out = OPENING.to_vec();
    hello.put(&mut out);
    out
}

/// What a client that knows how to behave begins with.
pub fn greeting() -> Vec<u8> {
    hello(VERSION, 1 << 20, None)
}

pub fn request(id: u32, payload: &[u8], flags: Flags, head: RequestHead) -> Vec<u8> {
    put(Content::Request { head, age: None, payload }, Header { flags, ..frame::header(Kind::Request, id) })
}

/// A request without deadline that may be lost.
pub fn plain(id: u32, payload: &[u8]) -> Vec<u8> {
    request(id, payload, Flags::NONE, RequestHead { lowest: id, ..RequestHead::default() })
}

pub fn put(content: Content<'_>, header: Header) -> Vec<u8> {
    let mut out = Vec::new();
    content.put(header, &mut out).unwrap();
    out
}

/// Cuts frames out of what is received.
#[derive(Default)]
pub struct Frames(Vec<u8>);

impl Frames {
    /// Waits for the next frame and shows what it says; nothing at the end of the stream.
    pub fn next<T>(&mut self, stream: &mut Stream, show: impl FnOnce(Header, Content<'_>) -> T) -> Option<T> {
        loop {
            let mut input = &self.0[..];
            if let Some(frame) = frame::take(&mut input, u32::MAX).unwrap() {
                let shown = show(frame.header, Content::read(&frame).unwrap());
                let left = input.to_vec();
                self.0 = left;
                return Some(shown);
            }
            let mut chunk = [0; 65536];
            match stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(len) => self.0.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for the next frame, as `Debug` shows it.
    pub fn show(&mut self, stream: &mut Stream) -> String {
        self.next(stream, |_, content| format!("{content:?}")).unwrap_or_else(|| "the end".into())
    }
}

/// Runs `test` in a process of its own, so that what it does to the process, or measures of it, concerns nobody else.
/// `name` is the test's name.
pub fn alone(name: &str, test: impl FnOnce()) {
    const MARK: &str = "SOQUETE_TEST_ALONE";
    if std::env::var_os(MARK).is_some_and(|alone| alone == name) {
        return test();
    }
    let program = std::env::current_exe().unwrap();
    let output = std::process::Command::new(program)
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(MARK, name)
        .output()
        .unwrap();
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{name} in a process of its own: {said}");
}

/// Returns the most memory that the process ever had, in octets.
pub fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
