//! Which line of which chip is meant.

use super::chip::Seen;
use super::trouble::Trouble;
use crate::config::HardwareLine;
use crate::hardware::{Chip, ChipLine};

/// The chips whose line at offset N is GPIO N of a Raspberry Pi, whatever a kernel calls it: on Pi 3 and Pi 4 some call
/// GPIO4 `GPIO_GCLK`. The first is that of the Pis up to 3 and of the Zeros, then those of Pi 4 and Pi 5.
const RASPBERRY_CHIPS: [&str; 3] = ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"];

/// A line that was found, and its chip.
pub(crate) type Found = (Chip, ChipLine);

/// Finds a line among the chips that are there.
pub(crate) fn find(seen: &[Seen], line: &HardwareLine) -> Result<Found, Trouble> {
    if seen.is_empty() {
        return Err(Trouble::NoChips);
    }
    let chips = seen.iter().filter_map(|seen| seen.chip.as_ref().ok());
    let found = match line {
        HardwareLine::Name(name) => named(chips, name),
        HardwareLine::Place { label, offset } => placed(chips, label, *offset),
    };
    // It may be on a chip that could not be looked at.
    let unseen = || {
        let errors = seen.iter().filter_map(|seen| Some((&seen.path, seen.chip.as_ref().err()?)));
        let mut troubles = errors.map(|(path, error)| Trouble::opening(path, error));
        troubles.find(|trouble| matches!(trouble, Trouble::Denied { .. }))
    };
    found.map_err(|trouble| if trouble.is_absence() { unseen().unwrap_or(trouble) } else { trouble })
}

fn named<'a>(chips: impl Iterator<Item = &'a Chip> + Clone, name: &str) -> Result<Found, Trouble> {
    let lines = chips.clone().flat_map(|chip| chip.lines.iter().map(move |line| (chip, line)));
    let found: Vec<_> = lines.filter(|(_, line)| line.name == name).collect();
    match found.as_slice() {
        [] => numbered(chips, name).ok_or(Trouble::NoSuchName),
        [(chip, line)] => Ok(((*chip).clone(), (*line).clone())),
        several => Err(Trouble::SameName { places: several.iter().map(|(chip, line)| place(chip, line)).collect() }),
    }
}

/// Finds what a Raspberry Pi numbers so, where no line has the name itself.
fn numbered<'a>(mut chips: impl Iterator<Item = &'a Chip>, name: &str) -> Option<Found> {
    let number: u32 = name.strip_prefix("GPIO")?.parse().ok()?;
    let chip = chips.find(|chip| RASPBERRY_CHIPS.contains(&chip.label.as_str()))?;
    let line = chip.lines.iter().find(|line| line.offset == number)?;
    Some((chip.clone(), line.clone()))
}

fn placed<'a>(chips: impl Iterator<Item = &'a Chip>, label: &str, offset: u32) -> Result<Found, Trouble> {
    let chips: Vec<_> = chips.collect();
    let found: Vec<_> = chips.iter().filter(|chip| chip.label == label).collect();
    match found.as_slice() {
        [] => Err(Trouble::NoSuchChip { labels: chips.iter().map(|chip| chip.label.clone()).collect() }),
        [chip] => match chip.lines.iter().find(|line| line.offset == offset) {
            Some(line) => Ok(((**chip).clone(), line.clone())),
            None => Err(Trouble::NoSuchOffset { lines: chip.lines.len() }),
        },
        several => Err(Trouble::SameLabel { paths: several.iter().map(|chip| chip.path.clone()).collect() }),
    }
}

/// Says where a line is, as a configuration does.
pub(crate) fn place(chip: &Chip, line: &ChipLine) -> String {
    format!("{}/{}", chip.label, line.offset)
}

#[cfg(test)]
mod tests {
    use super::super::Hardware;
    use super::super::fake::{Fake, denied};
    use super::*;

    /// Two chips, with a line X on each.
    fn seen() -> Vec<Seen> {
        let fake = Fake::default();
        fake.plug("soc", &["GPIO4", "GPIO17", "X"]);
        fake.plug("expander", &["P0", "X", ""]);
        fake.chips().unwrap()
    }

    fn trouble(seen: &[Seen], line: &str) -> Trouble {
        find(seen, &line.parse().unwrap()).unwrap_err()
    }

    #[test]
    fn a_line_is_found_by_name_and_by_label_and_offset() {
        for line in ["GPIO17", "soc/1"] {
            let (chip, line) = find(&seen(), &line.parse().unwrap()).unwrap();
            assert_eq!((chip.label.as_str(), line.offset, line.name.as_str()), ("soc", 1, "GPIO17"));
        }
        assert_eq!(find(&seen(), &"expander/2".parse().unwrap()).unwrap().1.name, "");
    }

    #[test]
    fn a_number_of_a_raspberry_pi_is_found_where_its_kernel_has_another_name_for_it() {
        let fake = Fake::default();
        fake.plug("expander", &["P0", "P1", "P2"]);
        fake.plug("pinctrl-bcm2711", &["ID_SDA", "ID_SCL", "GPIO1"]);
        let seen = fake.chips().unwrap();
        let (chip, line) = find(&seen, &"GPIO0".parse().unwrap()).unwrap();
        assert_eq!((chip.label.as_str(), line.name.as_str()), ("pinctrl-bcm2711", "ID_SDA"));
        assert_eq!(find(&seen, &"GPIO1".parse().unwrap()).unwrap().1.offset, 2, "a name comes first");
        for line in ["GPIO3", "GPIO", "GPIO-1", "gpio0", "P3"] {
            assert_eq!(trouble(&seen, line), Trouble::NoSuchName, "{line}");
        }
        let others: Vec<_> = seen.into_iter().take(1).collect();
        assert_eq!(trouble(&others, "GPIO1"), Trouble::NoSuchName, "that number is of a Raspberry Pi");
    }

    #[test]
    fn two_lines_of_one_name_are_told_with_their_places() {
        let twice = trouble(&seen(), "X");
        assert_eq!(twice, Trouble::SameName { places: vec!["soc/2".into(), "expander/1".into()] });
        assert_eq!(twice.to_string(), "2 lines have this name: soc/2, expander/1");
        assert!(twice.act().ends_with("gpio:soc/2"), "{}", twice.act());
    }

    #[test]
    fn what_is_not_there_is_told_as_what_it_is() {
        assert_eq!(trouble(&seen(), "GPIO71"), Trouble::NoSuchName);
        assert!(Trouble::NoSuchName.act().contains("soquete lines --hardware"));
        let labels = vec!["soc".to_owned(), "expander".to_owned()];
        assert_eq!(trouble(&seen(), "pinctrl/0"), Trouble::NoSuchChip { labels });
        let beyond = trouble(&seen(), "soc/3");
        assert_eq!(beyond, Trouble::NoSuchOffset { lines: 3 });
        assert_eq!(beyond.to_string(), "the chip has 3 lines, from 0 to 2");
        assert_eq!(trouble(&[], "GPIO17"), Trouble::NoChips);
    }

    #[test]
    fn two_chips_of_one_label_are_no_place() {
        let fake = Fake::default();
        fake.plug("same", &["A"]);
        fake.plug("same", &["B"]);
        let twice = trouble(&fake.chips().unwrap(), "same/0");
        assert!(matches!(&twice, Trouble::SameLabel { paths } if paths.len() == 2), "{twice:?}");
        assert!(find(&fake.chips().unwrap(), &"B".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_line_may_be_on_a_chip_that_may_not_be_opened() {
        let mut seen = seen();
        seen.push(denied("/dev/null"));
        assert_eq!(trouble(&seen, "GPIO71"), Trouble::Denied { path: "/dev/null".into(), group: "root".into() });
        assert!(find(&seen, &"GPIO17".parse().unwrap()).is_ok());
        assert!(matches!(trouble(&seen, "X"), Trouble::SameName { .. }));
    }
}
