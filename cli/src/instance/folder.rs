//! The folder of all instances: where it is, and that nobody else can put anything in it.

use std::env;
use std::fs::{self, DirBuilder, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::output::{Exit, Failure};

/// Who may do what in a folder of ours: its owner all, nobody else anything.
const MODE: u32 = 0o700;

/// The folder of root and of units, which others have to get through: their sockets say who may use them.
const SYSTEM_MODE: u32 = 0o755;

/// Who but the owner must have no right in a folder that is used: to write.
const OTHERS_WRITE: u32 = 0o022;

/// The folder of all instances of root, and of the units of systemd.
pub(super) const SYSTEM: &str = "/run/soquete";

/// Returns the folder of all instances: `$XDG_RUNTIME_DIR/soquete`, for root `/run/soquete`, else `/tmp/soquete-UID`.
pub(super) fn base() -> PathBuf {
    // A relative path counts as not set, as its specification says.
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    match runtime {
        Some(runtime) => runtime.join("soquete"),
        None if geteuid().is_root() => PathBuf::from(SYSTEM),
        None => PathBuf::from(format!("/tmp/soquete-{}", geteuid().as_raw())),
    }
}

/// Makes a folder of ours where it is not there yet.
///
/// # Errors
/// It cannot be made, or is there and not ours, or others may write to it.
pub(super) fn create(path: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(MODE).create(path) {
        // Whatever the umask is.
        Ok(()) if path == Path::new(SYSTEM) => {
            let opened = fs::set_permissions(path, PermissionsExt::from_mode(SYSTEM_MODE));
            opened.map_err(|error| Failure::new(Exit::NotDone, format!("open {}: {error}", path.display())))
        }
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path),
        Err(error) => {
            let failure = Failure::new(Exit::NotDone, format!("create {}: {error}", path.display()));
            Err(failure.act("set XDG_RUNTIME_DIR to a folder of yours"))
        }
    }
}

/// Refuses a folder in which others may do something: whoever can write to it could put a socket there that answers for ours.
///
/// One that is not there is fine.
///
/// # Errors
/// It is a symbolic link or no folder, belongs to somebody else, or others may write to it.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(Exit::NotDone, format!("look at {}: {error}", path.display()))),
    };
    let shown = path.display();
    let (wrong, act) = match fault(&found, geteuid().as_raw()) {
        None => return Ok(()),
        Some(Fault::NoFolder) => ("no folder", format!("look what it is, then `rm {shown}`")),
        Some(Fault::Owner(uid)) => {
            let wrong = format!("{shown} belongs to user {uid}, so it is not used");
            return Err(Failure::new(Exit::NotDone, wrong).act("set XDG_RUNTIME_DIR to a folder of yours"));
        }
        Some(Fault::Open) => ("open for other users to write", format!("`chmod go-w {shown}` closes it")),
    };
    Err(Failure::new(Exit::NotDone, format!("{shown} is {wrong}, so it is not used")).act(act))
}

/// Says whether a folder and the one that it lies in are root's, and nobody else may put anything into them.
pub(super) fn is_of_the_system(path: &Path) -> bool {
    let is_root = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| fault(&found, 0).is_none());
    is_root(path) && path.parent().is_some_and(is_root)
}

/// Why a folder is not used.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    NoFolder,
    Owner(u32),
    Open,
}

fn fault(found: &Metadata, owner: u32) -> Option<Fault> {
    if !found.is_dir() {
        Some(Fault::NoFolder)
    } else if found.uid() != owner {
        Some(Fault::Owner(found.uid()))
    } else if found.permissions().mode() & OTHERS_WRITE != 0 {
        Some(Fault::Open)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_folder_that_nobody_else_may_write_to_is_used() {
        let base = env::temp_dir().join(format!("soquete-folder-{}", std::process::id()));
        create(&base).unwrap();
        assert_eq!(fs::metadata(&base).unwrap().mode() & 0o777, MODE);
        assert_eq!(create(&base), Ok(()));
        let (open, file, link) = (base.join("open"), base.join("file"), base.join("link"));
        create(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o770)).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&base, &link).unwrap();
        assert!(check(&open).unwrap_err().to_string().contains("`chmod go-w "));
        assert!(create(&file).unwrap_err().to_string().contains("is no folder"));
        assert!(create(&link).unwrap_err().to_string().contains("is no folder"), "where it leads is another's choice");
        assert_eq!(check(&base.join("none")), Ok(()));
        fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(check(&open), Ok(()), "to look is no harm: the sockets in it are closed");
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let ours = env::temp_dir().join(format!("soquete-stranger-{}", std::process::id()));
        create(&ours).unwrap();
        // Root gives one away; everybody else is a stranger in what belongs to another already.
        let is_given = std::os::unix::fs::chown(&ours, Some(65_534), None).is_ok();
        let strange = if is_given { ours.as_path() } else { Path::new("/proc/sys") };
        assert!(matches!(fault(&fs::metadata(strange).unwrap(), geteuid().as_raw()), Some(Fault::Owner(_))));
        fs::remove_dir(&ours).unwrap();
    }
}
