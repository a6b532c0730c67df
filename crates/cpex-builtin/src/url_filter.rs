//! `url_filter`: which URLs may stand in a payload.
//!
//! URLs are read as browsers read them, by the WHATWG standard: `http://0x7f.1/`, `http://2130706433/` and
//! `http://[::ffff:127.0.0.1]/` are all this machine. Names are not resolved: a name whose record points to a private
//! address passes here, and must be stopped where the connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde::Deserialize;
use url::{Host, Url};

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;

/// The configuration of `url_filter`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct UrlFilterConfig {
    /// The only schemes that may be used.
    pub schemes: Vec<String>,
    /// The only hosts that may be used, if there are any: `example.com`, `*.example.com` for all below it, an address.
    pub allow_hosts: Vec<String>,
    /// Hosts that may not be used. They go before `allow_hosts`.
    pub deny_hosts: Vec<String>,
    /// Whether addresses may be used that are not of the public internet, and names such as `localhost`.
    pub allow_private: bool,
    /// Whether a URL may carry a name or password, as in `https://name:password@example.com`.
    pub allow_userinfo: bool,
    /// Whether a host may have letters beyond ASCII, which can look like those of another host.
    pub allow_international: bool,
    /// Names of fields whose whole text is a URL or host even without a scheme.
    pub fields: Vec<String>,
    /// What happens to a payload with a URL that may not be used.
    pub action: Action,
    /// What takes the place of such a URL.
    pub redact: RedactConfig,
}

impl Default for UrlFilterConfig {
    fn default() -> Self {
        Self {
            schemes: vec!["http".to_owned(), "https".to_owned()],
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            allow_private: false,
            allow_userinfo: false,
            allow_international: true,
            fields: ["url", "uri", "href", "link", "endpoint", "host", "hostname"]
                .map(str::to_owned)
                .to_vec(),
            action: Action::Deny,
            redact: RedactConfig::default(),
        }
    }
}

/// Decides about URLs.
pub struct UrlFilter {
    config: UrlFilterConfig,
    allow_hosts: Vec<HostPattern>,
    deny_hosts: Vec<HostPattern>,
    redactor: Redactor,
}

/// Something with a scheme: `name://…`, or one of the schemes that do without slashes.
static WITH_SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:[a-z][a-z0-9+.-]{0,30}:[/\\]{2}|(?:https?|ftp|wss?):[/\\]?|(?:javascript|vbscript|data|file|blob|about):)[^\s"'<>`{}|^]+"#)
        .expect("the pattern is valid")
});

impl UrlFilter {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// A host is none, or there is no scheme.
    pub fn new(config: UrlFilterConfig) -> Result<Self, ConfigError> {
        if config.schemes.is_empty() {
            return Err(ConfigError::new("schemes", "empty: give at least one, such as https"));
        }
        Ok(Self {
            allow_hosts: HostPattern::all(&config.allow_hosts, "allow_hosts")?,
            deny_hosts: HostPattern::all(&config.deny_hosts, "deny_hosts")?,
            redactor: Redactor::new(config.redact.clone(), "redact")?,
            config,
        })
    }

    /// Why a URL may not be used, `None` if it may.
    #[must_use]
    pub fn objection(&self, url: &str) -> Option<&'static str> {
        let Ok(url) = Url::parse(url) else { return Some("malformed_url") };
        let config = &self.config;
        if !config.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(url.scheme())) {
            return Some("denied_scheme");
        }
        if !config.allow_userinfo && (!url.username().is_empty() || url.password().is_some()) {
            return Some("userinfo");
        }
        let host = match url.host() {
            // The standard reads a host's numbers only in the schemes of the web.
            Some(Host::Domain(name)) => Host::parse(name).unwrap_or_else(|_| Host::Domain(name.to_owned())),
            Some(host) => host.to_owned(),
            None => return (!self.allow_hosts.is_empty()).then_some("denied_host"),
        };
        if self.deny_hosts.iter().any(|pattern| pattern.fits(&host)) {
            return Some("denied_host");
        }
        let named = self.allow_hosts.iter().any(|pattern| pattern.fits(&host));
        if !self.allow_hosts.is_empty() && !named {
            return Some("denied_host");
        }
        if !config.allow_private && !named && is_private(&host) {
            return Some("private_address");
        }
        let international =
            matches!(&host, Host::Domain(name) if name.split('.').any(|label| label.starts_with("xn--")));
        (international && !config.allow_international).then_some("international_host")
    }

    fn find(&self, text: &str, name: Option<&str>) -> Vec<Finding> {
        let finding =
            |kind: &str, span| Finding { kind: Arc::from(kind), span, confidence: Confidence::High };
        let mut findings: Vec<Finding> = (WITH_SCHEME.find_iter(text))
            .map(|found| {
                (found.start(), found.as_str().trim_end_matches(['.', ',', ';', ')', ']', '!', '?']))
            })
            .filter_map(|(start, url)| Some(finding(self.objection(url)?, start..start + url.len())))
            .collect();
        let whole =
            name.is_some_and(|name| self.config.fields.iter().any(|field| field.eq_ignore_ascii_case(name)));
        if whole && !text.trim().is_empty() && !WITH_SCHEME.is_match(text) {
            let url = format!("{}://{}", self.config.schemes[0], text.trim().trim_start_matches(['/', '\\']));
            findings.extend(self.objection(&url).map(|kind| finding(kind, 0..text.len())));
        }
        findings
    }
}

impl Detector for UrlFilter {
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String> {
        let name = if place.is_key() { None } else { place.name() };
        self.config.action.carry_out(text, self.find(text, name), &self.redactor, place, report)
    }

    fn conclude(&self, report: &mut Report) {
        self.config.action.conclude(report, "URL_DENIED", "the payload has a URL that may not be used");
    }

    fn rewrites(&self) -> bool {
        self.config.action == Action::Redact
    }
}

/// A host, or all hosts below one.
struct HostPattern {
    host: Host,
    below: bool,
}

impl HostPattern {
    fn all(hosts: &[String], field: &str) -> Result<Vec<Self>, ConfigError> {
        let read = |(index, text): (usize, &String)| {
            let (below, name) = text.strip_prefix("*.").map_or((false, text.as_str()), |name| (true, name));
            let host = Host::parse(name).map_err(|error| {
                ConfigError::new(format!("{field}[{index}]"), format!("{text:?} is no host: {error}"))
            })?;
            Ok(Self { host, below })
        };
        hosts.iter().enumerate().map(read).collect()
    }

    fn fits(&self, host: &Host) -> bool {
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
fn is_private(host: &Host) -> bool {
    match host {
        Host::Ipv4(address) => !is_public_v4(*address),
        Host::Ipv6(address) => !is_public_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            !name.contains('.')
                || [
                    ".localhost",
                    ".local",
                    ".internal",
                    ".localdomain",
                    ".lan",
                    ".home.arpa",
                    ".corp",
                    ".intranet",
                ]
                .iter()
                .any(|end| name.ends_with(end))
        }
    }
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
