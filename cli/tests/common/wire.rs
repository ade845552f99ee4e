//! Frames, octet by octet as PROTOCOL.md has them, and plain connections. Written anew here, so that the program is not
//! held against its own code.

use super::PATIENCE;
use rustix::net::sockopt::set_socket_linger;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What every connection of frames begins with.
pub(crate) const OPENING: [u8; 8] = [0xd3, b'S', b'O', b'Q', 0x0d, 0x0a, 0x1a, 0x01];

pub(crate) const HELLO: u8 = 1;
pub(crate) const WELCOME: u8 = 2;
pub(crate) const REJECT: u8 = 3;
pub(crate) const REQUEST: u8 = 5;
pub(crate) const REPLY: u8 = 6;
pub(crate) const ERROR: u8 = 7;
pub(crate) const GOODBYE: u8 = 12;

/// A frame that was received.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// Returns code and text of a reason, which in a GOODBYE stands behind the last id.
    pub(crate) fn reason(&self) -> (u8, String) {
        let start = if self.kind == GOODBYE { 4 } else { 0 };
        (self.payload[start], String::from_utf8_lossy(&self.payload[start + 3..]).into_owned())
    }
}

/// Puts a frame together.
pub(crate) fn frame(kind: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    let mut octets = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
    octets.extend_from_slice(&[kind, 0, 0, 0]);
    octets.extend_from_slice(&id.to_le_bytes());
    octets.extend_from_slice(payload);
    octets
}

/// Puts together the opening octets and a HELLO without a session.
pub(crate) fn hello(service: &str) -> Vec<u8> {
    let mut payload = vec![1];
    payload.extend_from_slice(&[0; 8]);
    payload.extend_from_slice(&(1_u32 << 20).to_le_bytes());
    payload.extend_from_slice(&[0; 24]);
    for text in [service, "a test"] {
        payload.extend_from_slice(&u16::try_from(text.len()).unwrap().to_le_bytes());
        payload.extend_from_slice(text.as_bytes());
    }
    [&OPENING[..], &frame(HELLO, 0, &payload)].concat()
}

/// Puts together a REQUEST without a deadline.
pub(crate) fn request(id: u32, command: &str) -> Vec<u8> {
    request_until(id, 0, command)
}

/// Puts together a REQUEST with a deadline on the server's clock.
pub(crate) fn request_until(id: u32, deadline_us: u64, command: &str) -> Vec<u8> {
    let payload = [&deadline_us.to_le_bytes()[..], &[0], &id.to_le_bytes(), command.as_bytes()].concat();
    frame(REQUEST, id, &payload)
}

/// A connection, octet by octet.
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    /// Connects; whatever is received must come in time.
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire(stream)
    }

    /// Sends in one write. A peer that has closed meanwhile is no failure: what it said can still be read.
    pub(crate) fn send(&mut self, octets: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.0.write_all(octets.as_ref());
        self
    }

    /// Ends the sending side.
    pub(crate) fn finish(&mut self) -> &mut Self {
        let _ = self.0.shutdown(Shutdown::Write);
        self
    }

    /// Closes it by a reset.
    pub(crate) fn reset(self) {
        set_socket_linger(&self.0, Some(Duration::ZERO)).unwrap();
    }

    /// Receives one line, without its LF.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let mut octet = [0];
        while self.0.read(&mut octet).unwrap_or_else(|error| panic!("{error} behind {line:?}")) > 0 && octet != *b"\n" {
            line.push(octet[0]);
        }
        String::from_utf8(line).unwrap()
    }

    /// Asks in text, and returns the line that answers.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\n")).line()
    }

    /// Receives one frame.
    pub(crate) fn frame(&mut self) -> Frame {
        let mut header = [0; 12];
        self.0.read_exact(&mut header).unwrap();
        let len = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let mut payload = vec![0; len.try_into().unwrap()];
        self.0.read_exact(&mut payload).unwrap();
        Frame { kind: header[4], payload }
    }

    /// Receives until the other end closes; a reset is an end as well.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        match self.0.read_to_end(&mut octets) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("still open after {PATIENCE:?}, behind {:?}", octets.escape_ascii().to_string())
            }
            _ => octets,
        }
    }

    /// Receives text until the other end closes.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.rest()).unwrap()
    }
}
