//! A whole process on chips in plain Rust.

use super::{Process, Surroundings};
use crate::back::fake::Fake;
use crate::back::scene::{input, output, with};
use crate::config::{Bias, ProcessConfig, RuleConfig, Serve, Trigger};
use crate::status::ProcessStatus;
use rustix::time::{ClockId, clock_gettime};
use soquete::{Client, ClientOptions, Clock, Endpoint, Received, UnixName};
use soquete_board::{Level, Preset};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A process in a thread; dropping it stops it.
struct Running {
    client: Client,
    control: PathBuf,
    stop: Option<std::io::PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(fake: &Fake, config: ProcessConfig) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let unique = COUNT.fetch_add(1, Ordering::Relaxed);
        let control = std::env::temp_dir().join(format!("soquete-hardware-{}-{unique}", std::process::id()));
        let stop_on = vec![reader.into()];
        let surroundings = Surroundings { stop_on, control: Some(control.clone()), ..Surroundings::default() };
        let process = Process::on(config, surroundings, Box::new(fake.clone())).unwrap();
        let at = process.endpoints()[0].clone();
        let thread = Some(std::thread::spawn(move || process.run().unwrap()));
        let client = Client::connect(&at, ClientOptions::frames("board")).unwrap();
        Running { client, control, stop: Some(writer), thread }
    }

    /// Returns what is answered, or why nothing was done.
    fn ask(&mut self, command: &str) -> String {
        match self.client.request(command.as_bytes()) {
            Ok(answer) => String::from_utf8(answer.to_vec()).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    /// Returns what it tells about itself.
    fn status(&mut self) -> String {
        let control = Endpoint::Unix(UnixName::Path(self.control.clone()));
        let mut control = Client::connect(&control, ClientOptions::frames("control")).unwrap();
        String::from_utf8(control.request(b"STATUS").unwrap().to_vec()).unwrap()
    }

    /// Waits for the next change, in words: `LED ON`.
    fn event(&mut self) -> String {
        let Received::Event { payload, .. } = self.client.receive().unwrap() else { panic!() };
        let text = String::from_utf8(payload.to_vec()).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A board with a lamp, a button that pulls its line low, and a lamp on another chip.
fn config(rules: &[(Trigger, &str)]) -> (Fake, ProcessConfig) {
    let fake = Fake::default();
    fake.plug("soc", &["GPIO4", "GPIO17"]);
    fake.plug("usb", &["P0"]);
    fake.pull("GPIO4", Level::On);
    let mut config = ProcessConfig::new("board".parse().unwrap());
    config.serve.push(Serve::new("tcp://127.0.0.1:0".parse().unwrap()));
    let button = with(input("BUTTON", "GPIO4"), |gpio| (gpio.active_low, gpio.bias) = (true, Bias::PullUp));
    config.lines = vec![output("LED", "GPIO17"), button, output("FAR", "P0")];
    config.rules = rules.iter().map(|(on, send)| RuleConfig::new("BUTTON".parse().unwrap(), *on, *send)).collect();
    (fake, config)
}

#[test]
fn a_pressed_button_lights_the_led_and_a_stop_leaves_it_off() {
    let (fake, config) = config(&[(Trigger::Press, "LED TOGGLE")]);
    let mut board = Running::start(&fake, config);
    assert_eq!(board.ask("BUTTON"), "OK BUTTON OFF");
    assert!(board.ask("WATCH").starts_with("OK"));
    fake.pull("GPIO4", Level::Off);
    assert_eq!([board.event(), board.event()], ["BUTTON ON", "LED ON"]);
    assert_eq!(fake.wire("GPIO17"), Level::On);
    drop(board);
    assert_eq!((fake.wire("GPIO17"), fake.consumer("GPIO17").as_str()), (Level::Off, ""));
}

#[test]
fn a_press_counts_from_the_time_stamp_of_the_kernel() {
    let (fake, mut config) = config(&[(Trigger::Press, "LED TOGGLE")]);
    config.rules[0].within = Duration::from_secs(60);
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    let (age, now) = (Duration::from_millis(300), clock_gettime(ClockId::Monotonic));
    let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap());
    fake.pull_at("GPIO4", Level::Off, now - age);
    assert_eq!([board.event(), board.event()], ["BUTTON ON", "LED ON"]);
    let status: ProcessStatus = serde_json::from_str(&board.status()).unwrap();
    let latency = &status.rules[0].latency[0];
    let set = latency.set.as_ref().unwrap();
    assert_eq!((latency.from.as_str(), set.count), ("kernel", 1));
    // A tenth for the two clocks, which are read one after the other.
    assert!(set.max_us >= 270_000, "{set:?}");
    assert_eq!(status.lines.iter().find_map(|line| line.latency.as_ref()), Some(set));
}

#[test]
fn a_button_that_is_held_and_one_that_is_pressed_twice_do_other_things() {
    let hold = Trigger::Hold(Duration::from_millis(20));
    let double = Trigger::Double(Duration::from_secs(3600));
    let (fake, config) = config(&[(hold, "LED ON"), (double, "FAR ON")]);
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    fake.pull("GPIO4", Level::Off);
    assert_eq!([board.event(), board.event()], ["BUTTON ON", "LED ON"]);
    fake.pull("GPIO4", Level::On);
    fake.pull("GPIO4", Level::Off);
    assert_eq!([board.event(), board.event(), board.event()], ["BUTTON OFF", "BUTTON ON", "FAR ON"]);
}

#[test]
fn an_input_cannot_be_set_and_a_button_is_pressed_by_hand() {
    let (fake, config) = config(&[]);
    let mut board = Running::start(&fake, config);
    assert!(board.ask("BUTTON ON").contains("BUTTON is an input"));
    let control = Endpoint::Unix(UnixName::Path(board.control.clone()));
    let mut control = Client::connect(&control, ClientOptions::frames("control")).unwrap();
    let refused = control.request(b"PRESS BUTTON").unwrap_err().to_string();
    assert!(refused.contains("BUTTON is hardware; it is pressed by hand"), "{refused}");
}

#[test]
fn a_chip_that_goes_leaves_its_lines_unknown_and_the_others_unharmed() {
    let (fake, config) = config(&[]);
    let mut board = Running::start(&fake, config);
    board.ask("FAR ON");
    board.ask("WATCH");
    fake.unplug("usb");
    assert_eq!(board.event(), "FAR UNKNOWN");
    assert!(board.ask("FAR TOGGLE").contains("unknown"));
    assert!(board.ask("LINES").ends_with("\nFAR UNKNOWN OUTPUT BECAUSE the chip is gone"));
    assert!(board.ask("FAR OFF").contains("gpio:P0: the chip is gone"));
    assert_eq!(board.ask("LED ON"), "OK LED ON");
    assert_eq!(board.event(), "LED ON");
    fake.plug("usb", &["P0"]);
    assert_eq!(board.event(), "FAR OFF");
    assert_eq!(board.ask("FAR ON"), "OK FAR ON");
    assert_eq!(fake.wire("P0"), Level::On);
}

#[test]
fn a_chip_that_goes_ends_what_its_lines_did_by_themselves() {
    let (fake, config) = config(&[]);
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    assert_eq!(board.ask("FAR BLINK 10ms LED PULSE 20ms"), "OK FAR ON LED ON");
    let mut told = vec![board.event()];
    while told.iter().filter(|event| *event == "FAR ON").count() < 3 || !told.contains(&"LED OFF".to_owned()) {
        told.push(board.event());
    }
    assert_eq!(fake.wire("GPIO17"), Level::Off);
    fake.unplug("usb");
    while board.event() != "FAR UNKNOWN" {}
    fake.plug("usb", &["P0"]);
    assert_eq!(board.event(), "FAR OFF");
    assert_eq!(board.ask("LED PULSE 30ms"), "OK LED ON");
    assert_eq!([board.event(), board.event()], ["LED ON", "LED OFF"]);
}

#[test]
fn a_lease_that_ends_makes_an_output_safe_and_one_that_was_gone_then_when_it_is_back() {
    let (fake, mut config) = config(&[]);
    config.lines.iter_mut().for_each(|line| line.safe = Preset::On);
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    fake.unplug("usb");
    assert_eq!(board.event(), "FAR UNKNOWN");
    assert_eq!(board.ask("LEASE LED FAR 100ms"), "OK LEASE LED FAR 100ms");
    assert_eq!(board.event(), "LED ON");
    assert_eq!(fake.wire("GPIO17"), Level::On);
    fake.asked();
    fake.plug("usb", &["P0"]);
    assert_eq!(board.event(), "FAR ON");
    // From the first moment on: it never had its start value.
    assert_eq!(fake.asked(), ["request Output(On)"]);
    assert_eq!(board.ask("FAR OFF"), "OK FAR OFF");
}

#[test]
fn an_output_that_was_away_while_its_lease_lived_has_its_start_value() {
    let (fake, config) = config(&[]);
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    assert_eq!(board.ask("LEASE FAR 1h"), "OK LEASE FAR 1h");
    assert_eq!(board.ask("FAR ON"), "OK FAR ON");
    assert_eq!(board.event(), "FAR ON");
    fake.unplug("usb");
    assert_eq!(board.event(), "FAR UNKNOWN");
    fake.plug("usb", &["P0"]);
    assert_eq!(board.event(), "FAR OFF");
}

#[test]
fn a_safe_value_that_a_driver_refuses_is_told_and_tried_until_it_is_set() {
    let (fake, mut config) = config(&[]);
    config.lines[0].safe = Preset::On;
    let mut board = Running::start(&fake, config);
    board.ask("WATCH");
    fake.stick();
    assert_eq!(board.ask("LEASE LED 100ms"), "OK LEASE LED 100ms");
    let until = Clock::now() + Duration::from_secs(30);
    while !board.status().contains(r#""owed":{"value":"on","cause":"the end of the lease of "#) {
        assert!(Clock::now() < until, "{}", board.status());
    }
    fake.come_loose();
    assert_eq!(board.event(), "LED ON");
    assert!(board.status().contains(r#""owed":null"#));
}
