//! What the board says, held against what it should.

use std::time::Duration;

use soquete_board::*;

use crate::{By, Expected, FAST, Told, World, name};

impl World {
    pub(crate) fn hear(&mut self) {
        while let Some(instruction) = self.board.poll() {
            match instruction {
                Instruction::Act { action, sets, cause, deadline, hops } => {
                    assert_eq!(hops, if self.commands.contains_key(cause.as_str()) { 3 } else { 0 });
                    self.hear_act(action, &sets, &cause, deadline);
                }
                Instruction::Reply { ticket, result, .. } => self.hear_reply(ticket, result),
                Instruction::Notify { watcher: FAST, event, missed } => {
                    assert_eq!((event.seq, missed), (self.heard_seq + 1, 0), "a gap for the fast watcher");
                    let before = self.heard.insert(event.line, event.value).unwrap_or(Value::Unknown);
                    assert_ne!(before, event.value, "an event that is no change");
                    self.heard_seq = event.seq;
                }
                Instruction::Notify { missed, .. } => self.slow_count += 1 + u64::from(missed),
                Instruction::Leased { line, news: LeaseNews::Ended { .. } } => {
                    if !self.dropped.remove(&line) {
                        assert!(self.ending.remove(&line), "a lease that was renewed in time");
                        let safe = safe(&line);
                        let line = self.lines.get_mut(&line).unwrap();
                        (line.due, line.motion) = (Some(safe), None);
                    }
                }
                Instruction::Leased { .. } => {}
                Instruction::Deliver { rule, press, step, deadline, .. } => {
                    let rule = &mut self.rules[rule.index()];
                    assert!(deadline > self.now, "a late delivery");
                    assert_eq!((rule.front, rule.step), (None, step));
                    rule.front = Some(press);
                    self.presses.push(press);
                }
                Instruction::Report { rule, press, step, outcome } => {
                    let rule = &mut self.rules[rule.index()];
                    assert!(rule.reported.insert(press), "a second report");
                    assert_eq!(rule.step, step);
                    if rule.front == Some(press) {
                        rule.front = None;
                        rule.step = (step + usize::from(!matches!(outcome, Err(Failure::NotDone(_))))) % 3;
                    }
                }
            }
        }
    }

    fn hear_act(&mut self, action: ActionId, sets: &[(LineId, Verb)], cause: &Cause, deadline: Option<Duration>) {
        assert!(deadline.is_none_or(|deadline| deadline > self.now), "a late action");
        let command = self.commands.get(cause.as_str());
        for (index, &(id, told)) in sets.iter().enumerate() {
            let (name, line) = self.lines.iter_mut().find(|(_, line)| line.id == id).unwrap();
            assert_eq!(line.direction, Direction::Output);
            match line.keeper {
                Keeper::Board => assert_eq!(line.acting, [], "one at a time"),
                Keeper::Far => assert!(line.acting.iter().all(|before| *before < action), "in the order they came"),
            }
            line.acting.push(action);
            match line.due.take() {
                Some(safe) => {
                    assert!(told == safe && cause.as_str().starts_with("the end of the lease of "), "not safe");
                }
                // It was refused before, and is tried again.
                None if cause.as_str().starts_with("the end of the lease of ") => {
                    assert_eq!(told, safe(name), "not safe");
                }
                None => assert!(command.is_none_or(|command| {
                    let owner = self.leases.get(name).map(|(owner, _)| OwnerId::from(*owner));
                    owner.is_none_or(|owner| owner == command.owner)
                })),
            }
            let by = match command {
                Some(command) => {
                    let (asked, verb) = &command.sets[index];
                    assert_eq!((asked, wanted(*verb, line)), (name, told));
                    assert!(matches!(told, Verb::On | Verb::Off) || line.keeper == Keeper::Far);
                    By::Command(*verb, cause.as_str().to_owned())
                }
                None if cause.as_str().starts_with("the pulse of ") || cause.as_str().starts_with("the blink of ") => {
                    let motion = line.motion.as_ref().expect("a line that pulses or blinks");
                    assert_eq!(motion.cause, cause.as_str());
                    assert_eq!(told, motion.at(self.now).0.into());
                    assert_ne!(line.value, motion.at(self.now).0.into(), "a change that is none");
                    By::Itself
                }
                None => By::Board,
            };
            self.actions.push(Told { action, line: id, verb: told, by });
        }
    }

    fn hear_reply(&mut self, ticket: Ticket, result: Result<Vec<(LineName, Value)>, Refusal>) {
        let command = self.commands.remove(&ticket.0.to_string()).expect("a reply to an open command");
        if let Ok(values) = result {
            let asked = command.sets.into_iter().map(|(name, _)| name);
            assert!(asked.eq(values.into_iter().map(|(name, _)| name)));
        }
    }
}

/// Says what a line gets at the end of a lease.
fn safe(line: &LineName) -> Verb {
    if *line == name("A") { Verb::On } else { Verb::Off }
}

/// Says what a back-end is to be told of what a line is.
fn wanted(verb: Verb, line: &Expected) -> Verb {
    match (verb, line.keeper, line.value) {
        (Verb::Toggle, Keeper::Board, Value::Off) => Verb::On,
        (Verb::Toggle, Keeper::Board, Value::On) => Verb::Off,
        (Verb::Pulse(_) | Verb::Blink(_), Keeper::Board, _) => Verb::On,
        (verb, ..) => verb,
    }
}
