//! Outputs that who started this process holds, too: they outlive it.

use super::Gpios;
use super::chip::Seen;
use super::find;
use super::line::{GpioLine, Held};
use crate::console;
use crate::holder::{self, Holder};
use soquete_board::Direction;
use std::io;
use std::time::Duration;

/// The pause before a descriptor is offered again to whom too much waits for already. 20 ms: whoever holds reads within
/// one, and at the start all outputs come at once.
const STORE_PAUSE: Duration = Duration::from_millis(20);

/// The holder, if there is one.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) holder: Option<Holder>,
    /// When to offer again what was not taken.
    pub(super) at: Option<Duration>,
}

impl Hold {
    pub(super) fn new(holder: Option<Holder>) -> Self {
        Hold { holder, at: None }
    }

    /// Has a line that is given back held no more.
    pub(super) fn forget(&self, line: &str, held: &Held) {
        if held.is_stored
            && let Some(holder) = &self.holder
        {
            holder.forget(&holder::name(line, &held.place));
        }
    }
}

impl Gpios {
    /// Gives up what was held and is none of the outputs now: the configuration has changed, or a chip is gone.
    pub(super) fn give_up_others(&mut self, seen: &[Seen]) {
        let Some(holder) = &mut self.hold.holder else { return };
        let place =
            |line: &GpioLine| find::find(seen, &line.gpio.line).ok().map(|(chip, there)| find::place(&chip, &there));
        let outputs = self.lines.iter().filter(|line| line.gpio.direction == Direction::Output);
        let names: Vec<_> = outputs.filter_map(|line| Some(holder::name(&line.name, &place(line)?))).collect();
        for name in holder.keep_only(&names) {
            console::say(&format!("{name} was held and is no output of this configuration now; it is given up"));
        }
    }

    /// Has every output held that is not yet.
    pub(super) fn store(&mut self, now: Duration) {
        let Some(holder) = &self.hold.holder else { return };
        self.hold.at = None;
        for line in self.lines.iter_mut().filter(|line| line.gpio.direction == Direction::Output) {
            let Some(held) = line.held.as_mut().filter(|held| !held.is_stored) else { continue };
            match holder.store(&holder::name(&line.name, &held.place), held.request.fd()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.hold.at = Some(now + STORE_PAUSE),
                stored => {
                    held.is_stored = true;
                    if let Err(error) = stored {
                        console::say(&format!("{}: nobody holds it if this process dies: {error}", line.name));
                    }
                }
            }
        }
    }

    /// Has nothing held any more: this process gives its lines back as it left them.
    pub(crate) fn give_back(&self) {
        let stored =
            self.lines.iter().filter_map(|line| Some((line, line.held.as_ref().filter(|held| held.is_stored)?)));
        let names: Vec<_> = stored.map(|(line, held)| holder::name(&line.name, &held.place)).collect();
        self.hold.holder.iter().for_each(|holder| holder.give_back(&names));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Fake;
    use super::super::scene::{Scene, input, output, pi, with};
    use crate::config::LineConfig;
    use crate::holder::Holder;
    use soquete_board::{Level, Preset};
    use std::ffi::{OsStr, OsString};
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Somebody who holds the lines of a machine, in a thread of its own, and what it hears.
    struct Store {
        address: OsString,
        heard: Receiver<String>,
    }

    impl Store {
        fn of(fake: &Fake) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let name = format!("soquete-hold-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
            let (teller, heard) = channel();
            let fake = fake.clone();
            std::thread::spawn(move || {
                let mut room = [0; 4096];
                // Descriptors that come along are closed by the kernel.
                while let Ok(len) = socket.recv(&mut room) {
                    let text = String::from_utf8(room[..len].to_vec()).unwrap().trim().replace("\nFDNAME=", " ");
                    if text.starts_with("FDSTOREREMOVE") {
                        fake.let_go();
                    }
                    if teller.send(text).is_err() {
                        break;
                    }
                }
            });
            Store { address: format!("@{name}").into(), heard }
        }

        /// Begins a process that was given these descriptors; what they are, the machine does not look at.
        fn begin(&self, fake: &Fake, lines: Vec<LineConfig>, given: &[&str]) -> Scene {
            let descriptor = || std::io::pipe().unwrap().0.into();
            let given = given.iter().map(|name| ((*name).to_owned(), descriptor())).collect();
            Scene::held(fake, lines, Some(Holder::connect(&self.address, given).unwrap())).unwrap()
        }

        fn heard(&self, count: usize) -> Vec<String> {
            std::iter::repeat_with(|| self.heard.recv_timeout(PATIENCE).unwrap()).take(count).collect()
        }
    }

    /// Kills a process of which somebody holds a line.
    fn kill(fake: &Fake, scene: Scene) {
        fake.hold("GPIO17");
        drop(scene);
        fake.asked();
    }

    fn lines(start: Preset) -> Vec<LineConfig> {
        vec![LineConfig { start, ..output("A", "GPIO17") }, input("B", "GPIO4")]
    }

    const HELD: &str = "gpio/A/soc/1";

    #[test]
    fn an_output_is_held_from_its_request_to_the_clean_end_and_an_input_never() {
        let fake = pi();
        let store = Store::of(&fake);
        let mut scene = store.begin(&fake, lines(Preset::On), &[]);
        scene.told(2);
        assert_eq!(store.heard(1), ["FDSTORE=1 gpio/A/soc/1"]);
        scene.gpios.give_back();
        assert_eq!(store.heard(2), ["FDSTOREREMOVE=1 gpio/A/soc/1", "BARRIER=1"]);
    }

    #[test]
    fn the_next_process_goes_on_with_a_held_line_that_is_never_given_back() {
        for (start, level) in [(Preset::Off, Level::Off), (Preset::On, Level::On), (Preset::Keep, Level::On)] {
            let fake = pi();
            let store = Store::of(&fake);
            let mut first = store.begin(&fake, lines(Preset::On), &[]);
            first.told(2);
            kill(&fake, first);
            assert_eq!((fake.wire("GPIO17"), fake.consumer("GPIO17").as_str()), (Level::On, "soquete led_process"));
            let mut second = store.begin(&fake, lines(start), &[HELD, "tcp"]);
            let word = if level == Level::On { "on" } else { "off" };
            assert_eq!(second.told(2), [format!("A {word} start"), "B off start".to_owned()]);
            assert_eq!(fake.asked()[..2], ["adopt".to_owned(), format!("reconfigure Output({level:?})")]);
            assert_eq!(fake.wire("GPIO17"), level);
            assert_eq!(second.gpios.set(second.ids[0], Level::Off), Ok(()));
            // It is held already.
            second.gpios.give_back();
            assert_eq!(store.heard(2), ["FDSTORE=1 gpio/A/soc/1", "FDSTOREREMOVE=1 gpio/A/soc/1"]);
        }
    }

    #[test]
    fn what_does_not_fit_is_given_up_before_its_line_is_requested_anew() {
        let low = || vec![with(output("A", "GPIO17"), |gpio| gpio.active_low = true)];
        let renamed = || vec![output("Z", "GPIO17")];
        for (lines, name) in [(low(), HELD), (renamed(), HELD), (renamed(), "gpio/A/gone/1")] {
            let fake = pi();
            let store = Store::of(&fake);
            let mut first = store.begin(&fake, self::lines(Preset::On), &[]);
            first.told(2);
            kill(&fake, first);
            if name != HELD {
                fake.let_go();
            }
            let mut second = store.begin(&fake, lines, &[name]);
            assert_eq!(second.told(1), ["A off start"]);
            assert_eq!(fake.asked(), ["request Output(Off)"]);
            assert_eq!(store.heard(3)[1..], [format!("FDSTOREREMOVE=1 {name}"), "BARRIER=1".to_owned()]);
        }
    }

    #[test]
    fn a_process_without_hardware_gives_up_what_an_earlier_one_had() {
        let fake = pi();
        let store = Store::of(&fake);
        let _scene = store.begin(&fake, vec![], &[HELD]);
        assert_eq!(store.heard(2), [format!("FDSTOREREMOVE=1 {HELD}"), "BARRIER=1".to_owned()]);
    }

    #[test]
    fn a_chip_that_went_and_came_while_nobody_ran_is_begun_anew() {
        let fake = pi();
        let store = Store::of(&fake);
        let mut first = store.begin(&fake, lines(Preset::On), &[]);
        first.told(2);
        kill(&fake, first);
        fake.unplug("soc");
        fake.plug("soc", &["GPIO4", "GPIO17"]);
        let mut second = store.begin(&fake, vec![output("A", "GPIO17")], &[HELD]);
        assert_eq!((second.told(1), fake.asked()), (vec!["A off start".into()], vec!["request Output(Off)".into()]));
    }

    #[test]
    fn a_line_that_is_lost_is_held_no_more_and_again_when_it_is_back() {
        let fake = pi();
        fake.plug("usb", &["P0"]);
        let store = Store::of(&fake);
        let mut scene = store.begin(&fake, vec![output("A", "P0")], &[]);
        scene.told(1);
        fake.unplug("usb");
        scene.told(1);
        fake.plug("usb", &["P0"]);
        assert_eq!(scene.told(1), ["A off chip"]);
        assert_eq!(
            store.heard(3),
            ["FDSTORE=1 gpio/A/usb/0", "FDSTOREREMOVE=1 gpio/A/usb/0", "FDSTORE=1 gpio/A/usb/0"]
        );
    }

    #[test]
    fn whoever_is_busy_is_offered_the_lines_again() {
        let fake = pi();
        let name = format!("soquete-busy-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let other = UnixDatagram::unbound().unwrap();
        other.set_nonblocking(true).unwrap();
        while other.send_to_addr(b"WATCHDOG=1", &address).is_ok() {}
        let holder = Holder::connect(OsStr::new(&format!("@{name}")), vec![]).unwrap();
        let mut scene = Scene::held(&fake, vec![output("A", "GPIO17")], Some(holder)).unwrap();
        scene.told(1);
        assert!(scene.gpios.timeout().is_some());
        let mut room = [0; 64];
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        while scene.gpios.timeout().is_some() {
            socket.recv(&mut room).unwrap();
            scene.told(0);
        }
        while !room.starts_with(b"FDSTORE=1\nFDNAME=gpio/A/soc/1\n") {
            socket.recv(&mut room).unwrap();
        }
    }
}
