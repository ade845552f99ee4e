//! Inputs: presses and what else their edges mean, bounces, and many edges.

use super::{LINES, SOC, Scene, board, release};
use crate::rig::Trouble;
use crate::rig::guest::{Guest, Parts};

pub(super) const SCENES: &[Scene] = &[
    Scene { name: "a_button_is_pressed_released_held_and_pressed_twice", play: inputs },
    Scene { name: "a_bouncing_press_is_one_press", play: bounce },
    Scene { name: "a_thousand_edges_are_all_told_in_order", play: edges },
    Scene { name: "edges_that_nobody_took_in_time_are_counted", play: lost },
];

fn inputs(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    // The bias is asked of the chip, and it pulls up what was down.
    guest.run("is pull-up pulled a 4")?;
    guest.run("pull a 4 down")?;
    guest.until("is 0 value a 7")?;
    guest.run("is 0 value a 6 && pull a 4 up")?;
    guest.until("is 1 value a 6")?;
    guest.run("is 0 value b 0 && pull a 4 down")?;
    guest.until("is 1 value a 7")?;
    guest.until("is 1 value b 0")?;
    guest.run("is 1 value a 5 && pull a 3 up")?;
    guest.until("is 0 value a 5").map(drop)
}

/// Two presses, of which the first bounces, are two switches.
fn bounce(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = Guest::boot(parts, "bounce", None)?;
    guest.run(&format!("{SOC}; soquete run board -c $RIG_DATA/bounce.toml >/run/board.log 2>&1 &"))?;
    guest.until(&format!("has LED {LINES}"))?;
    guest.run("to=$(wire a 4)/pull; for way in down up down up down; do echo pull-$way >$to; done")?;
    guest.until("is 1 value a 7")?;
    release(&mut guest)?;
    guest.run("pull a 4 down")?;
    guest.until("is 0 value a 7")?;
    guest.run("is 2 grep -c 'by BUTTON press' /run/board.log").map(drop)
}

/// The simulator merges interrupts, so each edge waits until the one before was told: faster it makes none.
fn edges(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    guest.run("mkfifo /run/told; : >/run/seen; at='--at tcp://127.0.0.1:5555'")?;
    guest.run("soquete watch BUTTON LOW $at 2>/dev/null | tee /run/seen >/run/told & exec 9</run/told")?;
    // The watch is there once it tells of another line: an edge that came late would be taken for the next one.
    guest.run("knock() { soquete set LOW on $at && soquete set LOW off $at && has LOW cat /run/seen; }")?;
    guest.until("knock")?;
    guest.run(
        "next() { while IFS= read -r told <&9; do case $told in *BUTTON*) return 0 ;; esac; done; return 1; }
         to=$(wire a 4)/pull; n=0
         while [ $n -lt 500 ]; do
             for way in down:on up:off; do
                 echo pull-${way%:*} >$to
                 next
                 case $told in *' '${way#*:}' '*) ;; *) echo \"edge $n: $told, not $way\"; return 1 ;; esac
             done
             n=$((n + 1))
         done",
    )?;
    guest.run("! grep lost /run/board.log").map(drop)
}

/// The kernel keeps 1,024 edges for a process that is held up, and drops the oldest. The simulator needs time for each.
fn lost(parts: &Parts) -> Result<(), Trouble> {
    let mut guest = board(parts)?;
    // Perl waits without a process for each time.
    guest.run(
        r#"kill -STOP $board; to=$(wire a 3)/pull perl -e '
             for (1 .. 517) {
                 for my $way ("up", "down") {
                     open(my $to, ">", $ENV{to}) or die;
                     print $to "pull-$way";
                     close $to or die;
                     select(undef, undef, undef, 0.002);
                 }
             }' && kill -CONT $board"#,
    )?;
    guest.until("has 'KEY: 10 edges are lost' cat /run/board.log").map(drop)
}
