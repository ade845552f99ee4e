//! `cargo xtask pi3`: the program on a Raspberry Pi 3, which qemu emulates, with Debian's own kernel.
//!
//! Its LED is switched there, by the program, and looked at here, in the registers of the emulated chip. The emulated
//! inputs cannot be pressed.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::ci::target::has_std;
use crate::command::{Failure, build_program, no_arguments, target_folder, workspace_root};
use crate::rig::Trouble;
use crate::rig::cache::{self, Tree};
use crate::rig::machine::{Folder, Machine};

/// The programs that this needs, and the Debian packages that have them.
const TOOLS: &[(&str, &str)] =
    &[("qemu-system-aarch64", "qemu-system-arm"), ("cpio", "cpio"), ("apt-get", "apt"), ("dpkg-deb", "dpkg")];

/// What the program is compiled for: without any library, since the emulated machine has none.
const TARGET: &str = "aarch64-unknown-linux-musl";

/// The linker is that of Rust, since nothing here is of another language.
const ENVIRONMENT: &[(&str, &str)] =
    &[("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld"), ("CARGO_PROFILE_DEV_STRIP", "symbols")];

/// A shell and Debian's present kernel, for apt-get in a shell.
const PACKAGES: &str = "busybox-static $(apt-cache depends linux-image-arm64 | sed -n 's/.*Depends: \\(linux-image-\\)/\\1/p' | head -n 1)";

/// Takes out of the packages what the machine boots.
const UNPACK: &str = "
    mkdir pi3 && dpkg-deb -x linux-image-*.deb kernel && dpkg-deb -x busybox-static_*.deb shell &&
    cp kernel/boot/vmlinuz-* pi3/vmlinuz && cp shell/bin/busybox pi3/ &&
    cp kernel/usr/lib/linux-image-*/broadcom/bcm2837-rpi-3-b.dtb pi3/dtb";

/// Makes the first file system: of `$1`, which was unpacked, the program `$2`, and the folder `rig`, `$3`.
const FILES: &str = "
    mkdir -p root/bin root/proc root/sys root/dev root/run && cp \"$1/busybox\" \"$2\" root/bin/ &&
    cp \"$3/pi3-init\" root/init && chmod +x root/init &&
    cd root && find . | cpio -o -H newc --quiet -R 0:0 >../initrd";

/// How long the machine may live; it takes half a minute.
const LIFE_MAX: Duration = Duration::from_secs(300);

/// How long the emulator may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The register of the levels of GPIO0 to GPIO31 (GPLEV0), where a Pi 3 has it.
const LEVELS: &str = "3f200034";

/// The bit of the LED, which is on GPIO17.
const LED: u32 = 1 << 17;

/// Boots the machine, and looks whether the LED has what the program says.
///
/// # Errors
/// [`Failure::Impossible`] says what is missing; [`Failure::Failed`] what went wrong.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    no_arguments(arguments)?;
    cache::have_tools(TOOLS)?;
    if !has_std(TARGET) {
        return Err(Failure::Impossible(format!("this needs `rustup target add {TARGET}`")));
    }
    let parts = cache::provide(&[PACKAGES, UNPACK], "pi3", fetch)?;
    build_program(&["--target", TARGET], ENVIRONMENT)?;
    let machine = boot(&parts).map_err(|error| Trouble(format!("boot a Raspberry Pi: {error}")))?;
    Ok(watch(machine)?)
}

fn fetch(tree: &Tree) -> Result<PathBuf, Failure> {
    tree.say("downloading, 60 MB");
    tree.download(PACKAGES, Some("arm64"))?;
    tree.sh(UNPACK)?;
    Ok(tree.folder.join("pi3"))
}

fn boot(parts: &Path) -> std::io::Result<Machine> {
    let folder = Folder::make("pi3")?;
    let program = target_folder().join(TARGET).join("debug/soquete");
    let mut files = Command::new("sh");
    files.args(["-c", FILES, "sh"]).args([parts, &program, &workspace_root().join("rig")]);
    if !files.current_dir(folder.path()).status()?.success() {
        return Err(std::io::Error::other("its files were not packed"));
    }
    let mut words: Vec<OsString> = Vec::new();
    words.extend(["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-serial", "stdio"].map(OsString::from));
    words.extend(["-append", "console=ttyAMA0,115200 rdinit=/init loglevel=3"].map(OsString::from));
    for (option, path) in
        [("-kernel", parts.join("vmlinuz")), ("-dtb", parts.join("dtb")), ("-initrd", folder.path().join("initrd"))]
    {
        words.extend([option.into(), path.into()]);
    }
    words.extend(["-monitor".into(), format!("unix:{},server=on,wait=off", monitor(&folder).display()).into()]);
    Machine::start(&words, folder, None, LIFE_MAX)
}

/// Where the emulator answers questions.
fn monitor(folder: &Folder) -> PathBuf {
    folder.path().join("monitor")
}

/// Shows what the machine says, and compares the LED at each word of it.
fn watch(mut machine: Machine) -> Result<(), Trouble> {
    let (mut compared, mut has_button) = (0, false);
    while let Some(line) = machine.next() {
        println!("pi3: {line}");
        if let Some(value) = line.strip_prefix("RIG-LED ") {
            let levels = levels(&monitor(&machine.folder))?;
            println!("pi3: ... and the registers have 0x{levels:08x}");
            if (levels & LED != 0) != (value == "on") {
                return Err(Trouble(format!("the LED is not {value}: bit 17 of 0x{levels:08x}")));
            }
            compared += 1;
        }
        has_button |= line.contains("GPIO_GCLK") && line.ends_with("soquete button_process");
        if line == "RIG-END" && compared == 3 && has_button {
            println!("pi3: the LED of the Raspberry Pi was on, off and on, and its button has its line");
            return Ok(());
        }
    }
    Err(Trouble("the Raspberry Pi did not come to its end".to_owned()))
}

/// Asks the emulator for the levels of the lines.
fn levels(monitor: &Path) -> Result<u32, Trouble> {
    let failed = |error: std::io::Error| Trouble(format!("ask the emulator: {error}"));
    let mut asked = UnixStream::connect(monitor).map_err(failed)?;
    asked.set_read_timeout(Some(ANSWER_MAX)).map_err(failed)?;
    asked.write_all(format!("xp /1wx 0x{LEVELS}\n").as_bytes()).map_err(failed)?;
    let (mut told, mut octets) = (Vec::new(), [0; 512]);
    loop {
        let len = asked.read(&mut octets).map_err(failed)?;
        told.extend_from_slice(&octets[..len]);
        let found = level_in(&String::from_utf8_lossy(&told));
        if let Some(levels) = found {
            return Ok(levels);
        }
        if len == 0 {
            return Err(Trouble("the emulator gave no answer".to_owned()));
        }
    }
}

/// Finds the register in what the emulator tells, beside an echo of the question.
fn level_in(told: &str) -> Option<u32> {
    let (_, answer) = told.split_once(&format!("00000000{LEVELS}: 0x"))?;
    let (digits, _) = answer.split_at_checked(8)?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_levels_are_those_of_the_answer_once_it_is_whole() {
        let told = "QEMU 7.2 monitor\r\n(qemu) xp /1wx 0x3f200034\r\n000000003f200034: 0x00020000\r\n(qemu) ";
        assert_eq!(level_in(told), Some(LED));
        assert_eq!(level_in(&told[..told.len() - 14]), None);
        assert_eq!(level_in("(qemu) xp /1wx 0x3f200034\r\n"), None);
    }
}
