//! Why a line of the hardware cannot be had, and what to do.

use crate::error::ProcessError;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the list of all lines is, for whoever has to look.
const LIST: &str = "`soquete lines --hardware` lists what this machine has";

/// The kernel's own error for what a driver does not support, which no C library has a name for (ENOTSUPP).
const NOT_SUPPORTED: i32 = 524;

/// Why a line of the hardware cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The machine has no chip at all.
    NoChips,
    /// No chip has a line of this name.
    NoSuchName,
    /// No chip has this label; these are there.
    NoSuchChip { labels: Vec<String> },
    /// The chip has fewer lines.
    NoSuchOffset { lines: usize },
    /// Several lines have this name, at these places.
    SameName { places: Vec<String> },
    /// Several chips have this label.
    SameLabel { paths: Vec<PathBuf> },
    /// Somebody has it.
    Busy { consumer: String },
    /// This user may not open the chip, whose device has this group.
    Denied { path: PathBuf, group: String },
    /// The chip went away while the line was held.
    Gone,
    /// The chip has no interrupts, so nobody tells of edges.
    NoEdges,
    /// The driver does not have what is asked of it.
    Unsupported(i32),
    /// Something else.
    Other(String),
}

impl Trouble {
    /// Reads the error of a system call on a chip or a line.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(|errno| (errno, Errno::from_raw_os_error(errno))) {
            Some((_, Errno::NODEV | Errno::NOENT)) => Self::Gone,
            Some((_, Errno::BUSY)) => Self::Busy { consumer: String::new() },
            Some((_, Errno::NXIO)) => Self::NoEdges,
            Some((errno @ NOT_SUPPORTED, _)) => Self::Unsupported(errno),
            Some((errno, Errno::INVAL | Errno::NOTSUP | Errno::RANGE | Errno::NOTTY)) => Self::Unsupported(errno),
            _ => Self::Other(error.to_string()),
        }
    }

    /// Reads the error of opening a chip.
    pub(crate) fn opening(path: &Path, error: &io::Error) -> Self {
        if error.kind() != io::ErrorKind::PermissionDenied {
            return Self::of(error);
        }
        let gid = std::fs::metadata(path).map_or(0, |data| data.gid());
        let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
        Self::Denied { path: path.to_owned(), group: group_name(&groups, gid) }
    }

    /// Says whether it may be over by itself, even where there is no chip at all now.
    pub(crate) fn may_come(&self) -> bool {
        self.is_absence() || *self == Self::NoChips
    }

    /// Says whether it may be over by itself: the chip has not come yet, or went.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::NoSuchName | Self::NoSuchChip { .. } | Self::Gone)
    }

    /// Returns what a person can do.
    pub(crate) fn act(&self) -> String {
        match self {
            Self::NoChips => {
                "GPIO needs a board, and a kernel, that have it; `--platform pc` runs on any Linux".to_owned()
            }
            Self::NoSuchName => LIST.to_owned(),
            Self::NoSuchChip { labels } => format!("there are {}; {LIST}", labels.join(", ")),
            Self::NoSuchOffset { .. } => LIST.to_owned(),
            Self::SameName { places } => {
                let first = places.first().map_or("", String::as_str);
                format!("say which by the label of its chip and its offset: gpio:{first}")
            }
            Self::SameLabel { .. } => format!("say which by the name of the line; {LIST}"),
            Self::Busy { .. } => format!("end who has it, or choose another line; {LIST}"),
            Self::Denied { group, .. } if group == "root" => {
                "only root may open it: a udev rule lets a group in, such as SUBSYSTEM==\"gpio\", GROUP=\"gpio\", \
                 MODE=\"0660\""
                    .to_owned()
            }
            Self::Denied { group, .. } => {
                format!("be of its group: `sudo adduser $USER {group}`, then log in again")
            }
            Self::Gone => "it is taken again when it is back".to_owned(),
            Self::NoEdges => "choose a line of another chip for an input".to_owned(),
            Self::Unsupported(_) => "leave out `bias` and `drive`, one after the other".to_owned(),
            Self::Other(_) => LIST.to_owned(),
        }
    }

    /// Makes it the error of a process, about what it says.
    pub(crate) fn at(&self, what: &str) -> ProcessError {
        ProcessError { what: format!("{what}: {self}"), act: Some(self.act()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChips => f.write_str("there is no GPIO chip (no /dev/gpiochip*)"),
            Self::NoSuchName => f.write_str("no line has this name"),
            Self::NoSuchChip { .. } => f.write_str("no chip has this label"),
            Self::NoSuchOffset { lines } => {
                write!(f, "the chip has {lines} lines, from 0 to {}", lines.saturating_sub(1))
            }
            Self::SameName { places } => write!(f, "{} lines have this name: {}", places.len(), places.join(", ")),
            Self::SameLabel { paths } => {
                let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
                write!(f, "{} chips have this label: {}", paths.len(), paths.join(", "))
            }
            Self::Busy { consumer } if consumer.is_empty() => f.write_str("busy: somebody who gives no name has it"),
            Self::Busy { consumer } => write!(f, "busy: {consumer} has it"),
            Self::Denied { path, .. } => write!(f, "open {}: permission denied", path.display()),
            Self::Gone => f.write_str("the chip is gone"),
            Self::NoEdges => f.write_str("the chip has no interrupts, so it tells no edges"),
            Self::Unsupported(errno) => {
                write!(f, "the driver refuses what is asked: {}", io::Error::from_raw_os_error(*errno))
            }
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Returns the name of a group out of `/etc/group`, or its number.
fn group_name(groups: &str, gid: u32) -> String {
    let rows = groups.lines().map(|row| row.split(':'));
    let mut named = rows.filter_map(|mut row| Some((row.next()?, row.nth(1)?.parse::<u32>().ok()?)));
    named.find(|(_, number)| *number == gid).map_or_else(|| gid.to_string(), |(name, _)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_errno_is_a_trouble_of_its_own() {
        let of = |errno: i32| Trouble::of(&io::Error::from_raw_os_error(errno));
        assert_eq!(of(Errno::NODEV.raw_os_error()), Trouble::Gone);
        assert_eq!(of(Errno::BUSY.raw_os_error()), Trouble::Busy { consumer: String::new() });
        assert_eq!(of(Errno::NXIO.raw_os_error()), Trouble::NoEdges);
        assert_eq!(of(NOT_SUPPORTED), Trouble::Unsupported(NOT_SUPPORTED));
        assert!(matches!(of(Errno::IO.raw_os_error()), Trouble::Other(_)));
    }

    #[test]
    fn who_may_not_open_a_chip_hears_which_group_may() {
        let groups = "root:x:0:\ngpio:x:997:alice,bob\n";
        assert_eq!((group_name(groups, 997), group_name(groups, 5)), ("gpio".into(), "5".into()));
        let denied = |group: &str| Trouble::Denied { path: "/dev/gpiochip0".into(), group: group.into() };
        assert_eq!(denied("gpio").to_string(), "open /dev/gpiochip0: permission denied");
        assert!(denied("gpio").act().contains("`sudo adduser $USER gpio`"));
        assert!(denied("root").act().contains("udev rule"));
        let refused = Trouble::opening(Path::new("/dev/null"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(refused, Trouble::Denied { path: "/dev/null".into(), group: "root".into() });
    }
}
