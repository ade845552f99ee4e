//! What a value of a configuration file may be: a word, one or a list of them, a table of named things.
//!
//! All of them know their place, and none is untagged or flattened, for those lose it.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

/// A value that is written as one string.
pub(super) trait Word: Sized {
    /// Completes "expected …" where something else than a string stands.
    const EXPECTED: &'static str;

    /// Reads the string.
    ///
    /// # Errors
    /// Says what is wrong and what was expected, without repeating the string.
    fn read(text: &str) -> Result<Self, String>;
}

/// Reads what has a grammar of its own.
pub(super) fn parse<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A word that was read.
pub(super) struct Read<T>(pub(super) T);

impl<'de, T: Word> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyWord<T>(PhantomData<T>);

        impl<T: Word> Visitor<'_> for AnyWord<T> {
            type Value = Read<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Read<T>, E> {
                T::read(text).map(Read).map_err(|wrong| E::custom(format_args!("{text:?}: {wrong}")))
            }
        }

        deserializer.deserialize_str(AnyWord(PhantomData))
    }
}

/// One thing, or a list of them.
pub(super) struct List<T>(pub(super) Vec<Spanned<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entry = Spanned::<OneOrMany<T>>::deserialize(deserializer)?;
        let span = entry.span();
        Ok(Self(match entry.into_inner() {
            OneOrMany::One(one) => vec![Spanned::new(span, one)],
            OneOrMany::Many(many) => many,
        }))
    }
}

enum OneOrMany<T> {
    One(T),
    Many(Vec<Spanned<T>>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOneOrMany<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyOneOrMany<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::deserialize(StrDeserializer::new(text)).map(OneOrMany::One)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                elements(seq).map(OneOrMany::Many)
            }
        }

        deserializer.deserialize_any(AnyOneOrMany(PhantomData))
    }
}

/// Reads every element of a list.
pub(super) fn elements<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut seq: A) -> Result<Vec<Spanned<T>>, A::Error> {
    let mut elements = Vec::new();
    while let Some(element) = seq.next_element()? {
        elements.push(element);
    }
    Ok(elements)
}

/// A table of named things, in the order of the file.
pub(super) struct Table<K, V>(pub(super) Vec<(Spanned<Read<K>>, V)>);

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K: Word, V: Deserialize<'de>> Deserialize<'de> for Table<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyTable<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Word, V: Deserialize<'de>> Visitor<'de> for AnyTable<K, V> {
            type Value = Table<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }

        deserializer.deserialize_map(AnyTable(PhantomData))
    }
}
