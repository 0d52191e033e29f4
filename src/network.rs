//! Networks in CIDR notation, IPv4 and IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Why a text is no network: what would be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NetworkError(&'static str);

/// A network: an address and the length of its prefix, `192.0.2.0/24` or `2001:db8::/32`; a bare address is the network
/// of that address alone. An IPv4 address is one with its IPv4-mapped IPv6 form (RFC 4291, 2.5.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    /// The address as IPv6, IPv4-mapped for IPv4.
    bits: u128,
    /// 0 to 128; 96 more than written for IPv4.
    prefix: u8,
    family: Family,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Family {
    V4,
    V6,
}

impl Network {
    /// Whether `address` is one of this network. An IPv6 network holds no IPv4 address, however short its prefix.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, family) = mapped(address);
        family == self.family && (bits ^ self.bits) & mask(self.prefix) == 0
    }

    /// Whether it holds every address of its family.
    pub fn is_everything(&self) -> bool {
        self.written_prefix() == 0
    }

    /// The loopback networks of both families.
    pub fn loopback() -> Vec<Self> {
        let new = |address: IpAddr, prefix| {
            let (bits, family) = mapped(address);
            Self { bits: bits & mask(prefix), prefix, family }
        };
        vec![new(Ipv4Addr::LOCALHOST.into(), 104), new(Ipv6Addr::LOCALHOST.into(), 128)]
    }

    fn written_prefix(&self) -> u8 {
        match self.family {
            Family::V4 => self.prefix - 96,
            Family::V6 => self.prefix,
        }
    }

    fn address(&self) -> IpAddr {
        let address = Ipv6Addr::from_bits(self.bits);
        match (self.family, address.to_ipv4_mapped()) {
            (Family::V4, Some(address)) => IpAddr::V4(address),
            _ => IpAddr::V6(address),
        }
    }
}

fn mapped(address: IpAddr) -> (u128, Family) {
    let bits = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    };
    (bits, if bits >> 32 == 0xffff { Family::V4 } else { Family::V6 })
}

/// The first `prefix` bits; `prefix` is at most 128.
fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        const SHAPE: NetworkError =
            NetworkError("it must be a network such as 192.0.2.0/24 or 2001:db8::/32, or an address");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        // Postfix writes IPv6 networks with brackets: [2001:db8::]/32.
        let address = address.strip_prefix('[').and_then(|a| a.strip_suffix(']')).unwrap_or(address);
        let address: IpAddr = address.parse().map_err(|_| SHAPE)?;
        let length = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse::<u8>().map_err(|_| SHAPE)?,
            Some(_) => return Err(SHAPE),
            None => length,
        };
        if prefix > length {
            return Err(NetworkError("the prefix must be at most 32 (IPv4) or 128 (IPv6)"));
        }
        let (bits, family) = mapped(address);
        let prefix = prefix + (128 - length);
        if family == Family::V4 && prefix < 96 {
            return Err(NetworkError("write an IPv4 network as 192.0.2.0/24, not in its IPv6 form"));
        }
        if bits & !mask(prefix) != 0 {
            return Err(NetworkError("its address has bits beyond the prefix: write 10.0.0.0/8, not 10.0.0.1/8"));
        }
        Ok(Self { bits, prefix, family })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address(), self.written_prefix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().expect(network).contains(address.parse().expect(address))
    }

    #[test]
    fn an_address_is_in_its_network() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("127.0.0.0/8", "::ffff:127.0.0.1", "::7f00:1"),
            ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("[2001:db8::]/32", "2001:db8::1", "192.0.2.1"),
            ("0.0.0.0/0", "255.255.255.255", "2001:db8::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
        ] {
            assert!(contains(network, inside), "{inside} is in {network}");
            assert!(!contains(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in
            ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.1/8", "10/8", "10.0.0.0/+8", "::ffff:0:0/64"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::1/128"] {
            assert_eq!(text.parse::<Network>().map(|n| n.to_string()).as_deref(), Ok(text));
        }
        let loopback: Vec<_> = Network::loopback().iter().map(ToString::to_string).collect();
        assert_eq!(loopback, ["127.0.0.0/8", "::1/128"]);
    }
}
