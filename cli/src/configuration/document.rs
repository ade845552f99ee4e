//! The configuration file as it is written: its tables and their keys.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use soquete::Endpoint;
use soquete_node::config::{
    Bias, DebounceMode, Delivery, Drive, InstanceName, Language, LineName, Network, Preset, ProcessName, Timeout,
};
use toml::Spanned;

use super::value::{List, Read, Table, Word, elements};
use super::word::{Backlog, Command, Edge, InputKind, Mode, OutputKind, Syslog};

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Document {
    pub(super) name: Option<Read<InstanceName>>,
    #[serde(default)]
    pub(super) processes: Table<ProcessName, ProcessTable>,
}

/// `[processes.NAME]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ProcessTable {
    #[serde(default)]
    pub(super) serve: List<ServeEntry>,
    #[serde(default)]
    pub(super) lines: Table<LineName, LineTable>,
    #[serde(default)]
    pub(super) rules: Rules,
    pub(super) syslog: Option<Read<Syslog>>,
}

/// `serve = "tcp://…"`, or a table with the same and more.
pub(super) struct ServeEntry(pub(super) ServeTable);

/// `serve = { at = "tcp://…" }`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ServeTable {
    pub(super) at: Read<Endpoint>,
    pub(super) speak: Option<List<Read<Language>>>,
    #[serde(default)]
    pub(super) anyone_from: List<Read<Network>>,
    pub(super) backlog: Option<Backlog>,
    pub(super) mode: Option<Read<Mode>>,
}

/// `[processes.NAME.lines.NAME]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LineTable {
    pub(super) input: Option<Spanned<Read<InputKind>>>,
    pub(super) output: Option<Spanned<Read<OutputKind>>>,
    pub(super) at: Option<Spanned<Read<Endpoint>>>,
    pub(super) line: Option<Spanned<Read<LineName>>>,
    pub(super) mode: Option<Spanned<Read<Mode>>>,
    pub(super) bias: Option<Spanned<Read<Bias>>>,
    pub(super) active_low: Option<Spanned<bool>>,
    pub(super) debounce: Option<Spanned<Read<Timeout>>>,
    pub(super) debounce_mode: Option<Spanned<Read<DebounceMode>>>,
    pub(super) drive: Option<Spanned<Read<Drive>>>,
    pub(super) start: Option<Spanned<Read<Preset>>>,
    pub(super) stop: Option<Spanned<Read<Preset>>>,
    pub(super) safe: Option<Spanned<Read<Preset>>>,
    pub(super) take_over: Option<Spanned<bool>>,
}

/// `[[processes.NAME.rules]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RuleTable {
    pub(super) on: Spanned<Read<Edge>>,
    pub(super) hold_time: Option<Spanned<Read<Timeout>>>,
    pub(super) double_time: Option<Spanned<Read<Timeout>>>,
    pub(super) send: List<Read<Command>>,
    #[serde(default)]
    pub(super) to: List<Read<Endpoint>>,
    #[serde(rename = "as")]
    pub(super) delivery: Option<Read<Delivery>>,
    pub(super) within: Option<Read<Timeout>>,
    pub(super) lease: Option<Spanned<Read<Timeout>>>,
}

/// Every `[[processes.NAME.rules]]` of a process.
#[derive(Default)]
pub(super) struct Rules(pub(super) Vec<Spanned<RuleTable>>);

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyRules;

        impl<'de> Visitor<'de> for AnyRules {
            type Value = Rules;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of them, each below [[processes.NAME.rules]]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Rules, A::Error> {
                elements(seq).map(Rules)
            }
        }

        deserializer.deserialize_seq(AnyRules)
    }
}

impl<'de> Deserialize<'de> for ServeEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyServe;

        impl<'de> Visitor<'de> for AnyServe {
            type Value = ServeEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}, or a table with `at`", Endpoint::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ServeEntry, E> {
                let at = Read::deserialize(StrDeserializer::new(text))?;
                let (speak, anyone_from, backlog, mode) = (None, List::default(), None, None);
                Ok(ServeEntry(ServeTable { at, speak, anyone_from, backlog, mode }))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ServeEntry, A::Error> {
                ServeTable::deserialize(MapAccessDeserializer::new(map)).map(ServeEntry)
            }
        }

        deserializer.deserialize_any(AnyServe)
    }
}
