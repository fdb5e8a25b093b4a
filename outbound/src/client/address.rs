//! Which addresses may be dialled for callers: the public ones, and what an operator has allowed beside them.
//! The client and its resolver ask. What must stay true: an address in disguise (mapped, tunnelled, translated) is
//! refused or judged by what is under it, and what nobody has thought of is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::error::{Error, Result};

/// What IANA lists as not globally reachable, and one address of Azure's inside every one of its networks.
const CLOSED_V4: [(Ipv4Addr, u8); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // with the metadata services of most clouds
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];

/// All of IPv6 that is given to the public; loopback, ULA, link-local, multicast, NAT64 and others lie outside.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
/// What is in there all the same: protocols with Teredo, documentation twice, 6to4.
const CLOSED_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// What a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Public addresses and those that are allowed.
    Public,
    /// Those that are allowed.
    AllowedOnly,
}

/// The networks of our own that callers may reach through this service; none unless an operator says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<IpNet>);

impl Allowed {
    /// Whether nothing is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request under `rule` may dial this address.
    pub(super) fn passes(&self, address: IpAddr, rule: Rule) -> bool {
        // ::ffff:10.0.0.1 is 10.0.0.1
        let address = address.to_canonical();
        let allowed = self.0.iter().any(|net| net.contains(&address));
        allowed || (rule == Rule::Public && is_public(address))
    }
}

impl FromStr for Allowed {
    type Err = Error;

    /// Reads addresses and networks such as `127.0.0.1,10.1.0.0/16`, separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let nets = parts.map(|part| {
            let net = part.parse().or_else(|_| part.parse().map(IpAddr::into));
            net.map_err(|_| Error::Setting {
                setting: "--allow-addresses",
                reason: format!("`{part}` is no network such as 10.1.0.0/16 and no address"),
            })
        });
        Ok(Allowed(nets.collect::<Result<_>>()?))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4
            .iter()
            .any(|&(net, length)| in_v4(net, length, address)),
        IpAddr::V6(address) => {
            in_v6(PUBLIC_V6, address) && !CLOSED_V6.iter().any(|&net| in_v6(net, address))
        }
    }
}

fn in_v4(net: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    Ipv4Net::new_assert(net, length).contains(&address)
}

fn in_v6((net, length): (Ipv6Addr, u8), address: Ipv6Addr) -> bool {
    Ipv6Net::new_assert(net, length).contains(&address)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn passes(allowed: &str, address: &str) -> bool {
        let allowed: Allowed = allowed.parse().unwrap();
        allowed.passes(address.parse().unwrap(), Rule::Public)
    }

    #[test]
    fn no_address_inside_any_network_is_dialled_however_it_is_written() {
        for address in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:10::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ] {
            assert!(!passes("", address), "{address} is dialled");
        }
    }

    #[test]
    fn public_addresses_are_dialled() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2600::1",
            "2a00:1450:4001::1",
            "2001:4860:4860::8888",
        ] {
            assert!(passes("", address), "{address} is not dialled");
        }
    }

    #[test]
    fn what_is_allowed_is_dialled_and_its_neighbours_are_not() {
        assert!(passes("127.0.0.1, 10.1.0.0/16", "10.1.2.3"));
        assert!(passes("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(passes("fd00::/8", "fd12::1"));
        assert!(!passes("127.0.0.1", "127.0.0.2"));
        assert!(!passes("10.1.0.0/16", "10.2.0.1"));
        let inside: Allowed = "10.1.0.0/16".parse().unwrap();
        assert!(!inside.passes("8.8.8.8".parse().unwrap(), Rule::AllowedOnly));
        assert!("10.1.0.0/33".parse::<Allowed>().is_err());
        assert!(
            "localhost"
                .parse::<Allowed>()
                .unwrap_err()
                .to_string()
                .contains("localhost")
        );
    }
}
