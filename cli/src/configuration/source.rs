//! Where the configuration comes from.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::arguments::Platform;

/// The largest configuration file, in octets: a thousand lines of a board with a comment each have a tenth of it.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file of the whole machine.
const MACHINE_FILE: &str = "/etc/soquete/soquete.toml";

/// Where a configuration comes from. It displays as what errors and `config show` call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// The program itself.
    BuiltIn(Platform),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::BuiltIn(platform) => write!(f, "built-in {platform}"),
        }
    }
}

/// A variable of the environment, by name; one that is empty counts as not set.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Reads the environment of this program.
pub(super) fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Finds the configuration: `$SOQUETE_CONFIG`, else the user's file, else the machine's, else the built-in one.
///
/// What `$SOQUETE_CONFIG` names must be there; the files are passed over where they are not.
pub(super) fn search(environment: Environment<'_>) -> Source {
    if let Some(named) = environment("SOQUETE_CONFIG") {
        return Source::File(named.into());
    }
    let files = [user_file(environment), Some(MACHINE_FILE.into())];
    // What is there and cannot be read is an error later, and not passed over.
    let is_there = |path: &PathBuf| !matches!(path.symlink_metadata(), Err(error) if is_absent(&error));
    let found = files.into_iter().flatten().find(is_there);
    found.map_or(Source::BuiltIn(Platform::Pc), Source::File)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns the user's file: `$XDG_CONFIG_HOME/soquete/soquete.toml`, else `~/.config/soquete/soquete.toml`.
///
/// A relative `$XDG_CONFIG_HOME` counts as not set, as its specification says. Nothing without a home.
pub(super) fn user_file(environment: Environment<'_>) -> Option<PathBuf> {
    let folder = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(config.join("soquete/soquete.toml"))
}

/// Reads a file of at most [`FILE_BYTES_MAX`] octets.
///
/// # Errors
/// It cannot be read, or is larger.
pub(super) fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut octets)?;
    match octets.len() as u64 {
        len if len > FILE_BYTES_MAX => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("too large; expected at most {FILE_BYTES_MAX} octets"),
        )),
        _ => Ok(octets),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An environment of a few variables.
    fn set<'a>(variables: &'a [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn the_users_file_is_where_xdg_says() {
        let file = |variables: &[(&str, &str)]| user_file(&set(variables));
        assert_eq!(file(&[("HOME", "/home/u")]), Some("/home/u/.config/soquete/soquete.toml".into()));
        let both = [("HOME", "/home/u"), ("XDG_CONFIG_HOME", "/cfg")];
        assert_eq!(file(&both), Some("/cfg/soquete/soquete.toml".into()));
        let relative = [("HOME", "/home/u"), ("XDG_CONFIG_HOME", "cfg")];
        assert_eq!(file(&relative), Some("/home/u/.config/soquete/soquete.toml".into()));
        assert_eq!(file(&[]), None);
    }

    #[test]
    fn what_the_environment_names_comes_first() {
        let named = [("SOQUETE_CONFIG", "mine.toml"), ("HOME", "/nowhere")];
        assert_eq!(search(&set(&named)), Source::File("mine.toml".into()));
    }

    #[test]
    fn a_folder_has_no_text() {
        assert_eq!(read_bounded(Path::new("/")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }

    #[test]
    fn a_file_without_end_is_too_large() {
        let endless = read_bounded(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(endless.to_string(), "too large; expected at most 1048576 octets");
    }
}
