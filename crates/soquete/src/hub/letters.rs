//! How answers that were given later come to their connections.

use super::mailbox::Letter;
use super::{ConnectionId, Handler, Hub, Shared};
use crate::Clock;

impl Hub {
    pub(super) fn deliver_letters<H: Handler>(&mut self, handler: &mut H) {
        for letter in self.shared.mailbox.take() {
            self.deliver(&letter, handler);
        }
    }

    fn deliver<H: Handler>(&mut self, letter: &Letter, handler: &mut H) {
        let now = Clock::now();
        let from = letter.connection;
        if let Some(connection) = self.connection_mut(from) {
            connection.settle();
        }
        let to = match letter.ticket {
            Some(ticket) => self.shared.services[letter.service].core.route(ticket).map(ConnectionId),
            None => Some(from),
        };
        match (to.filter(|to| Self::is_there(&self.slots, *to)), letter.ticket) {
            (Some(to), _) => self
                .with(to.key(), now, handler, |connection, lent, handler, _| connection.answer(letter, lent, handler)),
            (None, Some(ticket)) => {
                // The client is away: what must not be done twice is remembered until it is back.
                let Shared { services, out, .. } = &mut self.shared;
                let _ = services[letter.service].core.answer(ticket, letter.answer(), None, out);
            }
            (None, None) => {}
        }
        if to != Some(from) && Self::is_there(&self.slots, from) {
            // Its session went elsewhere; it may have waited for nothing but this to end.
            self.with(from.key(), now, handler, |connection, lent, handler, _| connection.resume_turn(lent, handler));
        }
    }
}
