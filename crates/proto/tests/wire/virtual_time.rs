//! What the session promises, held against thousands of courses of events.

use crate::carrier::Over;
use crate::ends::ms;
use crate::world::{Asked, End, Plan, World};
use soquete_proto::client::Unanswered;

fn run(plan: Plan, check: impl Fn(&World, &Asked)) {
    run_over(Over::Streams, 4_000, plan, &check);
    // In three tests, so 4,000 as well.
    run_over(Over::Datagrams, 1_334, plan, &check);
}

fn run_over(over: Over, seeds: usize, plan: Plan, check: &impl Fn(&World, &Asked)) {
    let mut ends = [0usize; 3];
    for seed in (1..).take(seeds) {
        let mut world = World::new(seed, plan, over);
        world.run(25);
        for (id, asked) in &world.asked {
            let told = format!("{over:?}, seed {seed}, request {id}: {asked:?}, restarts {:?}", world.restarted_at);
            assert_eq!(asked.ends.len(), 1, "each request ends exactly once; {told}");
            let end = asked.ends[0].0;
            let expected = match end {
                End::Done => 1..=1,
                End::NotDone => 0..=0,
                End::Unknown(_) => 0..=1,
            };
            assert!(expected.contains(&asked.effects.len()), "the effect is as told; {told}");
            let late = asked.effects.iter().zip(asked.deadline).find(|(at, deadline)| *at >= deadline);
            assert_eq!(late, None, "nothing is done late; {told}");
            check(&world, asked);
            ends[match end {
                End::Done => 0,
                End::NotDone => 1,
                End::Unknown(_) => 2,
            }] += 1;
        }
    }
    assert!(ends[0] > 3 * seeds && ends[1] > seeds / 2, "the courses are worth something: {ends:?}");
}

#[test]
fn while_both_live_every_request_to_be_done_once_is_done_once_or_not_done() {
    let plan = Plan { restarts: false, settle: ms(10_000), once_only: true };
    run(plan, |_, asked| assert!(!matches!(asked.ends[0].0, End::Unknown(_)), "{asked:?}"));
}

#[test]
fn unknown_is_only_what_a_restart_or_the_end_of_its_time_left_so() {
    let plan = Plan { restarts: true, settle: ms(100), once_only: true };
    run(plan, |world, asked| {
        let (End::Unknown(why), at) = asked.ends[0] else { return };
        let was_restarted = world.restarted_at.iter().any(|restart| (asked.asked_at..=at).contains(restart));
        let had_its_time = asked.deadline.is_some_and(|deadline| at >= deadline + ms(100));
        assert!(if why == Some(Unanswered::UnknownSession) { was_restarted } else { had_its_time }, "{asked:?}");
    });
}

#[test]
fn what_may_be_done_twice_is_not_and_is_unknown_only_where_its_connection_was_lost() {
    let plan = Plan { restarts: true, settle: ms(10_000), once_only: false };
    run(plan, |world, asked| {
        let (End::Unknown(why), at) = asked.ends[0] else { return };
        let was_restarted = world.restarted_at.iter().any(|restart| (asked.asked_at..=at).contains(restart));
        let is_lost = why == Some(Unanswered::ConnectionLost) && (!asked.once || was_restarted);
        assert!(is_lost || (why == Some(Unanswered::UnknownSession) && was_restarted), "{asked:?}");
    });
}
