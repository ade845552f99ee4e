//! What a connection runs over: a stream, or datagrams to and from one sender.

use crate::{Address, DATAGRAM_MAX_BYTES, Datagram, Stream};
use soquete_proto::channel::Channel;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

/// The longest packet of frames that is sent over a seqpacket socket, in octets. Reason: the kernel takes about 208 KiB at
/// a time, less where somebody has bounded it.
pub(crate) const PACKET_MAX_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(in crate::hub) enum Wire {
    Stream(Stream),
    Visit(Box<Visit>),
}

/// Datagrams to and from one sender, through a port of ours.
#[derive(Debug)]
pub(in crate::hub) struct Visit {
    socket: Arc<Datagram>,
    /// The key of the port.
    pub(in crate::hub) port: usize,
    pub(in crate::hub) from: Address,
    /// What puts the frames of a session in order; nothing where each datagram is a message of its own.
    pub(in crate::hub) channel: Option<Channel>,
    /// When the loop has noted that something is due.
    pub(in crate::hub) due: Option<Duration>,
}

impl Wire {
    pub(in crate::hub) fn stream(&self) -> Option<&Stream> {
        if let Wire::Stream(stream) = self { Some(stream) } else { None }
    }

    pub(in crate::hub) fn visit(&self) -> Option<&Visit> {
        if let Wire::Visit(visit) = self { Some(visit) } else { None }
    }

    /// Returns the channel of a session over datagrams.
    pub(in crate::hub) fn channel(&mut self) -> Option<&mut Channel> {
        if let Wire::Visit(visit) = self { visit.channel.as_mut() } else { None }
    }

    /// Returns how many octets wait where no buffer of the connection shows them.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.visit().and_then(|visit| visit.channel.as_ref()).map_or(0, Channel::waiting_bytes)
    }
}

impl Visit {
    pub(in crate::hub) fn new(socket: Arc<Datagram>, port: usize, from: Address, channel: Option<Channel>) -> Self {
        Visit { socket, port, from, channel, due: None }
    }

    /// Says whether its sender is known to be where it says; single datagrams prove nothing.
    pub(super) fn is_proved(&self) -> bool {
        self.channel.as_ref().is_some_and(Channel::is_proved)
    }

    /// Returns when something is due.
    pub(in crate::hub) fn timeout(&self) -> Option<Duration> {
        self.channel.as_ref().and_then(Channel::timeout)
    }

    /// Sends what is gathered: each frame in a packet of the session, or all of it as one answer. What the kernel has no
    /// room for is lost, as datagrams are; a session sends it again.
    pub(super) fn send(&mut self, now: Duration, out: &mut Vec<u8>) -> io::Result<()> {
        let Some(channel) = &mut self.channel else {
            for answer in datagrams(out) {
                unless_full(self.socket.send_to(answer, &self.from))?;
            }
            out.clear();
            return Ok(());
        };
        channel.put(out);
        out.clear();
        while channel.transmit(now, out) {
            let sent = unless_full(self.socket.send_to(out, &self.from));
            out.clear();
            sent?;
        }
        if channel.has_room() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

/// Cuts an answer that is longer than a datagram, at the ends of lines where there are some.
fn datagrams(mut out: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let whole = &out[..out.len().min(DATAGRAM_MAX_BYTES)];
        let line = || whole.iter().rposition(|octet| *octet == b'\n').map_or(whole.len(), |last| last + 1);
        let len = if whole.len() == out.len() { whole.len() } else { line() };
        let (datagram, rest) = out.split_at(len);
        out = rest;
        (!datagram.is_empty()).then_some(datagram)
    })
}

/// Takes a datagram that found no room for one that was sent: it may be lost on its way as well.
fn unless_full(sent: io::Result<()>) -> io::Result<()> {
    match sent {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) if rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::NOBUFS) => Ok(()),
        sent => sent,
    }
}

/// Writes until all is written or the peer takes no more; returns how much was taken. Packets of a message each are
/// never cut.
pub(super) fn write_all_it_takes(mut stream: &Stream, octets: &[u8], is_cut: bool) -> (usize, io::Result<()>) {
    let max_bytes = if stream.keeps_packets() && is_cut { PACKET_MAX_BYTES } else { usize::MAX };
    let mut sent = 0;
    while sent < octets.len() {
        let piece = &octets[sent..octets.len().min(sent.saturating_add(max_bytes))];
        match super::retry(|| stream.write(piece)) {
            Ok(len) => sent += len,
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_longer_than_a_datagram_is_cut_at_a_line() {
        let line = [&[b'x'; 999][..], b"\n"].concat();
        let answer = line.repeat(100);
        let cut: Vec<usize> = datagrams(&answer).map(<[u8]>::len).collect();
        assert_eq!(cut, [65_000, 35_000]);
        assert_eq!(datagrams(b"").count(), 0);
        assert_eq!(datagrams(&[0; DATAGRAM_MAX_BYTES]).count(), 1);
        assert_eq!(datagrams(&[0; DATAGRAM_MAX_BYTES + 1]).count(), 2, "where there is no line, anywhere");
    }
}
