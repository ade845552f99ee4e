//! The connection of an outbound client, from the look-up of a name to its end, without blocking.

use crate::datagram::Carrier;
use crate::hub::{Hub, PACKET_MAX_BYTES, SourceId};
use crate::{Clock, Endpoint, Error, Host, Stream, resolve_then};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::Duration;

/// How long one attempt to connect may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Octets that one receive may bring.
const CHUNK_LEN_BYTES: usize = 16 << 10;

pub(super) enum Wire {
    None,
    Resolving(Receiver<Result<Vec<SocketAddr>, Error>>),
    Connecting {
        stream: Stream,
        source: SourceId,
        others: Vec<SocketAddr>,
    },
    Connected {
        stream: Stream,
        source: SourceId,
        is_blocked: bool,
    },
    /// Over datagrams nobody connects; it is as good as connected when it is aimed.
    Aimed {
        carrier: Box<Carrier>,
        source: SourceId,
    },
    Carried {
        carrier: Box<Carrier>,
        source: SourceId,
    },
}

/// What a receive came to.
pub(super) enum Io {
    Nothing,
    Some,
    Ended,
}

impl Wire {
    pub(super) fn source(&self) -> Option<SourceId> {
        match self {
            Wire::None | Wire::Resolving(_) => None,
            Wire::Connecting { source, .. }
            | Wire::Connected { source, .. }
            | Wire::Aimed { source, .. }
            | Wire::Carried { source, .. } => Some(*source),
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        matches!(self, Wire::Resolving(_) | Wire::Connecting { .. })
    }

    /// Begins to connect.
    pub(super) fn start(&mut self, endpoint: &Endpoint, hub: &mut Hub) -> Result<(), Error> {
        let (host, port) = match endpoint.host() {
            Some((host @ Host::Name(_), port)) => (host, port),
            _ => return self.connect(endpoint, Vec::new(), hub),
        };
        let (sender, receiver) = sync_channel(1);
        let waker = hub.stopper();
        *self = Wire::Resolving(receiver);
        resolve_then(host.clone(), port, move |answer| {
            // Nobody waits for it any more where the client has closed.
            let _ = sender.send(answer);
            waker.wake();
        })
    }

    fn connect(&mut self, endpoint: &Endpoint, others: Vec<SocketAddr>, hub: &mut Hub) -> Result<(), Error> {
        if endpoint.is_datagram() {
            let carrier = Box::new(Carrier::connect(endpoint, Clock::now())?);
            let source = hub.watch(carrier.as_fd())?;
            *self = Wire::Aimed { carrier, source };
            return Ok(());
        }
        let stream = Stream::connect_start(endpoint)?;
        let source = hub.watch_writable(stream.as_fd())?;
        *self = Wire::Connecting { stream, source, others };
        Ok(())
    }

    /// Goes on with connecting; says whether it is connected now and was not before.
    pub(super) fn go_on(&mut self, endpoint: &Endpoint, hub: &mut Hub) -> Result<bool, Error> {
        if let Wire::Resolving(receiver) = self {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => return Ok(false),
                Err(TryRecvError::Disconnected) => *self = Wire::None,
                Ok(answer) => self.connect_one_of(endpoint, answer?, hub)?,
            }
        }
        if let Wire::Aimed { .. } = self
            && let Wire::Aimed { carrier, source } = std::mem::replace(self, Wire::None)
        {
            *self = Wire::Carried { carrier, source };
            return Ok(true);
        }
        let Wire::Connecting { stream, source, others } = self else { return Ok(false) };
        let result = stream.finish_connect();
        match result {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
            Err(error) if others.is_empty() => return Err(Error::new(crate::Operation::Connect, endpoint, error)),
            Err(_) => {
                let others = std::mem::take(others);
                hub.unwatch(*source);
                self.connect_one_of(endpoint, others, hub)?;
                return Ok(false);
            }
            Ok(()) => {}
        }
        hub.unwatch(*source);
        let Wire::Connecting { stream, .. } = std::mem::replace(self, Wire::None) else { return Ok(false) };
        let source = hub.watch(stream.as_fd())?;
        *self = Wire::Connected { stream, source, is_blocked: false };
        Ok(true)
    }

    fn connect_one_of(
        &mut self,
        endpoint: &Endpoint,
        mut addresses: Vec<SocketAddr>,
        hub: &mut Hub,
    ) -> Result<(), Error> {
        loop {
            // Never empty: a look-up without an address is an error.
            let first = addresses.remove(0);
            match self.connect(&endpoint.at(first), addresses.clone(), hub) {
                Err(_) if !addresses.is_empty() => {}
                result => return result,
            }
        }
    }

    /// Sends as much of `out` as is taken.
    pub(super) fn send(&mut self, out: &mut Vec<u8>, endpoint: &Endpoint, hub: &mut Hub) -> Result<(), String> {
        let failed = |error: io::Error| Error::new(crate::Operation::Send, endpoint, error).to_string();
        if let Wire::Carried { carrier, .. } = self {
            return carrier.send(Clock::now(), out).map(drop).map_err(failed);
        }
        let Wire::Connected { stream, source, is_blocked } = self else { return Ok(()) };
        while !out.is_empty() {
            match stream.write(&out[..out.len().min(PACKET_MAX_BYTES)]) {
                Ok(len) => drop(out.drain(..len)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(failed(error)),
            }
        }
        if *is_blocked == out.is_empty() {
            hub.unwatch(*source);
            *is_blocked = !out.is_empty();
            let watched = if *is_blocked { hub.watch_writable(stream.as_fd()) } else { hub.watch(stream.as_fd()) };
            *source = watched.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Appends what has come.
    pub(super) fn receive(&mut self, input: &mut Vec<u8>, endpoint: &Endpoint) -> Result<Io, String> {
        if let Wire::Carried { carrier, .. } = self {
            return match carrier.receive(Clock::now(), input) {
                Ok(0) => Ok(Io::Nothing),
                Ok(_) => Ok(Io::Some),
                Err(error) => Err(Error::new(crate::Operation::Receive, endpoint, error).to_string()),
            };
        }
        let Wire::Connected { stream, .. } = self else { return Ok(Io::Nothing) };
        let (mut chunk, mut packet) = ([0; CHUNK_LEN_BYTES], Vec::new());
        let chunk = if stream.keeps_packets() {
            packet.resize(PACKET_MAX_BYTES, 0);
            &mut packet[..]
        } else {
            &mut chunk[..]
        };
        loop {
            match stream.read(chunk) {
                Ok(0) => return Ok(Io::Ended),
                Ok(len) => {
                    input.extend_from_slice(&chunk[..len]);
                    return Ok(Io::Some);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Io::Nothing),
                Err(_) => return Err("the connection was lost".into()),
            }
        }
    }

    /// Returns when something is to be sent again.
    pub(super) fn timeout(&self) -> Option<Duration> {
        if let Wire::Carried { carrier, .. } = self { carrier.timeout() } else { None }
    }

    /// Ends the sending side; what the peer still sends can be received.
    pub(super) fn finish(&self) {
        if let Wire::Connected { stream, .. } = self {
            // A peer that has gone by now shows in the next receive.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }

    pub(super) fn close(&mut self, hub: &mut Hub) {
        if let Some(source) = self.source() {
            hub.unwatch(source);
        }
        *self = Wire::None;
    }
}
