//! The chips of the kernel: the Linux GPIO character device, uAPI v2.

use super::chip::{EDGES_KEPT, Edge, Hardware, Request, Seen, Settings, Usage};
use crate::config::{Bias, Drive};
use crate::hardware::{Chip, ChipLine};
use gpiocdev::line::{self, EdgeDetection, EdgeKind, Value};
use gpiocdev::request::{Builder, Config};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, inotify};
use soquete_board::Level;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// Edges read in one system call.
const EDGES_PER_READ: usize = 64;

/// The GPIO of the machine it runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

impl Hardware for Kernel {
    fn chips(&self) -> io::Result<Vec<Seen>> {
        let paths = gpiocdev::chip::chips().map_err(plain)?;
        Ok(paths.into_iter().map(|path| Seen { chip: look(&path), path }).collect())
    }

    fn request(&self, chip: &Path, offset: u32, settings: &Settings) -> io::Result<Box<dyn Request>> {
        let mut builder = Builder::default();
        builder.with_config(config(offset, settings)).on_chip(chip).with_consumer(settings.consumer.as_str());
        if matches!(settings.usage, Usage::Input { .. }) {
            builder.with_kernel_event_buffer_size(EDGES_KEPT.into());
        }
        let request = builder.request().map_err(plain)?;
        // So that to read what may be there never waits.
        fcntl_setfl(&request, fcntl_getfl(&request)? | OFlags::NONBLOCK)?;
        Ok(Box::new(KernelRequest { request, offset }))
    }

    fn arrivals(&self) -> io::Result<OwnedFd> {
        let arrivals = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        // A device is made for root alone; a moment later udev says who else may use it.
        inotify::add_watch(&arrivals, "/dev", inotify::WatchFlags::CREATE | inotify::WatchFlags::ATTRIB)?;
        Ok(arrivals)
    }
}

/// A line that the kernel gave us.
#[derive(Debug)]
struct KernelRequest {
    request: gpiocdev::Request,
    offset: u32,
}

impl Request for KernelRequest {
    fn fd(&self) -> BorrowedFd<'_> {
        self.request.as_fd()
    }

    fn level(&self) -> io::Result<Level> {
        self.request.lone_value().map(level).map_err(plain)
    }

    fn set(&self, level: Level) -> io::Result<()> {
        self.request.set_lone_value(value(level)).map_err(plain)
    }

    fn reconfigure(&self, settings: &Settings) -> io::Result<()> {
        self.request.reconfigure(&config(self.offset, settings)).map_err(plain)
    }

    fn edges(&self) -> io::Result<Vec<Edge>> {
        // `read_edge_event` of gpiocdev 0.8 takes eight edges out of the kernel at a time and tells the first of them.
        let words = self.request.edge_event_u64_size();
        let mut room = vec![0; words * EDGES_PER_READ];
        let mut edges = Vec::new();
        while edges.len() < EDGES_KEPT.into() {
            let read = match self.request.read_edge_events_into_slice(&mut room).map_err(plain) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What was read is told first; the error comes again.
                Err(_) if !edges.is_empty() => break,
                Err(error) => return Err(error),
            };
            for event in room[..read].chunks_exact(words) {
                edges.push(edge(&self.request.edge_event_from_slice(event).map_err(plain)?));
            }
            if read < room.len() {
                break;
            }
        }
        Ok(edges)
    }
}

fn edge(event: &line::EdgeEvent) -> Edge {
    let level = match event.kind {
        EdgeKind::Rising => Level::On,
        EdgeKind::Falling => Level::Off,
    };
    Edge { level, stamp: Duration::from_nanos(event.timestamp_ns), seq: event.line_seqno }
}

/// Says to the kernel how a line is to be used.
fn config(offset: u32, settings: &Settings) -> Config {
    let mut config = Config::default();
    config.with_line(offset);
    match settings.usage {
        Usage::Input { debounce } => {
            config.as_input().with_edge_detection(EdgeDetection::BothEdges);
            if let Some(time) = debounce {
                config.with_debounce_period(time);
            }
        }
        Usage::Output(level) => {
            config.as_output(value(level));
            config.with_drive(match settings.drive {
                Drive::PushPull => line::Drive::PushPull,
                Drive::OpenDrain => line::Drive::OpenDrain,
                Drive::OpenSource => line::Drive::OpenSource,
            });
        }
        Usage::AsIs => {
            config.as_is();
        }
    }
    if settings.usage != Usage::AsIs {
        config.with_bias(match settings.bias {
            Bias::AsIs => None,
            Bias::Disabled => Some(line::Bias::Disabled),
            Bias::PullUp => Some(line::Bias::PullUp),
            Bias::PullDown => Some(line::Bias::PullDown),
        });
    }
    if settings.active_low {
        config.as_active_low();
    }
    config
}

/// Looks at a chip and all its lines.
fn look(path: &Path) -> io::Result<Chip> {
    let chip = gpiocdev::Chip::from_path(path).map_err(plain)?;
    let info = chip.info().map_err(plain)?;
    let lines = chip.line_info_iter().map_err(plain)?.map(|line| line.map(chip_line).map_err(plain));
    Ok(Chip { label: info.label, path: path.to_owned(), lines: lines.collect::<io::Result<_>>()? })
}

fn chip_line(info: line::Info) -> ChipLine {
    let bias = info.bias.map(|bias| match bias {
        line::Bias::PullUp => Bias::PullUp,
        line::Bias::PullDown => Bias::PullDown,
        line::Bias::Disabled => Bias::Disabled,
    });
    let drive = info.drive.map(|drive| match drive {
        line::Drive::PushPull => Drive::PushPull,
        line::Drive::OpenDrain => Drive::OpenDrain,
        line::Drive::OpenSource => Drive::OpenSource,
    });
    ChipLine {
        offset: info.offset,
        name: info.name,
        direction: match info.direction {
            line::Direction::Input => "input",
            line::Direction::Output => "output",
        },
        used: info.used,
        consumer: info.consumer,
        active_low: info.active_low,
        bias: bias.map(|bias| bias.to_string()),
        drive: drive.map(|drive| drive.to_string()),
        debounce_us: info.debounce_period.and_then(|time| u64::try_from(time.as_micros()).ok()),
    }
}

fn value(level: Level) -> Value {
    match level {
        Level::Off => Value::Inactive,
        Level::On => Value::Active,
    }
}

fn level(value: Value) -> Level {
    match value {
        Value::Inactive => Level::Off,
        Value::Active => Level::On,
    }
}

/// Returns the error of the system call behind one of gpiocdev.
fn plain(error: gpiocdev::Error) -> io::Error {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => {
            io::Error::from_raw_os_error(errno.0)
        }
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(usage: Usage) -> Settings {
        let (bias, drive) = (Bias::PullUp, Drive::OpenDrain);
        Settings { consumer: "test".into(), usage, bias, drive, active_low: true }
    }

    /// Returns what is asked of the kernel for the only line.
    fn asked(usage: Usage) -> line::Config {
        config(7, &settings(usage)).line_config(7).unwrap().clone()
    }

    #[test]
    fn an_output_gets_its_first_value_in_the_request() {
        let asked = asked(Usage::Output(Level::On));
        assert_eq!((asked.direction, asked.value), (Some(line::Direction::Output), Some(Value::Active)));
        assert_eq!((asked.drive, asked.bias), (Some(line::Drive::OpenDrain), Some(line::Bias::PullUp)));
        assert!(asked.active_low && asked.edge_detection.is_none());
    }

    #[test]
    fn an_input_tells_both_edges_on_the_clock_that_the_kernel_stamps_by_default() {
        let asked = asked(Usage::Input { debounce: Some(Duration::from_millis(5)) });
        assert_eq!((asked.direction, asked.drive), (Some(line::Direction::Input), None));
        assert_eq!((asked.bias, asked.event_clock), (Some(line::Bias::PullUp), None));
        assert_eq!(asked.edge_detection, Some(EdgeDetection::BothEdges));
        assert_eq!(asked.debounce_period, Some(Duration::from_millis(5)));
    }

    #[test]
    fn a_line_that_is_left_as_it_is_is_asked_for_nothing_that_the_kernel_refuses_then() {
        let asked = asked(Usage::AsIs);
        assert_eq!((asked.direction, asked.drive, asked.bias, asked.value), (None, None, None, None));
        assert!(asked.active_low);
    }

    #[test]
    fn a_missing_device_is_the_error_that_the_system_gave() {
        let error = Kernel.request(Path::new("/dev/gpiochip4094"), 0, &settings(Usage::AsIs)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
