//! The paths at which Unix datagrams are answered, in the folder for temporary files.

use std::fs::{self, Metadata};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketAddrUnix;

use crate::Cause;
use crate::listener::path::{self, OwnedPath};

/// The mode of such a path: the server may run as anybody. Nobody else can write to it all the same, since the socket
/// behind it is connected.
const MODE: u32 = 0o666;

/// Files of the folder that are looked at, at the most. Default 4,096, some milliseconds; what the dead left behind those
/// stays.
const SWEPT_MAX: usize = 4_096;

/// How old a file must be to be taken for what a dead program left. Default 60 s. Reason: one that is just being bound
/// refuses as the dead do.
const SWEPT_AGE: Duration = Duration::from_secs(60);

/// Gives a socket that is connected a path that nobody has. The first time it sweeps the folder.
pub(super) fn bind(socket: &OwnedFd) -> Result<OwnedPath, Cause> {
    static SWEPT: Once = Once::new();
    let folder = std::env::temp_dir();
    SWEPT.call_once(|| sweep(&folder));
    let name = format!("soquete-{}-{:016x}.sock", std::process::id(), crate::entropy::random_u64());
    path::bind_new(socket, &folder.join(name), MODE)
}

/// Removes what programs left in the folder that were killed.
fn sweep(folder: &Path) {
    for file in fs::read_dir(folder).into_iter().flatten().take(SWEPT_MAX).flatten() {
        // One that cannot be removed is somebody else's to remove.
        if file.file_name().to_str().is_some_and(is_ours) && file.metadata().is_ok_and(is_old) && is_dead(&file.path())
        {
            let _ = fs::remove_file(file.path());
        }
    }
}

/// Tells the name of such a path: `soquete-`, a process and 16 hex digits.
fn is_ours(name: &str) -> bool {
    let middle = name.strip_prefix("soquete-").and_then(|rest| rest.strip_suffix(".sock"));
    middle.and_then(|middle| middle.split_once('-')).is_some_and(|(process, number)| {
        process.parse::<u32>().is_ok() && number.len() == 16 && u64::from_str_radix(number, 16).is_ok()
    })
}

/// Tells a socket that is there for a while. The metadata is the file's own, not that of what a link shows to.
fn is_old(file: Metadata) -> bool {
    let age = file.modified().ok().and_then(|at| at.elapsed().ok());
    file.file_type().is_socket() && age.is_some_and(|age| age >= SWEPT_AGE)
}

fn is_dead(path: &Path) -> bool {
    SocketAddrUnix::new(path).is_ok_and(|address| path::probe(&address) == Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    use std::os::unix::net::UnixDatagram;

    #[test]
    fn what_the_dead_left_is_swept_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("soquete-sweep-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let bind = |name: &str, age_s: i64| {
            let path = folder.join(name);
            let socket = UnixDatagram::bind(&path).unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            let at = Timespec { tv_sec: i64::try_from(now.as_secs()).unwrap() - age_s, tv_nsec: 0 };
            let times = Timestamps { last_access: at, last_modification: at };
            utimensat(CWD, &path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
            socket
        };
        let _living = bind("soquete-1-0123456789abcdef.sock", 3_600);
        drop(bind("soquete-1-0123456789abcde0.sock", 3_600));
        drop(bind("soquete-1-0123456789abcde1.sock", 1));
        drop(bind("soquete-led.sock", 3_600));
        fs::write(folder.join("soquete-1-0123456789abcde2.sock"), "dear to somebody").unwrap();
        sweep(&folder);
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        left.sort();
        fs::remove_dir_all(&folder).unwrap();
        let [living, new, file] = ["f", "1", "2"].map(|last| format!("soquete-1-0123456789abcde{last}.sock"));
        assert_eq!(left, [&*new, &*file, &*living, "soquete-led.sock"]);
    }
}
