//! A process in a thread of the test.

use soquete::{Client, ClientOptions, Endpoint};
use soquete_node::config::ProcessConfig;
use soquete_node::{Process, Surroundings};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// A process in a thread; dropping it stops it.
pub(crate) struct Running {
    pub(crate) endpoint: Endpoint,
    stop: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(config: ProcessConfig) -> Self {
        Self::start_in(config, Surroundings::default())
    }

    pub(crate) fn start_in(config: ProcessConfig, mut surroundings: Surroundings) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        surroundings.stop_on.push(reader.into());
        let process = Process::new(config, surroundings).unwrap();
        let endpoint = process.endpoints().first().cloned().unwrap_or(Endpoint::Mem("none".into()));
        let thread = std::thread::spawn(move || process.run().unwrap());
        Running { endpoint, stop: Some(writer), thread: Some(thread) }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.endpoint, ClientOptions::frames("board")).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Returns a path that no other test has, of a file that is not there.
pub(crate) fn new_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let unique = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("soquete-process-{}-{unique}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}
