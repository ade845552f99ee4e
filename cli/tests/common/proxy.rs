//! A wire between button and LED that can be cut anywhere, and can lose what it carries.

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Both ends see an orderly end.
    End,
    /// Both ends see a reset.
    Reset,
}

/// What becomes of the octets.
#[derive(Clone, Copy, Debug)]
enum Plan {
    Pass,
    /// These many more go this way, then every connection is cut, once.
    Cut(Way, usize, Cut),
    /// These many more go this way, and what follows is lost.
    Lose(Way, usize),
}

/// What the test and the wire share.
struct Shared {
    plan: Plan,
    /// Cut every connection now.
    cut: Option<Cut>,
    is_over: bool,
    connections: usize,
}

/// The wire.
pub(crate) struct Proxy {
    /// Where clients connect.
    pub(crate) addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Carries everything between a new port of `host` and `server`.
    pub(crate) fn new(host: Ipv4Addr, server: SocketAddr) -> Self {
        let listener = TcpListener::bind((host, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let (bell, rung) = UnixStream::pair().unwrap();
        rung.set_nonblocking(true).unwrap();
        let shared = Shared { plan: Plan::Pass, cut: None, is_over: false, connections: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let carrier = Carrier { listener, rung, server, shared: shared.clone(), pairs: Vec::new() };
        let thread = Some(std::thread::spawn(move || carrier.run()));
        Self { addr, shared, bell, thread }
    }

    /// Returns where clients connect, as a value of TOML.
    pub(crate) fn to(&self) -> String {
        format!("'tcp://{}'", self.addr)
    }

    fn plan(&self, plan: Plan) {
        self.shared.lock().unwrap().plan = plan;
    }

    /// Cuts every connection, once, after these many more octets went this way.
    pub(crate) fn cut_after(&self, way: Way, octets: usize, cut: Cut) {
        self.plan(Plan::Cut(way, octets, cut));
    }

    /// Loses everything that follows these many more octets on this way.
    pub(crate) fn lose_after(&self, way: Way, octets: usize) {
        self.plan(Plan::Lose(way, octets));
    }

    /// Cuts every connection now; it is done on return. Nothing of what they had comes through any more, and what comes
    /// over new ones is carried.
    pub(crate) fn cut(&self, cut: Cut) {
        self.shared.lock().unwrap().cut = Some(cut);
        (&self.bell).write_all(b"!").unwrap();
        (&self.bell).read_exact(&mut [0]).unwrap();
    }

    /// Says whether the cut that was asked for was made.
    pub(crate) fn has_cut(&self) -> bool {
        matches!(self.shared.lock().unwrap().plan, Plan::Pass)
    }

    /// Returns how many connections there ever were.
    pub(crate) fn connections(&self) -> usize {
        self.shared.lock().unwrap().connections
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
        self.bell.write_all(b"!").unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

/// The thread that carries: everything in one poll, so that each connection has one owner, who can reset it.
struct Carrier {
    listener: TcpListener,
    rung: UnixStream,
    server: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    /// Client and server of each connection.
    pairs: Vec<[TcpStream; 2]>,
}

impl Carrier {
    fn run(mut self) {
        loop {
            let mut fds = vec![readable(&self.rung), readable(&self.listener)];
            fds.extend(self.pairs.iter().flatten().map(readable));
            poll(&mut fds, None).unwrap();
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[0] && self.answer_bell() {
                return;
            }
            for (nth, sides) in ready[2..].chunks_exact(2).enumerate().rev() {
                if nth < self.pairs.len() && !self.carry(nth, [sides[0], sides[1]]) {
                    self.pairs.remove(nth);
                }
            }
            if ready[1] {
                self.accept();
            }
        }
    }

    /// Does what was asked for at once; says whether that was the end.
    fn answer_bell(&mut self) -> bool {
        let _ = self.rung.read(&mut [0; 16]);
        let mut shared = self.shared.lock().unwrap();
        if let Some(cut) = shared.cut.take() {
            cut_all(&mut self.pairs, cut);
            shared.plan = Plan::Pass;
            self.rung.write_all(b"!").unwrap();
        }
        shared.is_over
    }

    fn accept(&mut self) {
        let (client, _) = self.listener.accept().unwrap();
        // Where there is no server, the client sees an end.
        let Ok(server) = TcpStream::connect(self.server) else { return };
        self.shared.lock().unwrap().connections += 1;
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            stream.set_nonblocking(true).unwrap();
        }
        self.pairs.push([client, server]);
    }

    /// Carries what has come over one connection; says whether it goes on.
    fn carry(&mut self, nth: usize, is_ready: [bool; 2]) -> bool {
        for (from, way) in [(0, Way::ToServer), (1, Way::ToClient)] {
            if !is_ready[from] {
                continue;
            }
            let mut room = [0; 4096];
            let len = match (&self.pairs[nth][from]).read(&mut room) {
                Ok(len @ 1..) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Ok(_) | Err(_) => return false,
            };
            let (goes, cut) = self.take(way, len);
            // There is room for what little a test sends; a peer that has gone shows at the next look.
            let _ = (&self.pairs[nth][1 - from]).write_all(&room[..goes]);
            if let Some(cut) = cut {
                cut_all(&mut self.pairs, cut);
                return true;
            }
        }
        true
    }

    /// Says how many of these octets go on their way, and whether every connection is cut then.
    fn take(&self, on: Way, len: usize) -> (usize, Option<Cut>) {
        let mut shared = self.shared.lock().unwrap();
        let goes = match &mut shared.plan {
            Plan::Cut(way, left, _) | Plan::Lose(way, left) if *way == on => {
                let goes = len.min(*left);
                *left -= goes;
                goes
            }
            _ => len,
        };
        match shared.plan {
            Plan::Cut(way, 0, cut) if way == on => {
                shared.plan = Plan::Pass;
                (goes, Some(cut))
            }
            _ => (goes, None),
        }
    }
}

fn readable(fd: &impl AsFd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

fn cut_all(pairs: &mut Vec<[TcpStream; 2]>, cut: Cut) {
    for stream in pairs.drain(..).flatten() {
        if cut == Cut::Reset {
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
    }
}
