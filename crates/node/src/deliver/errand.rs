//! A press on its way without a session: as a line over a connection of its own, or in datagrams.

use crate::config::Delivery;
use soquete::{Announcement, Endpoint, Hub, Outcome, Shot};
use std::time::Duration;

pub(super) enum Errand {
    Line(Shot),
    Datagrams(Announcement),
}

impl Errand {
    /// Makes what carries a command to an endpoint without a session; nothing where there is a session to carry it.
    pub(super) fn new(to: &Endpoint, delivery: Delivery, command: &str, deadline: Duration) -> Option<Self> {
        match delivery {
            Delivery::Frames if to.reaches_many() => {
                Some(Self::Datagrams(Announcement::new(to.clone(), command, deadline)))
            }
            Delivery::Frames => None,
            Delivery::Text if to.is_datagram() => {
                Some(Self::Datagrams(Announcement::single(to.clone(), command, deadline)))
            }
            Delivery::Text => Some(Self::Line(Shot::new(to.clone(), command, deadline))),
        }
    }

    pub(super) fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Line(shot) => shot.endpoint(),
            Self::Datagrams(announcement) => announcement.endpoint(),
        }
    }

    pub(super) fn was_sent(&self) -> bool {
        match self {
            Self::Line(shot) => shot.was_sent(),
            Self::Datagrams(announcement) => announcement.was_sent(),
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        match self {
            Self::Line(shot) => shot.timeout(),
            Self::Datagrams(announcement) => announcement.timeout(),
        }
    }

    pub(super) fn drive(&mut self, hub: &mut Hub, now: Duration) -> Option<Outcome> {
        match self {
            Self::Line(shot) => shot.drive(hub, now),
            Self::Datagrams(announcement) => announcement.drive(hub, now),
        }
    }

    pub(super) fn close(&mut self, hub: &mut Hub) {
        match self {
            Self::Line(shot) => shot.close(hub),
            Self::Datagrams(announcement) => announcement.close(hub),
        }
    }
}
