//! Leases, as clients ask for them, and who they are.

use super::Front;
use super::answer::names;
use crate::config::Timeout;
use soquete::{Clock, Exchange, Peer};
use soquete_board::{Cause, LineName, Owner, OwnerId, Refusal};
use std::time::Duration;

impl Front {
    /// Gives who asks a lease on lines, or renews it.
    pub(super) fn lease(&mut self, exchange: Exchange<'_>, asked: &[&str], time: Duration) {
        let owner = owner_of(&exchange);
        let leased = names(asked).and_then(|names| self.plant.lease(Clock::now(), &owner, &names, time));
        let time = Timeout::try_from(time).map(|time| time.to_string()).unwrap_or_default();
        self.settled(exchange, leased, asked, |lines| format!("OK LEASE {lines} {time}"));
    }

    /// Ends the leases of who asks on lines.
    pub(super) fn release(&mut self, exchange: Exchange<'_>, asked: &[&str]) {
        let owner = owner_of(&exchange).id;
        let released = names(asked).and_then(|names| self.plant.release(Clock::now(), &owner, &names));
        self.settled(exchange, released, asked, |lines| format!("OK RELEASE {lines}"));
    }

    fn settled(
        &mut self,
        exchange: Exchange<'_>,
        result: Result<(), Refusal>,
        asked: &[&str],
        words: impl FnOnce(&str) -> String,
    ) {
        // The end of an earlier lease may have set lines.
        self.sort_effects();
        match result {
            Ok(()) => {
                let line = |name: &LineName| self.plant.board.line(name).map(|line| line.name().to_string());
                let lines: Vec<String> = names(asked).unwrap_or_default().iter().filter_map(line).collect();
                self.done(exchange, words(&lines.join(" ")));
            }
            Err(refusal) => self.refuse(exchange, &refusal),
        }
    }
}

/// Says who asks: the session, which survives its connection; without one the connection, and for single datagrams of UDP
/// the address they are from.
pub(super) fn owner_of(exchange: &Exchange<'_>) -> Owner {
    let id = match (exchange.session(), exchange.peer) {
        (Some(session), _) => format!("session {session} of service {}", exchange.service),
        (None, Peer::Udp(address)) => format!("sender {address}"),
        (None, _) => format!("{:?}", exchange.connection()),
    };
    Owner { id: OwnerId::from(id), words: cause_of(exchange) }
}

/// Says who causes what an exchange asks for.
fn cause_of(exchange: &Exchange<'_>) -> Cause {
    if exchange.name.is_empty() {
        Cause::from(exchange.peer.to_string())
    } else {
        // What a peer calls itself is its own affair, but it must not look like two lines of the log.
        let name: String = exchange.name.chars().filter(|character| !character.is_control()).collect();
        Cause::from(format!("{name} ({})", exchange.peer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soquete_board::{BLINK_MAX, BLINK_MIN, LEASE_MAX, LEASE_MIN, PULSE_MAX, PULSE_MIN, RESERVED_WORDS};
    use soquete_proto::text::WORDS;

    #[test]
    fn the_page_says_how_long_leases_pulses_and_blinks_may_be() {
        let page = include_str!("../../../../PROTOCOL.md");
        for (limit, time) in [
            ("shortest lease", LEASE_MIN),
            ("longest lease", LEASE_MAX),
            ("shortest pulse", PULSE_MIN),
            ("longest pulse", PULSE_MAX),
            ("shortest time on, and off, of a blink", BLINK_MIN),
            ("longest time on, and off, of a blink", BLINK_MAX),
        ] {
            let row = format!("| {limit} | {} |", Timeout::try_from(time).unwrap());
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_process_that_has_lost_its_session_has_lost_the_leases_of_its_rules() {
        assert_eq!(crate::config::RULE_LEASE_MAX, soquete_proto::server::Options::new("").session_kept);
    }

    #[test]
    fn no_line_is_called_by_a_word_of_the_grammar() {
        assert_eq!(WORDS, RESERVED_WORDS);
    }
}
