//! The chips of the kernel: the Linux GPIO character device, uAPI v2.

use super::chip::{Hardware, Request, Seen, Settings};
use super::request::{self, KernelRequest};
use crate::config::{Bias, Drive};
use crate::hardware::{Chip, ChipLine};
use gpiocdev::line;
use rustix::fs::inotify;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The GPIO of the machine it runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel;

impl Hardware for Kernel {
    fn chips(&self) -> io::Result<Vec<Seen>> {
        let paths = gpiocdev::chip::chips().map_err(plain)?;
        Ok(paths.into_iter().map(|path| Seen { chip: look(&path), path }).collect())
    }

    fn request(&self, chip: &Path, offset: u32, settings: &Settings) -> io::Result<Box<dyn Request>> {
        Ok(Box::new(KernelRequest::new(chip, offset, settings)?))
    }

    fn adopt(&self, fd: OwnedFd, chip: &Path, offset: u32) -> io::Result<Box<dyn Request>> {
        Ok(Box::new(KernelRequest::adopt(fd, chip, offset)?))
    }

    fn arrivals(&self) -> io::Result<OwnedFd> {
        let arrivals = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        // A device is made for root alone; a moment later udev says who else may use it.
        inotify::add_watch(&arrivals, "/dev", inotify::WatchFlags::CREATE | inotify::WatchFlags::ATTRIB)?;
        Ok(arrivals)
    }
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

/// Returns the error of the system call behind one of gpiocdev.
fn plain(error: gpiocdev::Error) -> io::Error {
    match error {
        gpiocdev::Error::Os(errno) => io::Error::from_raw_os_error(errno.0),
        gpiocdev::Error::Uapi(_, error) => request::plain(error),
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_device_is_the_error_that_the_system_gave() {
        let (consumer, usage) = ("test".into(), super::super::chip::Usage::AsIs);
        let settings = Settings { consumer, usage, bias: Bias::AsIs, drive: Drive::PushPull, active_low: false };
        let error = Kernel.request(Path::new("/dev/gpiochip4094"), 0, &settings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
