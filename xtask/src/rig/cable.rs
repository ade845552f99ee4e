//! The Ethernet between two guests: a relay here, which stops forwarding while its cable is pulled.

use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// The largest frame that is carried; that of a guest has 1,514 octets.
const FRAME_MAX: usize = 64 * 1024;

/// A cable that can be pulled; gone when this is dropped.
pub(crate) struct Cable {
    is_pulled: Arc<AtomicBool>,
    /// Our ends of the two halves.
    ends: [UnixDatagram; 2],
    relays: Vec<JoinHandle<()>>,
}

impl Cable {
    /// Lays a cable; returns it with the two ends for the guests.
    ///
    /// # Errors
    /// There are no sockets or no threads left.
    pub(crate) fn lay() -> io::Result<(Self, [OwnedFd; 2])> {
        let (one, first) = UnixDatagram::pair()?;
        let (other, second) = UnixDatagram::pair()?;
        let mut cable = Cable { is_pulled: Arc::default(), ends: [one, other], relays: Vec::new() };
        for (from, to) in [(0, 1), (1, 0)] {
            let (from, to) = (cable.ends[from].try_clone()?, cable.ends[to].try_clone()?);
            let is_pulled = Arc::clone(&cable.is_pulled);
            cable.relays.push(thread::Builder::new().spawn(move || relay(&from, &to, &is_pulled))?);
        }
        Ok((cable, [first.into(), second.into()]))
    }

    /// Pulls it: what is sent from now on is lost, and nobody at its ends is told.
    pub(crate) fn pull(&self) {
        self.is_pulled.store(true, Ordering::Relaxed);
    }

    /// Plugs it in again.
    pub(crate) fn plug(&self) {
        self.is_pulled.store(false, Ordering::Relaxed);
    }
}

/// Forwards one way until the cable is gone.
fn relay(from: &UnixDatagram, to: &UnixDatagram, is_pulled: &AtomicBool) {
    let mut frame = vec![0; FRAME_MAX];
    while let Ok(len @ 1..) = from.recv(&mut frame) {
        if !is_pulled.load(Ordering::Relaxed) {
            // A guest that has ended takes none.
            drop(to.send(&frame[..len]));
        }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for end in &self.ends {
            // It fails for none of ours; and who forwards must not wait.
            drop(end.shutdown(Shutdown::Both));
        }
        self.relays.drain(..).for_each(|relay| drop(relay.join()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a frame through a relay, all of it in this thread; returns what arrives.
    fn relayed(is_pulled: bool) -> Option<usize> {
        let (sender, from) = UnixDatagram::pair().unwrap();
        let (to, receiver) = UnixDatagram::pair().unwrap();
        sender.send(b"frame").unwrap();
        from.shutdown(Shutdown::Both).unwrap();
        relay(&from, &to, &AtomicBool::new(is_pulled));
        receiver.set_nonblocking(true).unwrap();
        receiver.recv(&mut [0; 8]).ok()
    }

    #[test]
    fn what_is_sent_over_a_pulled_cable_is_lost() {
        assert_eq!((relayed(false), relayed(true)), (Some(5), None));
    }

    #[test]
    fn a_cable_that_is_plugged_in_again_carries_both_ways() {
        let (cable, ends) = Cable::lay().unwrap();
        let [one, other] = ends.map(UnixDatagram::from);
        cable.pull();
        cable.plug();
        for (from, to) in [(&one, &other), (&other, &one)] {
            from.send(b"frame").unwrap();
            assert_eq!(to.recv(&mut [0; 8]).unwrap(), 5);
        }
    }
}
