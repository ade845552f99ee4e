//! Relays: a chain of three processes, client → near → middle → LED, whose links are cut and whose processes stop and die,
//! each in its turn. With the built program, each process one of its own.
//!
//! | module | tests |
//! |---|---|
//! | here | the chain as it should be, and each link and process in turn |
//! | `random` | presses through the chain while everything happens at random moments |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall say where")]

mod common;
#[path = "relay/random.rs"]
mod random;

use common::place::free_port;
use common::proxy::{Cut, Proxy, Way};
use common::wire::Wire;
use common::{Place, Program, Run, until};
use std::net::SocketAddr;
use std::time::Duration;

/// Octets of a PONG.
const PONG_LEN: usize = 12 + 8;

/// A wait that is nothing but the time in which what must never happen would happen.
const A_SECOND_MORE: Duration = Duration::from_secs(1);

/// The names of the processes, from the LED on.
const PROCESSES: [&str; 3] = ["led_process", "middle", "near"];

/// A chain, and a button at its near end. Each process reaches the next over a wire of its own.
struct Chain {
    place: Place,
    near: SocketAddr,
    /// From the LED on: to the LED, to the middle, to the near end.
    links: [Proxy; 3],
}

impl Chain {
    /// Makes the chain and configures it; nothing runs yet.
    fn new(within: &str) -> Self {
        let place = Place::bare();
        let [middle, near] = [(); 2].map(|()| SocketAddr::from((place.host, free_port(place.host))));
        let links = [place.addr(), middle, near].map(|to| Proxy::new(place.host, to));
        let fifo = place.fifo();
        place.write_config(&format!(
            "[processes.led_process]\nserve = 'tcp://{led}'\nsyslog = 'off'\nlines.LED = {{ output = 'log' }}\n\
             [processes.middle]\nserve = 'tcp://{middle}'\nlines.LED = {{ output = 'remote', at = {} }}\n\
             [processes.near]\nserve = 'tcp://{near}'\nlines.LAMP = {{ output = 'remote', at = {}, line = 'LED' }}\n\
             [processes.button_process]\nlines.BUTTON = {{ input = 'fifo:{}' }}\n\
             [[processes.button_process.rules]]\non = 'BUTTON press'\nsend = 'LAMP TOGGLE'\nto = {}\nwithin = '{within}'\n",
            links[0].to(),
            links[1].to(),
            fifo.display(),
            links[2].to(),
            led = place.addr(),
        ));
        Chain { place, near, links }
    }

    /// Starts the three processes, from the LED on; the near end knows what the LED has on return.
    fn start(&self) -> [Program; 3] {
        let programs = PROCESSES.map(|name| self.place.start(name));
        self.wait_for("off");
        programs
    }

    /// Runs a command at the near end.
    fn run(&self, command: &str) -> Run {
        self.place.run(&format!("{command} --at tcp://{}", self.near))
    }

    fn wait_for(&self, value: &str) {
        until(value, || self.run("get LAMP").ok() == format!("{value}\n"));
    }

    /// Watches at the near end, in text.
    fn watch(&self) -> Wire {
        let mut wire = Wire::connect(self.near);
        assert_eq!(wire.ask("WATCH"), "OK WATCH");
        wire
    }

    /// Toggles twice and says that both are done: whatever came late would have come before.
    fn proves(&self, led: &Program, switched: usize) {
        for _ in 0..2 {
            assert_eq!(self.run("toggle LAMP --timeout 20s").code, Some(0));
        }
        led.log.wait_for("LED Status: ", switched + 2);
    }
}

#[test]
fn a_chain_of_three_sets_toggles_asks_lists_and_watches() {
    let chain = Chain::new("2s");
    let [led, middle, _near] = chain.start();
    let mut watch = chain.watch();
    for (command, value) in
        [("set LAMP on", "on"), ("toggle LAMP", "off"), ("toggle LAMP", "on"), ("set LAMP off", "off")]
    {
        let done = chain.run(command);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(chain.run("get LAMP").ok(), format!("{value}\n"), "what is done is so at once");
        assert_eq!(watch.line(), format!("EVENT LAMP {}", value.to_uppercase()));
    }
    led.log.wait_for(", by middle (tcp://", 4);
    middle.log.wait_for(", by near (tcp://", 4);
    assert!(chain.run("lines").ok().contains("LAMP"));
    let status = chain.place.run("status").ok();
    assert!(status.contains(&format!("remote LED at tcp://{}", chain.links[1].addr)), "{status}");
    let program = Program::begin(chain.place.soquete(&format!("watch LAMP --at tcp://{}", chain.near)));
    // Changes until it has begun to watch.
    until("it watches", || {
        chain.run("toggle LAMP").ok();
        !program.log.lines().is_empty()
    });
    program.next("by middle (tcp://");
}

#[test]
fn each_link_that_is_cut_makes_the_value_unknown_until_it_is_back() {
    let chain = Chain::new("2s");
    let [led, _middle, _near] = chain.start();
    let mut watch = chain.watch();
    for (nth, cut) in [(0, Cut::End), (1, Cut::Reset), (1, Cut::End), (0, Cut::Reset)] {
        chain.links[nth].cut(cut);
        assert_eq!(watch.line(), "EVENT LAMP UNKNOWN", "link {nth}");
        assert_eq!(watch.line(), "EVENT LAMP OFF", "link {nth}");
    }
    chain.proves(&led, 0);
}

#[test]
fn each_process_that_dies_makes_the_value_unknown_until_it_is_back() {
    let chain = Chain::new("2s");
    let [mut led, mut middle, _near] = chain.start();
    let mut watch = chain.watch();
    let mut is_told = |value: &str| assert_eq!(watch.line(), format!("EVENT LAMP {value}"));
    led.kill();
    is_told("UNKNOWN");
    let status = chain.place.run("status").ok();
    assert!(status.contains(&format!("\n  tcp://{} is not connected: ", chain.links[0].addr)), "{status}");
    let refused = chain.run("set LAMP on --timeout 300ms");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    // The link may take a connection and lose it, or take none.
    assert!(refused.err.contains("LAMP: not done: LAMP was not set: "), "{refused:?}");
    let led = chain.place.start("led_process");
    is_told("OFF");
    middle.kill();
    is_told("UNKNOWN");
    assert_eq!(chain.run("toggle LAMP --timeout 300ms").code, Some(1));
    let _middle = chain.place.start("middle");
    is_told("OFF");
    chain.proves(&led, 0);
}

#[test]
fn a_command_waits_within_its_time_for_a_link_that_is_down() {
    let chain = Chain::new("2s");
    let near = chain.place.start("near");
    let waiting = Program::begin(chain.place.soquete(&format!("toggle LAMP --timeout 20s --at tcp://{}", chain.near)));
    let middle = chain.place.start("middle");
    let mut led = chain.place.start("led_process");
    let mut waiting = waiting;
    assert_eq!(waiting.wait().code(), Some(0), "{} {} {}", waiting.log.text(), near.log.text(), middle.log.text());
    led.log.wait_for("LED Status: On", 1);
    assert_eq!(led.stop().code(), Some(0));
}

#[test]
fn a_command_to_a_process_that_is_stopped_is_not_done_and_never_late() {
    let chain = Chain::new("2s");
    let programs = chain.start();
    for (stopped, name) in programs.iter().zip(PROCESSES) {
        stopped.pause();
        let refused = chain.run("set LAMP on --timeout 300ms");
        assert_eq!(refused.code, Some(1), "{name}: {refused:?}");
        // sleep is the thing under test: a second in which it could still come out of some queue
        std::thread::sleep(A_SECOND_MORE);
        stopped.go_on();
    }
    chain.wait_for("off");
    chain.proves(&programs[0], 0);
}

#[test]
fn a_relay_that_stops_in_order_says_what_was_never_asked_for() {
    let chain = Chain::new("2s");
    let [led, middle, mut near] = chain.start();
    middle.pause();
    let mut wire = Wire::connect(chain.near);
    wire.send("LAMP TOGGLE\n");
    // It has been taken up when one that came after it is answered.
    assert_eq!(chain.run("get LAMP").code, Some(0));
    assert_eq!(near.stop().code(), Some(0));
    assert_eq!(wire.line(), "ERR LAMP was not set: the process stops");
    middle.go_on();
    let _near = chain.place.start("near");
    chain.wait_for("off");
    chain.proves(&led, 0);
}

#[test]
fn a_board_that_is_silent_is_found_out_and_its_value_unknown() {
    let chain = Chain::new("2s");
    let [led, _middle, _near] = chain.start();
    let mut watch = chain.watch();
    led.pause();
    assert_eq!(watch.line(), "EVENT LAMP UNKNOWN");
    led.go_on();
    assert_eq!(watch.line(), "EVENT LAMP OFF");
}

/// Kills a process after the LED was switched and before the answer came from there, and starts it again; says how the
/// command ended.
fn killed_between_act_and_answer(nth: usize) -> Run {
    let chain = Chain::new("2s");
    let mut programs = chain.start();
    // A ping of the link itself may take the place of the answer: then nothing was asked for, and it is tried again.
    for _ in 0..20 {
        let before = programs[0].log.count("LED Status: ");
        chain.links[nth].lose_after(Way::ToClient, PONG_LEN);
        let at = if nth == 2 { chain.links[2].addr } else { chain.near };
        let command = chain.place.soquete(&format!("toggle LAMP --timeout 5s --at tcp://{at}"));
        let mut asking = Program::begin(command);
        until("it ends, or the LED is switched", || {
            programs[0].log.count("LED Status: ") > before || asking.log.text().contains("not done")
        });
        if programs[0].log.count("LED Status: ") == before {
            chain.links[nth].cut(Cut::End);
            asking.wait();
            chain.wait_for("off");
            continue;
        }
        programs[nth].kill();
        chain.links[nth].cut(Cut::End);
        programs[0].log.wait_for("LED Status: ", before + 1);
        programs[nth] = chain.place.start(PROCESSES[nth]);
        let code = asking.wait().code();
        return Run { code, out: String::new(), err: asking.log.text() };
    }
    panic!("never asked for");
}

#[test]
fn what_the_led_process_took_along_into_its_death_is_unknown_at_the_near_end() {
    let run = killed_between_act_and_answer(0);
    assert_eq!(run.code, Some(3), "{run:?}");
    let [before, why] =
        ["whether LAMP was set is unknown: tcp://", ": unknown session: the server was restarted in between"];
    assert!(run.err.contains(before) && run.err.contains(why), "{run:?}");
}

#[test]
fn what_the_middle_took_along_into_its_death_is_unknown_at_the_near_end() {
    let run = killed_between_act_and_answer(1);
    assert_eq!(run.code, Some(3), "{run:?}");
}

#[test]
fn a_loop_of_relays_is_refused_and_said_so() {
    let place = Place::bare();
    let [first, second] = [place.addr(), SocketAddr::from((place.host, free_port(place.host)))];
    place.write_config(&format!(
        "[processes.first]\nserve = 'tcp://{first}'\nlines.LED = {{ output = 'remote', at = 'tcp://{second}' }}\n\
         [processes.second]\nserve = 'tcp://{second}'\nlines.LED = {{ output = 'remote', at = 'tcp://{first}' }}\n"
    ));
    let (mut first, mut second) = (place.start("first"), place.start("second"));
    for command in ["set LED on", "toggle LED"] {
        let refused = place.run(&format!("{command} --at {} --timeout 20s", place.endpoint()));
        assert_eq!(refused.code, Some(1), "{refused:?}");
        let [before, why] = ["LED: not done: LED was not set: tcp://", ": it has passed 8 servers: a loop of relays?"];
        assert!(refused.err.contains(before) && refused.err.contains(why), "{refused:?}");
    }
    assert_eq!(place.run(&format!("get LED --at {}", place.endpoint())).ok(), "unknown\n");
    assert_eq!((first.stop().code(), second.stop().code()), (Some(0), Some(0)));
}

#[test]
fn a_relay_that_points_at_itself_does_not_start() {
    let place = Place::bare();
    let at = place.endpoint();
    place
        .write_config(&format!("[processes.near]\nserve = '{at}'\nlines.LED = {{ output = 'remote', at = '{at}' }}\n"));
    let refused = place.run("run near");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.err.contains(&format!("{at} is served by this process itself")), "{refused:?}");
}
