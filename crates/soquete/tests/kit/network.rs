//! A machine of one's own: a network where nothing is but what a test lays there.

use std::env;
use std::process::Command;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Says that this process is inside already.
const INSIDE: &str = "SOQUETE_TEST_NETWORK";

/// Runs a test, of the full name `test`, in a network of its own with nothing but a loopback, after the lines of shell in
/// `setup`: the test binary executes itself in new namespaces.
pub(crate) fn in_a_network_of_its_own(test: &str, setup: &str, run: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return run();
    }
    let flags = if rustix::process::geteuid().is_root() { "-n" } else { "-Urn" };
    let script = format!("set -e; ip link set lo up; {setup}\nexec \"$0\" --exact \"$1\" --nocapture");
    let mut inside = Command::new("unshare");
    inside.args([flags, "/bin/sh", "-c", &script]).arg(env::current_exe().unwrap()).arg(test).env(INSIDE, "yes");
    let ran = inside.output().expect("`unshare` of the package util-linux");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(
        ran.status.success() && out.contains("1 passed"),
        "the test failed, or no network namespace is to be had here; then run it as root, or allow user namespaces: \
         sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0\n{out}{err}"
    );
}

/// Runs something in a thread that is not above permissions, even if root runs the tests.
pub(crate) fn without_capabilities<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sets = capabilities(None).unwrap();
            sets.effective = CapabilitySet::empty();
            set_capabilities(None, sets).unwrap();
            run()
        });
        thread.join().unwrap()
    })
}
