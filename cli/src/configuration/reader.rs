//! Reads a configuration: TOML into tables, tables into what processes are told to be, and every mistake to its place.

use std::collections::HashMap;
use std::ops::Range;

use soquete::Endpoint;
use soquete_node::config::{
    Bias, DebounceMode, Delivery, Direction, Drive, Gpio, InstanceName, LineConfig, LineKind, LineName, Place, Preset,
    ProcessConfig, ProcessName, RuleConfig, Serve, Timeout, Trigger, WITHIN_DEFAULT, check,
};
use toml::Spanned;

use super::document::{Document, LineTable, ProcessTable, RuleTable, ServeTable};
use super::report::Report;
use super::sentence;
use super::value::{List, Read};
use super::word::{Command, Edge, Mode};
use crate::reach::mem_reaches_nobody;

type Span = Range<usize>;

/// `hold-time` or `double-time` of a rule.
type TimeKey = Spanned<Read<Timeout>>;

/// `at` and `line` of a remote line.
type FarKeys = (Option<Spanned<Read<Endpoint>>>, Option<Spanned<Read<LineName>>>);

/// What the table of a line says about its hardware.
struct GpioKeys {
    bias: Option<Spanned<Read<Bias>>>,
    active_low: Option<Spanned<bool>>,
    debounce: Option<Spanned<Read<Timeout>>>,
    debounce_mode: Option<Spanned<Read<DebounceMode>>>,
    drive: Option<Spanned<Read<Drive>>>,
}

/// What a text says.
#[derive(Debug)]
pub(super) struct Reading {
    /// What it calls the instance, if it does.
    pub(super) name: Option<InstanceName>,
    /// The processes, in its order.
    pub(super) processes: Vec<ProcessConfig>,
}

/// Reads and checks a text.
///
/// # Errors
/// The first mistake of grammar; where there is none, every mistake within one table; where there is none either, every
/// mistake of the whole. Each is shown where it stands.
pub(super) fn read(report: &Report<'_>) -> Result<Reading, Vec<String>> {
    let document: Document = toml::from_str(report.text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let written = report.text.get(span.clone()).unwrap_or_default();
        vec![report.mistake(span, &sentence::plain(error.message(), written))]
    })?;
    let mut reader = Reader::default();
    for (key, table) in document.processes.0 {
        reader.process(key, table);
    }
    if reader.mistakes.is_empty() {
        for mistake in check(&reader.processes) {
            let span = reader.places.get(&mistake.place).cloned().unwrap_or_default();
            reader.mistakes.push((span, mistake.to_string()));
        }
    }
    if reader.mistakes.is_empty() {
        return Ok(Reading { name: document.name.map(|Read(name)| name), processes: reader.processes });
    }
    Err(reader.mistakes.into_iter().map(|(span, wrong)| report.mistake(span, &wrong)).collect())
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    processes: Vec<ProcessConfig>,
    /// Where everything stands that [`check`] may find wrong.
    places: HashMap<Place, Span>,
    mistakes: Vec<(Span, String)>,
}

impl Reader {
    fn wrong(&mut self, span: Span, wrong: impl Into<String>) {
        self.mistakes.push((span, wrong.into()));
    }

    fn process(&mut self, key: Spanned<Read<ProcessName>>, table: ProcessTable) {
        let process = self.processes.len();
        self.places.insert(Place::Process(process), key.span());
        let mut config = ProcessConfig::new(key.into_inner().0);
        for (nth, entry) in table.serve.0.into_iter().enumerate() {
            self.places.insert(Place::Serve { process, nth }, entry.span());
            config.serve.push(serve(entry.into_inner().0));
        }
        for (nth, (key, table)) in table.lines.0.into_iter().enumerate() {
            self.places.insert(Place::Line { process, nth }, key.span());
            self.places.extend(table.at.as_ref().map(|at| (Place::At { process, line: nth }, at.span())));
            config.lines.extend(self.line(key, table));
        }
        for (nth, table) in table.rules.0.into_iter().enumerate() {
            self.places.insert(Place::Rule { process, nth }, table.span());
            config.rules.push(self.rule(process, nth, table.into_inner()));
        }
        if let Some(Read(syslog)) = table.syslog {
            config.syslog = syslog.0;
        }
        self.processes.push(config);
    }

    /// Reads a line; nothing where nobody can tell what it is.
    fn line(&mut self, key: Spanned<Read<LineName>>, mut table: LineTable) -> Option<LineConfig> {
        let span = key.span();
        let Read(name) = key.into_inner();
        let (kind, direction, span) = match (table.input.take(), table.output.take()) {
            (Some(input), None) => {
                let start = table.start.as_ref().map(|start| ("start", start.span()));
                let stop = table.stop.as_ref().map(|stop| ("stop", stop.span()));
                let safe = table.safe.as_ref().map(|safe| ("safe", safe.span()));
                let take_over = table.take_over.as_ref().map(|take_over| ("take-over", take_over.span()));
                for (key, span) in [start, stop, safe, take_over].into_iter().flatten() {
                    self.wrong(span, format!("`{key}` for {name}, which is an input; expected it at outputs only"));
                }
                let span = input.span();
                (input.into_inner().0.0, Direction::Input, span)
            }
            (None, Some(output)) => {
                let span = output.span();
                (output.into_inner().0.0, Direction::Output, span)
            }
            (Some(_), Some(output)) => {
                self.wrong(output.span(), format!("{name} is an input and an output; expected one of the two"));
                return None;
            }
            (None, None) => {
                let expected = "expected `output = \"log\"` or `input = \"fifo:/PATH\"`";
                self.wrong(span, format!("{name} is neither input nor output; {expected}"));
                return None;
            }
        };
        let far = (table.at, table.line);
        let is_remote = kind.is_none();
        let kind = match kind {
            Some(kind) => self.near(&name, kind, far),
            None => self.remote(&name, direction, span, far)?,
        };
        let kind = self.with_mode(&name, kind, table.mode);
        let LineTable { bias, active_low, debounce, debounce_mode, drive, .. } = table;
        let keys = GpioKeys { bias, active_low, debounce, debounce_mode, drive };
        let kind = self.with_gpio_keys(&name, kind, keys);
        let default = kind.preset_default();
        let preset = |given: Option<Spanned<Read<Preset>>>| given.map_or(default, |given| given.into_inner().0);
        let (start, stop) = (preset(table.start), preset(table.stop));
        let safe = table.safe.map_or(Preset::Off, |given| given.into_inner().0);
        let take_over = table.take_over.filter(|_| direction == Direction::Output);
        if let Some(take_over) = take_over.as_ref().filter(|_| is_remote) {
            let wrong = format!("`take-over` for {name}, which is remote and leased by its own server only");
            self.wrong(take_over.span(), format!("{wrong}; expected it there"));
        }
        let may_be_taken_over = take_over.is_some_and(Spanned::into_inner);
        Some(LineConfig { name, kind, start, stop, safe, may_be_taken_over })
    }

    /// Makes a remote line; `span` is where it says that it is one.
    fn remote(&mut self, name: &LineName, direction: Direction, span: Span, far: FarKeys) -> Option<LineKind> {
        let Some(at) = far.0 else {
            self.wrong(
                span,
                format!("no `at` for {name}, which is remote; expected such as at = \"tcp://10.0.0.2:5555\""),
            );
            return None;
        };
        self.refuse_mem(at.span(), &at.get_ref().0);
        let line = far.1.map_or_else(|| name.clone(), |line| line.into_inner().0);
        Some(LineKind::Remote { direction, at: at.into_inner().0, line })
    }

    /// Takes a line that is not remote, and so has no far end.
    fn near(&mut self, name: &LineName, kind: LineKind, far: FarKeys) -> LineKind {
        let at = far.0.map(|at| ("at", at.span()));
        let line = far.1.map(|line| ("line", line.span()));
        for (key, span) in [at, line].into_iter().flatten() {
            self.wrong(span, format!("`{key}` for {name}, which is not remote; expected it at remote lines only"));
        }
        kind
    }

    /// Gives a line the mode that stands in its table; only a FIFO has one.
    fn with_mode(&mut self, name: &LineName, kind: LineKind, mode: Option<Spanned<Read<Mode>>>) -> LineKind {
        match (kind, mode) {
            (LineKind::Fifo { path, .. }, Some(mode)) => LineKind::Fifo { path, mode: mode.into_inner().0.0 },
            (kind, Some(mode)) => {
                self.wrong(mode.span(), format!("`mode` for {name}, which has no file; expected it at a fifo only"));
                kind
            }
            (kind, None) => kind,
        }
    }

    /// Gives a line of the hardware what stands in its table about that.
    fn with_gpio_keys(&mut self, name: &LineName, kind: LineKind, keys: GpioKeys) -> LineKind {
        let given = [
            ("bias", keys.bias.as_ref().map(Spanned::span), None),
            ("active-low", keys.active_low.as_ref().map(Spanned::span), None),
            ("debounce", keys.debounce.as_ref().map(Spanned::span), Some(Direction::Input)),
            ("debounce-mode", keys.debounce_mode.as_ref().map(Spanned::span), Some(Direction::Input)),
            ("drive", keys.drive.as_ref().map(Spanned::span), Some(Direction::Output)),
        ];
        for (key, span, only) in given {
            let wrong = match (&kind, only) {
                (LineKind::Gpio(gpio), Some(only)) if gpio.direction != only => match only {
                    Direction::Input => "which is an output; expected it at inputs only",
                    Direction::Output => "which is an input; expected it at outputs only",
                },
                (LineKind::Gpio(_), _) => continue,
                _ => "which is no hardware; expected it at gpio lines only",
            };
            if let Some(span) = span {
                self.wrong(span, format!("`{key}` for {name}, {wrong}"));
            }
        }
        let LineKind::Gpio(gpio) = kind else { return kind };
        let lacks_time = keys.debounce.is_none() && gpio.direction == Direction::Input;
        if let Some(mode) = keys.debounce_mode.as_ref().filter(|_| lacks_time) {
            let wrong = format!("`debounce-mode` for {name}, which is not debounced; expected a `debounce` with it");
            self.wrong(mode.span(), wrong);
        }
        LineKind::Gpio(Gpio {
            bias: keys.bias.map_or(gpio.bias, |given| given.into_inner().0),
            active_low: keys.active_low.map_or(gpio.active_low, Spanned::into_inner),
            debounce: keys.debounce.map_or(gpio.debounce, |given| Some(given.into_inner().0.duration())),
            debounce_mode: keys.debounce_mode.map_or(gpio.debounce_mode, |given| given.into_inner().0),
            drive: keys.drive.map_or(gpio.drive, |given| given.into_inner().0),
            ..gpio
        })
    }

    /// Gives a trigger the time that stands in its table; only a hold and a double have one, each its own.
    fn with_time(&mut self, on: Trigger, hold: Option<TimeKey>, double: Option<TimeKey>) -> Trigger {
        let (given, own) = match on {
            Trigger::Hold(_) => (hold.as_ref(), "hold-time"),
            Trigger::Double(_) => (double.as_ref(), "double-time"),
            _ => (None, ""),
        };
        for (key, time) in [("hold-time", &hold), ("double-time", &double)] {
            if let Some(time) = time.as_ref().filter(|_| key != own) {
                let only = key.trim_end_matches("-time");
                self.wrong(time.span(), format!("`{key}` for a rule on {on}; expected it with {only} only"));
            }
        }
        let time = given.map(|given| given.get_ref().0.duration());
        match on {
            Trigger::Hold(default) => Trigger::Hold(time.unwrap_or(default)),
            Trigger::Double(default) => Trigger::Double(time.unwrap_or(default)),
            _ => on,
        }
    }

    /// Refuses `mem:` where it means another process: it connects the threads of one.
    fn refuse_mem(&mut self, span: Span, at: &Endpoint) {
        if let Endpoint::Mem(name) = at {
            self.wrong(span, format!("{}; expected such as unix:@{name}", mem_reaches_nobody(at)));
        }
    }

    fn rule(&mut self, process: usize, rule: usize, table: RuleTable) -> RuleConfig {
        self.places.insert(Place::On { process, rule }, table.on.span());
        self.places.extend(table.lease.as_ref().map(|lease| (Place::Lease { process, rule }, lease.span())));
        for (nth, command) in table.send.0.iter().enumerate() {
            self.places.insert(Place::Send { process, rule, nth }, command.span());
        }
        for (nth, to) in table.to.0.iter().enumerate() {
            self.places.insert(Place::To { process, rule, nth }, to.span());
            self.refuse_mem(to.span(), &to.get_ref().0);
        }
        let Read(Edge(line, on)) = table.on.into_inner();
        RuleConfig {
            line,
            on: self.with_time(on, table.hold_time, table.double_time),
            send: words(table.send).map(|Command(command)| command).collect(),
            to: words(table.to).collect(),
            delivery: table.delivery.map_or(Delivery::Frames, |Read(delivery)| delivery),
            lease: table.lease.map(|lease| lease.into_inner().0.duration()),
            within: table.within.map_or(WITHIN_DEFAULT, |Read(within)| within.duration()),
        }
    }
}

fn serve(table: ServeTable) -> Serve {
    let Read(at) = table.at;
    let default = Serve::new(at);
    Serve {
        speak: table.speak.map_or(default.speak, |speak| words(speak).collect()),
        anyone_from: words(table.anyone_from).collect(),
        backlog: table.backlog.map_or(default.backlog, |backlog| backlog.0),
        mode: table.mode.map(|Read(mode)| mode.0).or(default.mode),
        at: default.at,
    }
}

fn words<T>(list: List<Read<T>>) -> impl Iterator<Item = T> {
    list.0.into_iter().map(|word| word.into_inner().0)
}
