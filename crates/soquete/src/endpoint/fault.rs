//! What is wrong with the text of an endpoint.

use std::fmt;

/// What is wrong with the text of an endpoint, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no scheme, or not its slashes; the suggestion is what was probably meant.
    NoScheme {
        /// An endpoint that parses, if one could be guessed.
        suggestion: Option<String>,
    },
    /// The scheme is none of the known ones.
    UnknownScheme(String),
    /// The host is empty.
    NoHost,
    /// The host is no name and no IPv4 address.
    InvalidHost(String),
    /// The host has more octets than DNS allows.
    HostTooLong {
        /// The octets it has.
        len_bytes: usize,
        /// The most it may have.
        max_bytes: usize,
    },
    /// An IPv6 address is written without brackets.
    UnbracketedIpv6,
    /// What is in the brackets is no IPv6 address.
    InvalidIpv6(String),
    /// There is no port.
    NoPort,
    /// The port is no number from 0 to 65535.
    InvalidPort(String),
    /// A Unix path does not begin with a slash.
    RelativePath,
    /// A Unix path ends with a slash, so it names a folder.
    FolderPath,
    /// The name is empty.
    NoName,
    /// The path or name has more octets than its kind allows.
    NameTooLong {
        /// The octets it has.
        len_bytes: usize,
        /// The most it may have.
        max_bytes: usize,
    },
    /// The text has a control character: NUL, a line break, a tab.
    ControlCharacter,
    /// An option behind `?` is none of UDP's, or stands there twice.
    UnknownOption(String),
    /// An option's value is none that it can have.
    InvalidOption {
        /// The option.
        name: &'static str,
        /// What was written.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
}

const KINDS: &str = "expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH, unix:@NAME, seqpacket:///PATH, \
                     unixgram:///PATH or mem:NAME";

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme { suggestion: Some(endpoint) } => write!(f, "no scheme: write `{endpoint}`"),
            Self::NoScheme { suggestion: None } => write!(f, "no scheme: {KINDS}"),
            Self::UnknownScheme(scheme) => write!(f, "unknown scheme `{scheme}`: {KINDS}"),
            Self::NoHost => f.write_str("no host: expected tcp://HOST:PORT, or 0.0.0.0 or [::] for every address"),
            Self::InvalidHost(host) => {
                write!(f, "host `{host}`: expected a name, an IPv4 address or an IPv6 address in brackets")
            }
            Self::HostTooLong { len_bytes, max_bytes } => {
                write!(f, "host of {len_bytes} octets: expected at most {max_bytes}")
            }
            Self::UnbracketedIpv6 => f.write_str("an IPv6 address needs brackets: expected [ADDRESS]:PORT"),
            Self::InvalidIpv6(text) => {
                write!(f, "`[{text}]`: expected an IPv6 address in the brackets")
            }
            Self::NoPort => f.write_str("no port: expected HOST:PORT"),
            Self::InvalidPort(port) => {
                write!(f, "port `{port}`: expected a number from 0 to 65535")
            }
            Self::RelativePath => f.write_str("relative path: expected three slashes and the path, as in unix:///PATH"),
            Self::FolderPath => f.write_str("the path ends with a slash: expected a file's path"),
            Self::NoName => f.write_str("no name: expected one behind `@` or `mem:`"),
            Self::NameTooLong { len_bytes, max_bytes } => {
                write!(f, "name of {len_bytes} octets: expected at most {max_bytes}")
            }
            Self::ControlCharacter => f.write_str("control character: expected printable text"),
            Self::UnknownOption(option) => {
                write!(f, "`{option}`: expected `interface=NAME`, `ttl=N` or `broadcast=yes`, each once, apart by `&`")
            }
            Self::InvalidOption { name, value, expected } => write!(f, "{name} `{value}`: expected {expected}"),
        }
    }
}

impl std::error::Error for EndpointError {}
