//! The configuration of all that one `up` runs: found, read, checked, shown.
//!
//! | module | does |
//! |---|---|
//! | `source` | finds and reads the file |
//! | `document`, `value`, `word` | what may stand in it, each value with its place |
//! | `reader`, `sentence`, `report` | turns it into [`ProcessConfig`]s, and a mistake into `file:line:column: …` |
//! | `show` | writes it again, with every default |
//! | `command` | `soquete config` |

mod command;
mod document;
mod reader;
mod report;
mod sentence;
mod show;
mod source;
mod value;
mod word;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use soquete::{Endpoint, Host};
use soquete_node::config::{InstanceName, NameError, Network, ProcessConfig, check};

use crate::arguments::{Chosen, Platform};
use crate::output::{Exit, Failure};

pub(crate) use command::run;
pub(crate) use show::Shown;
pub(crate) use source::Source;

use report::Report;

/// The built-in configuration: the two processes of the seeds, on a PC.
const PC: &str = include_str!("configuration/pc.toml");

/// The same two processes on the pins of a Raspberry Pi.
const RASPBERRY: &str = include_str!("configuration/raspberry.toml");

/// What an instance is called whose configuration has neither a name nor a file.
const INSTANCE_DEFAULT: &str = "default";

/// What one `up` runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Configuration {
    /// What this instance is called: a folder's name.
    pub(crate) name: InstanceName,
    /// Where this was read.
    pub(crate) source: Source,
    /// The processes, in the order in which they start. There is at least one, and no mistake in them.
    pub(crate) processes: Vec<ProcessConfig>,
}

/// Reads the configuration that the arguments choose.
///
/// # Errors
/// There is none where it should be, or it has mistakes; each says where and what was expected.
pub(crate) fn load(chosen: &Chosen) -> Result<Configuration, Failure> {
    match (&chosen.config, chosen.platform) {
        (Some(path), _) => from_source(Source::File(path.clone())),
        (None, Some(platform)) => from_source(Source::BuiltIn(platform)),
        (None, None) => from_source(source::search(&source::environment)),
    }
}

/// Reads a configuration that another process has shown, whose text calls itself `name`.
///
/// # Errors
/// The text is none that [`Shown`] writes.
pub(crate) fn read_shown(name: &Path, text: &[u8]) -> Result<Configuration, Failure> {
    parse(Source::File(name.into()), text).map_err(|wrong| Failure::Wrong { exit: Exit::WrongUsage, wrong, act: None })
}

fn from_source(source: Source) -> Result<Configuration, Failure> {
    let octets = match &source {
        Source::BuiltIn(Platform::Pc) => PC.into(),
        Source::BuiltIn(Platform::Raspberry) => RASPBERRY.into(),
        Source::File(path) => source::read_bounded(path).map_err(|error| unreadable(path, &error))?,
    };
    parse(source, &octets).map_err(|wrong| Failure::Wrong { exit: Exit::WrongUsage, wrong, act: None })
}

/// Says why a file cannot be read.
fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let read = format!("read {}", path.display());
    match error.kind() {
        ErrorKind::NotFound => {
            Failure::usage(format!("{read}: no such file")).act("`soquete config example` prints one to begin with")
        }
        ErrorKind::PermissionDenied => Failure::usage(format!("{read}: permission denied")),
        ErrorKind::IsADirectory => Failure::usage(format!("{read}: a folder; expected a file")),
        _ => Failure::usage(format!("{read}: {error}")),
    }
}

/// Reads a configuration from what its source holds.
///
/// # Errors
/// The mistakes in it, at least one, each with its place.
fn parse(source: Source, octets: &[u8]) -> Result<Configuration, Vec<String>> {
    let called = source.to_string();
    let text = String::from_utf8_lossy(octets);
    let report = Report { name: &called, text: &text };
    if let Err(error) = std::str::from_utf8(octets) {
        // Up to here the text has the very octets of the file.
        let at = error.valid_up_to();
        let wrong = format!("octet {:#04x} is not UTF-8; expected text in UTF-8", octets[at]);
        return Err(vec![report.mistake(at..at, &wrong)]);
    }
    let reading = reader::read(&report)?;
    let name = match reading.name {
        Some(name) => name,
        None => name_of(&source).map_err(|wrong| vec![report.mistake(0..0, &wrong)])?,
    };
    Ok(Configuration { name, source, processes: reading.processes })
}

/// Names an instance whose configuration does not.
fn name_of(source: &Source) -> Result<InstanceName, String> {
    let stem = match source {
        Source::File(path) => path.file_stem().unwrap_or_default().to_string_lossy(),
        Source::BuiltIn(_) => INSTANCE_DEFAULT.into(),
    };
    let wrong = |error: NameError| format!("the file's {stem:?} names the instance: {error}, or `name = \"…\"` here");
    stem.parse().map_err(wrong)
}

/// Opens what is served on loopback to whole networks: every loopback TCP endpoint is bound on all addresses instead
/// (`0.0.0.0`, for one of IPv6 `[::]`), and every machine of the networks may use it. Peers on loopback always may, so
/// the rules of this machine that send to `tcp://127.0.0.1:5555` go on working.
///
/// No network changes nothing.
///
/// # Errors
/// Nothing is served on loopback TCP of a network's family, or two endpoints that differed only in their address have become one.
pub(crate) fn apply_anyone_from(configuration: &mut Configuration, networks: &[Network]) -> Result<(), Failure> {
    if networks.is_empty() {
        return Ok(());
    }
    let mut opened = Vec::new();
    for serve in configuration.processes.iter_mut().flat_map(|process| &mut process.serve) {
        let (Endpoint::Tcp { host, .. } | Endpoint::Udp { host, .. }) = &mut serve.at else { continue };
        if host.is_loopback() {
            let every = every_address(host);
            *host = Host::Ip(every);
            serve.anyone_from = networks.to_vec();
            opened.push(every);
        }
    }
    if opened.is_empty() {
        let wrong = format!("--anyone-from: nothing is served on loopback TCP in {}", configuration.source);
        return Err(Failure::usage(wrong).act("networks of an endpoint stand in the configuration: `anyone-from`"));
    }
    let is_reached = |network: &Network| opened.iter().any(|every| every.is_ipv6() == network.is_ipv6());
    if let Some(network) = networks.iter().find(|network| !is_reached(network)) {
        let (family, loopback) = if network.is_ipv6() { ("IPv6", "[::1]") } else { ("IPv4", "127.0.0.1") };
        let wrong = format!("--anyone-from {network}: nothing is served on loopback TCP of {family}");
        return Err(Failure::usage(wrong).act(format!("serve tcp://{loopback}:PORT in the configuration, too")));
    }
    match check(&configuration.processes).first() {
        None => Ok(()),
        Some(mistake) => Err(Failure::usage(format!("--anyone-from: {mistake}"))),
    }
}

/// Returns the address that stands for every one, of the family of a loopback host.
fn every_address(loopback: &Host) -> IpAddr {
    match loopback {
        Host::Ip(ip) if ip.to_canonical().is_ipv6() => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pc() -> Configuration {
        parse(Source::BuiltIn(Platform::Pc), PC.as_bytes()).unwrap()
    }

    fn file(text: &str) -> Configuration {
        parse(Source::File("/cfg/home.toml".into()), text.as_bytes()).unwrap()
    }

    /// A configuration of one process that serves the endpoints given.
    fn serving(endpoints: &[&str]) -> Configuration {
        file(&format!("[processes.led]\nserve = {endpoints:?}\n"))
    }

    fn served(configuration: &Configuration) -> Vec<String> {
        let serve = configuration.processes.iter().flat_map(|process| &process.serve);
        serve.map(|serve| format!("{} {}", serve.at, serve.anyone_from.len())).collect()
    }

    #[test]
    fn the_built_in_configuration_is_the_seeds() {
        let pc = pc();
        assert_eq!(pc.name.as_str(), "default");
        let names: Vec<_> = pc.processes.iter().map(|process| process.name.as_str()).collect();
        assert_eq!(names, ["led_process", "button_process"]);
        assert_eq!(pc.processes[1].rules[0].send, ["LED TOGGLE"]);
    }

    #[test]
    fn on_a_raspberry_the_same_lines_are_hardware() {
        let raspberry = parse(Source::BuiltIn(Platform::Raspberry), RASPBERRY.as_bytes()).unwrap();
        let mut pc = pc();
        let kinds: Vec<_> = raspberry.processes.iter().map(|process| process.lines[0].kind.to_string()).collect();
        assert_eq!(kinds, ["gpio:GPIO17", "gpio:GPIO4"]);
        for (process, same) in pc.processes.iter_mut().zip(&raspberry.processes) {
            process.lines[0].kind = same.lines[0].kind.clone();
        }
        assert_eq!(pc.processes, raspberry.processes);
    }

    #[test]
    fn processes_and_lines_keep_the_order_of_the_file() {
        let text = "[processes.z]\nlines.Y.output = 'log'\nlines.X.output = 'log'\n[processes.a]\n";
        let processes = file(text).processes;
        assert_eq!((processes[0].name.as_str(), processes[1].name.as_str()), ("z", "a"));
        assert_eq!(processes[0].lines[0].name.as_str(), "Y");
    }

    #[test]
    fn an_instance_is_named_by_its_key_else_by_its_file() {
        assert_eq!(file("[processes.a]").name.as_str(), "home");
        assert_eq!(file("name = 'far'\n[processes.a]").name.as_str(), "far");
        let numbered = parse(Source::File("/dev/fd/63".into()), b"[processes.a]").unwrap_err();
        assert!(numbered[0].starts_with("/dev/fd/63:1:1: "), "{}", numbered[0]);
        assert!(numbered[0].contains("expected a letter first, or `name = \"…\"` here"), "{}", numbered[0]);
    }

    #[test]
    fn the_example_is_the_built_in_configuration() {
        assert_eq!(file(command::EXAMPLE).processes, pc().processes);
    }

    #[test]
    fn what_the_example_offers_in_comments_is_accepted() {
        let offered = |key: &str| format!("# {key}");
        let mut text = command::EXAMPLE.replace("serve = [\"tcp://127.0.0.1:5555\"]", "");
        for key in [
            "name =",
            "syslog =",
            "mode =",
            "[processes.led_process.lines.FAR]",
            "output =",
            "at =",
            "line =",
            "[processes.led_process.lines.LAMP]",
            "[processes.button_process.lines.KEY]",
            "input =",
            "active-low =",
            "drive =",
            "bias =",
            "debounce =",
            "debounce-mode =",
        ] {
            assert!(text.contains(&offered(key)), "{key}");
            text = text.replace(&offered(key), key);
        }
        let (before, block) = text.split_once("# serve = [\n").unwrap();
        let (block, after) = block.split_once("# ]\n").unwrap();
        let text = format!("{before}serve = [\n{}]\n{after}", block.replace("\n# ", "\n").replacen("# ", "", 1));
        let example = file(&text);
        assert_eq!(example.name.as_str(), "home");
        assert_eq!(served(&example), ["tcp://0.0.0.0:5555 2", "unix:///run/led.sock 0"]);
    }

    #[test]
    fn anyone_from_opens_what_is_on_loopback() {
        let networks = ["10.0.0.0/24".parse().unwrap()];
        let mut open = serving(&["tcp://127.0.0.1:1", "tcp://localhost:2", "tcp://[::1]:3", "unix:@led"]);
        apply_anyone_from(&mut open, &networks).unwrap();
        assert_eq!(served(&open), ["tcp://0.0.0.0:1 1", "tcp://0.0.0.0:2 1", "tcp://[::]:3 1", "unix:@led 0"]);
        assert!(open.processes[0].serve[0].admits("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn no_network_opens_nothing() {
        let mut closed = pc();
        apply_anyone_from(&mut closed, &[]).unwrap();
        assert_eq!(closed, pc());
    }

    #[test]
    fn anyone_from_must_have_something_to_open() {
        let networks = ["10.0.0.0/24".parse().unwrap()];
        let nothing = apply_anyone_from(&mut serving(&["unix:@led"]), &networks).unwrap_err();
        assert!(nothing.to_string().contains("nothing is served on loopback TCP in /cfg/home.toml"));
        let mut same = serving(&["tcp://127.0.0.1:1", "tcp://127.0.0.2:1"]);
        let twice = apply_anyone_from(&mut same, &networks).unwrap_err();
        assert!(twice.to_string().contains("--anyone-from: tcp://0.0.0.0:1 is served a second time"));
        let far = ["10.0.0.0/24".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let unreached = apply_anyone_from(&mut serving(&["tcp://127.0.0.1:1"]), &far).unwrap_err();
        let expected = "--anyone-from fd00::/8: nothing is served on loopback TCP of IPv6";
        assert!(unreached.to_string().contains(expected), "{unreached}");
    }

    #[test]
    fn what_is_shown_reads_as_what_it_shows() {
        let every_key = r#"
            name = "every"
            [processes."led.far"]
            syslog = "off"
            serve = [
                "tcp://127.0.0.1:0", "unix:///run/a \"b\".sock", "mem:x",
                { at = "tcp://0.0.0.0:1", speak = "text", anyone-from = ["10.0.0.0/24", "::/0"], backlog = 1 },
                { at = "unix:///run/led.sock", speak = ["http", "frames"], mode = "0660" },
            ]
            [processes."led.far".lines]
            LED = { output = "virtual", start = "on", stop = "keep", safe = "on", take-over = true }
            "A.b" = { input = "fifo:/tmp/\\é", mode = "622" }
            V.input = "virtual"
            G = { output = "gpio:GPIO17", start = "keep", drive = "open-drain", bias = "pull-up" }
            H = { input = "gpio:pinctrl-bcm2711/4", active-low = true, debounce = "5ms", bias = "disabled" }
            I = { input = "gpio:GPIO5", debounce = "1m", debounce-mode = "first-edge" }
            FAR = { output = "remote", at = "tcp://10.0.0.2:5555", stop = "off" }
            KEY = { input = "remote", at = "unix:@far", line = "BUTTON" }
            [[processes."led.far".rules]]
            on = "a.b release"
            send = ["LED ON", "led off"]
            within = "90s"
            [[processes."led.far".rules]]
            on = "V hold"
            hold-time = "3s"
            send = "LED ON"
            [[processes."led.far".rules]]
            on = "V double"
            send = "LED OFF"
            [[processes."led.far".rules]]
            on = "V press"
            send = "LAMP ON"
            to = ["tcp://10.0.0.2:5555", "unix:@led"]
            as = "text"
            [[processes."led.far".rules]]
            on = "V press"
            send = "LAMP ON"
            to = "unix:@led"
            lease = "1500ms"
            [processes.idle]
            "#;
        for shown in [file(every_key), pc(), file(command::EXAMPLE)] {
            let text = show::Shown(&shown).to_string();
            let read = parse(shown.source.clone(), text.as_bytes()).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
            assert_eq!(read, shown, "{text}");
        }
    }
}
