//! Machines of one test: network namespaces, which no other test and nobody outside can see.

use super::program::{Program, Run};
use super::{Place, tool};
use std::process::{Command, Stdio};

/// A machine with a network of its own. The first of a test has its own view of the file system, too, which the others
/// share.
pub(crate) struct Machine<'a> {
    place: &'a Place,
    /// Lives for as long as this: its standard input is a pipe from here.
    pub(crate) holder: Program,
}

impl<'a> Machine<'a> {
    /// Makes the first machine of a test. It has a loopback and nothing else.
    ///
    /// # Panics
    /// Namespaces are not to be had here.
    pub(crate) fn new(place: &'a Place) -> Self {
        Self::hold(place, unshare(place, if is_root() { "-nm" } else { "-Urnm" }), "exec cat")
    }

    /// Makes a machine that lasts for as long as a program which looks at its network: a line of shell that ends in
    /// `exec`.
    ///
    /// # Panics
    /// As [`new`](Machine::new).
    pub(crate) fn around(place: &'a Place, line: &str) -> Self {
        // Programs that would give up the rights of root have to have them as somebody else.
        let others = "-Unm --map-current-user --keep-caps";
        Self::hold(place, unshare(place, if is_root() { "-nm" } else { others }), line)
    }

    /// Gives this machine a folder `/tmp` of its own, in which nothing lies but the home of the test, and `/tmp/bin` with
    /// the built program.
    pub(crate) fn empty_tmp(&self) {
        let dir = &self.place.dir;
        let (home, tmp, name) = (dir.display(), dir.join("tmp"), dir.file_name().unwrap().display());
        let (tmp, program) = (tmp.display(), env!("CARGO_BIN_EXE_soquete"));
        self.shell(&format!(
            "mkdir -p {tmp}/{name} {tmp}/bin && mount --bind {home} {tmp}/{name} && touch {tmp}/bin/soquete && \
             mount --bind {program} {tmp}/bin/soquete && mount --rbind {tmp} /tmp"
        ))
        .ok();
    }

    /// Makes another machine, without a wire to this one yet.
    pub(crate) fn beside(&self) -> Machine<'a> {
        Self::hold(self.place, self.inside(&unshare(self.place, "-n")), "exec cat")
    }

    fn hold(place: &'a Place, mut command: Command, line: &str) -> Self {
        tool::find("ip", "iproute2");
        command.args(["/bin/sh", "-c", &format!("ip link set lo up && echo made && {line}")]).stdin(Stdio::piped());
        let holder = Program::begin(command);
        assert!(
            holder.log.comes("made"),
            "no network namespace is to be had here, and this test is nothing without one; run it as root, with the \
             right to `unshare -nm`, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0\n{}",
            holder.log.text()
        );
        Self { place, holder }
    }

    /// Turns a command into one on this machine.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = self.place.command(tool::find("nsenter", "util-linux"));
        inside.args(["-t", &self.holder.pid().to_string(), "-n", "-m"]);
        if !is_root() {
            inside.args(["-U", "--preserve-credentials"]);
        }
        inside.arg(command.get_program()).args(command.get_args());
        command.get_envs().for_each(|(name, value)| {
            inside.env(name, value.unwrap_or_default());
        });
        inside
    }

    /// Runs a line of shell on this machine; `soquete` is the built program.
    pub(crate) fn shell(&self, line: &str) -> Run {
        Run::of(self.inside(&self.place.shell_command(&with_path(line))))
    }

    /// Begins a program on this machine: a line of shell that ends in `exec`.
    pub(crate) fn begin(&self, line: &str) -> Program {
        Program::begin(self.inside(&self.place.shell_command(&with_path(line))))
    }

    /// Lays a wire to another machine, and gives each end an address: `10.0.0.100/24`.
    pub(crate) fn wire(&self, name: &str, own: &str, other: &Machine<'_>, its: &str) {
        let id = other.holder.pid();
        self.shell(&format!(
            "ip link add name {name} type veth peer name eth0 netns {id} && ip addr add {own} dev {name} && \
             ip link set {name} up"
        ))
        .ok();
        other.shell(&format!("ip addr add {its} dev eth0 && ip link set eth0 up")).ok();
    }
}

/// Makes a command that puts another into namespaces of its own.
fn unshare(place: &Place, flags: &str) -> Command {
    let mut command = place.command(tool::find("unshare", "util-linux"));
    command.args(flags.split(' '));
    command
}

/// Lets a line of shell find the program where [`Machine::empty_tmp`] has put it.
fn with_path(line: &str) -> String {
    format!("PATH=/tmp/bin:$PATH; {line}")
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
