//! The words of a configuration file: how each value is written.

use std::fmt;
use std::path::PathBuf;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use soquete::Endpoint;
use soquete_node::config::{
    BACKLOG_MAX, Bias, DOUBLE_TIME_DEFAULT, DebounceMode, Delivery, Drive, HOLD_TIME_DEFAULT, InstanceName, Language,
    LineKind, LineKindError, LineName, Network, Preset, ProcessName, Timeout, Trigger,
};

use super::value::{Word, parse};

/// A number of connections that may wait.
pub(super) struct Backlog(pub(super) u32);

impl<'de> Deserialize<'de> for Backlog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyBacklog;

        impl Visitor<'_> for AnyBacklog {
            type Value = Backlog;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from 1 to {BACKLOG_MAX}")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Backlog, E> {
                let backlog = u32::try_from(number).ok().filter(|backlog| (1..=BACKLOG_MAX).contains(backlog));
                backlog.map(Backlog).ok_or_else(|| {
                    E::custom(format_args!("backlog {number}; expected a number from 1 to {BACKLOG_MAX}"))
                })
            }
        }

        deserializer.deserialize_i64(AnyBacklog)
    }
}

/// The permissions of a file.
pub(super) struct Mode(pub(super) u32);

/// A syslog socket, or none.
pub(super) struct Syslog(pub(super) Option<PathBuf>);

/// What an input is; nothing for a remote one, of which more is to be said.
pub(super) struct InputKind(pub(super) Option<LineKind>);

/// What an output is; nothing for a remote one, of which more is to be said.
pub(super) struct OutputKind(pub(super) Option<LineKind>);

/// What both are where their line is another server's.
const REMOTE: &str = "remote";

/// `BUTTON press`; the time of a hold or a double stands in a key of its own.
pub(super) struct Edge(pub(super) LineName, pub(super) Trigger);

/// A text command; what it says is checked with the rest of its rule.
pub(super) struct Command(pub(super) String);

impl Word for InstanceName {
    const EXPECTED: &'static str = "a name";

    fn read(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Word for ProcessName {
    const EXPECTED: &'static str = "a name";

    fn read(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Word for LineName {
    const EXPECTED: &'static str = "a name";

    fn read(text: &str) -> Result<Self, String> {
        parse(text).map_err(|wrong| format!("{wrong}; expected a name such as LED"))
    }
}

impl Word for Endpoint {
    const EXPECTED: &'static str = "an endpoint such as \"tcp://127.0.0.1:5555\"";

    fn read(text: &str) -> Result<Self, String> {
        let expected = |wrong: String| wrong.replace(": expected ", "; expected ").replace(": write ", "; expected ");
        parse(text).map_err(expected)
    }
}

impl Word for Network {
    const EXPECTED: &'static str = "a network such as \"10.0.0.0/24\"";

    fn read(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Word for Language {
    const EXPECTED: &'static str = "\"text\", \"frames\" or \"http\"";

    fn read(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Word for Timeout {
    const EXPECTED: &'static str = "a time such as \"2s\"";

    fn read(text: &str) -> Result<Self, String> {
        parse(text)
    }
}

impl Word for Mode {
    const EXPECTED: &'static str = "a mode such as \"0600\"";

    fn read(text: &str) -> Result<Self, String> {
        let is_octal = matches!(text.len(), 3 | 4) && text.bytes().all(|octet| matches!(octet, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|&mode| is_octal && mode <= 0o777);
        mode.map(Self).ok_or_else(|| "no permissions; expected \"0000\" to \"0777\"".to_owned())
    }
}

impl Word for Syslog {
    const EXPECTED: &'static str = "the path of a socket such as \"/dev/log\", or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self(None)),
            path if path.starts_with('/') && !path.contains('\0') => Ok(Self(Some(path.into()))),
            _ => Err(format!("no absolute path; expected {}", Self::EXPECTED)),
        }
    }
}

impl Word for InputKind {
    const EXPECTED: &'static str = "an input such as \"fifo:/tmp/tcp_file\"";

    fn read(text: &str) -> Result<Self, String> {
        kind(text, LineKind::input).map(Self)
    }
}

impl Word for OutputKind {
    const EXPECTED: &'static str = "an output such as \"log\"";

    fn read(text: &str) -> Result<Self, String> {
        kind(text, LineKind::output).map(Self)
    }
}

fn kind(text: &str, read: fn(&str) -> Result<LineKind, LineKindError>) -> Result<Option<LineKind>, String> {
    (text != REMOTE).then(|| read(text)).transpose().map_err(|error| error.to_string())
}

impl Word for Bias {
    const EXPECTED: &'static str = "\"pull-up\", \"pull-down\", \"disabled\" or \"as-is\"";

    fn read(text: &str) -> Result<Self, String> {
        let all = [Self::PullUp, Self::PullDown, Self::Disabled, Self::AsIs];
        let bias = all.into_iter().find(|bias| bias.to_string() == text);
        bias.ok_or_else(|| "no bias; expected pull-up, pull-down, disabled or as-is".to_owned())
    }
}

impl Word for DebounceMode {
    const EXPECTED: &'static str = "\"settled\" or \"first-edge\"";

    fn read(text: &str) -> Result<Self, String> {
        let mode = [Self::Settled, Self::FirstEdge].into_iter().find(|mode| mode.to_string() == text);
        mode.ok_or_else(|| "no way to debounce; expected settled or first-edge".to_owned())
    }
}

impl Word for Drive {
    const EXPECTED: &'static str = "\"push-pull\", \"open-drain\" or \"open-source\"";

    fn read(text: &str) -> Result<Self, String> {
        let all = [Self::PushPull, Self::OpenDrain, Self::OpenSource];
        let drive = all.into_iter().find(|drive| drive.to_string() == text);
        drive.ok_or_else(|| "no drive; expected push-pull, open-drain or open-source".to_owned())
    }
}

impl Word for Preset {
    const EXPECTED: &'static str = "\"on\", \"off\" or \"keep\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            "keep" => Ok(Self::Keep),
            _ => Err("no such value; expected on, off or keep".to_owned()),
        }
    }
}

impl Word for Edge {
    const EXPECTED: &'static str = "an input and its trigger, such as \"BUTTON press\"";

    fn read(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let (Some(line), Some(trigger), None) = (words.next(), words.next(), words.next()) else {
            return Err(format!("no rule is set off by this; expected {}", Self::EXPECTED));
        };
        let trigger = match trigger {
            "press" => Trigger::Press,
            "release" => Trigger::Release,
            "hold" => Trigger::Hold(HOLD_TIME_DEFAULT),
            "double" => Trigger::Double(DOUBLE_TIME_DEFAULT),
            _ => return Err("unknown trigger; expected press, release, hold or double".to_owned()),
        };
        Ok(Self(LineName::read(line)?, trigger))
    }
}

impl Word for Command {
    const EXPECTED: &'static str = "a command such as \"LED TOGGLE\"";

    fn read(text: &str) -> Result<Self, String> {
        Ok(Self(text.to_owned()))
    }
}

impl Word for Delivery {
    const EXPECTED: &'static str = "\"frames\" or \"text\"";

    fn read(text: &str) -> Result<Self, String> {
        match text {
            "frames" => Ok(Self::Frames),
            "text" => Ok(Self::Text),
            _ => Err("no way to deliver; expected frames or text".to_owned()),
        }
    }
}
