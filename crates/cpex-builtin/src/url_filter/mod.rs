//! `url_filter`: which URLs may stand in a payload.
//!
//! URLs are read as browsers read them, by the WHATWG standard: `http://0x7f.1/`, `http://2130706433/` and
//! `http://[::ffff:127.0.0.1]/` are all this machine. Names are not resolved: a name whose record points to a private
//! address passes here, and must be stopped where the connection is made; [`is_public`] tells there.

mod host;

use std::borrow::Cow;
use std::iter::successors;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::{Match, Regex};
use serde::Deserialize;
use url::{Host, ParseError, Url, form_urlencoded};

use crate::action::Action;
use crate::error::ConfigError;
use crate::finding::{Confidence, Finding, Report};
use crate::inspect::Detector;
use crate::redact::{RedactConfig, Redactor};
use crate::text::Place;
use host::{HostPattern, is_private};

pub use host::is_public;

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
    /// The only ports that may be used, if there are any. A URL without one has that of its scheme.
    pub ports: Vec<u16>,
    /// Whether addresses may be used that are not of the public internet, and names such as `localhost`.
    pub allow_private: bool,
    /// Whether a URL may carry a name or password, as in `https://name:password@example.com`.
    pub allow_userinfo: bool,
    /// Whether a host may have letters beyond ASCII, which can look like those of another host.
    pub allow_international: bool,
    /// Whether URLs within a URL are not looked at, as in `https://example.com/?next=http://10.0.0.1`: in its path, its
    /// fragment, and the names and values of its parameters.
    pub allow_inner: bool,
    /// Names of fields whose whole text is a URL or host even without a scheme, and the last words of such names:
    /// `url` is `image_url` and `imageUrl`, too.
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
            ports: Vec::new(),
            allow_private: false,
            allow_userinfo: false,
            allow_international: true,
            allow_inner: false,
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

/// Something with a scheme: `name://…`, or one of the schemes that do without slashes. What stands before the scheme
/// does not matter to who opens `_http://…`. One that is percent-encoded as a whole is the value of a parameter, and
/// ends where the next begins.
static WITH_SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix)
        (?: [a-z][a-z0-9+.-]{0,30} : [/\\]{2} | (?:https?|ftp|wss?) : [/\\]?
          | \b(?:javascript|vbscript|data|file|blob|about) : )
        [^\s"'<>`{}|^]+
        | [a-z][a-z0-9+.-]{0,30} %(?:25)*3a (?: [/\\] | %(?:25)*(?:2f|5c) ){2} [^\s"'<>`{}|^&]+"#,
    )
    .expect("the pattern is valid")
});

/// `name:` at the beginning, as far as it is no host with a port.
static SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z][A-Za-z0-9+-]*:(?:[^0-9]|$)").expect("the pattern is valid"));

/// The same with its colon percent-encoded.
static ENCODED_SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new("^[A-Za-z][A-Za-z0-9+-]*%(?:25)*3[Aa]").expect("the pattern is valid"));

/// Schemes that have no host, and may have a digit behind the colon.
const OPAQUE: [&str; 6] = ["about:", "blob:", "data:", "file:", "javascript:", "vbscript:"];

/// How many URLs may stand in each other's parameters before nobody looks further.
const NESTED: usize = 3;

/// How often a part of a URL may be percent-encoded before nobody decodes it further.
const ENCODED: usize = 3;

impl UrlFilter {
    /// Compiles the configuration.
    ///
    /// # Errors
    /// A host or scheme is none, or there is no scheme.
    pub fn new(config: UrlFilterConfig) -> Result<Self, ConfigError> {
        if config.schemes.is_empty() {
            return Err(ConfigError::new("schemes", "empty: give at least one, such as https"));
        }
        let sign = |sign: char| sign.is_ascii_alphanumeric() || "+-.".contains(sign);
        if let Some(index) = config.schemes.iter().position(|scheme| !scheme.chars().all(sign)) {
            let problem = format!("{:?} is no scheme: expected a name such as https", config.schemes[index]);
            return Err(ConfigError::new(format!("schemes[{index}]"), problem));
        }
        // No text is to wait for this.
        LazyLock::force(&WITH_SCHEME);
        LazyLock::force(&SCHEME);
        LazyLock::force(&ENCODED_SCHEME);
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
        self.nested_objection(url, NESTED)
    }

    fn nested_objection(&self, url: &str, nested: usize) -> Option<&'static str> {
        let Some(url) = parsed(url) else { return Some("malformed_url") };
        let config = &self.config;
        if !config.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(url.scheme())) {
            return Some("denied_scheme");
        }
        if !config.allow_userinfo && (!url.username().is_empty() || url.password().is_some()) {
            return Some("userinfo");
        }
        let port = url.port_or_known_default();
        if !config.ports.is_empty() && port.is_none_or(|port| !config.ports.contains(&port)) {
            return Some("denied_port");
        }
        self.host_objection(&url).or_else(|| self.inner_objection(&url, nested))
    }

    fn host_objection(&self, url: &Url) -> Option<&'static str> {
        let host = match url.host() {
            // The standard reads a host's numbers only in the schemes of the web.
            Some(Host::Domain(name)) => match Host::parse(name.trim_end_matches('.')) {
                Ok(host) => host,
                Err(_) => return Some("malformed_url"),
            },
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
        if !self.config.allow_private && !named && is_private(&host) {
            return Some("private_address");
        }
        let international =
            matches!(&host, Host::Domain(name) if name.split('.').any(|label| label.starts_with("xn--")));
        (international && !self.config.allow_international).then_some("international_host")
    }

    /// What is wrong with a URL in a parameter, the fragment or the path: who is asked may go there.
    fn inner_objection(&self, url: &Url, nested: usize) -> Option<&'static str> {
        if self.config.allow_inner {
            return None;
        }
        let fragment = url.fragment().unwrap_or_default();
        let pairs = url.query_pairs().chain(form_urlencoded::parse(fragment.as_bytes()));
        let mut parts = pairs.flat_map(|(name, value)| [name, value]).chain([Cow::from(fragment)]);
        let object = |inner: String| match nested.checked_sub(1) {
            Some(nested) => self.nested_objection(&inner, nested),
            None => Some("nested_url"),
        };
        let in_part =
            |part: Cow<'_, str>| in_readings(&part, |read| inner_url(read, url.scheme()).and_then(&object));
        let in_path = |path: &str| {
            let path = &*as_parsed(path);
            let inner = WITH_SCHEME.find_iter(path).map(|found| found.as_str());
            let goes_on = |inner: &&str| [":/", ":\\"].iter().any(|sign| inner.contains(sign));
            inner.filter(goes_on).map(str::to_owned).find_map(&object)
        };
        parts.find_map(in_part).or_else(|| in_readings(url.path(), in_path))
    }

    fn find(&self, text: &str, name: Option<&str>) -> Vec<Finding> {
        let finding = |kind: &str, span| Finding::new(kind, span, Confidence::High);
        if let Some(kind) = self.whole(text, name).and_then(|url| self.objection(&url)) {
            return vec![finding(kind, 0..text.len())];
        }
        let (mut findings, mut users, mut passed) = (Vec::new(), Users::default(), 0);
        for found in WITH_SCHEME.find_iter(text) {
            if found.start() < passed {
                continue;
            }
            let authority_ends = users.end(text, &found).unwrap_or(found.end());
            passed = authority_ends.max(found.end());
            let url = without_punctuation(&text[found.start()..passed]);
            if let Some(kind) = self.objection(url) {
                findings.push(finding(kind, found.start()..found.start() + url.len()));
            }
        }
        findings
    }

    /// The URL that a text is as a whole: its field's name says so, or it begins with a scheme and has no spaces.
    fn whole<'a>(&self, text: &'a str, name: Option<&str>) -> Option<Cow<'a, str>> {
        let trimmed = trimmed(text);
        let url = as_parsed(text);
        let absolute = has_scheme(&url);
        let named = name.is_some_and(|name| self.config.fields.iter().any(|field| is_called(name, field)));
        if !named {
            let list = || trimmed.split(['\t', '\r', '\n']).skip(1).any(has_scheme);
            let one = absolute && !trimmed.contains(' ') && !list();
            return one.then(|| without_punctuation(&url).to_owned().into());
        }
        let slashes = url.len() - url.trim_start_matches(['/', '\\']).len();
        // What begins with one slash or a dot stays on its host.
        if url.is_empty() || slashes == 1 || url.starts_with(['#', '?', '.']) {
            None
        } else if absolute || ENCODED_SCHEME.is_match(&url) {
            Some(url)
        } else {
            Some(format!("{}://{}", self.config.schemes[0], &url[slashes..]).into())
        }
    }
}

fn trimmed(url: &str) -> &str {
    url.trim_matches(|sign: char| sign <= ' ' || sign.is_whitespace())
}

/// A URL; one whose scheme is percent-encoded is decoded before.
fn parsed(url: &str) -> Option<Url> {
    let mut parsed = readings(url).take(1 + ENCODED).map(|url| Url::parse(&url));
    parsed.find(|parsed| !matches!(parsed, Err(ParseError::RelativeUrlWithoutBase)))?.ok()
}

/// A text as it stands there, and as those read it who decode it once, twice, and so on.
fn readings(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    successors(Some(Cow::from(text)), |text| {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        (decoded != *text).then(|| Cow::from(decoded.into_owned()))
    })
}

/// What is wrong with any reading of a part of a URL, and with one that nobody reads to its end.
fn in_readings(part: &str, objection: impl Fn(&str) -> Option<&'static str>) -> Option<&'static str> {
    let mut readings = readings(part);
    let found = readings.by_ref().take(1 + ENCODED).find_map(|read| objection(&read));
    found.or_else(|| readings.next().map(|_| "nested_url"))
}

/// What the standard's parser reads of a URL: nothing around it, and no line breaks and tabs in it.
fn as_parsed(url: &str) -> Cow<'_, str> {
    let url = trimmed(url);
    match url.contains(['\t', '\r', '\n']) {
        true => Cow::from(url.replace(['\t', '\r', '\n'], "")),
        false => Cow::from(url),
    }
}

/// The URL that a parameter of a URL is. What begins with two slashes has the scheme of that URL.
fn inner_url(value: &str, scheme: &str) -> Option<String> {
    let value = as_parsed(value);
    let host = value.trim_start_matches(['/', '\\']);
    if value.len() - host.len() >= 2 {
        return host.starts_with(|sign: char| !sign.is_whitespace()).then(|| format!("{scheme}://{host}"));
    }
    let begins = WITH_SCHEME.find(&value).is_some_and(|found| found.start() == 0);
    begins.then(|| value.into_owned())
}

fn has_scheme(url: &str) -> bool {
    let opaque =
        |scheme: &&str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    SCHEME.is_match(url) || OPAQUE.iter().any(opaque)
}

/// Whether a field has a name, or has it as its last word: `imageUrl`, `image_urls` and `URL` are called `url`.
fn is_called(name: &str, wanted: &str) -> bool {
    is_word_of(name, wanted) || name.strip_suffix(['s', 'S']).is_some_and(|one| is_word_of(one, wanted))
}

fn is_word_of(name: &str, wanted: &str) -> bool {
    let Some(at) = name.len().checked_sub(wanted.len()) else { return false };
    let (Some(before), Some(last)) = (name.get(..at), name.get(at..)) else { return false };
    let begins = last.starts_with(char::is_uppercase) && before.ends_with(char::is_lowercase)
        || !before.ends_with(char::is_alphanumeric);
    begins && last.eq_ignore_ascii_case(wanted)
}

/// Where the part before an `@` may go on behind what ends a URL elsewhere: `http://example.com|@10.0.0.1` has the
/// host 10.0.0.1. Remembers how far it has looked, so that a text is read once.
#[derive(Default)]
struct Users {
    seen: usize,
    last_at: Option<usize>,
}

impl Users {
    fn end(&mut self, text: &str, url: &Match<'_>) -> Option<usize> {
        let is_end = |sign: char| sign.is_whitespace() || "/\\?#".contains(sign);
        let (_, behind_scheme) = url.as_str().split_once(':')?;
        if behind_scheme.trim_start_matches(['/', '\\']).contains(is_end) {
            return None;
        }
        if self.seen <= url.end() {
            self.seen = text[url.end()..].find(is_end).map_or(text.len(), |length| url.end() + length);
            self.last_at = text[url.end()..self.seen].rfind('@').map(|at| url.end() + at);
        }
        self.last_at.filter(|at| *at >= url.end()).map(|_| self.seen)
    }
}

/// Without the signs that belong to the sentence, and not to the URL.
fn without_punctuation(url: &str) -> &str {
    let count = |sign: char| url.matches(sign).count();
    let mut open =
        [(')', count(')').saturating_sub(count('('))), (']', count(']').saturating_sub(count('[')))];
    url.trim_end_matches(|sign| match open.iter_mut().find(|(close, left)| *close == sign && *left > 0) {
        Some((_, left)) => {
            *left -= 1;
            true
        }
        None => matches!(sign, '.' | ',' | ';' | '!' | '?'),
    })
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
