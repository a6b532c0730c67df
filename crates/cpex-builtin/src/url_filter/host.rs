//! Hosts: which of them a pattern means, and which are not of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;

use crate::error::ConfigError;

/// A host, or all hosts below one.
pub(super) struct HostPattern {
    host: Host,
    below: bool,
}

impl HostPattern {
    pub(super) fn all(hosts: &[String], field: &str) -> Result<Vec<Self>, ConfigError> {
        let read = |(index, text): (usize, &String)| {
            let (below, name) = text.strip_prefix("*.").map_or((false, text.as_str()), |name| (true, name));
            let wrong = |problem: &str| {
                let right = "expected example.com, *.example.com for all below it, or an address";
                ConfigError::new(
                    format!("{field}[{index}]"),
                    format!("{text:?} is no host ({problem}): {right}"),
                )
            };
            let bare = name.parse().map(Host::Ipv6);
            let host = bare.or_else(|_| Host::parse(name)).map_err(|error| wrong(&error.to_string()))?;
            match &host {
                Host::Domain(name) if name.contains('*') => {
                    Err(wrong("a star stands only before the first dot"))
                }
                Host::Ipv4(_) | Host::Ipv6(_) if below => Err(wrong("nothing is below an address")),
                _ => Ok(Self { host, below }),
            }
        };
        hosts.iter().enumerate().map(read).collect()
    }

    pub(super) fn fits(&self, host: &Host) -> bool {
        match (&self.host, host) {
            (Host::Domain(wanted), Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                match name.strip_suffix(wanted.trim_end_matches('.')) {
                    Some("") => !self.below,
                    Some(rest) => self.below && rest.ends_with('.'),
                    None => false,
                }
            }
            (wanted, host) => wanted == host,
        }
    }
}

/// Whether a host is not of the public internet, as far as it says so itself.
pub(super) fn is_private(host: &Host) -> bool {
    match host {
        Host::Ipv4(address) => !is_public_v4(*address),
        Host::Ipv6(address) => !is_public_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            !name.contains('.') || PRIVATE.iter().any(|end| name.strip_suffix(end).is_some_and(is_below))
        }
    }
}

/// Names that are not of the public internet, and services whose names are whatever address one writes into them.
const PRIVATE: [&str; 15] = [
    "corp",
    "home",
    "home.arpa",
    "internal",
    "intranet",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
    "svc",
    "localtest.me",
    "lvh.me",
    "nip.io",
    "sslip.io",
];

fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.ends_with('.')
}

/// The special-purpose registry of IANA, RFC 6890 and its updates.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = match segments {
        // ::ffff:0:0/96 and ::/96, NAT64, 6to4
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    };
    match embedded {
        Some(address) => is_public_v4(address),
        // 2000::/3 is all that is public, without documentation, Teredo and benchmarks.
        None => {
            segments[0] & 0xe000 == 0x2000
                && !(segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
                && !(segments[0] == 0x3fff && segments[1] < 0x1000)
        }
    }
}

/// Whether an address is of the public internet.
///
/// ```
/// use cpex_builtin::url_filter::is_public;
///
/// assert!(is_public("93.184.215.14".parse()?));
/// assert!(!is_public("169.254.169.254".parse()?));
/// assert!(!is_public("::ffff:10.0.0.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}
