//! Writes a configuration as TOML, with every default filled in.

use std::fmt::{self, Display};
use std::time::Duration;

use soquete_node::config::{
    Direction, Gpio, LineConfig, LineKind, Preset, ProcessConfig, RuleConfig, Serve, Timeout, Trigger,
};

use super::Configuration;

/// A configuration that displays as the TOML it could have been read from.
pub(crate) struct Shown<'a>(pub(crate) &'a Configuration);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Configuration { name, source, processes } = self.0;
        // A path may have a line break in it, which would end the comment.
        let source: String = source.to_string().escape_debug().collect();
        writeln!(f, "# The effective configuration, every default filled in. Source: {source}")?;
        writeln!(f, "name = {}", quoted(name))?;
        processes.iter().try_for_each(|config| process(f, config))
    }
}

fn process(f: &mut fmt::Formatter<'_>, config: &ProcessConfig) -> fmt::Result {
    let ProcessConfig { name, serve, lines, rules, syslog } = config;
    let name = key(name);
    writeln!(f, "\n[processes.{name}]")?;
    match serve.as_slice() {
        [] => writeln!(f, "serve = []")?,
        endpoints => {
            writeln!(f, "serve = [")?;
            endpoints.iter().try_for_each(|serve| endpoint(f, serve))?;
            writeln!(f, "]")?;
        }
    }
    match syslog {
        Some(path) => writeln!(f, "syslog = {}", quoted(path.display()))?,
        None => writeln!(f, "syslog = \"off\"")?,
    }
    for config in lines {
        writeln!(f, "\n[processes.{name}.lines.{}]", key(&config.name))?;
        line(f, config)?;
    }
    for config in rules {
        writeln!(f, "\n[[processes.{name}.rules]]")?;
        rule(f, config)?;
    }
    Ok(())
}

fn endpoint(f: &mut fmt::Formatter<'_>, serve: &Serve) -> fmt::Result {
    let Serve { at, speak, anyone_from, backlog, mode } = serve;
    write!(f, "    {{ at = {}, speak = {}", quoted(at), list(speak.iter()))?;
    if !anyone_from.is_empty() {
        write!(f, ", anyone-from = {}", list(anyone_from))?;
    }
    write!(f, ", backlog = {backlog}")?;
    if let Some(mode) = mode {
        write!(f, ", mode = \"{mode:04o}\"")?;
    }
    writeln!(f, " }},")
}

fn line(f: &mut fmt::Formatter<'_>, config: &LineConfig) -> fmt::Result {
    let LineConfig { name: _, kind, start, stop, safe, may_be_taken_over } = config;
    match kind.direction() {
        Direction::Input => writeln!(f, "input = {}", quoted(kind))?,
        Direction::Output => {
            writeln!(f, "output = {}", quoted(kind))?;
            writeln!(f, "start = \"{}\"", preset(*start))?;
            writeln!(f, "stop = \"{}\"", preset(*stop))?;
            writeln!(f, "safe = \"{}\"", preset(*safe))?;
            if !matches!(kind, LineKind::Remote { .. }) {
                writeln!(f, "take-over = {may_be_taken_over}")?;
            }
        }
    }
    match kind {
        LineKind::Fifo { mode, .. } => writeln!(f, "mode = \"{mode:04o}\""),
        LineKind::Gpio(gpio) => hardware(f, gpio),
        LineKind::Remote { at, line, .. } => writeln!(f, "at = {}\nline = {}", quoted(at), quoted(line)),
        _ => Ok(()),
    }
}

fn hardware(f: &mut fmt::Formatter<'_>, gpio: &Gpio) -> fmt::Result {
    let Gpio { direction, line: _, bias, active_low, drive, debounce, debounce_mode } = gpio;
    writeln!(f, "bias = \"{bias}\"\nactive-low = {active_low}")?;
    match direction {
        Direction::Input => debounce.map_or(Ok(()), |time| {
            timeout(f, "debounce", time)?;
            writeln!(f, "debounce-mode = \"{debounce_mode}\"")
        }),
        Direction::Output => writeln!(f, "drive = \"{drive}\""),
    }
}

fn rule(f: &mut fmt::Formatter<'_>, config: &RuleConfig) -> fmt::Result {
    let RuleConfig { line, on, send, to, delivery, lease, within } = config;
    writeln!(f, "on = {}", quoted(format_args!("{line} {on}")))?;
    match on {
        Trigger::Hold(time) => timeout(f, "hold-time", *time)?,
        Trigger::Double(time) => timeout(f, "double-time", *time)?,
        _ => {}
    }
    writeln!(f, "send = {}", list(send))?;
    if !to.is_empty() {
        writeln!(f, "to = {}", list(to))?;
        writeln!(f, "as = \"{delivery}\"")?;
    }
    if let Some(lease) = lease {
        timeout(f, "lease", *lease)?;
    }
    timeout(f, "within", *within)
}

fn timeout(f: &mut fmt::Formatter<'_>, key: &str, time: Duration) -> fmt::Result {
    match Timeout::try_from(time) {
        Ok(time) => writeln!(f, "{key} = \"{time}\""),
        Err(_) => Ok(()),
    }
}

fn preset(preset: Preset) -> &'static str {
    match preset {
        Preset::On => "on",
        Preset::Off => "off",
        Preset::Keep => "keep",
    }
}

/// Writes a name as a key: bare where TOML allows it.
fn key(name: impl Display) -> String {
    let name = name.to_string();
    let is_bare = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-'));
    if is_bare { name } else { quoted(name) }
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}

/// Writes a basic string of TOML.
fn quoted(text: impl Display) -> String {
    let mut quoted = String::from("\"");
    for character in text.to_string().chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(control))),
            character => quoted.push(character),
        }
    }
    quoted + "\""
}
