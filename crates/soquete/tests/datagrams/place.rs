//! A place of its own for each test: port 0, a fresh folder, a fresh name, a fresh group.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use soquete::{Datagram, DatagramOptions, Endpoint};

pub(crate) use crate::folder::Folder;
use crate::folder::unique;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// An endpoint of one kind where nobody receives yet.
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    _folder: Option<Folder>,
}

impl Place {
    pub(crate) fn udp_v4() -> Self {
        Self::at("udp://127.0.0.1:0".into())
    }

    pub(crate) fn udp_v6() -> Self {
        Self::at("udp://[::1]:0".into())
    }

    /// A group that the loopback does not let out, of this test alone.
    pub(crate) fn multicast() -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [process, _, _, _] = std::process::id().to_le_bytes();
        let test = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::at(format!("udp://239.255.{process}.{test}:0?interface=lo&ttl=0"))
    }

    pub(crate) fn unixgram_path() -> Self {
        let folder = Folder::new();
        let endpoint = format!("unixgram://{}", folder.file("led.sock").display()).parse().unwrap();
        Self { endpoint, _folder: Some(folder) }
    }

    pub(crate) fn unixgram_abstract() -> Self {
        Self::at(format!("unixgram:@{}", unique()))
    }

    fn at(text: String) -> Self {
        Self { endpoint: text.parse().unwrap(), _folder: None }
    }

    pub(crate) fn is_unix(&self) -> bool {
        matches!(self.endpoint, Endpoint::Unixgram(_))
    }

    /// Receives there.
    pub(crate) fn bind(&self) -> Datagram {
        patient(Datagram::bind(&self.endpoint, &DatagramOptions::default()).unwrap())
    }

    /// Gives a board, and a button aimed at it.
    pub(crate) fn pair(&self) -> (Datagram, Datagram) {
        let board = self.bind();
        let button = connect(board.local());
        (board, button)
    }
}

pub(crate) fn connect(endpoint: &Endpoint) -> Datagram {
    patient(Datagram::connect(endpoint, &DatagramOptions::default()).unwrap())
}

fn patient(socket: Datagram) -> Datagram {
    socket.set_receive_timeout(Some(PATIENCE)).unwrap();
    socket
}
