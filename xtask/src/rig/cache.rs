//! What is made once and kept outside the source tree: where it lies, and the folder in which it is made.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Trouble;
use crate::command::{Failure, target_folder};

/// Begins a script: when there is nothing more to copy from its input, all of its group ends.
const KEEPER: &str = "exec 4<&0; { cat; kill -KILL 0; } <&4 >/dev/null 2>&1 & ";

/// Returns where a kept file or folder lies, after making it if it is not there; `make` says where it made it. It is
/// kept under what it is made of: when that changes, it is another one.
///
/// # Errors
/// Those of `make`, or there is no place to keep anything.
pub(crate) fn provide(
    made_of: &[&str],
    file: &str,
    make: impl FnOnce(&Tree) -> Result<PathBuf, Failure>,
) -> Result<PathBuf, Failure> {
    let name = name(made_of);
    let kept = places().into_iter().map(|place| place.join(&name)).collect::<Vec<_>>();
    if let Some(found) = kept.iter().map(|folder| folder.join(file)).find(|path| path.exists()) {
        return Ok(found);
    }
    let tree = Tree::plant(&kept)?;
    let path = tree.folder.with_file_name(file);
    if path.exists() {
        return Ok(path);
    }
    println!("rig: {} is not there, and is made once", path.display());
    let made = make(&tree)?;
    // In one step: whoever looks at the same time sees all of it or nothing.
    fs::rename(&made, &path).map_err(|error| Trouble(format!("keep {}: {error}", path.display())))?;
    println!("rig: {} is made, in {} s", path.display(), tree.begin.elapsed().as_secs());
    Ok(path)
}

/// Names a thing by all that it is made of.
fn name(made_of: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    made_of.iter().for_each(|part| part.hash(&mut hasher));
    format!("{:016x}", hasher.finish())
}

/// The folders in which things may be kept, the best first; the last is there where there is no home.
fn places() -> Vec<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = variable("HOME").map(|home| home.join(".cache"));
    let places = [variable("XDG_CACHE_HOME"), home].into_iter().flatten().map(|cache| cache.join("soquete/rig"));
    places.chain([target_folder().join("rig")]).collect()
}

/// Where something is made, by one process at a time; gone when this is dropped.
pub(crate) struct Tree {
    pub(crate) folder: PathBuf,
    begin: Instant,
    /// Locked until the end of this process at the latest.
    _lock: File,
}

impl Tree {
    /// Makes a folder in the first of several places that can have one.
    fn plant(places: &[PathBuf]) -> Result<Self, Trouble> {
        let mut refused = Vec::new();
        for place in places {
            match Tree::plant_in(place) {
                Ok(tree) => return Ok(tree),
                Err(error) => refused.push(format!("make {}: {error}", place.display())),
            }
        }
        Err(Trouble(refused.join("\n")))
    }

    /// Waits for another process that makes the same.
    fn plant_in(place: &Path) -> io::Result<Self> {
        fs::create_dir_all(place)?;
        let lock = File::create(place.join("lock"))?;
        lock.lock()?;
        let folder = place.join("tree");
        // It is there where one that made something was killed.
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir(&folder)?;
        Ok(Tree { folder, begin: Instant::now(), _lock: lock })
    }

    /// Tells what begins now.
    pub(crate) fn say(&self, what: &str) {
        println!("rig: {:>4} s: {what}", self.begin.elapsed().as_secs());
    }

    /// Downloads Debian packages into this folder, of another architecture than this machine's where one is named;
    /// `packages` is for a shell.
    ///
    /// The system's lists may be old or empty, and only root may fetch others: then they are fetched into this folder.
    ///
    /// # Errors
    /// [`Failure::Impossible`]: they cannot be had here.
    pub(crate) fn download(&self, packages: &str, architecture: Option<&str>) -> Result<(), Failure> {
        let at = self.folder.join("apt");
        let mut lines = format!("Dir::State \"{0}\";\nDir::Cache \"{0}\";\nAcquire::Retries \"3\";\n", at.display());
        lines += &match architecture {
            // Nothing of it is installed here.
            Some(other) => format!(
                "Dir::State::status \"/dev/null\";\nAPT::Architecture \"{other}\";\nAPT::Architectures \"{other}\";\n"
            ),
            None => "Dir::State::status \"/var/lib/dpkg/status\";\n".to_owned(),
        };
        self.write("apt.conf", &lines)?;
        let plain = architecture.map_or_else(|| format!("apt-get -q download {packages} || "), |_| String::new());
        let script = format!(
            "{plain}{{ mkdir -p apt/lists; export APT_CONFIG=\"$PWD/apt.conf\"; \
             apt-get -q update; apt-get -q download {packages}; }}"
        );
        self.sh(&script).map_err(|Trouble(why)| {
            println!("{why}");
            let first = why.lines().find(|line| line.starts_with("E: ")).unwrap_or("see above");
            Failure::Impossible(format!("Debian's {packages} cannot be downloaded: {first}"))
        })
    }

    /// Writes a file here.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        fs::write(self.folder.join(name), text).map_err(|error| Trouble(format!("write {name}: {error}")))
    }

    /// Reads a file that lies here.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(&self, name: &str) -> Result<String, Trouble> {
        fs::read_to_string(self.folder.join(name)).map_err(|error| Trouble(format!("read {name}: {error}")))
    }

    /// Runs a command here.
    ///
    /// # Errors
    /// It failed; with the end of what it printed.
    pub(crate) fn sh(&self, command: &str) -> Result<(), Trouble> {
        let file = File::create(self.folder.join("log")).map_err(|error| Trouble(error.to_string()))?;
        let twin = file.try_clone().map_err(|error| Trouble(error.to_string()))?;
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{KEEPER}({command}) </dev/null 4<&-")]).process_group(0);
        // Whoever called make called it for something else.
        shell.current_dir(&self.folder).env_remove("MAKEFLAGS").env("LC_ALL", "C");
        let cannot = |error| Trouble(format!("run sh: {error}"));
        let mut child = shell.stdin(Stdio::piped()).stdout(file).stderr(twin).spawn().map_err(cannot)?;
        // Closed when the command has ended, or this process.
        let _open = child.stdin.take();
        if child.wait().map_err(cannot)?.success() {
            return Ok(());
        }
        let said = self.read("log").unwrap_or_default();
        let from = said.lines().count().saturating_sub(30);
        let last: Vec<_> = said.lines().skip(from).collect();
        Err(Trouble(format!("this failed: {command}\n{}", last.join("\n"))))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("rig: {} stays: {error}", self.folder.display());
        }
    }
}

/// Refuses to begin where programs are missing: pairs of a program and the Debian package that has it.
///
/// # Errors
/// [`Failure::Impossible`] says what to install.
pub(crate) fn have_tools(tools: &[(&str, &str)]) -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    let mut missing: Vec<_> = tools.iter().filter(|(tool, _)| !is_there(tool)).map(|(_, package)| *package).collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Impossible(format!("this needs `apt-get install {}`", missing.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_named_by_all_that_it_is_made_of() {
        let names = [&["a", "b"], &["ab", ""], &["a", "c"]].map(|made_of| name(made_of));
        assert!(names.iter().enumerate().all(|(nth, one)| !names[..nth].contains(one)), "{names:?}");
        assert_eq!(name(&["a", "b"]), names[0]);
    }

    #[test]
    fn a_missing_program_is_told_by_its_package() {
        assert_eq!(have_tools(&[("sh", "dash")]), Ok(()));
        let missing = have_tools(&[("sh", "dash"), ("no-such-program", "some-package"), ("nor-this", "some-package")]);
        assert_eq!(missing, Err(Failure::Impossible("this needs `apt-get install some-package`".to_owned())));
    }

    #[test]
    fn a_folder_that_cannot_be_made_leaves_the_next() {
        let place = std::env::temp_dir().join(format!("soquete-rig-cache.{}", std::process::id()));
        // Left by one that was killed.
        fs::create_dir_all(place.join("tree/source")).unwrap();
        let tree = Tree::plant(&["/proc/nowhere".into(), place.clone()]).unwrap();
        assert_eq!(tree.folder, place.join("tree"));
        assert!(!tree.folder.join("source").exists());
        tree.write("word", "a\n").unwrap();
        assert!(tree.sh("test \"$(cat word)\" = a").is_ok());
        let Err(Trouble(why)) = tree.sh("echo because; false") else { panic!("it failed") };
        assert!(why.ends_with("because"), "{why}");
        drop(tree);
        assert!(!place.join("tree").exists());
        fs::remove_dir_all(place).unwrap();
    }
}
