//! A real process in a thread of the test.

use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::thread::{self, JoinHandle};

use soquete::{Endpoint, UnixName};
use soquete_node::config::ProcessConfig;
use soquete_node::{Process, Surroundings};

/// A real process at work; it stops when this is dropped.
pub(crate) struct Real {
    /// Where it serves.
    pub(crate) endpoints: Vec<Endpoint>,
    /// Its end stops the process.
    alive: Option<PipeWriter>,
    running: Option<JoinHandle<()>>,
}

impl Real {
    /// Runs what `config` says, with its control socket at `control`.
    pub(crate) fn run(mut config: ProcessConfig, control: &Endpoint) -> Self {
        let Endpoint::Unix(UnixName::Path(control)) = control else { panic!("a control socket has a path") };
        let (stop, alive) = std::io::pipe().unwrap();
        config.syslog = None;
        let stop_on = vec![OwnedFd::from(stop)];
        let surroundings = Surroundings { control: Some(control.clone()), stop_on, ..Surroundings::default() };
        let process = Process::new(config, surroundings).unwrap();
        let endpoints = process.endpoints().to_vec();
        let running = thread::spawn(move || process.run().unwrap());
        Self { endpoints, alive: Some(alive), running: Some(running) }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(running) = self.running.take() {
            running.join().unwrap();
        }
    }
}
