//! A place of its own for each test: port 0, a fresh folder, a fresh name.

use std::path::Path;

use soquete::{Endpoint, ListenOptions, Listener, Stream};

pub(crate) use crate::folder::Folder;
use crate::folder::unique;

/// An endpoint of one kind where nobody listens yet.
pub(crate) struct Place {
    pub(crate) endpoint: Endpoint,
    _folder: Option<Folder>,
}

impl Place {
    pub(crate) fn tcp_v4() -> Self {
        Self::at("tcp://127.0.0.1:0".into())
    }

    pub(crate) fn tcp_v6() -> Self {
        Self::at("tcp://[::1]:0".into())
    }

    pub(crate) fn unix_path() -> Self {
        let folder = Folder::new();
        let endpoint = unix(&folder.file("led.sock"));
        Self { endpoint, _folder: Some(folder) }
    }

    pub(crate) fn unix_abstract() -> Self {
        Self::at(format!("unix:@{}", unique()))
    }

    pub(crate) fn seqpacket_path() -> Self {
        let folder = Folder::new();
        let endpoint = format!("seqpacket://{}", folder.file("led.sock").display()).parse().unwrap();
        Self { endpoint, _folder: Some(folder) }
    }

    pub(crate) fn seqpacket_abstract() -> Self {
        Self::at(format!("seqpacket:@{}", unique()))
    }

    pub(crate) fn mem() -> Self {
        Self::at(format!("mem:{}", unique()))
    }

    fn at(text: String) -> Self {
        Self { endpoint: text.parse().unwrap(), _folder: None }
    }

    pub(crate) fn listen(&self) -> Listener {
        Listener::bind(&self.endpoint, &ListenOptions::default()).unwrap()
    }

    /// Gives both ends of a connection: the client's and the server's.
    pub(crate) fn pair(&self) -> (Stream, Stream) {
        let listener = self.listen();
        let client = Stream::connect(listener.local()).unwrap();
        (client, listener.accept().unwrap().0)
    }
}

pub(crate) fn unix(path: &Path) -> Endpoint {
    format!("unix://{}", path.display()).parse().unwrap()
}
