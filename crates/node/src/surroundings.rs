//! What a process is given by whoever starts it, besides its configuration.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::geteuid;
use soquete::Peer;

use crate::holder::Holder;

/// The shortest time between two signs of life: a loop that does nothing else is of no use.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// What a process is given by whoever starts it, besides its configuration.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// Where it takes commands from this machine: the path of its control socket, in a folder that is there.
    pub control: Option<PathBuf>,
    /// Who may use its control socket; its own user by default.
    pub askers: Askers,
    /// Descriptors that stop it gracefully when they have something to read or end: a pipe from who started it, signals.
    pub stop_on: Vec<OwnedFd>,
    /// Where it notes the presses under way, so that its next start can tell how many were forgotten.
    pub journal: Option<PathBuf>,
    /// Sockets that were bound for it, each at an endpoint that it serves; it binds what was not passed. None by default.
    pub sockets: Vec<OwnedFd>,
    /// Who holds the descriptors of its outputs on hardware, so that they outlive it; without one, the hardware decides what
    /// they have after its death.
    pub holder: Option<Holder>,
    /// Who watches over it, where somebody does.
    pub overseer: Option<Overseer>,
}

/// Who may use the control socket of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Askers {
    /// Its own user, for everything; the socket has the mode 0600.
    #[default]
    Owner,
    /// The group of the socket, too, with the mode 0660: who is neither root nor its own user may ask, but change nothing.
    Group,
}

impl Askers {
    /// Returns the mode of the control socket.
    pub(crate) fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
        }
    }

    /// Says whether somebody who was let in by that mode may change something, too.
    pub(crate) fn may_change(self, peer: &Peer) -> bool {
        let is_ours = |uid: u32| uid == 0 || uid == geteuid().as_raw();
        self == Self::Owner || matches!(peer, Peer::Unix { uid, .. } if is_ours(*uid))
    }
}

/// What a process tells who watches over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Its loop goes round.
    Alive,
    /// It was told to stop, and does.
    Stopping,
}

/// Somebody who watches over a process, such as systemd.
///
/// He is told from the loop itself, so that one that is stuck is noticed.
pub struct Overseer {
    every: Option<Duration>,
    /// When to give the next sign of life, on the clock of the library.
    next_at: Duration,
    tell: Box<dyn FnMut(Notice) + Send>,
}

impl Overseer {
    /// Makes one who is told through `tell`, which must not block: that it stops, and every so often that it lives.
    ///
    /// Without `every` he is given no signs of life. Less than 10 ms counts as that.
    #[must_use]
    pub fn new(every: Option<Duration>, tell: impl FnMut(Notice) + Send + 'static) -> Self {
        Self { every: every.map(|every| every.max(EVERY_MIN)), next_at: Duration::ZERO, tell: Box::new(tell) }
    }

    /// Returns when he wants a sign of life.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.every.map(|_| self.next_at)
    }

    /// Gives a sign of life where it is time.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if let Some(every) = self.every.filter(|_| now >= self.next_at) {
            self.next_at = now + every;
            (self.tell)(Notice::Alive);
        }
    }

    /// Says that the process stops.
    pub(crate) fn stopping(&mut self) {
        (self.tell)(Notice::Stopping);
    }
}

impl fmt::Debug for Overseer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overseer").field("every", &self.every).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn the_group_may_ask_and_only_root_and_the_own_user_may_change() {
        let peer = |uid| Peer::Unix { pid: 1, uid, gid: 1 };
        let own = geteuid().as_raw();
        assert!(Askers::Group.may_change(&peer(0)) && Askers::Group.may_change(&peer(own)));
        assert!(!Askers::Group.may_change(&peer(own + 1)));
        // Whom the kernel does not name was let in by the mode of the socket, and that is all there is to know.
        assert!(!Askers::Group.may_change(&Peer::Outside) && Askers::Owner.may_change(&Peer::Outside));
    }

    #[test]
    fn a_sign_of_life_comes_when_it_is_time_and_not_before() {
        let (sender, told) = channel();
        let mut overseer = Overseer::new(Some(Duration::from_secs(10)), move |notice| sender.send(notice).unwrap());
        let mut signs = |at: u64| {
            overseer.handle_timeout(Duration::from_secs(at));
            (told.try_iter().count(), overseer.timeout().unwrap().as_secs())
        };
        assert_eq!([signs(100), signs(109), signs(110), signs(500)], [(1, 110), (0, 110), (1, 120), (1, 510)]);
    }

    #[test]
    fn nobody_is_told_more_often_than_a_hundred_times_a_second() {
        let mut overseer = Overseer::new(Some(Duration::ZERO), |_| {});
        overseer.handle_timeout(Duration::from_secs(1));
        assert_eq!(overseer.timeout(), Some(Duration::from_millis(1010)));
        assert_eq!(Overseer::new(None, |_| {}).timeout(), None);
    }
}
