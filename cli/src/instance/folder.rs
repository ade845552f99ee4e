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

/// Returns the folder of all instances: `$XDG_RUNTIME_DIR/soquete`, for root `/run/soquete`, else `/tmp/soquete-UID`.
pub(super) fn base() -> PathBuf {
    // A relative path counts as not set, as its specification says.
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    match runtime {
        Some(runtime) => runtime.join("soquete"),
        None if geteuid().is_root() => PathBuf::from("/run/soquete"),
        None => PathBuf::from(format!("/tmp/soquete-{}", geteuid().as_raw())),
    }
}

/// Makes a folder of ours where it is not there yet.
///
/// # Errors
/// It cannot be made, or is there and not ours alone.
pub(super) fn create(path: &Path) -> Result<(), Failure> {
    match DirBuilder::new().mode(MODE).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => check(path),
        Err(error) => {
            let failure = Failure::new(Exit::NotDone, format!("create {}: {error}", path.display()));
            Err(failure.act("set XDG_RUNTIME_DIR to a folder of yours"))
        }
    }
}

/// Refuses a folder that is not ours alone: whoever can write to it could put a socket there that answers for ours.
///
/// One that is not there is fine.
///
/// # Errors
/// It is a symbolic link or no folder, belongs to somebody else, or is open to others.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Failure::new(Exit::NotDone, format!("look at {}: {error}", path.display()))),
    };
    let shown = path.display();
    let (wrong, act) = match fault(&found) {
        None => return Ok(()),
        Some(Fault::NoFolder) => ("no folder", format!("look what it is, then `rm {shown}`")),
        Some(Fault::Owner(uid)) => {
            let wrong = format!("{shown} belongs to user {uid}, so it is not used");
            return Err(Failure::new(Exit::NotDone, wrong).act("set XDG_RUNTIME_DIR to a folder of yours"));
        }
        Some(Fault::Open) => ("open to other users", format!("`chmod 700 {shown}` closes it")),
    };
    Err(Failure::new(Exit::NotDone, format!("{shown} is {wrong}, so it is not used")).act(act))
}

/// Why a folder is not used.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    NoFolder,
    Owner(u32),
    Open,
}

fn fault(found: &Metadata) -> Option<Fault> {
    if !found.is_dir() {
        Some(Fault::NoFolder)
    } else if found.uid() != geteuid().as_raw() {
        Some(Fault::Owner(found.uid()))
    } else if found.permissions().mode() & 0o777 & !MODE != 0 {
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
    fn only_a_folder_of_ours_alone_is_used() {
        let base = env::temp_dir().join(format!("soquete-folder-{}", std::process::id()));
        create(&base).unwrap();
        assert_eq!(fs::metadata(&base).unwrap().mode() & 0o777, MODE);
        assert_eq!(create(&base), Ok(()));
        let (open, file, link) = (base.join("open"), base.join("file"), base.join("link"));
        create(&open).unwrap();
        fs::set_permissions(&open, PermissionsExt::from_mode(0o750)).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&base, &link).unwrap();
        assert!(check(&open).unwrap_err().to_string().contains("`chmod 700 "));
        assert!(create(&file).unwrap_err().to_string().contains("is no folder"));
        assert!(create(&link).unwrap_err().to_string().contains("is no folder"), "where it leads is another's choice");
        assert_eq!(check(&base.join("none")), Ok(()));
        fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_not_used() {
        let ours = env::temp_dir().join(format!("soquete-stranger-{}", std::process::id()));
        create(&ours).unwrap();
        // Root gives one away; everybody else is a stranger in what belongs to another already.
        let is_given = std::os::unix::fs::chown(&ours, Some(65_534), None).is_ok();
        let strange = if is_given { ours.as_path() } else { Path::new("/proc/sys") };
        assert!(matches!(fault(&fs::metadata(strange).unwrap()), Some(Fault::Owner(_))));
        fs::remove_dir(&ours).unwrap();
    }
}
