//! Every example runs to its end and prints what it must, is short, and is listed in README.md.
//!
//! What an example prints lies in `tests/printed/NAME.txt`, where `*` stands for anything: a port, a process.

#![allow(clippy::unwrap_used, reason = "clippy sees a test only in a function marked as one")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs, thread};

/// Lines of an example: what fits on a screen.
const LINES_MAX: usize = 40;

/// How long an example may take. It takes milliseconds; this is for a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: impl AsRef<Path>) -> String {
    let path = folder().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the files in a folder that end in this, without it.
fn names(of: &Path, end: &str) -> Vec<String> {
    let files = fs::read_dir(of).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = files.filter_map(|file| file.strip_suffix(end).map(str::to_owned)).collect();
    names.sort();
    names
}

fn examples() -> Vec<String> {
    names(folder(), ".rs")
}

/// Where Cargo puts an example: in the folder `examples` beside that of this test.
fn program(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(program.exists(), "{name} is not built, or not in Cargo.toml: `cargo build --examples` builds all");
    program
}

/// Runs an example to the end of its output, which is that of all its processes; returns what it printed.
fn run(name: &str) -> String {
    let mut command = Command::new(program(name));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let (ended, end) = mpsc::channel();
    let reading = thread::spawn(move || {
        let mut printed = String::new();
        let result = output.read_to_string(&mut printed);
        // The test has given up where nobody is there.
        let _ = ended.send(());
        result.map(|_| printed)
    });
    let is_over = end.recv_timeout(PATIENCE).is_ok();
    if !is_over {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    assert!(is_over, "{name} does not end");
    assert!(status.success(), "{name}: {status}");
    reading.join().unwrap().unwrap()
}

/// Sorts the lines by who prints them: each prints its own in order, but which of two comes first is nobody's matter.
fn by_speaker(printed: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut lines = BTreeMap::<_, Vec<_>>::new();
    for line in printed.lines() {
        let speaker = line.split(':').next().unwrap();
        lines.entry(speaker).or_default().push(line);
    }
    lines
}

/// Says whether a line is as expected, where `*` stands for anything.
fn is_as(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('*');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap()) else { return false };
    let mut last = "";
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        (rest, last) = (behind, part);
    }
    rest.is_empty() || expected.ends_with('*') || !last.is_empty() && rest.ends_with(last)
}

/// The first line that is not as expected, with what was.
fn difference<'a>(printed: &'a str, expected: &'a str) -> Option<(&'a str, &'a str)> {
    let (printed, expected) = (by_speaker(printed), by_speaker(expected));
    let speakers = printed.keys().chain(expected.keys());
    speakers
        .flat_map(|speaker| {
            let of = |lines: &BTreeMap<&str, Vec<&'a str>>| lines.get(speaker).cloned().unwrap_or_default();
            let (printed, expected) = (of(&printed), of(&expected));
            let nothing = "(nothing)";
            let line = move |lines: &[&'a str], place: usize| lines.get(place).copied().unwrap_or(nothing);
            (0..printed.len().max(expected.len())).map(move |place| (line(&printed, place), line(&expected, place)))
        })
        .find(|(line, expected)| !is_as(line, expected))
}

#[test]
fn every_example_runs_to_its_end_and_prints_what_it_must() {
    for name in examples() {
        let (printed, expected) = (run(&name), text(format!("tests/printed/{name}.txt")));
        if let Some((line, expected)) = difference(&printed, &expected) {
            panic!("{name} prints\n  {line}\ninstead of\n  {expected}\nAll it prints:\n{printed}");
        }
    }
}

#[test]
fn what_is_printed_is_known_for_these_examples_and_no_others() {
    assert_eq!(names(&folder().join("tests/printed"), ".txt"), examples());
}

#[test]
fn no_example_is_longer_than_a_screen() {
    for name in examples() {
        let lines = text(format!("{name}.rs")).lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines, at most {LINES_MAX} are allowed");
    }
}

#[test]
fn every_example_begins_with_what_it_shows_of_which_seed_by_which_calls() {
    for name in examples() {
        let source = text(format!("{name}.rs"));
        let head: String = source.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(head.to_lowercase().contains("seed") && head.contains("System calls: "), "{name}: {head}");
    }
}

#[test]
fn the_readme_lists_these_examples_and_no_others() {
    let readme = text("README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| ["));
    let mut listed: Vec<_> = rows.map(|row| row.split_once(']').unwrap()).collect();
    listed.sort_unstable();
    for (name, row) in &listed {
        assert!(row.starts_with(&format!("({name}.rs) | ")), "{name}: the link goes elsewhere");
        assert_eq!(row.matches(" | ").count(), 3, "{name}: what it shows, seeds, system calls");
    }
    assert_eq!(listed.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), examples());
}

#[test]
fn a_star_stands_for_anything_and_nothing_else_does() {
    assert!(is_as("at tcp://127.0.0.1:4711: here", "at tcp://127.0.0.1:*: here"));
    assert!(is_as("at 1", "at *") && is_as("at ", "at *") && is_as("at", "at") && is_as("a.b.b", "a*b"));
    assert!(!is_as("at 1 and more", "at 1") && !is_as("at 1", "at 1 and more") && !is_as("at 1 x", "at *y"));
    assert!(!is_as("aab", "a*b*c") && is_as("aabxc", "a*b*c"));
    let expected = "a: 1\nb: *\na: 2\n";
    assert_eq!(difference("a: 1\na: 2\nb: 7\n", expected), None);
    assert_eq!(difference("a: 2\na: 1\nb: 7\n", expected), Some(("a: 2", "a: 1")));
    assert_eq!(difference("a: 1\nb: 7\n", expected), Some(("(nothing)", "a: 2")));
    assert_eq!(difference("a: 1\na: 2\nb: 7\nc: 1\n", expected), Some(("c: 1", "(nothing)")));
}
