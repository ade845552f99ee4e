//! How answers that were given later come to their connections.

use super::mailbox::Letter;
use super::{ConnectionId, Handler, Hub};
use crate::Clock;

impl Hub {
    pub(super) fn deliver_letters<H: Handler>(&mut self, handler: &mut H) {
        for letter in self.shared.mailbox.take() {
            self.deliver(&letter, handler);
        }
    }

    fn deliver<H: Handler>(&mut self, letter: &Letter, handler: &mut H) {
        let mut to = Some(letter.connection);
        if let Some(connection) = self.connection_mut(letter.connection) {
            connection.settle();
        }
        if let Some(ticket) = letter.ticket {
            let service = &mut self.shared.services[letter.service];
            to = service.core.route(ticket).map(ConnectionId);
            if to.is_none_or(|to| !Self::is_there(&self.slots, to)) {
                // The client is away: what must not be done twice is remembered until it is back.
                let _ = service.core.answer(ticket, letter.answer(), None, &mut self.shared.out);
                return;
            }
        }
        if let Some(to) = to.filter(|to| Self::is_there(&self.slots, *to)) {
            let now = Clock::now();
            self.with(to.key(), now, handler, |connection, lent, handler, _| connection.answer(letter, lent, handler));
        }
    }
}
