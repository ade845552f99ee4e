//! What a process tells about itself: the shape of the answer to `STATUS`, and of `soquete status --json`.
//!
//! Times are microseconds since the Unix epoch, durations seconds, but for latencies, which are microseconds; what a number
//! is, stands last in its name.

use serde::{Deserialize, Serialize};

/// A process at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it was ready.
    pub uptime_secs: f64,
    /// Where it serves, as URLs; ports as they really are.
    pub endpoints: Vec<String>,
    /// Its lines, in the order of the configuration.
    pub lines: Vec<LineStatus>,
    /// Its rules, in the order of the configuration.
    pub rules: Vec<RuleStatus>,
    /// Who is connected to its endpoints: addresses, with the client's name where it has told one. Over datagrams only who
    /// has told one and asked something is; who sends single datagrams of text is past when it is answered.
    pub peers: Vec<String>,
    /// Connections refused since the start, for whatever reason, and messages that are no commands.
    pub refused: u64,
    /// Presses that an earlier run of this process had not finished when it was killed.
    pub forgotten: u64,
}

/// A line at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineStatus {
    /// Its name.
    pub name: String,
    /// `input` or `output`.
    pub direction: String,
    /// What is behind it, as in the configuration: `log`, `fifo:/tmp/tcp_file`, `virtual`, `remote`.
    pub kind: String,
    /// `on`, `off` or `unknown`.
    pub value: String,
    /// When it last changed; nothing where it never has.
    pub since_us: Option<u64>,
    /// Who changed it last.
    pub by: Option<String>,
    /// Who owns it; nothing where nobody does.
    pub lease: Option<LeaseStatus>,
    /// Where it leads; nothing where it is not remote.
    pub far: Option<FarStatus>,
    /// How it is on its chip; nothing where it is no hardware.
    pub gpio: Option<GpioStatus>,
    /// How long after its cause, such as the edge of a button, an output was set, since the start: of the commands whose
    /// senders told how old their causes were, and without the way of these commands over the wire. Nothing where there was
    /// none. A command that gives an output the value it has counts, too.
    pub latency: Option<LatencyStatus>,
    /// The safe value that its back-end refused at the end of a lease, and that is tried again; nothing where it has it, or was
    /// told something else since.
    #[serde(default)]
    pub owed: Option<OwedStatus>,
}

/// A safe value that could not be set, at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedStatus {
    /// `on` or `off`.
    pub value: String,
    /// What made it due: `the end of the lease of …`.
    pub cause: String,
    /// Why the latest attempt failed.
    pub trouble: String,
}

/// How long something took, as often as it happened since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyStatus {
    /// How often it happened.
    pub count: u64,
    /// What half of the times did not exceed, in microseconds; to 3.2 %.
    pub p50_us: u64,
    /// What 99 of 100 did not exceed, in microseconds; to 3.2 %.
    pub p99_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
}

/// How long after the edge the presses of a rule that were done were where, at one of its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleLatency {
    /// The target, as a URL; `this process` for a rule that sets lines of its own.
    pub to: String,
    /// Where the time of the edge is from: `kernel`, its time stamp of the edge on hardware; `fifo`, when the line was read,
    /// or since when it may have lain unread; `press`, when a line without anything behind it was pressed by a command;
    /// `event`, when a far board told of the edge. (`soquete press` of a FIFO counts from when it arrives.)
    pub from: String,
    /// Until the command was sent first; nothing for lines of this process.
    pub sent: Option<LatencyStatus>,
    /// Of that what the far end took for it, by its own clock; nothing where it does not say: in text, or before it knew the
    /// feature.
    pub took: Option<LatencyStatus>,
    /// Until the output was set. Exact for lines of this process (of a remote line among them without the ways to it);
    /// otherwise what is most likely between the earliest, `sent` and `took`, and the latest, `answered`: the middle. Nothing
    /// where the far end does not say what it took.
    pub set: Option<LatencyStatus>,
    /// Until it was answered that it was done; nothing for lines of this process.
    pub answered: Option<LatencyStatus>,
}

/// A line of the hardware at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpioStatus {
    /// Where it is, by the label of its chip and its offset there; nothing while it is not held.
    pub place: Option<String>,
    /// Why it is not held; nothing while it is.
    pub trouble: Option<String>,
    /// Edges since the start that came faster than the kernel could tell them or than they were read, and were lost.
    pub missed_edges: u64,
}

/// A lease on a line at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// Who owns the line.
    pub by: String,
    /// Seconds until it ends, unless it is renewed.
    pub left_secs: f64,
}

/// The far end of a remote line at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FarStatus {
    /// Where it is served, as a URL.
    pub at: String,
    /// What it is called there.
    pub line: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Why there is none, or why the far end does not tell what the line has; nothing where it does, or none was tried yet.
    pub trouble: Option<String>,
}

/// A rule at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// What fires it: `BUTTON press`.
    pub on: String,
    /// What it sends, in turn.
    pub send: Vec<String>,
    /// Where to, as URLs; empty where it is a line of the same process.
    pub to: Vec<String>,
    /// The leases it has on the lines it sets; nothing where it takes none.
    pub lease: Option<RuleLease>,
    /// Presses done.
    pub done: u64,
    /// Presses that were not done, and never will be.
    pub not_done: u64,
    /// Presses of which nobody knows.
    pub unknown: u64,
    /// Presses under way.
    pub waiting: u64,
    /// Why the latest press was not done or is unknown, with its time; nothing where all were done.
    pub trouble: Option<Trouble>,
    /// How long its presses took, at each target where one was done; before there were latencies there were none.
    #[serde(default)]
    pub latency: Vec<RuleLatency>,
}

/// The leases of a rule at a moment, one at each of its endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleLease {
    /// How long each lasts from a renewal: `3s`.
    pub time: String,
    /// Whether it has all of them.
    pub held: bool,
    /// Why it does not, of each endpoint that says why.
    pub trouble: Vec<String>,
}

/// A press that was not done, or of which nobody knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// When it ended.
    pub at_us: u64,
    /// `not done` or `unknown`.
    pub outcome: String,
    /// Why.
    pub reason: String,
}
