//! A bad path for UDP: it loses, doubles, delays and so reorders, goes dark, and gives clients other addresses.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use soquete::Endpoint;
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Clients told apart; a datagram of one more is lost.
const CLIENTS_MAX: usize = 64;

/// Datagrams on their way; one more is lost.
const UNDER_WAY_MAX: usize = 4_096;

/// Datagrams recorded; more are not.
const RECORDED_MAX: usize = 65_536;

/// What a path does to a datagram, in percent of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub lost: u64,
    pub doubled: u64,
    /// How many are late, and how late at the most: so they are passed by others.
    pub late: (u64, Duration),
    /// Nothing passes.
    pub is_dark: bool,
}

impl Weather {
    /// 20 % are lost, and nothing keeps its order.
    pub const BAD: Self = Weather { lost: 20, doubled: 10, late: (30, Duration::from_millis(3)), is_dark: false };
}

/// A datagram that came to the path, lost there or not.
#[derive(Clone, Debug)]
pub struct Passed {
    pub is_request: bool,
    pub octets: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    weather: Mutex<Weather>,
    passed: Mutex<Vec<Passed>>,
    clients: AtomicUsize,
    is_rebinding: AtomicBool,
    is_repeating: AtomicBool,
    is_over: AtomicBool,
}

/// A path at work, in a thread; it ends when it is dropped.
pub struct Path {
    pub endpoint: Endpoint,
    shared: Arc<Shared>,
    forwarding: Option<JoinHandle<()>>,
}

impl Path {
    /// Passes datagrams to `server` and back. The same seed gives the same fates, to datagrams in the same order.
    pub fn start(server: &Endpoint, seed: u64, weather: Weather) -> Self {
        let server = server.socket_addr().unwrap();
        let front = UdpSocket::bind((server.ip(), 0)).unwrap();
        let endpoint = Endpoint::udp(front.local_addr().unwrap());
        let shared = Arc::new(Shared { weather: Mutex::new(weather), ..Shared::default() });
        let mut forwarder = Forwarder::new(front, server, shared.clone(), seed);
        let forwarding = std::thread::spawn(move || while forwarder.go_on() {});
        Path { endpoint, shared, forwarding: Some(forwarding) }
    }

    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap() = weather;
    }

    /// Gives each client another address, as a router does that has forgotten it.
    pub fn rebind(&self) {
        self.shared.is_rebinding.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Sends all that clients have said again, from the same addresses; comes back when it is done.
    pub fn repeat_all(&self) {
        self.shared.is_repeating.store(true, Ordering::SeqCst);
        self.wake();
        while self.shared.is_repeating.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }

    fn wake(&self) {
        let front = self.endpoint.socket_addr().unwrap();
        UdpSocket::bind((front.ip(), 0)).unwrap().send_to(b"", front).unwrap();
    }

    /// Returns how many addresses were given to clients.
    pub fn clients(&self) -> usize {
        self.shared.clients.load(Ordering::SeqCst)
    }

    /// Returns what has come to the path.
    pub fn passed(&self) -> Vec<Passed> {
        self.shared.passed.lock().unwrap().clone()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.wake();
        if self.forwarding.take().is_some_and(|forwarding| forwarding.join().is_err()) && !std::thread::panicking() {
            panic!("the path panicked");
        }
    }
}

struct Forwarder {
    front: UdpSocket,
    server: SocketAddr,
    /// A socket for each client.
    back: Vec<(SocketAddr, UdpSocket)>,
    /// When what goes where; the number keeps apart what is due at the same time.
    under_way: BTreeMap<(Instant, u64), (usize, Passed)>,
    shared: Arc<Shared>,
    chance: u64,
    count: u64,
}

impl Forwarder {
    fn new(front: UdpSocket, server: SocketAddr, shared: Arc<Shared>, seed: u64) -> Self {
        front.set_nonblocking(true).unwrap();
        let chance = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let (back, under_way) = (Vec::new(), BTreeMap::new());
        Forwarder { front, server, back, under_way, shared, chance, count: 0 }
    }

    /// Returns a number below 100 by chance (xorshift).
    fn percent(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 16) % 100
    }

    /// Waits for a datagram and treats it; says whether to go on.
    fn go_on(&mut self) -> bool {
        // Before the wait: what wakes it may have been taken by then.
        if self.shared.is_over.load(Ordering::SeqCst) {
            return false;
        }
        if self.shared.is_rebinding.swap(false, Ordering::SeqCst) {
            // What is under way to those that are gone is lost with them.
            self.back.clear();
            self.under_way.clear();
        }
        if self.shared.is_repeating.load(Ordering::SeqCst) {
            let passed = self.shared.passed.lock().unwrap_or_else(PoisonError::into_inner);
            for request in passed.iter().filter(|passed| passed.is_request) {
                for (_, back) in &self.back {
                    let _ = back.send(&request.octets);
                }
            }
            self.shared.is_repeating.store(false, Ordering::SeqCst);
        }
        let now = Instant::now();
        let left = self.under_way.keys().next().map(|(at, _)| at.saturating_duration_since(now));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        let mut fds = vec![PollFd::new(&self.front, PollFlags::IN)];
        fds.extend(self.back.iter().map(|(_, socket)| PollFd::new(socket, PollFlags::IN)));
        let _ = poll(&mut fds, timeout.as_ref());
        let mut buffer = vec![0; 65_536];
        while let Ok((len, from)) = self.front.recv_from(&mut buffer) {
            // One without an octet only wakes.
            if len > 0
                && let Some(client) = self.client(from)
            {
                self.treat(client, Passed { is_request: true, octets: buffer[..len].to_vec() });
            }
        }
        for client in 0..self.back.len() {
            loop {
                match self.back[client].1.recv(&mut buffer) {
                    Ok(len) => self.treat(client, Passed { is_request: false, octets: buffer[..len].to_vec() }),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // The server is not there: the path says nothing.
                    Err(_) => {}
                }
            }
        }
        self.deliver();
        true
    }

    fn client(&mut self, from: SocketAddr) -> Option<usize> {
        let known = self.back.iter().position(|(client, _)| *client == from);
        if known.is_some() || self.back.len() >= CLIENTS_MAX {
            return known;
        }
        let socket = UdpSocket::bind((self.server.ip(), 0)).unwrap();
        socket.connect(self.server).unwrap();
        socket.set_nonblocking(true).unwrap();
        self.back.push((from, socket));
        self.shared.clients.fetch_add(1, Ordering::SeqCst);
        Some(self.back.len() - 1)
    }

    fn treat(&mut self, client: usize, passed: Passed) {
        let weather = *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = self.shared.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if record.len() < RECORDED_MAX {
            record.push(passed.clone());
        }
        drop(record);
        let is_lost = self.percent() < weather.lost || weather.is_dark;
        let times = if is_lost { 0 } else { 1 + u64::from(self.percent() < weather.doubled) };
        for _ in 0..times {
            let is_late = self.percent() < weather.late.0;
            let late = if is_late { weather.late.1.mul_f64(self.percent() as f64 / 100.0) } else { Duration::ZERO };
            if self.under_way.len() < UNDER_WAY_MAX {
                self.count += 1;
                self.under_way.insert((Instant::now() + late, self.count), (client, passed.clone()));
            }
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        while let Some(first) = self.under_way.first_entry()
            && first.key().0 <= now
        {
            let (client, passed) = first.remove();
            let (address, socket) = &self.back[client];
            // What nobody takes is lost.
            let _ = match passed.is_request {
                true => socket.send(&passed.octets),
                false => self.front.send_to(&passed.octets, *address),
            };
        }
    }
}
