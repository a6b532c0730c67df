//! Who may ask: web pages may not, and strangers only where no token is asked for.

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
#[cfg(feature = "mcp")]
use hyper::http::StatusCode;
use hyper::http::uri::Authority;
use hyper::http::{Extensions, Uri};
use subtle::ConstantTimeEq;

use super::identity::{ClientName, Peer};
use crate::secret::Secret;

#[cfg(test)]
mod tests;

/// Whom a server answers.
///
/// A page in a browser can make its visitors' machines ask a server that only they reach, and by changing what its
/// name stands for (DNS rebinding) it can read the answers. So a server that only this machine reaches answers only
/// to its own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Asked of every peer, as `Authorization: Bearer …`; health needs none. Visible ASCII, and at least one character.
    pub token: Option<Secret>,
    /// Names of clients, one of which must be in the certificate that a peer shows; health needs none. If none is listed,
    /// any certificate will do that TLS takes.
    pub clients: Vec<ClientName>,
    /// Names (`host` or `host:port`) by which the server may be called. Besides `localhost`, `127.0.0.1` and `[::1]`
    /// where only this machine reaches it; elsewhere any name, if none is listed.
    pub hosts: Vec<String>,
    /// Pages (`https://host[:port]`) that may ask. Besides those of this machine where only it reaches the server;
    /// elsewhere any page, if none is listed.
    pub origins: Vec<String>,
}

/// A peer is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    Host,
    Origin,
    Token,
    Client,
}

impl Denied {
    #[cfg(feature = "mcp")]
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin | Self::Client => StatusCode::FORBIDDEN,
            Self::Token => StatusCode::UNAUTHORIZED,
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Host => "Invalid Host header",
            Self::Origin => "Invalid Origin header",
            Self::Token => "Unauthorized: the bearer token is missing or wrong",
            Self::Client => "The client's certificate has no name that is let in",
        }
    }
}

/// [`Access`], at a server.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    access: Access,
    local: bool,
}

impl Guard {
    /// `local`: only this machine reaches the server.
    pub(crate) fn new(access: Access, local: bool) -> Self {
        Self { access, local }
    }

    /// Is there a list of the names by which the server may be called?
    #[cfg(feature = "grpc")]
    pub(crate) fn lists_hosts(&self) -> bool {
        !self.access.hosts.is_empty()
    }

    /// Is the server meant?
    pub(crate) fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
        if !self.local && self.access.hosts.is_empty() {
            return Ok(());
        }
        let named = match text(headers, &HOST) {
            Some(host) => host.parse().ok(),
            None => uri.authority().cloned(),
        };
        let known = named.is_some_and(|named: Authority| {
            self.access.hosts.iter().any(|host| same(host, &named)) || (self.local && is_here(named.host()))
        });
        if known { Ok(()) } else { Err(Denied::Host) }
    }

    /// May the page ask, if it is one that asks?
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Denied> {
        if !headers.contains_key(ORIGIN) || (!self.local && self.access.origins.is_empty()) {
            return Ok(());
        }
        let known = text(headers, &ORIGIN).is_some_and(|origin| {
            let here = origin.parse::<Uri>().is_ok_and(|page| page.host().is_some_and(is_here));
            self.access.origins.iter().any(|page| page.eq_ignore_ascii_case(origin)) || (self.local && here)
        });
        if known { Ok(()) } else { Err(Denied::Origin) }
    }

    /// Is the peer one that may ask?
    pub(crate) fn check_peer(&self, headers: &HeaderMap, extensions: &Extensions) -> Result<(), Denied> {
        self.check_token(headers)?;
        let listed = &self.access.clients;
        let known = listed.is_empty() || extensions.get::<Peer>().is_some_and(|peer| peer.is_among(listed));
        if known { Ok(()) } else { Err(Denied::Client) }
    }

    /// Does the peer know the token, if there is one?
    fn check_token(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(token) = &self.access.token else { return Ok(()) };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(bearer);
        let right = given.is_some_and(|given| bool::from(given.ct_eq(token.reveal().as_bytes())));
        if right { Ok(()) } else { Err(Denied::Token) }
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// The only value of a header; two of them could mean one thing here and another elsewhere.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn is_here(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|here| host.eq_ignore_ascii_case(here))
}

/// Does a listed name allow this one? Without a port it allows any.
fn same(listed: &str, named: &Authority) -> bool {
    listed.eq_ignore_ascii_case(named.as_str()) || listed.eq_ignore_ascii_case(named.host())
}
