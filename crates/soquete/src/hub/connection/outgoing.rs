//! How a connection sends what is to go.

use super::wire::{Wire, write_all_it_takes};
use super::{Codec, Connection, Ending, Lent, Turn};
use soquete_proto::channel::Channel;
use soquete_proto::fault::Misuse;
use soquete_proto::handshake::{EventHead, put_urgent_event};
use std::io;
use std::net::Shutdown;
use std::time::Duration;

impl Connection {
    /// Sends what is gathered, and what could not be sent before it.
    pub(in crate::hub) fn flush(&mut self, lent: &mut Lent<'_>) -> Turn {
        let waited = self.output.len();
        match self.send(lent.now, lent.out) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.output.len() < waited {
                    // It takes something, slow as it is.
                    self.heard_at = lent.now;
                }
                return Turn::Blocked;
            }
            Err(_) => return Turn::Closed(self.ending_or(Ending::Left)),
        }
        match &self.codec {
            Codec::Lingering { why, .. } => {
                let is_over = match &self.wire {
                    Wire::Stream(stream) => stream.shutdown(Shutdown::Write).is_err(),
                    Wire::Visit(_) => self.wire.is_settled(),
                };
                if self.has_ended || is_over {
                    return Turn::Closed(why.clone());
                }
                Turn::Idle
            }
            _ if self.fate.close && self.fate.deferred == 0 && self.wire.is_settled() => {
                Turn::Closed(if self.has_ended { Ending::Left } else { Ending::Closed })
            }
            Codec::Frames(_) if !self.fate.close => Turn::Idle,
            // For answers that will come, or until the last words have arrived.
            _ if self.fate.deferred > 0 || self.fate.close => Turn::Waiting,
            _ => Turn::Idle,
        }
    }

    fn send(&mut self, now: Duration, out: &mut Vec<u8>) -> io::Result<()> {
        let stream = match &mut self.wire {
            Wire::Stream(stream) => &*stream,
            Wire::Visit(visit) => return visit.send(now, out),
        };
        let is_cut = !matches!(self.codec, Codec::Raw(_));
        if !self.output.is_empty() {
            self.output.append(out);
            let sent = write_all_it_takes(stream, &self.output, is_cut);
            self.front.sent(&self.output, sent.0);
            self.output.drain(..sent.0);
            if self.output.is_empty() {
                self.output = Vec::new();
            }
            return sent.1;
        }
        if out.is_empty() {
            return Ok(());
        }
        let (sent, result) = write_all_it_takes(stream, out, is_cut);
        if let Err(error) = &result
            && error.kind() == io::ErrorKind::WouldBlock
        {
            self.front.sent(out, sent);
            self.output.extend_from_slice(&out[sent..]);
        }
        out.clear();
        result
    }

    /// Gathers an urgent event, or puts it before what waits already and can be overtaken.
    pub(in crate::hub) fn put_urgent(
        &mut self,
        id: u32,
        head: EventHead,
        payload: &[u8],
        lent: &mut Lent<'_>,
    ) -> Result<(), Misuse> {
        put_urgent_event(lent.out, id, head, payload, self.payload_max_bytes().unwrap_or(0))?;
        if !self.output.is_empty() {
            self.front.insert(&mut self.output, lent.out);
            lent.out.clear();
        }
        Ok(())
    }

    /// Returns how many octets of urgent events wait.
    pub(in crate::hub) fn urgent_len(&self) -> usize {
        let channel = self.wire.visit().and_then(|visit| visit.channel.as_ref());
        channel.map_or_else(|| self.front.urgent_bytes(&self.output), Channel::urgent_bytes)
    }
}
