//! Chips in plain Rust, for tests: lines, edges with time stamps and numbers, requests that fail, chips that vanish.

use super::chip::{EDGES_KEPT, Edge, Hardware, Request, Seen, Settings, Usage};
use super::stamp::monotonic;
use crate::hardware::{Chip, ChipLine};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use soquete_board::Level;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A machine of chips; each copy is the same machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    chips: Vec<FakeChip>,
    numbers: usize,
    arrivals: Vec<OwnedFd>,
    /// What the next requests fail with.
    refusals: VecDeque<Errno>,
    /// Whether no output can be driven, as on a bus that is stuck.
    is_stuck: bool,
    /// Whether drivers debounce.
    refuses_debounce: bool,
    /// Whatever was asked of lines, in its order.
    asked: Vec<String>,
}

#[derive(Debug)]
struct FakeChip {
    label: String,
    path: PathBuf,
    lines: Vec<FakeLine>,
}

#[derive(Debug)]
struct FakeLine {
    name: String,
    /// What is on the wire, before `active_low`.
    is_high: bool,
    is_output: bool,
    settings: Option<Settings>,
    consumer: String,
    edges: VecDeque<Edge>,
    seq: u32,
    /// Readable while there are edges, or the chip is gone.
    ready: Option<Arc<OwnedFd>>,
    /// Whether somebody else has a descriptor of the request, too.
    is_held: bool,
}

impl Fake {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Plugs in a chip with lines of these names.
    pub(crate) fn plug(&self, label: &str, names: &[&str]) {
        let mut state = self.state();
        let path = PathBuf::from(format!("/dev/gpiochip{}", state.numbers));
        state.numbers += 1;
        let line = |name: &&str| FakeLine {
            name: (*name).to_owned(),
            is_high: false,
            is_output: false,
            settings: None,
            consumer: String::new(),
            edges: VecDeque::new(),
            seq: 0,
            ready: None,
            is_held: false,
        };
        state.chips.push(FakeChip { label: label.to_owned(), path, lines: names.iter().map(line).collect() });
        state.arrivals.iter().for_each(wake);
    }

    /// Pulls a chip out, whoever has its lines.
    pub(crate) fn unplug(&self, label: &str) {
        let mut state = self.state();
        let (gone, stay): (Vec<_>, Vec<_>) = state.chips.drain(..).partition(|chip| chip.label == label);
        gone.iter().flat_map(|chip| &chip.lines).flat_map(|line| &line.ready).for_each(wake);
        state.chips = stay;
    }

    /// Lets the next requests fail.
    pub(crate) fn refuse(&self, errnos: &[Errno]) {
        self.state().refusals.extend(errnos);
    }

    /// Lets every driving of an output fail with EIO.
    pub(crate) fn stick(&self) {
        self.state().is_stuck = true;
    }

    /// Lets outputs be driven again.
    pub(crate) fn come_loose(&self) {
        self.state().is_stuck = false;
    }

    /// Lets every request with debouncing fail.
    pub(crate) fn refuse_debounce(&self) {
        self.state().refuses_debounce = true;
    }

    /// Lets somebody else have a line.
    pub(crate) fn occupy(&self, name: &str, consumer: &str) {
        self.line(name, |line| line.consumer = consumer.to_owned());
    }

    /// Lets somebody hold a line that is taken, so that it outlives its request.
    pub(crate) fn hold(&self, name: &str) {
        self.line(name, |line| line.is_held = true);
    }

    /// Lets whoever held lines whose requests are gone give them back.
    pub(crate) fn let_go(&self) {
        let mut state = self.state();
        for line in state.chips.iter_mut().flat_map(|chip| &mut chip.lines).filter(|line| line.is_held) {
            line.is_held = false;
            line.give_back();
        }
    }

    /// Makes a line an output, as the boot loader may have.
    pub(crate) fn drive(&self, name: &str, level: Level) {
        self.line(name, |line| (line.is_output, line.is_high) = (true, level == Level::On));
    }

    /// Pulls a wire high or low from outside, now.
    pub(crate) fn pull(&self, name: &str, level: Level) {
        self.pull_at(name, level, monotonic());
    }

    /// Pulls a wire high or low from outside, with a time stamp.
    pub(crate) fn pull_at(&self, name: &str, level: Level, stamp: Duration) {
        self.line(name, |line| {
            if line.is_high != (level == Level::On) {
                line.is_high = level == Level::On;
                line.tell(stamp);
            }
        });
    }

    /// Pulls a wire to and fro, too fast for whoever looks what it has.
    pub(crate) fn blip(&self, name: &str) {
        self.line(name, |line| line.tell(monotonic()));
    }

    /// Returns what is on a wire.
    pub(crate) fn wire(&self, name: &str) -> Level {
        let mut level = Level::Off;
        self.line(name, |line| level = if line.is_high { Level::On } else { Level::Off });
        level
    }

    /// Returns who has a line.
    pub(crate) fn consumer(&self, name: &str) -> String {
        let mut consumer = String::new();
        self.line(name, |line| consumer.clone_from(&line.consumer));
        consumer
    }

    /// Returns what was asked of lines since it was asked for last.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }

    fn line(&self, name: &str, act: impl FnOnce(&mut FakeLine)) {
        let mut state = self.state();
        let mut lines = state.chips.iter_mut().flat_map(|chip| &mut chip.lines);
        act(lines.find(|line| line.name == name).unwrap());
    }
}

impl FakeLine {
    fn level(&self) -> Level {
        let is_low = self.settings.as_ref().is_some_and(|settings| settings.active_low);
        if self.is_high == is_low { Level::Off } else { Level::On }
    }

    fn tell(&mut self, stamp: Duration) {
        let Some(Settings { usage: Usage::Input { .. }, .. }) = self.settings else { return };
        self.seq += 1;
        if self.edges.len() == usize::from(EDGES_KEPT) {
            self.edges.pop_front();
        }
        self.edges.push_back(Edge { level: self.level(), stamp, seq: self.seq });
        self.ready.iter().for_each(wake);
    }

    fn give_back(&mut self) {
        if !self.is_held {
            (self.settings, self.ready, self.consumer) = (None, None, String::new());
        }
    }

    fn use_as(&mut self, settings: &Settings) {
        self.settings = Some(settings.clone());
        match settings.usage {
            Usage::Input { .. } => self.is_output = false,
            Usage::Output(level) => {
                self.is_output = true;
                self.is_high = (level == Level::On) != settings.active_low;
            }
            Usage::AsIs => {}
        }
    }
}

impl Hardware for Fake {
    fn chips(&self) -> io::Result<Vec<Seen>> {
        let seen = |chip: &FakeChip| {
            let line = |(offset, line): (usize, &FakeLine)| ChipLine {
                offset: u32::try_from(offset).unwrap(),
                name: line.name.clone(),
                direction: if line.is_output { "output" } else { "input" },
                used: !line.consumer.is_empty(),
                consumer: line.consumer.clone(),
                active_low: line.settings.as_ref().is_some_and(|settings| settings.active_low),
                bias: None,
                drive: None,
                debounce_us: None,
            };
            let lines = chip.lines.iter().enumerate().map(line).collect();
            let path = chip.path.clone();
            Seen { path: path.clone(), chip: Ok(Chip { label: chip.label.clone(), path, lines }) }
        };
        Ok(self.state().chips.iter().map(seen).collect())
    }

    fn request(&self, chip: &Path, offset: u32, settings: &Settings) -> io::Result<Box<dyn Request>> {
        let mut state = self.state();
        if let Some(errno) = state.refusals.pop_front() {
            return Err(errno.into());
        }
        let debounces = matches!(settings.usage, Usage::Input { debounce: Some(_) });
        if debounces && state.refuses_debounce {
            return Err(Errno::INVAL.into());
        }
        state.asked.push(format!("request {:?}", settings.usage));
        let chip = state.chips.iter_mut().find(|there| there.path == chip).ok_or(Errno::NOENT)?;
        let line = chip.lines.get_mut(usize::try_from(offset).unwrap()).ok_or(Errno::INVAL)?;
        if !line.consumer.is_empty() {
            return Err(Errno::BUSY.into());
        }
        let ready = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        line.use_as(settings);
        (line.consumer, line.seq, line.ready) = (settings.consumer.clone(), 0, Some(ready.clone()));
        line.edges.clear();
        Ok(Box::new(FakeRequest { fake: self.clone(), ready }))
    }

    fn adopt(&self, _fd: OwnedFd, chip: &Path, offset: u32) -> io::Result<Box<dyn Request>> {
        let mut state = self.state();
        state.asked.push("adopt".to_owned());
        let chip = state.chips.iter_mut().find(|there| there.path == chip).ok_or(Errno::NODEV)?;
        let line = chip.lines.get_mut(usize::try_from(offset).unwrap()).ok_or(Errno::INVAL)?;
        // A chip that came back has forgotten it.
        let ready = line.ready.clone().ok_or(Errno::NODEV)?;
        Ok(Box::new(FakeRequest { fake: self.clone(), ready }))
    }

    fn arrivals(&self) -> io::Result<OwnedFd> {
        let arrivals = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        self.state().arrivals.push(arrivals.try_clone()?);
        Ok(arrivals)
    }
}

#[derive(Debug)]
struct FakeRequest {
    fake: Fake,
    ready: Arc<OwnedFd>,
}

impl FakeRequest {
    /// Does something to the line, as long as its chip is there.
    fn line<T>(&self, act: impl FnOnce(&mut FakeLine) -> T) -> io::Result<T> {
        let mut state = self.fake.state();
        let is_ours = |line: &&mut FakeLine| line.ready.as_ref().is_some_and(|ready| Arc::ptr_eq(ready, &self.ready));
        let line = state.chips.iter_mut().flat_map(|chip| &mut chip.lines).find(is_ours);
        Ok(act(line.ok_or(Errno::NODEV)?))
    }
}

impl Request for FakeRequest {
    fn fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }

    fn level(&self) -> io::Result<Level> {
        self.line(|line| line.level())
    }

    fn set(&self, level: Level) -> io::Result<()> {
        if self.fake.state().is_stuck {
            return Err(Errno::IO.into());
        }
        self.line(|line| {
            let is_low = line.settings.as_ref().is_some_and(|settings| settings.active_low);
            line.is_output.then(|| line.is_high = (level == Level::On) != is_low).ok_or(Errno::PERM)
        })??;
        self.fake.state().asked.push(format!("set {level:?}"));
        Ok(())
    }

    fn reconfigure(&self, settings: &Settings) -> io::Result<()> {
        self.line(|line| line.use_as(settings))?;
        self.fake.state().asked.push(format!("reconfigure {:?}", settings.usage));
        Ok(())
    }

    fn edges(&self) -> io::Result<Vec<Edge>> {
        self.line(|line| {
            let _ = rustix::io::read(&*self.ready, &mut [0; 8]);
            line.edges.drain(..).collect()
        })
    }
}

impl Drop for FakeRequest {
    fn drop(&mut self) {
        // A chip that is gone has no line to give back.
        let _ = self.line(FakeLine::give_back);
    }
}

/// Returns a chip that may not be opened.
pub(crate) fn denied(path: &str) -> Seen {
    Seen { path: path.into(), chip: Err(io::ErrorKind::PermissionDenied.into()) }
}

/// Makes an eventfd readable.
fn wake(fd: impl AsFd) {
    rustix::io::write(fd, &1_u64.to_ne_bytes()).unwrap();
}
