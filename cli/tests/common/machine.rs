//! Machines of one test: network namespaces, which no other test and nobody outside can see.

use super::program::{Program, Run};
use super::{Place, tool};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A machine with a network of its own. The first of a test has its own view of the file system, too, which the others
/// share.
pub(crate) struct Machine<'a> {
    place: &'a Place,
    /// Lives for as long as this: its standard input is a pipe from here.
    holder: Child,
}

impl<'a> Machine<'a> {
    /// Makes the first machine of a test. It has a loopback and nothing else.
    ///
    /// # Panics
    /// Namespaces are not to be had here.
    pub(crate) fn new(place: &'a Place) -> Self {
        let mut command = place.command(tool::find("unshare", "util-linux"));
        command.arg(if is_root() { "-nm" } else { "-Urnm" });
        Self::hold(place, command)
    }

    /// Makes another machine, without a wire to this one yet.
    pub(crate) fn beside(&self) -> Machine<'a> {
        let mut command = Command::new(tool::find("unshare", "util-linux"));
        command.arg("-n");
        Self::hold(self.place, self.inside(&command))
    }

    fn hold(place: &'a Place, mut command: Command) -> Self {
        tool::find("ip", "iproute2");
        command.args(["/bin/sh", "-c", "ip link set lo up && echo made && exec cat"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = command.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(
            said, "made\n",
            "no network namespace is to be had here, and this test is nothing without one; run it as root, with the \
             right to `unshare -nm`, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, \
             kernel.apparmor_restrict_unprivileged_userns=0"
        );
        Self { place, holder }
    }

    /// Turns a command into one on this machine.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = self.place.command(tool::find("nsenter", "util-linux"));
        inside.args(["-t", &self.holder.id().to_string(), "-n", "-m"]);
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
        Run::of(self.inside(&self.place.shell_command(line)))
    }

    /// Begins a program on this machine: a line of shell that ends in `exec`.
    pub(crate) fn begin(&self, line: &str) -> Program {
        Program::begin(self.inside(&self.place.shell_command(line)))
    }

    /// Lays a wire to another machine, and gives each end an address: `10.0.0.100/24`.
    pub(crate) fn wire(&self, name: &str, own: &str, other: &Machine<'_>, its: &str) {
        let id = other.holder.id();
        self.shell(&format!(
            "ip link add name {name} type veth peer name eth0 netns {id} && ip addr add {own} dev {name} && \
             ip link set {name} up"
        ))
        .ok();
        other.shell(&format!("ip addr add {its} dev eth0 && ip link set eth0 up")).ok();
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        // What still runs on it ends with the test that began it.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
