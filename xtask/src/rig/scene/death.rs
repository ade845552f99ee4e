//! The death of a process: what its outputs have then, and that nobody lets go of them until it is back.

use super::{SOC, Scene, USB};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "a_killed_process_leaves_its_outputs_safe_and_held", play: killed },
    Scene { name: "a_killed_process_finds_its_outputs_in_the_store_of_systemd", play: stored },
    Scene { name: "outputs_have_their_stop_values_when_up_is_killed", play: alone },
    Scene { name: "a_process_that_does_not_stop_leaves_its_outputs_as_after_a_stop", play: forced },
    Scene { name: "an_output_whose_owner_died_while_its_chip_was_away_comes_back_safe", play: owed },
    Scene { name: "a_chip_that_went_while_a_process_was_dead_is_begun_anew", play: gone },
];

/// Boots a machine on which `up` runs two processes, and switches LED and KEPT on.
fn up(parts: &Parts, name: &'static str) -> Result<Guest, Trouble> {
    let mut guest = Guest::boot(parts, name, None)?;
    guest.run(&format!("{SOC}; {USB}; soquete up -c $RIG_DATA/held.toml >/run/up.log 2>&1 & up=$!"))?;
    guest.until("has 'up | other is ready' cat /run/up.log")?;
    guest.run("led() { sed -n 's/^up | led_process is ready, pid //p' /run/up.log | tail -n 1; }")?;
    guest.run("soquete set LED on && soquete set KEPT on && is 1 value a 7 && is 1 value a 6 && is 1 value a 5")?;
    Ok(guest)
}

/// Has the values of a line of chip `soc` noted, one after the other, until `seen` is called.
fn look(guest: &mut Guest, offset: u32) -> Result<(), Trouble> {
    guest.run(&format!(
        "seen() {{ rm /run/looking.$1; wait $(cat /run/look.$1); }}
         : >/run/looking.{offset}; value=$(wire a {offset})/value
         while [ -e /run/looking.{offset} ]; do cat $value; : >/run/looked.{offset}; done |
             uniq | tr '\\n' ' ' >/run/seen.{offset} & echo $! >/run/look.{offset}"
    ))?;
    guest.until(&format!("test -e /run/looked.{offset}"))
}

/// A line that is let go of shows what pulls it: LED is pulled up, so it would be on, and KEPT down, so it would be off.
fn killed(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = up(parts, "killed")?;
    guest.run("pull a 7 up; pull a 6 down; other=$(pidof other)")?;
    look(&mut guest, 7)?;
    look(&mut guest, 6)?;
    guest.run("trace; kill -9 $(led)")?;
    guest.until("is 2 grep -c 'led_process is ready' /run/up.log")?;
    // The safe values of LED and LOW, which is low while it is on; then the start values, and KEPT as it is.
    guest.run("driven | grep -v out | tr '\\n' ' ' >/run/driven; is '7 0 5 0 7 0 5 1 6 1 ' cat /run/driven")?;
    // Once more, at once: it is held for the third, too.
    guest.run("kill -9 $(led)")?;
    guest.until("is 3 grep -c 'led_process is ready' /run/up.log")?;
    guest.run("has 'soquete led_process' soquete lines --hardware")?;
    guest.run("seen 7 && is '1 0 ' cat /run/seen.7 && seen 6 && is '1 ' cat /run/seen.6")?;
    guest.run("has 'up | led_process died; LED set to off (safe)' cat /run/up.log")?;
    guest.run("has 'led_process | LED: gpio:GPIO17 was held meanwhile' cat /run/up.log")?;
    guest.run("has 'up | led_process died; LOW set to on (safe)' cat /run/up.log && ! grep KEPT.set /run/up.log")?;
    guest.run("is off soquete get LED && is on soquete get KEPT && is off soquete get LOW")?;
    guest.run("is 1 value b 0 && is $other pidof other && soquete set LED on && is 1 value a 7")?;
    // A clean stop sets the stop values and gives the lines back: nobody holds them after it.
    guest.run("pull a 6 up; soquete down && wait $up && ! grep 'died; .*(stop)' /run/up.log")?;
    guest.run("soquete lines --hardware >/run/lines && ! grep soquete /run/lines && is 1 value a 6").map(drop)
}

/// No systemd runs on the guests; `rig/store.py` speaks its protocol. Nobody makes the outputs safe there: KEPT stays on.
fn stored(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "stored", None)?;
    guest.run(&format!("{SOC}; pull a 6 down; run='soquete run led_process -c '$RIG_DATA/held.toml"))?;
    guest.run("led() { sed -n 's/^began //p' /run/store.log | tail -n 1; }")?;
    guest.run("python3 $RIG_DATA/store.py $run >/run/store.log 2>&1 & store=$!")?;
    guest.until("has READY=1 cat /run/store.log")?;
    guest.run("at='--at tcp://127.0.0.1:5555'; soquete set LED on $at && soquete set KEPT on $at && is 1 value a 6")?;
    look(&mut guest, 6)?;
    // What a descriptor is held against before it is gone on with.
    guest.run("cat /proc/$(led)/fdinfo/* >/run/info; has 'gpio-line:	6' cat /run/info")?;
    guest.run("kill -9 $(led)")?;
    guest.until("is 2 grep -c READY=1 /run/store.log")?;
    guest.run("seen 6 && is '1 ' cat /run/seen.6 && is 0 value a 7 && is on soquete get KEPT $at")?;
    // What was stored once is not stored again, and is given back at a clean stop.
    guest.run("is 3 grep -c FDSTORE=1 /run/store.log && kill $(led); wait $store")?;
    guest.run("is 3 grep -c FDSTOREREMOVE=1 /run/store.log && has BARRIER=1 cat /run/store.log")?;
    guest.run("soquete lines --hardware >/run/lines && ! grep soquete /run/lines && is 0 value a 6").map(drop)
}

/// The processes hear that `up` is gone, and nobody else holds anything then: what is set in the end are the stop values.
fn alone(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = up(parts, "alone")?;
    guest.run("soquete set LED off && soquete set LOW on && trace && kill -9 $up")?;
    guest.until("test -z \"$(pidof led_process other)\"")?;
    // Two processes, which end at the same time.
    guest.run("driven >/run/driven; is '8 0' grep ^8 /run/driven")?;
    guest.run("grep -v ^8 /run/driven | tr '\\n' ' ' >/run/led; is '7 1 5 1 6 0 ' cat /run/led").map(drop)
}

/// FAR begins with on and is safe while it is off.
fn owed(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = up(parts, "owed")?;
    guest.run("soquete lease FAR on --for 500ms >/run/lease.log 2>&1 & lease=$!")?;
    guest.until("has 'FAR: leased by' cat /run/up.log")?;
    guest.run("unplug b && kill -9 $lease")?;
    guest.until("has 'FAR is not off yet, by the end of the lease of' soquete status")?;
    guest.run("trace; plug b")?;
    guest.until("is off soquete get FAR")?;
    guest.run("is 0 value b 0; driven >/run/driven; has '8 0' cat /run/driven && ! grep '8 1' /run/driven")?;
    guest.run("! has 'FAR is not off yet' soquete status >/run/status").map(drop)
}

fn forced(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = up(parts, "forced")?;
    guest.run("soquete set LED off; kill -STOP $(led); soquete down; wait $up")?;
    guest.run("has 'led_process did not stop within 5 s; by force now' cat /run/up.log")?;
    guest.run("has 'up | led_process died; LED set to on (stop)' cat /run/up.log")?;
    guest.run("has 'up | led_process died; LOW set to off (stop)' cat /run/up.log").map(drop)
}

fn gone(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = up(parts, "gone")?;
    // Stopped, it cannot hear of it.
    guest.run("kill -STOP $(led); unplug a; kill -9 $(led); plug a")?;
    guest.until("is 2 grep -c 'led_process is ready' /run/up.log")?;
    guest.run("has 'LED cannot be set to off (safe): its chip is gone' cat /run/up.log")?;
    guest.until("soquete set LED on")?;
    guest.run("is 1 value a 7 && is 1 value b 0").map(drop)
}
