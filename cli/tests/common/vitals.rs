//! What the kernel says about a process.

use std::fs;
use std::time::Duration;

/// Returns how much memory it has in use, in octets.
pub(crate) fn memory_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// Returns how long it has run on a processor: its own code and the kernel's for it.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    // All its threads, of which there is one.
    let schedule = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

/// Returns its name, as `ps` and `pgrep` show it.
pub(crate) fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim_end().to_owned()
}

/// Returns its process group.
pub(crate) fn group(pid: u32) -> u32 {
    state(pid).unwrap().split(' ').nth(2).unwrap().parse().unwrap()
}

/// Returns its state, its parent, its group and so on, or nothing where there is no such process.
fn state(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind its name, which may have spaces.
    Some(stat.rsplit(") ").next()?.to_owned())
}

/// Counts its descriptors.
pub(crate) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Says whether there is such a process; one that has ended and that nobody waited for lives no more.
pub(crate) fn lives(pid: u32) -> bool {
    state(pid).is_some_and(|state| !state.starts_with('Z'))
}
