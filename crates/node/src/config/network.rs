//! Networks: who may use a port that is open to others.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network of machines: an address and how many of its first bits they share, `10.0.0.0/24`, `fd00::/8`.
///
/// A single machine is a network too: `10.0.0.7` is `10.0.0.7/32`. IPv4 written as IPv6 (`::ffff:10.0.0.0/120`) is
/// IPv4. `0.0.0.0/0` is every IPv4 machine and `::/0` every IPv6 one.
///
/// # Examples
///
/// ```
/// use soquete_node::config::Network;
///
/// let office: Network = "10.0.0.0/24".parse()?;
/// assert!(office.contains("10.0.0.7".parse().unwrap()));
/// assert!(!office.contains("10.0.1.7".parse().unwrap()));
///
/// let mistake = "10.0.0.1/24".parse::<Network>().unwrap_err();
/// assert!(mistake.to_string().ends_with("expected 10.0.0.0/24"));
/// # Ok::<(), soquete_node::config::NetworkError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    /// Its first address: every bit beyond `prefix` is 0, and it is never IPv4 written as IPv6.
    first: IpAddr,
    /// At most the bits of `first`.
    prefix: u8,
}

impl Network {
    /// Makes the network whose addresses share the first `prefix` bits of `first`.
    ///
    /// # Errors
    /// The prefix is longer than the address, or the address has bits beyond it.
    pub fn new(first: IpAddr, prefix: u8) -> Result<Self, NetworkError> {
        let (first, prefix) = canonical(first, prefix);
        let max = bits(first);
        if prefix > max {
            return Err(NetworkError::PrefixTooLong { prefix, max });
        }
        match masked(first, prefix) {
            network if network == first => Ok(Self { first, prefix }),
            network => Err(NetworkError::HostBits { meant: Self { first: network, prefix } }),
        }
    }

    /// Tells whether its machines have addresses of IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.first.is_ipv6()
    }

    /// Tells whether a machine belongs to it; an IPv4 address written as IPv6 counts as IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

/// Turns a network of IPv4 addresses written as IPv6 into an IPv4 one.
fn canonical(first: IpAddr, prefix: u8) -> (IpAddr, u8) {
    match (first, first.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(v4)) if (96..=128).contains(&prefix) => (v4.into(), prefix - 96),
        _ => (first, prefix),
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Clears every bit of an address after the first `prefix`.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let cleared = u32::from(bits(address) - prefix);
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(cleared).unwrap_or(0)).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(cleared).unwrap_or(0)).into(),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::NoAddress)?;
        let prefix = match prefix {
            None => bits(address),
            Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError::NoPrefix)?
            }
            Some(_) => return Err(NetworkError::NoPrefix),
        };
        Self::new(address, prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkError {
    /// What stands before the slash is no address; names are not looked up.
    NoAddress,
    /// What stands behind the slash is no number of bits.
    NoPrefix,
    /// The prefix has more bits than the address.
    PrefixTooLong {
        /// The bits it has.
        prefix: u8,
        /// The bits of the address.
        max: u8,
    },
    /// The address has bits beyond the prefix, so it is a machine of the network and not its first address.
    HostBits {
        /// The network of that machine.
        meant: Network,
    },
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress => f.write_str("no address; expected a network such as 10.0.0.0/24 or fd00::/8"),
            Self::NoPrefix => f.write_str("no number of bits after the slash; expected such as 10.0.0.0/24"),
            Self::PrefixTooLong { prefix, max } => write!(f, "a prefix of {prefix} bits; expected at most {max}"),
            Self::HostBits { meant } => write!(f, "bits set beyond the prefix; expected {meant}"),
        }
    }
}

impl std::error::Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    fn contains(text: &str, address: &str) -> bool {
        network(text).contains(address.parse().unwrap())
    }

    fn error(text: &str) -> NetworkError {
        text.parse::<Network>().unwrap_err()
    }

    #[test]
    fn it_prints_as_it_is_written() {
        for text in ["10.0.0.0/24", "0.0.0.0/0", "10.0.0.7/32", "fd00::/8", "::/0", "::1/128"] {
            assert_eq!(network(text).to_string(), text);
        }
    }

    #[test]
    fn an_address_alone_is_a_network_of_one() {
        assert_eq!(network("10.0.0.7").to_string(), "10.0.0.7/32");
        assert_eq!(network("fd00::1").to_string(), "fd00::1/128");
    }

    #[test]
    fn it_contains_what_shares_its_prefix() {
        assert!(contains("10.0.0.0/24", "10.0.0.255"));
        assert!(!contains("10.0.0.0/24", "10.0.1.0"));
        assert!(contains("10.0.0.128/25", "10.0.0.128"));
        assert!(!contains("10.0.0.128/25", "10.0.0.127"));
        assert!(contains("fd00::/8", "fdff:ffff::1"));
        assert!(!contains("fd00::/8", "fe00::1"));
        assert!(contains("10.0.0.7", "10.0.0.7"));
        assert!(!contains("10.0.0.7", "10.0.0.6"));
    }

    #[test]
    fn all_of_one_family_is_nothing_of_the_other() {
        assert!(contains("0.0.0.0/0", "255.1.2.3"));
        assert!(!contains("0.0.0.0/0", "fd00::1"));
        assert!(contains("::/0", "fd00::1"));
        assert!(!contains("::/0", "10.0.0.1"));
    }

    #[test]
    fn ipv4_written_as_ipv6_is_ipv4() {
        assert!(contains("10.0.0.0/24", "::ffff:10.0.0.7"));
        assert!(!contains("::/0", "::ffff:10.0.0.7"));
        assert_eq!(network("::ffff:10.0.0.0/120"), network("10.0.0.0/24"));
        assert_eq!(network("::ffff:10.0.0.7"), network("10.0.0.7"));
    }

    #[test]
    fn bits_beyond_the_prefix_name_the_right_network() {
        assert_eq!(error("10.0.0.1/24"), NetworkError::HostBits { meant: network("10.0.0.0/24") });
        assert_eq!(error("fd00::1/8").to_string(), "bits set beyond the prefix; expected fd00::/8");
    }

    #[test]
    fn what_is_no_network_says_what_is_missing() {
        for text in ["", "led", "localhost/8", "/24", "10.0.0/24", "[::]/0", " 10.0.0.0/24"] {
            assert_eq!(error(text), NetworkError::NoAddress, "{text:?}");
        }
        for text in ["10.0.0.0/", "10.0.0.0/x", "10.0.0.0/+8", "10.0.0.0/256", "10.0.0.0/255.0.0.0"] {
            assert_eq!(error(text), NetworkError::NoPrefix, "{text:?}");
        }
        assert_eq!(error("10.0.0.0/33"), NetworkError::PrefixTooLong { prefix: 33, max: 32 });
        assert_eq!(error("fd00::/129"), NetworkError::PrefixTooLong { prefix: 129, max: 128 });
    }
}
