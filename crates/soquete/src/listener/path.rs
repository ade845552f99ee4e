//! Listening at a Unix path: the one kind of address that outlives its server.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{self, AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::ListenOptions;
use crate::{Cause, Clock};

/// How long to wait for the lock on the folder: 1 s. Who binds holds it for less than a millisecond, but in a folder
/// as public as `/tmp` anybody can hold it for ever.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to ask for it.
const LOCK_INTERVAL: Duration = Duration::from_millis(1);

/// A path bound by this process; the file is removed on drop if it is still the one that was bound.
#[derive(Debug)]
pub(crate) struct OwnedPath {
    path: PathBuf,
    id: FileId,
}

/// What tells a file from another that took its path.
type FileId = (u64, u64);

/// Takes a path and listens there.
///
/// The folder is locked from the look at what is there until the socket has the path. Otherwise one binder could remove what
/// another has bound there since it looked.
pub(super) fn listen(path: &Path, kind: SocketType, options: &ListenOptions) -> Result<(OwnedFd, OwnedPath), Cause> {
    let address = SocketAddrUnix::new(path)?;
    let _lock = lock_folder(path)?;
    let (socket, owned) = take(path, &address, kind, options.mode)?;
    super::listen(&socket, options)?;
    Ok((socket, owned))
}

/// Takes a path for datagrams, which nobody listens for.
pub(crate) fn bind(path: &Path, mode: Option<u32>) -> Result<(OwnedFd, OwnedPath), Cause> {
    bind_as(path, SocketType::DGRAM, mode)
}

/// Gives a socket a path that nobody has: there is nothing to make way for it, and no folder to lock, which in one as
/// public as `/tmp` anybody could keep locked.
pub(crate) fn bind_new(socket: &OwnedFd, path: &Path, mode: u32) -> Result<OwnedPath, Cause> {
    bind_socket(socket, path, &SocketAddrUnix::new(path)?, Some(mode))
}

/// Takes a path for a socket that does not listen: one of datagrams, or one that connects and has a name of its own.
pub(crate) fn bind_as(path: &Path, kind: SocketType, mode: Option<u32>) -> Result<(OwnedFd, OwnedPath), Cause> {
    let address = SocketAddrUnix::new(path)?;
    let _lock = lock_folder(path)?;
    take(path, &address, kind, mode)
}

/// Binds a new socket to a path, in the place of what a dead one left there.
fn take(
    path: &Path,
    address: &SocketAddrUnix,
    kind: SocketType,
    mode: Option<u32>,
) -> Result<(OwnedFd, OwnedPath), Cause> {
    make_way(path, address)?;
    let socket = socket(kind, SocketFlags::empty())?;
    let owned = bind_socket(&socket, path, address, mode)?;
    Ok((socket, owned))
}

fn bind_socket(socket: &OwnedFd, path: &Path, address: &SocketAddrUnix, mode: Option<u32>) -> Result<OwnedPath, Cause> {
    if let Some(mode) = mode {
        // The file takes over the mode that the socket has when it is bound, less the umask. To change the file's
        // mode afterwards would leave a moment in which whoever it keeps out could begin to connect.
        fs::fchmod(socket, Mode::from_raw_mode(mode))?;
    }
    let (bound, owned) = {
        // Held over both, so that whoever removes all paths of this process does not miss one that was just bound.
        let mut register = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
        net::bind(socket, address)?;
        let bound = lstat(path)?;
        (bound, OwnedPath::new(path, id(&bound), &mut register))
    };
    if let Some(mode) = mode.map(Mode::from_raw_mode)
        && Mode::from_raw_mode(bound.st_mode) != mode
    {
        // The umask took away what was asked for.
        fs::chmod(path, mode)?;
    }
    Ok(owned)
}

/// Removes the socket file of a dead server. A living one keeps its path; a file that is no socket, a symbolic link
/// to one included, is left alone.
fn make_way(path: &Path, address: &SocketAddrUnix) -> Result<(), Cause> {
    let found = match lstat(path) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    if FileType::from_raw_mode(found.st_mode) != FileType::Socket {
        return Err(Cause::FileInTheWay);
    }
    match probe(address) {
        Err(Errno::CONNREFUSED) => Ok(fs::unlink(path)?),
        Err(Errno::NOENT) => Ok(()),
        Ok(()) => Err(Errno::ADDRINUSE.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// Says whether a living socket of any kind has a path; ECONNREFUSED where a dead one left it. It visits nobody: a socket of
/// datagrams does not count as a client, neither where streams or packets are accepted nor where datagrams are received.
pub(crate) fn probe(address: &SocketAddrUnix) -> Result<(), Errno> {
    match net::connect(socket(SocketType::DGRAM, SocketFlags::NONBLOCK)?, address) {
        // It is of another kind, or of datagrams and hears somebody else alone.
        Err(Errno::PROTOTYPE | Errno::PERM) => Ok(()),
        probed => probed,
    }
}

/// Locks the folder of a path until the descriptor is dropped.
fn lock_folder(path: &Path) -> Result<OwnedFd, Cause> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = fs::open(folder, flags, Mode::empty())?;
    let deadline = Clock::now() + LOCK_TIMEOUT;
    loop {
        match fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            Err(Errno::WOULDBLOCK) if Clock::now() < deadline => thread::sleep(LOCK_INTERVAL),
            Err(Errno::WOULDBLOCK) => return Err(Cause::Busy("another program keeps the folder locked")),
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn socket(kind: SocketType, flags: SocketFlags) -> rustix::io::Result<OwnedFd> {
    net::socket_with(AddressFamily::UNIX, kind, flags | SocketFlags::CLOEXEC, None)
}

fn lstat(path: &Path) -> rustix::io::Result<Stat> {
    fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
}

fn id(stat: &Stat) -> FileId {
    (stat.st_dev, stat.st_ino)
}

/// The paths that this process has bound and not given up.
static OWNED: Mutex<BTreeMap<PathBuf, FileId>> = Mutex::new(BTreeMap::new());

/// Removes the file of every Unix socket that this process has bound and not dropped: for who ends without dropping them, as
/// after a signal. Nobody can reach those sockets any more.
pub fn remove_paths() {
    for (path, id) in std::mem::take(&mut *OWNED.lock().unwrap_or_else(PoisonError::into_inner)) {
        remove(&path, id);
    }
}

/// Removes a file if it is still that one. Nobody can do anything about a failure; the next server replaces the file.
fn remove(path: &Path, file: FileId) {
    if lstat(path).is_ok_and(|found| id(&found) == file) {
        let _ = fs::unlink(path);
    }
}

impl OwnedPath {
    fn new(path: &Path, id: FileId, register: &mut BTreeMap<PathBuf, FileId>) -> Self {
        register.insert(path.to_owned(), id);
        Self { path: path.to_owned(), id }
    }

    fn give_up(&self) {
        let mut owned = OWNED.lock().unwrap_or_else(PoisonError::into_inner);
        // Who took the path over since may be of this process, too.
        if owned.get(&self.path) == Some(&self.id) {
            owned.remove(&self.path);
        }
    }

    /// Leaves the file where it is.
    pub(crate) fn leave(mut self) {
        self.give_up();
        // No file has such a name.
        self.path = PathBuf::new();
    }
}

impl Drop for OwnedPath {
    /// Needs no lock: the socket still listens, so nobody takes the path over between the look and the removal.
    fn drop(&mut self) {
        self.give_up();
        remove(&self.path, self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_takes_over_the_mode_its_socket_has_when_it_is_bound() {
        let path = std::env::temp_dir().join(format!("soquete-mode-{}.sock", std::process::id()));
        let socket = socket(SocketType::STREAM, SocketFlags::empty()).unwrap();
        fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).unwrap();
        net::bind(&socket, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let bound = lstat(&path).unwrap();
        drop(OwnedPath::new(&path, id(&bound), &mut BTreeMap::new()));
        assert_eq!(Mode::from_raw_mode(bound.st_mode), Mode::RUSR | Mode::WUSR);
    }

    #[test]
    fn a_relative_path_is_locked_in_its_own_folder() {
        assert!(lock_folder(Path::new("led.sock")).is_ok());
        assert!(lock_folder(Path::new("no-such-folder/led.sock")).is_err());
    }
}
