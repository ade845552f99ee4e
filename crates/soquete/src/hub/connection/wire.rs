//! What a connection runs over: a stream, or datagrams to and from one sender.

use crate::datagram::{Datagram, Gate, Via, unless_full};
use crate::{Address, DATAGRAM_MAX_BYTES, Stream};
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
    /// By which address of ours it came, so that answers go by the same.
    via: Option<Via>,
    /// What puts the frames of a session in order; nothing where each datagram is a message of its own.
    pub(in crate::hub) channel: Option<Channel>,
    gate: Gate,
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

    /// Has what is sent from now on go by an address of ours.
    pub(in crate::hub) fn go_by(&mut self, via: Option<Via>) {
        if let Wire::Visit(visit) = self {
            visit.via = via;
        }
    }

    /// Returns how many octets wait where no buffer of the connection shows them.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.visit().and_then(|visit| visit.channel.as_ref()).map_or(0, Channel::waiting_bytes)
    }

    /// Returns how many octets have arrived and were not used, or wait for the kernel.
    pub(super) fn ahead_bytes(&self) -> usize {
        let Some(visit) = self.visit() else { return 0 };
        visit.gate.unsent_bytes() + visit.channel.as_ref().map_or(0, Channel::held_bytes)
    }

    /// Says whether nothing that was said can be lost any more by closing. Who has not proved its address gets no more
    /// than it has got.
    pub(super) fn is_settled(&self) -> bool {
        let channel = self.visit().and_then(|visit| visit.channel.as_ref());
        channel.is_none_or(|channel| channel.has_taken_leave() || !channel.is_proved())
    }
}

impl Visit {
    pub(in crate::hub) fn new(socket: Arc<Datagram>, port: usize, from: Address, channel: Option<Channel>) -> Self {
        Visit { socket, port, from, via: None, channel, gate: Gate::default(), due: None }
    }

    /// Says whether its sender is known to be where it says; single datagrams prove nothing.
    pub(in crate::hub) fn is_proved(&self) -> bool {
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
            // A Unix sender without a name cannot be answered, and does not expect it.
            for answer in datagrams(out).take_while(|_| !self.from.is_nowhere()) {
                unless_full(self.socket.send_via(answer, &self.from, self.via))?;
            }
            out.clear();
            return Ok(());
        };
        channel.put(out);
        self.gate.send(channel, now, out, |datagram| self.socket.send_via(datagram, &self.from, self.via))?;
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

/// Writes until all is written or the peer takes no more; returns how much was taken. Packets of a message each are
/// never cut.
#[inline]
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
