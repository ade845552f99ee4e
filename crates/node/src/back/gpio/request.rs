//! A line that the kernel gave us, as a descriptor: requested, or gone on with (Linux GPIO character device, uAPI v2).
//!
//! gpiocdev 0.8 makes its requests itself, and none of a descriptor that is there; so this is its uAPI, one layer below.

use super::chip::{EDGES_KEPT, Edge, Request, Settings, Usage};
use crate::config::{Bias, Drive};
use gpiocdev_uapi::v2::{
    Error, LineConfig, LineEdgeEvent, LineFlags, LineRequest, LineValues, Offset, Offsets, get_line, get_line_values,
    read_event, set_line_config, set_line_values,
};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use soquete_board::Level;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Edges read in one system call.
const EDGES_PER_READ: usize = 64;

/// The number that a rising edge has in an event (GPIO_V2_LINE_EVENT_RISING_EDGE).
const RISING: u32 = 1;

/// The mask and the index of the only line.
const ONLY: u64 = 1;

/// A line that the kernel gave us.
#[derive(Debug)]
pub(super) struct KernelRequest {
    line: File,
}

impl KernelRequest {
    /// Takes a line of a chip.
    pub(super) fn new(chip: &Path, offset: Offset, settings: &Settings) -> io::Result<Self> {
        let chip = File::options().read(true).write(true).open(chip)?;
        let hears = matches!(settings.usage, Usage::Input { .. });
        let request = LineRequest {
            offsets: Offsets::from_slice(&[offset]),
            consumer: settings.consumer.as_str().into(),
            config: config(settings),
            num_lines: 1,
            event_buffer_size: if hears { EDGES_KEPT.into() } else { 0 },
            ..LineRequest::default()
        };
        let line = get_line(&chip, request).map_err(plain)?;
        // So that to read what may be there never waits.
        fcntl_setfl(&line, fcntl_getfl(&line)? | OFlags::NONBLOCK)?;
        Ok(KernelRequest { line })
    }

    /// Goes on with a descriptor that is said to be of this line.
    pub(super) fn adopt(fd: OwnedFd, chip: &Path, offset: Offset) -> io::Result<Self> {
        let folder = Path::new("/proc/self");
        let link = fs::read_link(folder.join("fd").join(fd.as_raw_fd().to_string()))?;
        let info = fs::read_to_string(folder.join("fdinfo").join(fd.as_raw_fd().to_string()))?;
        let name = chip.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !is_line(&link.to_string_lossy(), &info, name, offset) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is of another line"));
        }
        let request = KernelRequest { line: fd.into() };
        // Of a chip that is gone meanwhile it is dead.
        request.level()?;
        Ok(request)
    }
}

/// Says whether a descriptor may be of this line: by its link in /proc, and by what a newer kernel tells of it
/// besides.
fn is_line(link: &str, info: &str, chip: &str, offset: Offset) -> bool {
    let told = |key| info.lines().find_map(|row| row.strip_prefix(key)).map(str::trim);
    link == "anon_inode:gpio-line"
        && told("gpio-chip:").is_none_or(|told| told == chip)
        && told("gpio-line:").is_none_or(|told| told == offset.to_string())
}

/// Drives the only line of a request.
pub(crate) fn drive(line: &File, level: Level) -> io::Result<()> {
    set_line_values(line, &LineValues { bits: u64::from(level == Level::On), mask: ONLY }).map_err(plain)
}

impl Request for KernelRequest {
    fn fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    fn level(&self) -> io::Result<Level> {
        let mut values = LineValues { bits: 0, mask: ONLY };
        get_line_values(&self.line, &mut values).map_err(plain)?;
        Ok(if values.bits & ONLY == 0 { Level::Off } else { Level::On })
    }

    fn set(&self, level: Level) -> io::Result<()> {
        drive(&self.line, level)
    }

    fn reconfigure(&self, settings: &Settings) -> io::Result<()> {
        set_line_config(&self.line, config(settings)).map_err(plain)
    }

    fn edges(&self) -> io::Result<Vec<Edge>> {
        let words = LineEdgeEvent::u64_size();
        let mut room = vec![0; words * EDGES_PER_READ];
        let mut edges = Vec::new();
        while edges.len() < EDGES_KEPT.into() {
            let read = match read_event(&self.line, &mut room).map_err(plain) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What was read is told first; the error comes again.
                Err(_) if !edges.is_empty() => break,
                Err(error) => return Err(error),
            };
            for event in room[..read].chunks_exact(words) {
                edges.push(edge(LineEdgeEvent::from_slice(event).map_err(plain)?));
            }
            if read < room.len() {
                break;
            }
        }
        Ok(edges)
    }
}

fn edge(event: &LineEdgeEvent) -> Edge {
    let level = if event.kind == RISING { Level::On } else { Level::Off };
    Edge { level, stamp: Duration::from_nanos(event.timestamp_ns), seq: event.line_seqno }
}

/// Says to the kernel how a line is to be used.
fn config(settings: &Settings) -> LineConfig {
    let mut config = LineConfig::default();
    config.flags = match settings.usage {
        Usage::Input { debounce } => {
            if let Some(time) = debounce {
                config.add_debounce(u32::try_from(time.as_micros()).unwrap_or(u32::MAX), ONLY);
            }
            LineFlags::INPUT | LineFlags::EDGE_RISING | LineFlags::EDGE_FALLING
        }
        Usage::Output(level) => {
            config.add_values(&LineValues { bits: u64::from(level == Level::On), mask: ONLY });
            let drive = match settings.drive {
                Drive::PushPull => LineFlags::empty(),
                Drive::OpenDrain => LineFlags::OPEN_DRAIN,
                Drive::OpenSource => LineFlags::OPEN_SOURCE,
            };
            LineFlags::OUTPUT | drive
        }
        Usage::AsIs => LineFlags::empty(),
    };
    if settings.usage != Usage::AsIs {
        config.flags |= match settings.bias {
            Bias::AsIs => LineFlags::empty(),
            Bias::Disabled => LineFlags::BIAS_DISABLED,
            Bias::PullUp => LineFlags::BIAS_PULL_UP,
            Bias::PullDown => LineFlags::BIAS_PULL_DOWN,
        };
    }
    config.flags.set(LineFlags::ACTIVE_LOW, settings.active_low);
    config
}

/// Returns the error of the system call behind one of the uAPI.
pub(super) fn plain(error: Error) -> io::Error {
    match error {
        Error::Os(errno) => io::Error::from_raw_os_error(errno.0),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gpiocdev_uapi::v2::LineAttributeValue;

    fn settings(usage: Usage) -> Settings {
        let (bias, drive) = (Bias::PullUp, Drive::OpenDrain);
        Settings { consumer: "test".into(), usage, bias, drive, active_low: true }
    }

    #[test]
    fn an_output_gets_its_first_value_in_the_request() {
        let asked = config(&settings(Usage::Output(Level::On)));
        let flags = LineFlags::OUTPUT | LineFlags::OPEN_DRAIN | LineFlags::BIAS_PULL_UP | LineFlags::ACTIVE_LOW;
        assert_eq!((asked.flags, asked.num_attrs, asked.attr(0).mask), (flags, 1, ONLY));
        assert_eq!(asked.attr(0).attr.to_value(), Some(LineAttributeValue::Values(1)));
    }

    #[test]
    fn an_input_tells_both_edges_on_the_clock_that_the_kernel_stamps_by_default() {
        let asked = config(&settings(Usage::Input { debounce: Some(Duration::from_millis(5)) }));
        let edges = LineFlags::EDGE_RISING | LineFlags::EDGE_FALLING;
        let flags = LineFlags::INPUT | edges | LineFlags::BIAS_PULL_UP | LineFlags::ACTIVE_LOW;
        assert_eq!((asked.flags, asked.num_attrs, asked.attr(0).mask), (flags, 1, ONLY));
        assert_eq!(asked.attr(0).attr.to_value(), Some(LineAttributeValue::DebouncePeriod(5000)));
    }

    #[test]
    fn a_line_that_is_left_as_it_is_is_asked_for_nothing_that_the_kernel_refuses_then() {
        let asked = config(&settings(Usage::AsIs));
        assert_eq!((asked.flags, asked.num_attrs), (LineFlags::ACTIVE_LOW, 0));
    }

    #[test]
    fn a_descriptor_is_of_a_line_by_its_link_and_by_what_a_newer_kernel_tells() {
        let (link, info) = ("anon_inode:gpio-line", "flags:\t02\ngpio-chip:\tgpiochip0\ngpio-line:\t17\n");
        assert!(is_line(link, info, "gpiochip0", 17) && is_line(link, "flags:\t02\n", "gpiochip0", 17));
        for (link, info, chip, offset) in
            [(link, info, "gpiochip1", 17), (link, info, "gpiochip0", 7), ("pipe:[17]", info, "gpiochip0", 17)]
        {
            assert!(!is_line(link, info, chip, offset), "{link} {chip} {offset}");
        }
    }

    #[test]
    fn what_is_no_line_is_neither_gone_on_with_nor_driven() {
        let (pipe, _writer) = io::pipe().unwrap();
        assert_eq!(
            drive(&File::from(OwnedFd::from(pipe.try_clone().unwrap())), Level::On).unwrap_err().raw_os_error(),
            Some(25)
        );
        let refused = KernelRequest::adopt(pipe.into(), Path::new("/dev/gpiochip0"), 0).unwrap_err();
        assert_eq!(refused.to_string(), "it is of another line");
    }
}
