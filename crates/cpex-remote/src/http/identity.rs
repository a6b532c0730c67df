//! Who a client is, as its certificate says.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::ServerConnection;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A name in a client's certificate: `dns:gateway.internal`, `uri:spiffe://example.org/gateway`,
/// `email:gateway@example.org` (subject alternative names) or `cn:gateway` (the subject's common name).
///
/// Kinds are told apart, for an authority may check one kind of name and take another as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientName {
    /// A host, in any case.
    Dns(String),
    /// As in SPIFFE.
    Uri(String),
    /// A mail address.
    Email(String),
    /// The common name of the subject.
    Common(String),
}

/// A text names no client.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' names no client: write dns:NAME, uri:NAME, email:NAME or cn:NAME")]
pub struct InvalidClientName(String);

impl FromStr for ClientName {
    type Err = InvalidClientName;

    fn from_str(text: &str) -> Result<Self, InvalidClientName> {
        let invalid = || InvalidClientName(text.to_owned());
        let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty()).ok_or_else(invalid)?;
        match kind {
            "dns" => Ok(Self::Dns(name.to_ascii_lowercase())),
            "uri" => Ok(Self::Uri(name.to_owned())),
            "email" => Ok(Self::Email(name.to_owned())),
            "cn" => Ok(Self::Common(name.to_owned())),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = match self {
            Self::Dns(name) => ("dns", name),
            Self::Uri(name) => ("uri", name),
            Self::Email(name) => ("email", name),
            Self::Common(name) => ("cn", name),
        };
        write!(f, "{kind}:{name}")
    }
}

/// The names of whoever is at the other end of a connection; none, if it showed no certificate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer(Arc<[ClientName]>);

impl Peer {
    /// After the handshake: the certificate was checked.
    pub(super) fn of(connection: &ServerConnection) -> Self {
        let shown = connection.peer_certificates().and_then(<[_]>::first);
        Self(shown.map(|certificate| names(certificate)).unwrap_or_default().into())
    }

    pub(super) fn is_among(&self, listed: &[ClientName]) -> bool {
        self.0.iter().any(|name| listed.contains(name))
    }
}

fn names(certificate: &[u8]) -> Vec<ClientName> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let mut names: Vec<_> = common.map(|name| ClientName::Common(name.to_owned())).collect();
    if let Ok(Some(alternative)) = certificate.subject_alternative_name() {
        names.extend(alternative.value.general_names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(ClientName::Dns(name.to_ascii_lowercase())),
            GeneralName::URI(name) => Some(ClientName::Uri((*name).to_owned())),
            GeneralName::RFC822Name(name) => Some(ClientName::Email((*name).to_owned())),
            _ => None,
        }));
    }
    names
}
