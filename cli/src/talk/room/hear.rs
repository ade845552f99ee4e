//! What a peer says: peeked at, urgent, shown and answered.

use std::io;
use std::rc::Rc;

use soquete::{Address, Clock};

use super::{Room, is_for_later};
use crate::talk::form::{Form, quoted};
use crate::talk::output::{Piece, Voice, note};
use crate::talk::peer::Partner;

/// How much is shown of what was peeked at.
const PEEK_SHOWN_BYTES: usize = 1024;

impl Room {
    /// Shows the octet of urgent data of which poll has told.
    pub(super) fn hear_urgent(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        // Where it has not come yet, it is told of again; what is wrong, the receive behind it tells.
        if let Ok(Some(octet)) = peer.socket.receive_urgent() {
            peer.moved_at = Clock::now();
            note(format_args!("urgent from {}: {}", peer.name, quoted(&[octet], self.manners.form)));
        }
    }

    /// Receives once, shows it, and puts the answer into the queue where there is one.
    ///
    /// # Errors
    /// Those of the socket.
    pub(super) fn receive(&mut self, place: usize) -> io::Result<()> {
        self.peek(place);
        let Self { peers, buf, .. } = self;
        let peer = &mut peers[place];
        let received = match peer.socket.receive(buf) {
            Err(error) if is_for_later(&error) => return Ok(()),
            received => received?,
        };
        peer.moved_at = Clock::now();
        match received.from {
            None if received.len == 0 => self.hear_end(place),
            Some(from) if !self.is_heard(place, &from) => {
                self.peers[place].note(format_args!("{from}: not heard, since another came first; `--keep` hears all"));
            }
            from => self.hear(place, received.len, from),
        }
        Ok(())
    }

    /// Shows what comes first, the first time that there is something.
    fn peek(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        if !std::mem::take(&mut peer.is_to_peek) {
            return;
        }
        // What it cannot see, the receive behind it tells.
        if let Ok(len @ 1..) = peer.socket.peek(&mut self.buf) {
            let shown = quoted(&self.buf[..len.min(PEEK_SHOWN_BYTES)], self.manners.form);
            let more = if len > PEEK_SHOWN_BYTES { " …" } else { "" };
            note(format_args!("peek: {len} octets wait: {shown}{more}"));
        }
    }

    /// Says whether datagrams of this sender are for us; the first to come makes the others strangers.
    fn is_heard(&mut self, place: usize, from: &Address) -> bool {
        let partner = &mut self.peers[place].partner;
        if *partner == Partner::FirstToCome {
            note(format_args!("{from} is here{}", if from.is_nowhere() { ", and cannot be answered" } else { "" }));
            *partner = Partner::Come(from.clone());
        }
        !matches!(partner, Partner::Come(partner) if partner != from)
    }

    fn hear(&mut self, place: usize, len: usize, from: Option<Address>) {
        let Self { peers, buf, output, manners, .. } = self;
        let (peer, octets) = (&mut peers[place], &buf[..len]);
        (peer.has_spoken, self.has_heard) = (true, true);
        let piece = if peer.socket.keeps_boundaries() { Piece::Whole } else { Piece::Part };
        match &from {
            // Each datagram is from somebody else, perhaps.
            Some(from) => output.show(&mut Voice::new(from.to_string()), octets, piece),
            None => output.show(&mut peer.voice, octets, piece),
        }
        let Some(reply) = &manners.reply else { return };
        let mut times = 1;
        if manners.form == Form::Text && piece == Piece::Part {
            times = octets.iter().filter(|octet| **octet == b'\n').count();
            peer.is_midline = !octets.ends_with(b"\n");
        }
        if !from.as_ref().is_some_and(Address::is_nowhere) {
            peer.put(Rc::clone(reply), times, from);
        }
    }

    /// Hears that a stream has ended, and with it its last line.
    fn hear_end(&mut self, place: usize) {
        let peer = &mut self.peers[place];
        peer.has_ended = true;
        self.output.show_rest(&mut peer.voice);
        if let Some(reply) = self.manners.reply.as_ref().filter(|_| peer.is_midline) {
            peer.put(Rc::clone(reply), 1, None);
        }
    }
}
