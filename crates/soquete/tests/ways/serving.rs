//! The handler that all three ways run, and a server of each.

use crate::kit::PATIENCE;
use nix::sys::signal::{SigSet, Signal};
use soquete::{
    Bounds, Endpoint, Error, Exchange, Framing, Handler, Limits, Server, Stopper, Worker, WorkerEvent, Workers,
    WorkersOptions,
};
use soquete_proto::server::Options;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) const BOUNDS: Bounds = Bounds { receive_max_bytes: 1 << 20, send_max_bytes: 1 << 20 };

/// The variable of the environment that makes this program a worker: its framing.
const FRAMING: &str = "SOQUETE_TEST_WORKER";

/// The test by whose name a worker is begun.
const WORKER: &str = "serving::a_program_that_inherited_no_connection_is_no_worker";

/// Answers what it hears; some words have an effect.
pub(crate) struct Parrot;

impl Handler for Parrot {
    fn receive(&mut self, mut exchange: Exchange<'_>) {
        let payload = exchange.payload.to_vec();
        match &payload[..] {
            b"ABORT" => std::process::abort(),
            b"EXIT" => std::process::exit(3),
            b"HANG" => loop {
                std::thread::park();
            },
            b"PID" => exchange.reply(std::process::id().to_string().as_bytes()).unwrap(),
            b"LATER" => {
                let responder = exchange.later();
                std::thread::spawn(move || responder.reply(b"later"));
            }
            b"SLOW" => {
                let responder = exchange.later();
                std::thread::spawn(move || {
                    // sleep is the thing under test: the answer takes several times as long as silence may.
                    std::thread::sleep(4 * hasty().patience);
                    responder.reply(b"slow");
                });
            }
            b"BYE" => {
                exchange.close_after();
                exchange.reply(b"bye").unwrap();
            }
            _ => exchange.reply(&payload).unwrap(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    AtOnce,
    InTurn,
    Workers,
}

/// A server at work in a thread; dropping it stops it and waits for its end.
pub(crate) struct Served {
    pub(crate) endpoint: Endpoint,
    /// What became of the workers, where there are any.
    pub(crate) events: Receiver<WorkerEvent>,
    stopper: Stopper,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

pub(crate) fn serve(way: Way, endpoint: &Endpoint, framing: Framing) -> Served {
    match way {
        Way::AtOnce => serve_by(endpoint, framing, Server::run),
        Way::InTurn => serve_by(endpoint, framing, Server::run_in_turn),
        Way::Workers => serve_by_workers(endpoint, framing, &WorkersOptions::default()),
    }
}

fn serve_by(endpoint: &Endpoint, framing: Framing, run: fn(Server, Parrot) -> Result<(), Error>) -> Served {
    serve_with(endpoint, framing, Limits::default(), run)
}

pub(crate) fn serve_with(
    endpoint: &Endpoint,
    framing: Framing,
    limits: Limits,
    run: fn(Server, Parrot) -> Result<(), Error>,
) -> Served {
    let server = Server::bind(endpoint, framing).unwrap().limits(limits);
    let (endpoint, stopper) = (server.endpoint().clone(), server.stopper());
    let thread = Some(std::thread::spawn(move || run(server, Parrot)));
    Served { endpoint, events: mpsc::channel().1, stopper, thread }
}

pub(crate) fn serve_by_workers(endpoint: &Endpoint, framing: Framing, options: &WorkersOptions) -> Served {
    let workers = Workers::bind(endpoint, worker(framing), options).unwrap();
    let (endpoint, stopper) = (workers.endpoint().clone(), workers.stopper());
    let (tell, events) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        // A worker is born with SIGTERM blocked, as the harness has a thread that would not block it.
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGTERM);
        mask.thread_block().unwrap();
        // A test that has seen enough drops the other end.
        workers.run(|event| drop(tell.send(event)))
    });
    let thread = Some(thread);
    Served { endpoint, events, stopper, thread }
}

impl Served {
    pub(crate) fn stop(&self) {
        self.stopper.stop();
    }

    /// Waits for the next thing that becomes of a worker.
    pub(crate) fn event(&self) -> WorkerEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for the next end of a worker.
    pub(crate) fn ended(&self) -> (u32, bool, String) {
        loop {
            let event = self.event();
            let is_crash = event.is_crash();
            if let WorkerEvent::Ended { pid, status, .. } = event {
                return (pid, is_crash, status.unwrap().to_string());
            }
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stopper.stop();
        let ended = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// Returns this program as a worker; what would detect languages waits for none, but for 40 ms.
fn worker(framing: Framing) -> Command {
    let framing = match framing {
        Framing::Raw(_) => "raw",
        Framing::Line(_) => "line",
        Framing::Detect(_) => "nothing",
        Framing::Frames => "frames",
    };
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([WORKER, "--exact", "--nocapture"]).env(FRAMING, framing);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn a_program_that_inherited_no_connection_is_no_worker() {
    let mut limits = Limits::default();
    let framing = match std::env::var(FRAMING).as_deref() {
        Ok("raw") => Framing::Raw(BOUNDS),
        Ok("line") => Framing::Line(BOUNDS),
        Ok("nothing") => {
            limits.silence = Duration::from_millis(40);
            Framing::Line(BOUNDS)
        }
        Ok(_) => Framing::Frames,
        Err(_) => {
            let output = worker(Framing::Frames).stdin(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains("begun as a worker"), "{said}");
            return;
        }
    };
    let worker = Worker::inherited().unwrap_or_else(|error| panic!("{error}"));
    worker.limits(limits).serve(framing, Options::new(""), Parrot).unwrap();
}

/// Gives an endpoint of each kind, none of them used before; those that only threads can reach come last.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = format!("soquete-ways-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir();
    let folder = folder.display();
    let urls = [
        "tcp://127.0.0.1:0".to_owned(),
        "tcp://[::1]:0".to_owned(),
        format!("unix://{folder}/{unique}"),
        format!("unix:@{unique}"),
        format!("seqpacket://{folder}/{unique}-s"),
        format!("seqpacket:@{unique}"),
        format!("mem:{unique}"),
    ];
    urls.iter().map(|url| url.parse().unwrap()).collect()
}

/// Limits under which silence is soon found.
pub(crate) fn hasty() -> Limits {
    Limits { patience: Duration::from_millis(40), ..Limits::default() }
}
