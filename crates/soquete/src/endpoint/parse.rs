//! The grammar of endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;

use super::{Endpoint, EndpointError, HOST_LEN_MAX, Host, MEM_NAME_LEN_MAX, UNIX_NAME_LEN_MAX, UdpOptions, UnixName};

/// The most octets a label of a host name may have, by DNS.
const LABEL_LEN_MAX: usize = 63;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.chars().any(char::is_control) {
            return Err(EndpointError::ControlCharacter);
        }
        if let Some(authority) = text.strip_prefix("tcp://") {
            let (host, port) = host_and_port(authority)?;
            return Ok(Self::Tcp { host, port });
        }
        if let Some(rest) = text.strip_prefix("udp://") {
            let (authority, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
            let (host, port) = host_and_port(authority)?;
            let is_group = matches!(host, Host::Ip(ip) if ip.is_multicast());
            let options = UdpOptions::read(query, is_group)?;
            return Ok(Self::Udp { host, port, options });
        }
        match text.split_once(':') {
            Some(("unix", name)) if is_unix(name) => Ok(Self::Unix(unix_name(name)?)),
            Some(("seqpacket", name)) if is_unix(name) => Ok(Self::Seqpacket(unix_name(name)?)),
            Some(("unixgram", name)) if is_unix(name) => Ok(Self::Unixgram(unix_name(name)?)),
            Some(("mem", name)) => Ok(Self::Mem(bounded(name, MEM_NAME_LEN_MAX)?.to_owned())),
            _ => Err(unrecognised(text)),
        }
    }
}

/// Tells whether what stands behind the scheme and its colon begins as the name of a Unix socket does.
fn is_unix(name: &str) -> bool {
    name.starts_with('@') || name.starts_with("//")
}

fn unix_name(name: &str) -> Result<UnixName, EndpointError> {
    match name.strip_prefix('@') {
        Some(name) => Ok(UnixName::Abstract(bounded(name, UNIX_NAME_LEN_MAX)?.to_owned())),
        None => Ok(UnixName::Path(unix_path(name.strip_prefix("//").unwrap_or(name))?)),
    }
}

fn host_and_port(authority: &str) -> Result<(Host, u16), EndpointError> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(EndpointError::UnbracketedIpv6)?;
            let address = Ipv6Addr::from_str(address).map_err(|_| EndpointError::InvalidIpv6(address.to_owned()))?;
            let port = port.strip_prefix(':').ok_or(EndpointError::NoPort)?;
            (Host::Ip(IpAddr::V6(address)), port)
        }
        None if authority.matches(':').count() > 1 => return Err(EndpointError::UnbracketedIpv6),
        None => match authority.split_once(':') {
            Some((name, port)) => (host(name)?, port),
            None => return Err(host(authority).err().unwrap_or(EndpointError::NoPort)),
        },
    };
    Ok((host, self::port(port)?))
}

/// Reads a host without brackets. As in URLs, one whose last label is a number must be an IPv4 address, so that
/// `10.0.0.256` is a mistake here and not a name to be looked up.
fn host(text: &str) -> Result<Host, EndpointError> {
    let invalid = || EndpointError::InvalidHost(text.to_owned());
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(EndpointError::NoHost);
    }
    if name.len() > HOST_LEN_MAX {
        return Err(EndpointError::HostTooLong { len_bytes: name.len(), max_bytes: HOST_LEN_MAX });
    }
    if !name.split('.').all(is_label) {
        return Err(invalid());
    }
    let last = name.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|octet| octet.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().map(|ip| Host::Ip(ip.into())).map_err(|_| invalid());
    }
    Ok(Host::Name(text.to_ascii_lowercase()))
}

/// Tells whether a label of a host name is one; underscores are no part of DNS, but of many a `/etc/hosts`.
fn is_label(label: &str) -> bool {
    (1..=LABEL_LEN_MAX).contains(&label.len())
        && !label.starts_with('-')
        && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
}

fn port(text: &str) -> Result<u16, EndpointError> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    match text.parse() {
        _ if text.is_empty() => Err(EndpointError::NoPort),
        Ok(port) if is_number => Ok(port),
        _ => Err(EndpointError::InvalidPort(text.to_owned())),
    }
}

fn unix_path(text: &str) -> Result<PathBuf, EndpointError> {
    if !text.starts_with('/') {
        return Err(EndpointError::RelativePath);
    }
    if text.ends_with('/') {
        return Err(EndpointError::FolderPath);
    }
    bounded(text, UNIX_NAME_LEN_MAX).map(PathBuf::from)
}

fn bounded(name: &str, max_bytes: usize) -> Result<&str, EndpointError> {
    match name.len() {
        0 => Err(EndpointError::NoName),
        len_bytes if len_bytes > max_bytes => Err(EndpointError::NameTooLong { len_bytes, max_bytes }),
        _ => Ok(name),
    }
}

/// Says what is wrong with a text that begins like no endpoint, and guesses what was meant.
fn unrecognised(text: &str) -> EndpointError {
    if let Some((scheme, _)) = text.split_once("://") {
        return EndpointError::UnknownScheme(scheme.to_owned());
    }
    let (scheme, bare) = match text.split_once(':') {
        Some((scheme @ ("tcp" | "udp" | "unix" | "seqpacket" | "unixgram"), bare)) => (Some(scheme), bare),
        _ => (None, text),
    };
    let guess = match (bare.as_bytes().first(), scheme) {
        (Some(b'/'), Some(scheme @ ("tcp" | "udp"))) => format!("{scheme}://{}", bare.trim_start_matches('/')),
        (Some(b'/'), scheme) => format!("{}://{bare}", scheme.unwrap_or("unix")),
        (Some(b'@'), scheme) => format!("{}:{bare}", scheme.unwrap_or("unix")),
        (_, Some("udp")) => format!("udp://{bare}"),
        _ => format!("tcp://{bare}"),
    };
    let suggestion = guess.parse::<Endpoint>().is_ok().then_some(guess);
    EndpointError::NoScheme { suggestion }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        text.parse::<Endpoint>().unwrap_err().to_string()
    }

    #[test]
    fn a_text_without_scheme_is_told_what_to_write() {
        assert_eq!(mistake("127.0.0.1:5555"), "no scheme: write `tcp://127.0.0.1:5555`");
        assert_eq!(mistake("tcp:led:5555"), "no scheme: write `tcp://led:5555`");
        assert_eq!(mistake("tcp:/127.0.0.1:5555"), "no scheme: write `tcp://127.0.0.1:5555`");
        assert_eq!(mistake("udp:/led:5555"), "no scheme: write `udp://led:5555`");
        assert_eq!(mistake("[::1]:5555"), "no scheme: write `tcp://[::1]:5555`");
        assert_eq!(mistake("/run/led.sock"), "no scheme: write `unix:///run/led.sock`");
        assert_eq!(mistake("unix:/run/led.sock"), "no scheme: write `unix:///run/led.sock`");
        assert_eq!(mistake("@led"), "no scheme: write `unix:@led`");
        assert_eq!(mistake("udp:led:5555"), "no scheme: write `udp://led:5555`");
        assert_eq!(mistake("unixgram:/run/led.sock"), "no scheme: write `unixgram:///run/led.sock`");
        let kinds = "expected tcp://HOST:PORT, udp://HOST:PORT, unix:///PATH, unix:@NAME, seqpacket:///PATH, \
                     unixgram:///PATH or mem:NAME";
        assert_eq!(mistake(""), format!("no scheme: {kinds}"));
        assert_eq!(mistake("led"), format!("no scheme: {kinds}"));
        assert_eq!(mistake("http://led:80"), format!("unknown scheme `http`: {kinds}"));
    }

    #[test]
    fn a_port_is_a_number_up_to_65535() {
        assert_eq!(mistake("tcp://led"), "no port: expected HOST:PORT");
        assert_eq!(mistake("tcp://led:"), "no port: expected HOST:PORT");
        assert_eq!(mistake("tcp://[::1]"), "no port: expected HOST:PORT");
        for port in ["65536", "-1", "+1", "http", "5555/", " 1"] {
            assert_eq!(
                mistake(&format!("tcp://led:{port}")),
                format!("port `{port}`: expected a number from 0 to 65535")
            );
        }
    }

    #[test]
    fn an_ipv6_address_needs_brackets() {
        let expected = "an IPv6 address needs brackets: expected [ADDRESS]:PORT";
        assert_eq!(mistake("tcp://::1:5555"), expected);
        assert_eq!(mistake("tcp://[::1:5555"), expected);
        assert_eq!(mistake("tcp://[::g]:1"), "`[::g]`: expected an IPv6 address in the brackets");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        assert!(mistake("tcp://:5555").starts_with("no host: "));
        for host in ["10.0.0.256", "127.1", "-a", "a..b", "a b", "löt", "*"] {
            let expected = "expected a name, an IPv4 address or an IPv6 address in brackets";
            assert_eq!(mistake(&format!("tcp://{host}:1")), format!("host `{host}`: {expected}"));
        }
        for host in ["a", "3com", "a_b", "led.local.", "10.0.0.1.nip.io"] {
            assert!(format!("tcp://{host}:1").parse::<Endpoint>().is_ok(), "{host}");
        }
        assert_eq!("tcp://LED:1".parse::<Endpoint>(), "tcp://led:1".parse());
    }

    #[test]
    fn lengths_are_bounded_and_the_bound_is_told() {
        let label = "a".repeat(63);
        let host = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert!(format!("tcp://{host}:1").parse::<Endpoint>().is_ok());
        assert_eq!(mistake(&format!("tcp://{host}a:1")), "host of 254 octets: expected at most 253");

        let name = "n".repeat(107);
        assert!(format!("unix:@{name}").parse::<Endpoint>().is_ok());
        assert_eq!(mistake(&format!("unix:@{name}n")), "name of 108 octets: expected at most 107");
        assert!(format!("unix:///{}", &name[1..]).parse::<Endpoint>().is_ok());
        assert_eq!(mistake(&format!("unix:///{name}")), "name of 108 octets: expected at most 107");
        assert_eq!(mistake(&format!("mem:{}", &name[..65])), "name of 65 octets: expected at most 64");
    }

    #[test]
    fn a_path_is_absolute_and_names_a_file() {
        assert_eq!(
            mistake("unix://led.sock"),
            "relative path: expected three slashes and the path, as in unix:///PATH"
        );
        assert_eq!(mistake("unix:///run/"), "the path ends with a slash: expected a file's path");
        assert_eq!(mistake("unix:@"), "no name: expected one behind `@` or `mem:`");
        assert_eq!(mistake("mem:"), "no name: expected one behind `@` or `mem:`");
        assert_eq!(mistake("unix:///run/a\0b"), "control character: expected printable text");
    }
}
