//! Leases on the lines of a board.

use std::time::Duration;

use super::{Board, Phase};
use crate::command::outputs;
use crate::lease::{LEASE_MAX, LEASE_MIN, Lease, LeaseNews, Owner, OwnerId};
use crate::{Cause, Instruction, Keeper, LineId, LineName, Owed, Refusal};

/// Leases.
///
/// Where a line is leased, nobody but its owner sets it. A lease lasts until it is released, which leaves the line as it
/// is, or until its time is over without renewal: then the line gets its safe value, before anything that is told later.
/// Who reads or watches needs none.
impl Board {
    /// Gives somebody a lease on these outputs, all or none, or renews it: it lasts for `time` from now. Commands of
    /// others that wait for them are refused.
    ///
    /// # Errors
    ///
    /// Somebody else owns a line ([`Refusal::Leased`]) and it may not be taken over; it was taken over from this owner
    /// and is still held ([`Refusal::TakenOver`]); `time` is not from [`LEASE_MIN`] to [`LEASE_MAX`]; a far board keeps a
    /// line; what is wrong with the names, as for a [`Command`](crate::Command); the board is stopping.
    pub fn lease(&mut self, now: Duration, owner: &Owner, names: &[LineName], time: Duration) -> Result<(), Refusal> {
        self.end_leases(now);
        let own = outputs(names, &self.lines)?;
        if !(LEASE_MIN..=LEASE_MAX).contains(&time) {
            return Err(Refusal::LeaseTime);
        }
        if self.phase == Phase::Stopping {
            return Err(Refusal::Stopping);
        }
        for line in own.iter().filter_map(|id| self.lines.get(*id)) {
            if line.spec().keeper == Keeper::Far {
                return Err(Refusal::FarLine(line.name().clone()));
            }
            self.leases.bars_lease(line, &owner.id, now)?;
        }
        for (id, name) in own.into_iter().zip(names) {
            if let Some(news) = self.leases.put(now, id, owner, time) {
                self.tell(id, news);
                let refusal = Refusal::Leased { line: name.clone(), by: owner.words.clone(), left: time };
                let waiting = self.queue.waiting_of_others(id, Some(&owner.id));
                self.queue.refuse(now, &self.lines, &waiting, &refusal, &mut self.out);
            }
        }
        Ok(())
    }

    /// Ends somebody's leases on these outputs, all or none; they keep what they have.
    ///
    /// # Errors
    ///
    /// Somebody else owns a line, or nobody does ([`Refusal::NotLeased`]); what is wrong with the names.
    pub fn release(&mut self, now: Duration, owner: &OwnerId, names: &[LineName]) -> Result<(), Refusal> {
        self.end_leases(now);
        let own = outputs(names, &self.lines)?;
        for line in own.iter().filter_map(|id| self.lines.get(*id)) {
            self.leases.bars(line, owner, now)?;
            self.leases.get(line.id()).ok_or_else(|| Refusal::NotLeased(line.name().clone()))?;
        }
        for id in own {
            if let Some(lease) = self.leases.remove(id) {
                self.tell(id, LeaseNews::Released { owner: lease.owner().words.clone() });
            }
        }
        Ok(())
    }

    /// Returns the lease on a line, if there is one.
    #[must_use]
    pub fn lease_of(&self, line: LineId) -> Option<&Lease> {
        self.leases.get(line)
    }

    /// Ends the leases whose time is over, and gives their lines the safe values.
    pub(super) fn end_leases(&mut self, now: Duration) {
        while let Some((id, lease)) = self.leases.take_ended(now) {
            let Some(line) = self.lines.get(id) else { continue };
            let (name, safe) = (line.name().clone(), line.spec().safe);
            let owner = lease.owner().words.clone();
            let cause = Cause::from(format!("the end of the lease of {owner}"));
            self.tell(id, LeaseNews::Ended { owner });
            // What its owner still wanted must not keep the line from being safe.
            let waiting = self.queue.waiting_of_others(id, None);
            self.queue.refuse(now, &self.lines, &waiting, &Refusal::LeaseEnded(name), &mut self.out);
            if let Some(level) = safe.level() {
                let action = self.set(now, id, level.into(), cause.clone());
                self.debts.begin(id, action, level, cause);
            }
        }
    }

    /// Returns the safe value that a line was to get at the end of a lease and did not, since its back-end refused. It is
    /// tried again from [`OWED_PAUSE_MIN`](crate::OWED_PAUSE_MIN) to [`OWED_PAUSE_MAX`](crate::OWED_PAUSE_MAX) later, until it
    /// is set, or something else was told to the line.
    #[must_use]
    pub fn owed(&self, line: LineId) -> Option<&Owed> {
        self.debts.get(line)
    }

    /// Tries again to set the safe values that are due. A line that something is done to waits for its end.
    pub(super) fn pay(&mut self, now: Duration) {
        let due: Vec<LineId> = self.pay_times().filter(|(_, at)| *at <= now).map(|(line, _)| line).collect();
        for line in due {
            let owed = self.debts.get(line).map(|owed| (owed.level(), owed.cause().clone()));
            let Some((level, cause)) = owed else { continue };
            let action = self.set(now, line, level.into(), cause);
            self.debts.asked(line, action);
        }
    }

    /// Returns when safe values are to be tried again, of the lines that nothing is done to.
    pub(super) fn pay_times(&self) -> impl Iterator<Item = (LineId, Duration)> {
        self.debts.times().filter(|(line, _)| self.queue.is_free(*line))
    }

    /// Ends the lease on a line that is one no more.
    pub(super) fn drop_lease(&mut self, line: LineId) {
        if let Some(lease) = self.leases.remove(line) {
            self.tell(line, LeaseNews::Ended { owner: lease.owner().words.clone() });
        }
    }

    fn tell(&mut self, line: LineId, news: LeaseNews) {
        let name = self.lines.get(line).map(|line| line.name().clone());
        self.out.extend(name.map(|line| Instruction::Leased { line, news }));
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::{Scene, ms, name};
    use crate::{Direction, Level, LineSpec, Preset};

    const NOTHING: [&str; 0] = [];

    /// Makes a board with the outputs A and B, and PUMP, which is safe on and may be taken over; all are off.
    fn scene() -> Scene {
        let mut scene = Scene::new(&["A", "B"], &["IN"]);
        let pump = LineSpec { safe: Preset::On, may_be_taken_over: true, ..LineSpec::output(name("PUMP")) };
        scene.board.add_line(ms(0), pump).unwrap();
        ["A", "B", "PUMP"].iter().for_each(|line| scene.confirm(line, Level::Off));
        scene
    }

    #[test]
    fn only_the_owner_sets_a_leased_line_and_reading_is_free() {
        let mut scene = scene();
        scene.lease("eve", "A", 1000).unwrap();
        assert_eq!(scene.said(), ["A: leased by eve for 1s"]);
        scene.now = ms(400);
        for (ticket, sets) in [(1, "A on"), (2, "A toggle"), (3, "B on, A off")] {
            scene.ask_as("bob", ticket, sets);
            assert_eq!(scene.said(), [format!("refuse {ticket}: A is leased by eve, for 0.6 s more")]);
        }
        scene.ask_as("eve", 4, "A toggle, B on");
        assert_eq!(scene.said(), ["act: A on B on"]);
        assert_eq!(scene.value("A"), "off");
    }

    #[test]
    fn a_lease_that_is_not_renewed_ends_at_its_time_with_the_safe_value() {
        let mut scene = scene();
        scene.board.watch(crate::WatcherId(1), vec![]).unwrap();
        scene.lease("eve", "PUMP", 300).unwrap();
        scene.wait_until(200);
        scene.lease("eve", "PUMP", 300).unwrap();
        assert_eq!(
            (scene.said(), scene.board.timeout()),
            (vec!["PUMP: leased by eve for 300ms".into()], Some(ms(500)))
        );
        scene.wait_until(499);
        assert_eq!(scene.said(), NOTHING);
        scene.wait_until(500);
        assert_eq!(scene.said(), ["PUMP: the lease of eve ended", "act: PUMP on"]);
        assert_eq!(scene.board.timeout(), None);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["tell 1: #4 PUMP on"]);
        let cause = scene.board.line(&name("PUMP")).unwrap().cause();
        assert_eq!(cause, Some(&"the end of the lease of eve".into()));
    }

    #[test]
    fn a_release_keeps_the_value() {
        let mut scene = scene();
        scene.lease("eve", "A,PUMP", 300).unwrap();
        scene.said();
        scene.release("eve", "PUMP,A").unwrap();
        assert_eq!(scene.said(), ["PUMP: released by eve", "A: released by eve"]);
        scene.wait_until(1000);
        scene.ask_as("bob", 1, "A on");
        assert_eq!(scene.said(), ["act: A on"]);
    }

    #[test]
    fn several_lines_are_leased_or_released_together_or_not_at_all() {
        let mut scene = scene();
        scene.lease("eve", "B", 300).unwrap();
        scene.said();
        let held = Err("B is leased by eve, for 0.3 s more".to_owned());
        assert_eq!(scene.lease("bob", "A,B", 300), held);
        scene.ask_as("eve", 1, "A on");
        assert_eq!(scene.said(), ["act: A on"]);
        assert_eq!(scene.release("bob", "B"), held);
        assert_eq!(scene.release("eve", "B,A"), Err("nobody has a lease on A".to_owned()));
        scene.wait_until(300);
        assert_eq!(scene.said(), ["B: the lease of eve ended", "act: B off"]);
    }

    #[test]
    fn what_comes_at_the_end_of_a_lease_comes_behind_the_safe_value_even_if_no_timeout_was_handled() {
        let mut scene = scene();
        scene.lease("eve", "PUMP", 300).unwrap();
        scene.said();
        scene.now = ms(300);
        scene.ask_as("eve", 1, "PUMP off");
        assert_eq!(scene.said(), ["PUMP: the lease of eve ended", "act: PUMP on"]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["act: PUMP off"]);
    }

    #[test]
    fn a_renewal_that_comes_too_late_is_a_new_lease_behind_the_safe_value() {
        let mut scene = scene();
        scene.lease("eve", "A", 300).unwrap();
        scene.said();
        scene.now = ms(300);
        scene.lease("eve", "A", 300).unwrap();
        assert_eq!(scene.said(), ["A: the lease of eve ended", "act: A off", "A: leased by eve for 300ms"]);
    }

    #[test]
    fn who_is_taken_over_is_told_by_whom_and_cannot_take_back_what_is_held() {
        let mut scene = scene();
        scene.lease("eve", "PUMP", 1000).unwrap();
        scene.lease("bob", "PUMP", 500).unwrap();
        assert_eq!(scene.said(), ["PUMP: leased by eve for 1s", "PUMP: taken over by bob for 500ms, from eve"]);
        let told = "PUMP was taken over by bob, who has it for 0.5 s more";
        assert_eq!(scene.lease("eve", "PUMP", 1000), Err(told.to_owned()));
        assert_eq!(scene.release("eve", "PUMP"), Err(told.to_owned()));
        scene.ask_as("eve", 1, "PUMP on");
        assert_eq!(scene.said(), [format!("refuse 1: {told}")]);
        scene.lease("ann", "PUMP", 500).unwrap();
        assert_eq!(scene.lease("bob", "PUMP", 1000), Err(told.replace("bob", "ann")));
        assert_eq!(scene.lease("eve", "PUMP", 1000), Err(told.replace("bob", "ann")));
        scene.release("ann", "PUMP").unwrap();
        scene.lease("eve", "PUMP", 1000).unwrap();
    }

    #[test]
    fn who_was_taken_over_longest_ago_is_forgotten_when_there_are_too_many() {
        let mut scene = scene();
        for nth in 0..=8 {
            scene.lease(&format!("owner{nth}"), "PUMP", 1000).unwrap();
        }
        assert!(scene.lease("owner0", "PUMP", 1000).is_err());
        scene.lease("another", "PUMP", 1000).unwrap();
        assert!(scene.lease("owner1", "PUMP", 1000).is_err());
        scene.lease("owner0", "PUMP", 1000).unwrap();
    }

    #[test]
    fn commands_of_others_that_wait_are_refused_when_a_lease_begins_and_its_owners_when_it_ends() {
        let mut scene = scene();
        scene.ask_as("bob", 1, "A on");
        scene.ask_as("bob", 2, "A off");
        scene.ask_as("eve", 3, "A on");
        scene.lease("eve", "A", 300).unwrap();
        let refused = "refuse 2: A is leased by eve, for 0.3 s more";
        assert_eq!(scene.said(), ["act: A on", "A: leased by eve for 300ms", refused]);
        scene.wait_until(300);
        let refused = "refuse 3: the lease on A ended before it was done";
        assert_eq!(scene.said(), ["A: the lease of eve ended", refused]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: A on", "act: A off"]);
    }

    #[test]
    fn what_cannot_be_leased_says_why() {
        let mut scene = scene();
        scene.add_far("FAR");
        let refused = |scene: &mut Scene, lines, time| scene.lease("eve", lines, time).unwrap_err();
        assert_eq!(refused(&mut scene, "IN", 300), "IN is an input and cannot be set");
        assert_eq!(refused(&mut scene, "X", 300), "there is no line X");
        assert_eq!(refused(&mut scene, "", 300), "the command names no line");
        assert_eq!(refused(&mut scene, "A,a", 300), "the command names a twice");
        assert_eq!(refused(&mut scene, "FAR", 300), "FAR is a line of another server, which alone can lease it");
        for time in [99, 3_600_001] {
            assert_eq!(refused(&mut scene, "A", time), "a lease lasts from 100 ms to 1 h");
        }
        scene.board.stop(ms(0));
        scene.said();
        assert_eq!(refused(&mut scene, "A", 300), "the board is stopping");
    }

    #[test]
    fn a_line_that_goes_or_turns_round_or_stops_takes_its_lease_along() {
        let mut scene = scene();
        scene.lease("eve", "A,B,PUMP", 300).unwrap();
        scene.said();
        scene.board.remove_line(ms(1), &name("A")).unwrap();
        scene.board.set_direction(ms(1), &name("B"), Direction::Input).unwrap();
        assert_eq!(scene.said(), ["A: the lease of eve ended", "B: the lease of eve ended"]);
        scene.board.stop(ms(2));
        assert_eq!(scene.said(), ["act: PUMP off"]);
        scene.wait_until(1000);
        assert_eq!((scene.said(), scene.board.timeout()), (vec![], None));
    }
}
