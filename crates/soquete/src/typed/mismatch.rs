//! What two ends disagree about.

use super::Message;
use crate::Tongue;
use std::fmt;

/// Why a message is not of the type that was expected; it prints as one line with the type's name, and its topics or versions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// It came under another topic.
    Topic {
        /// The type that was expected.
        name: &'static str,
        /// Its topic.
        expected: u16,
        /// The topic it came under.
        topic: u16,
    },
    /// It is of another version of the type.
    Version {
        /// The type.
        name: &'static str,
        /// The version of this end.
        expected: u16,
        /// The version it came in.
        version: u16,
    },
    /// Octets that are no value of the type, end early or are left over.
    Payload {
        /// The type that was expected.
        name: &'static str,
        /// How many octets there are.
        len_bytes: usize,
    },
    /// It came as text or raw octets, which have no topic.
    Tongue {
        /// The type that was expected.
        name: &'static str,
    },
    /// A value of our own that has no form on the wire.
    Unwritable {
        /// Its type.
        name: &'static str,
    },
}

impl Mismatch {
    /// Finds what of a message's envelope is not as `M` has it.
    pub(super) fn of_envelope<M: Message>(tongue: Tongue, topic: u16) -> Option<Self> {
        let name = short_name::<M>();
        if tongue != Tongue::Frames {
            return Some(Mismatch::Tongue { name });
        }
        (topic != M::TOPIC).then_some(Mismatch::Topic { name, expected: M::TOPIC, topic })
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Topic { name, expected, topic } => {
                write!(f, "topic {topic} instead of {expected}, that of {name}")
            }
            Mismatch::Version { name, expected, version } => {
                write!(f, "version {version} of {name} instead of {expected}")
            }
            Mismatch::Payload { name, len_bytes } => write!(f, "{len_bytes} octets that are no {name}"),
            Mismatch::Tongue { name } => write!(f, "{name} is spoken in frames only"),
            Mismatch::Unwritable { name } => write!(f, "a value of {name} that cannot be written"),
        }
    }
}

impl std::error::Error for Mismatch {}

/// Returns the name of a type, without its path where the path ends in a plain name.
pub(super) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let is_plain = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_' || octet == b':');
    match name.rsplit_once("::") {
        Some((_, last)) if is_plain => last,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_path_but_not_its_parameters() {
        assert_eq!(short_name::<std::net::Ipv4Addr>(), "Ipv4Addr");
        assert_eq!(short_name::<u8>(), "u8");
        assert!(short_name::<Vec<Mismatch>>().contains('<'));
    }

    #[test]
    fn it_prints_as_one_line_with_type_and_topic() {
        let topic = Mismatch::Topic { name: "Set", expected: 1, topic: 2 };
        assert_eq!(topic.to_string(), "topic 2 instead of 1, that of Set");
        let version = Mismatch::Version { name: "Set", expected: 1, version: 2 };
        assert_eq!(version.to_string(), "version 2 of Set instead of 1");
        assert_eq!(Mismatch::Payload { name: "Set", len_bytes: 3 }.to_string(), "3 octets that are no Set");
        assert_eq!(Mismatch::Tongue { name: "Set" }.to_string(), "Set is spoken in frames only");
        assert_eq!(Mismatch::Unwritable { name: "Set" }.to_string(), "a value of Set that cannot be written");
    }
}
