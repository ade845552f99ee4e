//! Leases: the sole right to set a line, for a time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::{Cause, Line, LineId, Refusal};

/// The shortest lease: 100 ms, a few round trips of a slow network, since it has to be renewed within it.
pub const LEASE_MIN: Duration = Duration::from_millis(100);

/// The longest lease: 1 h. Who is gone holds up everybody else for as long.
pub const LEASE_MAX: Duration = Duration::from_secs(60 * 60);

/// The most former owners of a line that are told who took it over; of more the oldest is forgotten, and may take it
/// over again while the lease lasts.
const FORMER_MAX: usize = 8;

/// Whom the board tells apart as owners. The caller chooses the text, one for each who asks; a clone shares it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(Arc<str>);

impl From<&str> for OwnerId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for OwnerId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Who owns a line, or wants to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Whom the board tells from others.
    pub id: OwnerId,
    /// What people call it, in logs and refusals.
    pub words: Cause,
}

/// The sole right to set a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    owner: Owner,
    time: Duration,
    until: Duration,
    /// Who was taken over and may not take over again while this lasts, the latest last.
    former: Vec<OwnerId>,
}

impl Lease {
    /// Returns who owns the line, in the words of its latest renewal.
    #[must_use]
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Returns how long it lasts from each renewal.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }

    /// Returns when it ends unless it is renewed. That moment is too late for a renewal.
    #[must_use]
    pub fn until(&self) -> Duration {
        self.until
    }
}

/// What became of a lease, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseNews {
    /// Somebody owns the line now.
    Begun {
        /// Who.
        owner: Cause,
        /// For how long, from each renewal.
        time: Duration,
    },
    /// Somebody owns the line instead of another.
    TakenOver {
        /// Who owned it.
        from: Cause,
        /// Who owns it now.
        by: Cause,
        /// For how long, from each renewal.
        time: Duration,
    },
    /// Its owner has given it back; the line keeps its value.
    Released {
        /// Who owned it.
        owner: Cause,
    },
    /// It ended without its owner's doing: it was not renewed, and the line gets its safe value; or the line is gone.
    Ended {
        /// Who owned it.
        owner: Cause,
    },
}

impl fmt::Display for LeaseNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun { owner, time } => write!(f, "leased by {owner} for {time:?}"),
            Self::TakenOver { from, by, time } => write!(f, "taken over by {by} for {time:?}, from {from}"),
            Self::Released { owner } => write!(f, "released by {owner}"),
            Self::Ended { owner } => write!(f, "the lease of {owner} ended"),
        }
    }
}

/// Every lease, and when it ends.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: BTreeMap<LineId, Lease>,
    /// Holds exactly the ends of `held`.
    ends: BTreeSet<(Duration, LineId)>,
}

impl Leases {
    pub(crate) fn get(&self, line: LineId) -> Option<&Lease> {
        self.held.get(&line)
    }

    /// Says why somebody may not set a line, if so.
    pub(crate) fn bars(&self, line: &Line, who: &OwnerId, now: Duration) -> Result<(), Refusal> {
        let Some(lease) = self.get(line.id()).filter(|lease| lease.owner.id != *who) else { return Ok(()) };
        let (line, by, left) = (line.name().clone(), lease.owner.words.clone(), lease.until.saturating_sub(now));
        let was_owner = lease.former.contains(who);
        Err(if was_owner { Refusal::TakenOver { line, by, left } } else { Refusal::Leased { line, by, left } })
    }

    /// Says why somebody may not have a lease on a line, if so.
    pub(crate) fn bars_lease(&self, line: &Line, who: &OwnerId, now: Duration) -> Result<(), Refusal> {
        match self.bars(line, who, now) {
            Err(Refusal::Leased { .. }) if line.spec().may_be_taken_over => Ok(()),
            barred => barred,
        }
    }

    /// Gives a lease, or renews it; returns what is to be told.
    pub(crate) fn put(&mut self, now: Duration, line: LineId, owner: &Owner, time: Duration) -> Option<LeaseNews> {
        let until = now.saturating_add(time);
        let before = self.remove(line);
        self.ends.insert((until, line));
        let (mut former, mut news) = (Vec::new(), Some(LeaseNews::Begun { owner: owner.words.clone(), time }));
        if let Some(before) = before {
            former = before.former;
            news = None;
            if before.owner.id != owner.id {
                if former.len() >= FORMER_MAX {
                    former.remove(0);
                }
                former.push(before.owner.id);
                news = Some(LeaseNews::TakenOver { from: before.owner.words, by: owner.words.clone(), time });
            }
        }
        self.held.insert(line, Lease { owner: owner.clone(), time, until, former });
        news
    }

    pub(crate) fn remove(&mut self, line: LineId) -> Option<Lease> {
        let lease = self.held.remove(&line)?;
        self.ends.remove(&(lease.until, line));
        Some(lease)
    }

    /// Removes the next lease whose time is over.
    pub(crate) fn take_ended(&mut self, now: Duration) -> Option<(LineId, Lease)> {
        let line = self.ends.first().filter(|(until, _)| *until <= now)?.1;
        Some((line, self.remove(line)?))
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.ends.first().map(|&(until, _)| until)
    }
}
