//! `soquete lines --hardware`: which GPIO this machine has.

use soquete_node::ProcessError;
use soquete_node::hardware::{Chip, ChipLine, chips};

use super::answer::plain;
use super::table::Table;
use crate::arguments::Lines;
use crate::output::{Exit, Failure, print};

/// Prints every GPIO chip of this machine and its lines, without using any of them.
///
/// # Errors
/// There is no chip; or one may not be opened, and the others are printed.
pub(crate) fn list(lines: &Lines) -> Result<(), Failure> {
    let (chips, troubles): (Vec<_>, Vec<_>) = chips()?.into_iter().partition(Result::is_ok);
    let chips: Vec<Chip> = chips.into_iter().flatten().collect();
    if lines.json {
        let json = serde_json::to_string_pretty(&serde_json::json!({ "chips": chips }));
        print(json.map_err(|error| Failure::new(Exit::NotDone, format!("write JSON: {error}")))? + "\n")?;
    } else {
        print(table(&chips))?;
    }
    match troubles.into_iter().find_map(Result::err) {
        None => Ok(()),
        Some(trouble) => Err(trouble.into()),
    }
}

fn table(chips: &[Chip]) -> Table {
    let head = ["CHIP", "OFFSET", "NAME", "DIRECTION", "ACTIVE", "BIAS", "DRIVE", "DEBOUNCE", "USED BY"];
    let mut table = Table::new(&head);
    for (chip, line) in chips.iter().flat_map(|chip| chip.lines.iter().map(move |line| (chip, line))) {
        let ChipLine { offset, name, direction, used, consumer, active_low, bias, drive, debounce_us } = line;
        let used_by = match consumer.as_str() {
            "" if *used => "somebody".to_owned(),
            consumer => plain(consumer),
        };
        table.add([
            plain(&chip.label),
            offset.to_string(),
            plain(name),
            (*direction).to_owned(),
            if *active_low { "low".to_owned() } else { String::new() },
            bias.clone().unwrap_or_default(),
            drive.clone().unwrap_or_default(),
            debounce_us.map(|us| format!("{us} us")).unwrap_or_default(),
            used_by,
        ]);
    }
    table
}

impl From<ProcessError> for Failure {
    fn from(error: ProcessError) -> Self {
        error.act.iter().fold(Failure::new(Exit::NotDone, &error.what), Failure::act)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(offset: u32, name: &str, consumer: &str) -> ChipLine {
        ChipLine {
            offset,
            name: name.into(),
            direction: "input",
            used: !consumer.is_empty(),
            consumer: consumer.into(),
            active_low: false,
            bias: None,
            drive: None,
            debounce_us: None,
        }
    }

    #[test]
    fn a_line_is_told_as_a_configuration_names_it_and_with_who_has_it() {
        let mut button = line(4, "GPIO4", "soquete board");
        (button.active_low, button.bias, button.debounce_us) = (true, Some("pull-up".into()), Some(5000));
        let led =
            ChipLine { direction: "output", drive: Some("push-pull".into()), used: true, ..line(17, "GPIO17", "") };
        let lines = vec![button, led, line(18, "", "")];
        let chip = Chip { label: "pinctrl-bcm2711".into(), path: "/dev/gpiochip0".into(), lines };
        assert_eq!(
            table(&[chip]).to_string(),
            "CHIP             OFFSET  NAME    DIRECTION  ACTIVE  BIAS     DRIVE      DEBOUNCE  USED BY\n\
             pinctrl-bcm2711  4       GPIO4   input      low     pull-up             5000 us   soquete board\n\
             pinctrl-bcm2711  17      GPIO17  output                      push-pull            somebody\n\
             pinctrl-bcm2711  18              input\n"
        );
    }
}
