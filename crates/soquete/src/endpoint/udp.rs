//! What an endpoint of UDP says beside host and port.

use std::fmt;

use super::EndpointError;

/// The most octets the name of a network interface may have: 15. The kernel's `IFNAMSIZ` is 16; one is the NUL.
pub const INTERFACE_LEN_MAX: usize = 15;

/// What an endpoint of UDP says beside host and port, behind `?` and apart by `&`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UdpOptions {
    /// `interface=eth0`: the network interface by which a group is joined and sent to. Default: the one of the default
    /// route. Of use only with a multicast address. On Windows it is the number of one.
    pub interface: Option<String>,
    /// `ttl=4`: how many routers may pass a datagram on, 1 to 255, to a group 0 to 255. Default: the kernel's, which is 64 to one machine
    /// and 1 to a group; so a group ends at the first router. 0 leaves a group's datagram on this machine.
    pub ttl: Option<u8>,
    /// `broadcast=yes`: may be sent to every machine of a network at once (SO_BROADCAST). Default no, which has the
    /// kernel refuse such an address with EACCES: who means one machine does not reach all by a slip.
    pub broadcast: bool,
}

impl UdpOptions {
    /// Reads what stands behind the `?`.
    pub(super) fn read(query: Option<&str>, is_group: bool) -> Result<Self, EndpointError> {
        let mut options = Self::default();
        for option in query.into_iter().flat_map(|query| query.split('&')) {
            let invalid = |name, value: &str, expected| {
                Err(EndpointError::InvalidOption { name, value: value.to_owned(), expected })
            };
            match option.split_once('=') {
                Some(("interface", name)) if options.interface.is_none() => match name.len() {
                    1..=INTERFACE_LEN_MAX if is_interface(name) => options.interface = Some(name.to_owned()),
                    _ => return invalid("interface", name, "the name of one, of at most 15 octets: `ip link`"),
                },
                Some(("ttl", ttl)) if options.ttl.is_none() => match ttl.parse() {
                    // The kernel takes no 0 for one machine, which could not even be this one.
                    Ok(number) if ttl.bytes().all(|octet| octet.is_ascii_digit()) && (is_group || number > 0) => {
                        options.ttl = Some(number);
                    }
                    _ if is_group => return invalid("ttl", ttl, "a number from 0 to 255"),
                    _ => return invalid("ttl", ttl, "a number from 1 to 255"),
                },
                Some(("broadcast", value)) if !options.broadcast => match value {
                    "yes" => options.broadcast = true,
                    _ => return invalid("broadcast", value, "yes, or nothing of it at all"),
                },
                _ => return Err(EndpointError::UnknownOption(option.to_owned())),
            }
        }
        Ok(options)
    }
}

/// Tells whether a name can be an interface's: the kernel takes what has no slash and no space.
fn is_interface(name: &str) -> bool {
    !name.contains(['/', ' ', '&', '?']) && name != "." && name != ".."
}

impl fmt::Display for UdpOptions {
    /// Prints what comes behind the port; nothing where no option is set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.interface.as_ref().map(|name| format!("interface={name}"));
        let ttl = self.ttl.map(|ttl| format!("ttl={ttl}"));
        let broadcast = self.broadcast.then(|| "broadcast=yes".to_owned());
        for (place, option) in [interface, ttl, broadcast].into_iter().flatten().enumerate() {
            write!(f, "{}{option}", if place == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Endpoint;

    #[test]
    fn each_option_is_told_what_it_expects() {
        let mistake = |query: &str| format!("udp://239.0.0.1:1?{query}").parse::<Endpoint>().unwrap_err().to_string();
        let options = "expected `interface=NAME`, `ttl=N` or `broadcast=yes`, each once, apart by `&`";
        for unknown in ["", "loop=no", "ttl", "TTL=1", "ttl=1&ttl=2", "ttl=1&"] {
            let last = unknown.rsplit('&').next().unwrap();
            assert_eq!(mistake(unknown), format!("`{last}`: {options}"));
        }
        for ttl in ["", "256", "-1", "+1", "x"] {
            assert_eq!(mistake(&format!("ttl={ttl}")), format!("ttl `{ttl}`: expected a number from 0 to 255"));
        }
        let one = "udp://127.0.0.1:1?ttl=0".parse::<Endpoint>().unwrap_err().to_string();
        assert_eq!(one, "ttl `0`: expected a number from 1 to 255");
        assert!("udp://127.0.0.1:1?ttl=1".parse::<Endpoint>().is_ok());
        for name in ["", "a/b", "a b", "sixteen-octets-x"] {
            let expected = "expected the name of one, of at most 15 octets: `ip link`";
            assert_eq!(mistake(&format!("interface={name}")), format!("interface `{name}`: {expected}"));
        }
        assert_eq!(mistake("broadcast=no"), "broadcast `no`: expected yes, or nothing of it at all");
    }
}
