//! The order of commands: each line does one at a time, in the order in which they came.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::action::{Action, Settled};
use crate::command::Order;
use crate::fact::Instructions;
use crate::line::Lines;
use crate::{ActionId, Instruction, LineId, OwnerId, Refusal, Taken, Ticket};

/// The most commands that wait for one line behind the one in front; a command beyond is refused as busy.
pub const COMMANDS_WAITING_MAX: usize = 64;

/// The commands under way.
///
/// A command takes its place in the queue of each of its lines at once, and its turn comes when it is in front in all
/// of them. All queues agree on who came first, so no two commands wait for each other. A line whose part is settled
/// goes on with the next command, and need not wait for the other lines of this one.
///
/// A line that a far board keeps holds up nobody: its commands begin as they come, in their order, and the far board has
/// a queue of its own. So a command that comes back to its own line through a loop of relays does not wait for itself.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: BTreeMap<ActionId, Order>,
    acting: BTreeMap<ActionId, Action>,
    /// For each line that has any: first the one that acts on it or is next, then those behind it. Never empty.
    turns: BTreeMap<LineId, VecDeque<ActionId>>,
    /// Those of `waiting` that have a deadline.
    deadlines: BTreeSet<(Duration, ActionId)>,
    last_id: u64,
}

impl Queue {
    /// Says of which line, if any, too many commands wait for this one.
    pub(crate) fn busy(&self, order: &Order) -> Option<LineId> {
        let is_full = |line: &LineId| self.turns.get(line).is_some_and(|turns| turns.len() > COMMANDS_WAITING_MAX);
        order.lines().find(is_full)
    }

    /// Says whether nothing is done to a line, and nothing waits for it.
    pub(crate) fn is_free(&self, line: LineId) -> bool {
        !self.turns.contains_key(&line)
    }

    /// Puts a command at the end, and begins it where that is the front. Returns what it will be called as an action.
    pub(crate) fn push(&mut self, now: Duration, lines: &Lines, order: Order, out: &mut Instructions) -> ActionId {
        self.last_id += 1;
        let id = ActionId(self.last_id);
        let own: Vec<LineId> = order.lines().collect();
        for line in &own {
            self.turns.entry(*line).or_default().push_back(id);
        }
        if let Some(deadline) = order.deadline {
            self.deadlines.insert((deadline, id));
        }
        self.waiting.insert(id, order);
        self.advance(now, lines, own, out);
        id
    }

    /// Takes the outcome of one line of an action; `None` if none is awaited.
    pub(crate) fn settle(
        &mut self,
        id: ActionId,
        line: LineId,
        outcome: Taken,
        at: Option<Duration>,
    ) -> Option<Settled> {
        self.acting.get_mut(&id)?.settle(line, outcome, at)
    }

    /// Lets a line that was settled go on, after answering the command if the line was its last.
    pub(crate) fn go_on(&mut self, now: Duration, lines: &Lines, id: ActionId, line: LineId, out: &mut Instructions) {
        if self.acting.get(&id).is_some_and(Action::is_settled) {
            out.extend(self.acting.remove(&id).and_then(Action::reply));
        }
        self.leave(line, id);
        self.advance(now, lines, vec![line], out);
    }

    /// Refuses the commands whose deadline has passed while they waited.
    pub(crate) fn expire(&mut self, now: Duration, lines: &Lines, out: &mut Instructions) {
        let late = self.deadlines.iter().take_while(|&&(deadline, _)| deadline <= now);
        let late: Vec<ActionId> = late.map(|&(_, id)| id).collect();
        self.refuse(now, lines, &late, &Refusal::Expired, out);
    }

    /// Refuses these of the commands that wait.
    pub(crate) fn refuse(
        &mut self,
        now: Duration,
        lines: &Lines,
        ids: &[ActionId],
        refusal: &Refusal,
        out: &mut Instructions,
    ) {
        let mut freed = Vec::new();
        for &id in ids {
            if let Some(order) = self.take_waiting(id) {
                freed.extend(self.drop_order(id, &order, refusal.clone(), out));
            }
        }
        self.advance(now, lines, freed, out);
    }

    /// Returns the commands that wait for a line, in their order.
    pub(crate) fn waiting_for(&self, line: LineId) -> Vec<ActionId> {
        let ids = self.turns.get(&line).into_iter().flatten().copied();
        ids.filter(|id| self.waiting.contains_key(id)).collect()
    }

    /// Returns the commands that wait for a line, in their order: of everybody but `owner`, and not the board's own.
    pub(crate) fn waiting_of_others(&self, line: LineId, owner: Option<&OwnerId>) -> Vec<ActionId> {
        let mut waiting = self.waiting_for(line);
        waiting.retain(|id| {
            let asker = self.waiting.get(id).and_then(|order| order.asker.as_ref());
            asker.is_some_and(|(_, asker)| Some(asker) != owner)
        });
        waiting
    }

    /// Returns all commands that wait, in their order; not the board's own.
    pub(crate) fn waiting(&self) -> Vec<ActionId> {
        let asked = self.waiting.iter().filter(|(_, order)| order.asker.is_some());
        asked.map(|(id, _)| *id).collect()
    }

    /// Returns the actions that a line is at: one, but for a line that a far board keeps.
    pub(crate) fn acting_on(&self, line: LineId) -> Vec<ActionId> {
        let ids = self.turns.get(&line).into_iter().flatten().copied();
        ids.filter(|id| self.acting.contains_key(id)).collect()
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.acting.is_empty()
    }

    /// Begins what has become first in line by these lines' going on.
    fn advance(&mut self, now: Duration, lines: &Lines, mut freed: Vec<LineId>, out: &mut Instructions) {
        while let Some(line) = freed.pop() {
            let Some(id) = self.ready(lines, line) else { continue };
            let Some(order) = self.take_waiting(id) else { continue };
            match Action::begin(&order, now, lines) {
                Ok(action) => {
                    out.push_back(action.instruction(id, &order));
                    self.acting.insert(id, action);
                    // Those behind it need not wait until it is settled.
                    freed.extend(order.lines().filter(|line| lines.is_far(*line)));
                }
                Err(refusal) => freed.extend(self.drop_order(id, &order, refusal, out)),
            }
        }
    }

    /// Returns the command that is next on a line, if it is next on all its lines and none of them is at another.
    fn ready(&self, lines: &Lines, line: LineId) -> Option<ActionId> {
        let next = |line| {
            let mut turns = self.turns.get(&line)?.iter().copied();
            // A far board takes what comes: only those that have not begun are in front of others.
            if lines.is_far(line) { turns.find(|id| self.waiting.contains_key(id)) } else { turns.next() }
        };
        let id = next(line)?;
        let mut own = self.waiting.get(&id)?.lines();
        own.all(|line| next(line) == Some(id)).then_some(id)
    }

    fn take_waiting(&mut self, id: ActionId) -> Option<Order> {
        let order = self.waiting.remove(&id)?;
        if let Some(deadline) = order.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        Some(order)
    }

    /// Answers a command that will not be done. Returns its lines, which may go on.
    fn drop_order(&mut self, id: ActionId, order: &Order, refusal: Refusal, out: &mut Instructions) -> Vec<LineId> {
        out.extend(order.ticket().map(|ticket| refused(ticket, refusal)));
        let own: Vec<LineId> = order.lines().collect();
        own.iter().for_each(|&line| self.leave(line, id));
        own
    }

    fn leave(&mut self, line: LineId, id: ActionId) {
        if let Some(turns) = self.turns.get_mut(&line) {
            turns.retain(|&other| other != id);
            if turns.is_empty() {
                self.turns.remove(&line);
            }
        }
    }
}

/// Answers a command that will not be done.
pub(crate) fn refused(ticket: Ticket, refusal: Refusal) -> Instruction {
    Instruction::Reply { ticket, result: Err(refusal), done_at: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;
    use crate::fixture::{Scene, ms};

    const NOTHING: [&str; 0] = [];

    #[test]
    fn toggles_in_quick_succession_alternate_although_outcomes_come_late() {
        let mut scene = Scene::with_led_off();
        for ticket in 1..=4 {
            scene.ask(ticket, "LED toggle");
        }
        assert_eq!(scene.said(), ["act: LED on"]);
        for (ticket, value, next) in [(1, "on", "off"), (2, "off", "on"), (3, "on", "off")] {
            scene.acted(Ok(()));
            assert_eq!(scene.said(), [format!("reply {ticket}: LED {value}"), format!("act: LED {next}")]);
        }
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 4: LED off"]);
        assert!(scene.board.is_idle());
    }

    #[test]
    fn a_command_that_changes_nothing_is_carried_out_all_the_same() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED off");
        assert_eq!(scene.said(), ["act: LED off"]);
    }

    #[test]
    fn an_expired_command_is_never_acted() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED on");
        scene.ask_by(2, "LED toggle", 50);
        assert_eq!(scene.said(), ["act: LED on"]);
        assert_eq!(scene.board.timeout(), Some(ms(50)));
        scene.wait_until(49);
        assert_eq!(scene.said(), NOTHING);
        scene.wait_until(50);
        assert_eq!(scene.said(), ["refuse 2: the deadline passed before it was done"]);
        assert_eq!(scene.board.timeout(), None);
    }

    #[test]
    fn a_command_expires_even_when_its_turn_comes_before_the_timeout_is_handled() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED on");
        scene.ask_by(2, "LED off", 50);
        scene.said();
        scene.now = ms(50);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: LED on", "refuse 2: the deadline passed before it was done"]);
    }

    #[test]
    fn an_action_under_way_has_no_timeout() {
        let mut scene = Scene::with_led_off();
        scene.ask_by(1, "LED on", 50);
        assert_eq!(scene.board.timeout(), None);
        scene.said();
        scene.wait_until(60);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: LED on"]);
    }

    #[test]
    fn commands_on_different_lines_do_not_wait_for_each_other() {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.ask(1, "A on");
        scene.ask(2, "B on");
        assert_eq!(scene.said(), ["act: A on", "act: B on"]);
    }

    #[test]
    fn a_command_on_several_lines_waits_for_all_of_them_and_is_not_overtaken() {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.ask(1, "A on");
        scene.ask(2, "A off, B off");
        scene.ask(3, "B on");
        assert_eq!(scene.said(), ["act: A on"]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: A on", "act: A off B off"]);
        scene.acted(Ok(()));
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 2: A off B off", "act: B on"]);
    }

    #[test]
    fn a_settled_line_goes_on_before_the_other_lines_of_its_command() {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.ask(1, "A on, B on");
        scene.ask(2, "A off");
        scene.said();
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["act: A off"]);
    }

    #[test]
    fn what_waited_behind_an_expired_command_goes_on() {
        let mut scene = Scene::new(&["A", "B"], &[]);
        scene.ask(1, "A on");
        scene.ask_by(2, "A off, B off", 50);
        scene.ask(3, "B on");
        scene.said();
        scene.wait_until(50);
        assert_eq!(scene.said(), ["refuse 2: the deadline passed before it was done", "act: B on"]);
    }

    /// Makes a board with the output A and the line FAR, which a far board keeps and nobody has told of yet.
    fn with_far() -> Scene {
        let mut scene = Scene::new(&["A"], &[]);
        scene.add_far("FAR");
        scene
    }

    #[test]
    fn commands_go_to_a_far_board_as_they_come_and_a_toggle_as_a_toggle() {
        let mut scene = with_far();
        scene.ask(1, "FAR on");
        scene.ask(2, "FAR toggle");
        assert_eq!(scene.said(), ["act: FAR on", "act: FAR toggle"]);
        scene.acted(Ok(()));
        scene.acted(crate::fixture::unknown());
        assert_eq!(scene.said(), ["reply 1: FAR on", "refuse 2: whether FAR was set is unknown: silent"]);
        assert!(scene.board.is_idle());
    }

    #[test]
    fn only_what_a_far_board_tells_unasked_is_the_value() {
        let mut scene = with_far();
        scene.confirm("FAR", Level::Off);
        scene.ask(1, "FAR on");
        scene.said();
        scene.acted(Ok(()));
        assert_eq!((scene.said(), scene.value("FAR")), (vec!["reply 1: FAR on".to_owned()], "off".to_owned()));
        scene.confirm("FAR", Level::On);
        scene.ask(2, "FAR off");
        scene.said();
        scene.acted(crate::fixture::unknown());
        assert_eq!(scene.value("FAR"), "on");
    }

    #[test]
    fn a_command_to_a_far_line_and_another_is_not_overtaken() {
        let mut scene = with_far();
        scene.ask(1, "A on");
        scene.ask(2, "A off, FAR on");
        scene.ask(3, "FAR off");
        assert_eq!(scene.said(), ["act: A on"]);
        scene.acted(Ok(()));
        assert_eq!(scene.said(), ["reply 1: A on", "act: A off FAR on", "act: FAR off"]);
        scene.board.remove_line(ms(1), &crate::fixture::name("FAR")).unwrap();
        let unknown = "refuse 3: whether FAR was set is unknown: removed before the back-end answered";
        assert_eq!(scene.said(), [unknown]);
    }

    #[test]
    fn a_far_line_has_a_bounded_number_of_commands_too() {
        let mut scene = with_far();
        for ticket in 0..=COMMANDS_WAITING_MAX as u64 {
            scene.ask(ticket, "FAR on");
        }
        assert_eq!(scene.said().len(), COMMANDS_WAITING_MAX + 1);
        scene.ask(99, "FAR off");
        assert_eq!(scene.said(), ["refuse 99: 64 commands wait for FAR already"]);
    }

    #[test]
    fn one_command_more_than_may_wait_is_refused_as_busy() {
        let mut scene = Scene::new(&["A", "B"], &[]);
        let waiting_max = COMMANDS_WAITING_MAX as u64;
        for ticket in 0..=waiting_max {
            scene.ask(ticket, "A on");
        }
        assert_eq!(scene.said(), ["act: A on"]);
        scene.ask(99, "B on, A on");
        assert_eq!(scene.said(), ["refuse 99: 64 commands wait for A already"]);
        scene.ask(100, "B on");
        assert_eq!(scene.said(), ["act: B on"]);
    }

    #[test]
    fn an_outcome_that_nobody_awaits_is_ignored() {
        let mut scene = Scene::with_led_off();
        scene.ask(1, "LED on");
        scene.said();
        let again = scene.actions[0];
        scene.acted(Ok(()));
        scene.said();
        scene.actions.push_back(again);
        scene.acted(crate::fixture::unknown());
        assert_eq!(scene.said(), NOTHING);
        assert_eq!(scene.value("LED"), "on");
    }
}
