//! The guest's kernel: built once from Debian's source, then found in the cache.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Trouble;

/// Debian's package of the source, that of the kernel which the patch is for.
const SOURCE: &str = "linux-source-6.12";

/// What builds it: programs, and the Debian packages that have them.
const TOOLS: &[(&str, &str)] = &[
    ("apt-get", "apt"),
    ("dpkg-deb", "dpkg"),
    ("xz", "xz-utils"),
    ("patch", "patch"),
    ("make", "make"),
    ("gcc", "gcc"),
    ("ld", "binutils"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
];

/// How many compilers run at once.
const JOBS: &str = "-j2";

const CONFIG: &str = include_str!("../../../rig/kernel.config");
const PATCH: &str = include_str!("../../../rig/kernel.patch");

/// Returns where the kernel is, after building it if it is not there.
///
/// # Errors
/// Neither cached nor to be built, and why.
pub(crate) fn provide() -> Result<PathBuf, Trouble> {
    let version = version()?;
    let folder = cache()?.join(name(&version, CONFIG, PATCH));
    let kernel = folder.join("linux.uml");
    if kernel.exists() {
        return Ok(kernel);
    }
    have_tools()?;
    println!("rig: {} is not there: building {SOURCE} {version}, once", kernel.display());
    let begin = Instant::now();
    let tree = Tree(folder.join(format!("tree.{}", std::process::id())));
    fs::create_dir_all(&tree.0).map_err(|error| Trouble(format!("make {}: {error}", tree.0.display())))?;
    let built = tree.build(&version)?;
    // In one step: whoever looks at the same time sees all of it or nothing.
    fs::rename(&built, &kernel).map_err(|error| Trouble(format!("keep {}: {error}", kernel.display())))?;
    drop(tree);
    println!("rig: {} is built, in {} s", kernel.display(), begin.elapsed().as_secs());
    Ok(kernel)
}

/// Names a kernel by everything that it is made of.
fn name(version: &str, config: &str, patch: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (version, config, patch).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The folder of all kernels that were built.
fn cache() -> Result<PathBuf, Trouble> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Ok(cache.ok_or_else(|| Trouble("no place to keep a kernel: set HOME".to_owned()))?.join("soquete/rig"))
}

/// The version of the source that would be downloaded.
fn version() -> Result<String, Trouble> {
    let policy = Command::new("apt-cache").args(["policy", SOURCE]).env("LC_ALL", "C").stderr(Stdio::null()).output();
    let policy = policy.map_err(|error| Trouble(format!("this needs Debian's {SOURCE}: start apt-cache: {error}")))?;
    candidate(&String::from_utf8_lossy(&policy.stdout))
        .ok_or_else(|| Trouble(format!("apt-get has no package {SOURCE}; after `apt-get update` it may")))
}

fn candidate(policy: &str) -> Option<String> {
    let (_, version) = policy.lines().find_map(|line| line.split_once("Candidate: "))?;
    (version != "(none)").then(|| version.to_owned())
}

fn have_tools() -> Result<(), Trouble> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| std::env::split_paths(&path).any(|folder| folder.join(tool).exists());
    let missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !is_there(tool)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Trouble(format!("a kernel cannot be built here: `apt-get install {}`", missing.join(" "))))
}

/// Where a kernel is built; gone when this is dropped.
struct Tree(PathBuf);

impl Tree {
    fn build(&self, version: &str) -> Result<PathBuf, Trouble> {
        let begin = Instant::now();
        let say = |what: &str| println!("rig: {:>4} s: {what}", begin.elapsed().as_secs());
        say("downloading, 150 MB");
        self.sh(&format!("apt-get -q download {SOURCE}={version}"))?;
        say("unpacking, 1.5 GB");
        self.sh(&format!(
            "mkdir source && dpkg-deb --fsys-tarfile {SOURCE}_*.deb | tar -xO ./usr/src/{SOURCE}.tar.xz \
             | tar -xJ -C source --strip-components=1 && rm {SOURCE}_*.deb"
        ))?;
        say("patching and configuring");
        self.write("kernel.patch", PATCH)?;
        self.write("kernel.config", CONFIG)?;
        self.sh("patch -d source -p1 < kernel.patch")?;
        self.sh("make -s -C source ARCH=um tinyconfig")?;
        self.sh("cat kernel.config >> source/.config && make -s -C source ARCH=um olddefconfig")?;
        let config = fs::read_to_string(self.0.join("source/.config")).map_err(|error| Trouble(error.to_string()))?;
        let dropped = dropped(CONFIG, &config);
        if !dropped.is_empty() {
            let dropped = dropped.join(", ");
            return Err(Trouble(format!("the kernel does not take {dropped}: see rig/kernel.config")));
        }
        say("compiling, some minutes");
        self.sh(&format!("make -s -C source ARCH=um {JOBS} linux"))?;
        self.sh("strip -o linux.uml source/linux")?;
        Ok(self.0.join("linux.uml"))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Trouble> {
        fs::write(self.0.join(name), text).map_err(|error| Trouble(format!("write {name}: {error}")))
    }

    /// Runs a command here; its output is shown where it fails.
    fn sh(&self, command: &str) -> Result<(), Trouble> {
        let log = self.0.join("log");
        let file = fs::File::create(&log).map_err(|error| Trouble(error.to_string()))?;
        let twin = file.try_clone().map_err(|error| Trouble(error.to_string()))?;
        let mut shell = Command::new("sh");
        // Whoever called make called it for something else.
        shell.args(["-c", command]).current_dir(&self.0).env_remove("MAKEFLAGS").env("LC_ALL", "C");
        let status = shell.stdin(Stdio::null()).stdout(file).stderr(twin).status();
        if status.map_err(|error| Trouble(format!("start sh: {error}")))?.success() {
            return Ok(());
        }
        let said = fs::read(&log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let from = said.lines().count().saturating_sub(30);
        let last: Vec<_> = said.lines().skip(from).collect();
        Err(Trouble(format!("the kernel was not built: {command}\n{}", last.join("\n"))))
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("rig: {} stays: {error}", self.0.display());
        }
        // Its folder stays where a kernel is in it.
        drop(self.0.parent().map(fs::remove_dir));
    }
}

/// The options that were asked for and are not in a configuration.
fn dropped<'a>(wanted: &'a str, config: &str) -> Vec<&'a str> {
    let options = wanted.lines().filter(|line| line.starts_with("CONFIG_"));
    options.filter(|option| !config.lines().any(|line| line == *option)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_by_all_that_it_is_made_of() {
        let names = [name("1", "a", "b"), name("2", "a", "b"), name("1", "ab", ""), name("1", "a", "c")];
        assert!(names.iter().enumerate().all(|(nth, one)| !names[..nth].contains(one)), "{names:?}");
        assert_eq!(name("1", "a", "b"), names[0]);
    }

    #[test]
    fn the_version_is_that_which_would_be_downloaded() {
        let policy = "linux-source-6.12:\n  Installed: (none)\n  Candidate: 6.12.117-1~deb12u1\n  Version table:\n";
        assert_eq!(candidate(policy).as_deref(), Some("6.12.117-1~deb12u1"));
        assert_eq!(candidate("x:\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn an_option_that_the_kernel_dropped_is_named() {
        let wanted = "# why\nCONFIG_A=y\nCONFIG_B=5\n";
        assert_eq!(dropped(wanted, "CONFIG_A=y\nCONFIG_B=5\n"), [""; 0]);
        assert_eq!(dropped(wanted, "CONFIG_A=y\n# CONFIG_B is not set\n"), ["CONFIG_B=5"]);
    }
}
