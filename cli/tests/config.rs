//! `soquete config` and wrong arguments, with the built program, each test in a home of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A home that nothing was written to yet, removed with everything in it at the end.
struct Home(PathBuf);

/// How a run of the program ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Home {
    /// Makes a home; every test has a name of its own.
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("config-{test}"));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file below this home and returns its path.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_soquete"));
        command.args(arguments).env_clear().env("HOME", &self.0).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    fn run_with(&self, variable: &str, value: impl AsRef<OsStr>, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).env(variable, value).output().unwrap())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Run {
    fn of(output: Output) -> Self {
        let text = |octets| String::from_utf8(octets).unwrap();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Asserts that it went well, and returns what it printed.
    #[track_caller]
    fn done(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Asserts that it ended so, printing nothing to standard output and these words to standard error.
    #[track_caller]
    fn refused(self, code: i32, words: &[&str]) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{}", self.err);
        assert!(self.err.starts_with("soquete: "), "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "expected {word:?} in:\n{}", self.err);
        }
        self.err
    }
}

/// A text and the mistakes that are shown of it, each as `line:column: sentence`.
type Case<'a> = (String, Vec<&'a str>);

/// Reads the cases of `wrong.txt`.
fn wrong_configurations() -> Vec<Case<'static>> {
    let mut cases: Vec<Case<'static>> = vec![Case::default()];
    for line in include_str!("config/wrong.txt").lines().filter(|line| !line.starts_with('#')) {
        let last = cases.last_mut().unwrap();
        match line.strip_prefix("=> ") {
            Some(mistake) => last.1.push(mistake),
            None if last.1.is_empty() => last.0.extend((!line.is_empty()).then(|| format!("{line}\n"))),
            None => cases.push(Case::default()),
        }
    }
    cases
}

#[test]
fn every_mistake_is_shown_where_it_stands() {
    let home = Home::new("wrong");
    let cases = wrong_configurations();
    assert!(cases.len() > 60, "{}", cases.len());
    for (text, expected) in cases {
        let path = home.write("wrong.toml", &text);
        let error = home.run(&["config", "check", "-c", path.to_str().unwrap()]).refused(2, &[]);
        let prefix = format!("soquete: {}:", path.display());
        let mistakes: Vec<&str> = error.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(mistakes, expected, "{text}");
    }
}

#[test]
fn a_mistake_comes_with_its_line_and_carets_under_it() {
    let home = Home::new("carets");
    let path = home.write("home.toml", "[processes.led_process]\nserv = []\n");
    let error = home.run(&["config", "check", "-c", path.to_str().unwrap()]).refused(2, &[]);
    let expected =
        "2:1: unknown key `serv`; expected `serve`, `lines`, `rules`, `syslog`\n  |\n2 | serv = []\n  | ^^^^\n";
    assert_eq!(error, format!("soquete: {}:{expected}", path.display()));
}

#[test]
fn a_file_is_text_of_bounded_size() {
    let home = Home::new("octets");
    let check = |octets: &[u8]| {
        let path = home.write("home.toml", octets);
        home.run(&["config", "check", "-c", path.to_str().unwrap()])
    };
    check(b"name = 'a'\nname = '\xff'").refused(2, &["home.toml:2:9: octet 0xff is not UTF-8; expected text in UTF-8"]);
    check(&vec![b'#'; (1 << 20) + 1]).refused(2, &["home.toml: too large; expected at most 1048576 octets"]);
    check(&vec![b'#'; 1 << 20]).refused(2, &["1:1: no process"]);
    check(b"\x1b[2J = 1").refused(2, &["home.toml:1:2: "]).chars().for_each(|c| assert_ne!(c, '\x1b'));
    check(b"\xef\xbb\xbf[processes.a]\r\nserv = 1").refused(2, &["home.toml:2:1: unknown key `serv`"]);
    let deep = format!("name = {}", "[".repeat(100_000));
    check(deep.as_bytes()).refused(2, &["home.toml:1:"]);
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let home = Home::new("unreadable");
    home.run(&["config", "check", "-c", "/nowhere/a.toml"])
        .refused(2, &["read /nowhere/a.toml: no such file", "\n`soquete config example` prints one"]);
    home.run(&["config", "check", "-c", "/"]).refused(2, &["read /: a folder; expected a file"]);
    home.run_with("SOQUETE_CONFIG", "/nowhere/a.toml", &["config", "check"]).refused(2, &["/nowhere/a.toml"]);
}

#[test]
fn the_built_in_configuration_is_fine() {
    let home = Home::new("built-in");
    let ok = "ok: 2 processes, 2 lines, 1 rule, 1 endpoint (built-in pc)\n";
    assert_eq!(home.run(&["config", "check", "--platform", "PC"]).done(), ok);
    let ok = "ok: 2 processes, 2 lines, 1 rule, 1 endpoint (built-in raspberry)\n";
    assert_eq!(home.run(&["config", "check", "--platform", "Raspberry"]).done(), ok);
}

#[test]
fn the_hardware_of_this_machine_is_listed_or_it_says_that_there_is_none() {
    let home = Home::new("hardware");
    let has_gpio = fs::read_dir("/dev").unwrap().flatten().any(|file| {
        let name = file.file_name();
        name.to_string_lossy().starts_with("gpiochip")
    });
    if has_gpio {
        assert!(home.run(&["lines", "--hardware"]).done().starts_with("CHIP "));
        assert!(home.run(&["lines", "--hardware", "--json"]).done().starts_with("{\n"));
    } else {
        let none = ["there is no GPIO chip (no /dev/gpiochip*)", "\nGPIO needs a board, and a kernel, that have it"];
        home.run(&["lines", "--hardware"]).refused(1, &none);
        home.run(&["lines", "--hardware", "--json"]).refused(1, &none);
        let button = ["run", "button_process", "--platform", "RASPBERRY"];
        home.run(&button).refused(1, &["BUTTON: gpio:GPIO4: ", none[0], none[1]]);
    }
}

#[test]
fn what_is_shown_is_fine_and_shows_the_same_again() {
    let home = Home::new("show");
    let shown = home.run(&["config", "show", "--platform", "pc"]).done();
    assert!(shown.starts_with("# The effective configuration, every default filled in. Source: built-in pc\n"));
    assert!(shown.contains("name = \"default\"\n") && shown.contains("within = \"2s\"\n"), "{shown}");
    let path = home.write("shown.toml", &shown);
    let again = home.run(&["config", "show", "-c", path.to_str().unwrap()]).done();
    let body = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(body(&again), body(&shown));
}

#[test]
fn every_configuration_of_the_documents_is_fine() {
    let home = Home::new("documents");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let pages = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let pages: Vec<String> = pages.collect();
    let blocks = pages.iter().flat_map(|page| page.split("```toml\n").skip(1));
    let blocks: Vec<&str> = blocks.map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(blocks.len() >= 2, "{blocks:?}");
    for block in blocks {
        let path = home.write("documented.toml", block);
        assert!(home.run(&["config", "check", "-c", path.to_str().unwrap()]).done().starts_with("ok: "), "{block}");
    }
}

#[test]
fn the_example_is_fine_and_init_writes_it_once() {
    let home = Home::new("init");
    let example = home.run(&["config", "example"]).done();
    let path = home.0.join(".config/soquete/soquete.toml");
    let said = home.run(&["config", "init"]).done();
    assert_eq!(said.lines().next(), Some(format!("written: {}", path.display()).as_str()));
    assert!(said.contains("soquete config check") && said.contains("soquete up"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), example);
    let ok = format!("ok: 2 processes, 2 lines, 1 rule, 1 endpoint ({})\n", path.display());
    assert_eq!(home.run(&["config", "check"]).done(), ok);

    fs::write(&path, "mine").unwrap();
    home.run(&["config", "init"]).refused(1, &["is there already and stays as it is\n`soquete config check`"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn init_needs_a_home() {
    let home = Home::new("homeless");
    let run = home.command(&["config", "init"]).env_remove("HOME").output().unwrap();
    Run::of(run).refused(1, &["neither XDG_CONFIG_HOME nor HOME is set\n`soquete config example` prints it"]);
}

#[test]
fn the_configuration_is_searched_in_order() {
    let home = Home::new("search");
    let process = |name: &str| format!("name = '{name}'\n[processes.a]\n");
    home.write(".config/soquete/soquete.toml", process("user"));
    home.write("xdg/soquete/soquete.toml", process("xdg"));
    let named = home.write("named.toml", process("named"));
    let given = home.write("given.toml", "[processes.a]\n");
    let name = |run: Run| run.done().lines().nth(1).unwrap().to_owned();
    let show = ["config", "show"];

    assert_eq!(name(home.run(&show)), "name = \"user\"");
    assert_eq!(name(home.run_with("XDG_CONFIG_HOME", home.0.join("xdg"), &show)), "name = \"xdg\"");
    assert_eq!(name(home.run_with("SOQUETE_CONFIG", &named, &show)), "name = \"named\"");
    assert_eq!(name(home.run_with("SOQUETE_CONFIG", "", &show)), "name = \"user\"");
    let given = ["config", "show", "-c", given.to_str().unwrap()];
    assert_eq!(name(home.run_with("SOQUETE_CONFIG", &named, &given)), "name = \"given\"");
    let platform = ["config", "show", "--platform", "pc"];
    assert_eq!(name(home.run_with("SOQUETE_CONFIG", &named, &platform)), "name = \"default\"");
}

#[test]
fn a_users_file_that_cannot_be_read_is_not_passed_over() {
    let home = Home::new("folder");
    fs::create_dir_all(home.0.join(".config/soquete/soquete.toml")).unwrap();
    home.run(&["config", "check"]).refused(2, &["soquete.toml: a folder; expected a file"]);
}

#[test]
fn wrong_arguments_end_with_2_and_say_what_is_wrong() {
    let home = Home::new("arguments");
    for (arguments, words) in [
        ("dim", "unrecognized subcommand 'dim'"),
        ("up --fast", "unexpected argument '--fast'"),
        ("up -c", "a value is required for '--config <FILE>'"),
        ("up -c a.toml --platform pc", "cannot be used with '--platform <PLATFORM>'"),
        ("up --platform amiga", "invalid value 'amiga'"),
        ("up --anyone-from 10.0.0.1/24", "bits set beyond the prefix; expected 10.0.0.0/24"),
        ("up --anyone-from office", "no address; expected a network such as 10.0.0.0/24"),
        ("run sixteen_octets__", "expected at most 15, all that the kernel keeps"),
        ("press", "required arguments were not provided"),
        ("lines --json", "--hardware"),
        ("lines --hardware --at unix:@led", "cannot be used with"),
        ("press ON", "ON is a command word"),
        ("set LED dim", "invalid value 'dim'"),
        ("blink LED 1s --count 0", "expected 1 to 1000000"),
        ("blink LED 1s --count x", "expected 1 to 1000000"),
        ("get LED --at 127.0.0.1:5555", "write `tcp://127.0.0.1:5555`"),
        ("get LED --timeout 2", "no unit after the number; expected 1ms to 1h"),
        ("toggle LED --at unix:@led -c a.toml", "cannot be used with"),
        ("config", "soquete config <COMMAND>"),
        ("config frobnicate", "unrecognized subcommand 'frobnicate'"),
        ("bench ping tcp://127.0.0.1:5555 64", "required arguments were not provided"),
        ("bench ping tcp://127.0.0.1:5555 64 soon", "expected seconds, such as 2 or 0.5"),
        ("completions klingon", "invalid value 'klingon'"),
        ("manual dim", "no command \"dim\"\n`soquete --help` lists the commands"),
        ("manual help", "no command \"help\"\n`soquete --help` lists the commands"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        home.run(&arguments).refused(2, &[words]);
    }
}

#[test]
fn help_says_what_to_type_first() {
    let home = Home::new("help");
    let first = "Type first:\n  soquete up ";
    for arguments in [&[][..], &["-h"], &["--help"], &["help"]] {
        let help = home.run(arguments).done();
        assert!(
            help.contains(first) && help.contains("soquete press BUTTON") && help.contains("soquete down"),
            "{help}"
        );
        assert!(!help.contains('\x1b'), "{help}");
    }
    let long = home.run(&["--help"]).done();
    assert!(long.contains("Exit codes:\n  0  done\n") && long.contains("SOQUETE_CONFIG"), "{long}");
    assert_eq!(home.run(&["--version"]).done(), concat!("soquete ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn a_reader_that_is_gone_is_no_error() {
    let home = Home::new("pipe");
    for arguments in [&["config", "example"][..], &["--help"], &[], &["completions", "bash"], &["manual"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = home.command(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(Run::of(output).done(), "", "{arguments:?}");
    }
}
