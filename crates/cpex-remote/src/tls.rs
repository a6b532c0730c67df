//! TLS from files, as the configuration names them.
//!
//! Files are read when a configuration is made: a client makes one for every connection, and a server another one when
//! they have changed, so that renewed certificates are taken up. No error shows what a file contains.

mod files;
#[cfg(feature = "_http")]
mod renewal;
mod verifiers;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore, ServerConfig};

use files::{authorities, system_authorities};
use verifiers::{AnyName, Everybody};

use crate::secret::Secret;

#[cfg(feature = "_http")]
pub(crate) use renewal::Renewed;

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and a root (PEM).
    pub certfile: PathBuf,
    /// The key (PEM); in `certfile` if none is named.
    pub keyfile: Option<PathBuf>,
    /// What an encrypted key (PKCS #8) opens with.
    pub password: Option<Secret>,
}

/// What a client shows and whom it believes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Shown to a server that asks for it.
    pub identity: Option<Identity>,
    /// Whom servers are believed on the word of (PEM). Over gRPC they are the only ones; over MCP the system's authorities
    /// are believed, too, as in CPEX 0.1.x. If none is named, the system's are the only ones.
    pub ca_bundle: Option<PathBuf>,
    /// What is checked.
    pub verify: Verify,
}

/// What a client checks of a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Who signed it, when, and for which name.
    #[default]
    Full,
    /// Who signed it and when, whatever name it is for.
    AnyName,
    /// Nothing: whoever answers is believed.
    Nothing,
}

/// Who is believed besides the authorities of a CA bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nobody.
    Bundle,
    /// Those of the system.
    BundleAndSystem,
}

/// What a server shows and whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// Shown to every client.
    pub identity: Identity,
    /// Which clients are let in.
    pub clients: ClientAuth,
}

/// Whether a server asks clients for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// It does not.
    None,
    /// A certificate that is shown must be signed by these authorities (PEM).
    Optional(PathBuf),
    /// Nobody is let in without a certificate that these authorities signed (PEM).
    Required(PathBuf),
}

/// TLS cannot be set up. Says which file and what is wrong, never what the file contains.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    /// A file holds no key.
    #[error("{} holds no private key in PEM", .0.display())]
    NoKey(PathBuf),
    /// A key that is encrypted as before PKCS #8.
    #[error(
        "the key in {} is encrypted in an old form that is not read: `openssl pkcs8 -topk8` writes it anew", .0.display()
    )]
    OldKey(PathBuf),
    /// An encrypted key, and no password.
    #[error("the key in {} is encrypted: set its password", .0.display())]
    NoPassword(PathBuf),
    /// The password does not open it, or it is encrypted in a way other than PKCS #8 knows.
    #[error("the key in {} cannot be decrypted with the password that is set", .0.display())]
    WrongPassword(PathBuf),
    /// The system has no certificate authorities.
    #[error("the system has no certificate authorities: name a CA bundle")]
    NoSystemRoots,
    /// Certificate and key do not go together, or cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Unusable {
        /// The certificate.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// The certificates of the CA bundle cannot be used.
    #[error("cannot use the CA bundle {}: {reason}", path.display())]
    Authorities {
        /// The bundle.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl ClientTls {
    /// Reads the files; `protocols` are offered in this order (ALPN).
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(&self, protocols: &[&[u8]]) -> Result<ClientConfig, TlsError> {
        self.load_with(protocols, Trust::Bundle)
    }

    pub(crate) fn load_with(&self, protocols: &[&[u8]], trust: Trust) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(Path::new("TLS"), source))?;
        let believed = || self.believed(trust);
        let trusting = match self.verify {
            Verify::Full => versions.with_root_certificates(believed()?),
            Verify::AnyName => {
                let full = WebPkiServerVerifier::builder_with_provider(believed()?.into(), provider).build();
                let full = full.map_err(|error| unusable_bundle(self.bundle(), &error))?;
                versions.dangerous().with_custom_certificate_verifier(Arc::new(AnyName(full)))
            }
            Verify::Nothing => {
                let everybody = Everybody(provider.signature_verification_algorithms);
                versions.dangerous().with_custom_certificate_verifier(Arc::new(everybody))
            }
        };
        let mut config = match &self.identity {
            Some(identity) => {
                let (chain, key) = identity.load()?;
                trusting
                    .with_client_auth_cert(chain, key)
                    .map_err(|source| unusable(&identity.certfile, source))?
            }
            None => trusting.with_no_client_auth(),
        };
        config.alpn_protocols = owned(protocols);
        Ok(config)
    }

    fn believed(&self, trust: Trust) -> Result<RootCertStore, TlsError> {
        let Some(bundle) = &self.ca_bundle else {
            let roots = system_authorities();
            return if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) };
        };
        let mut roots = authorities(bundle)?;
        if trust == Trust::BundleAndSystem {
            roots.extend(system_authorities().roots);
        }
        Ok(roots)
    }

    fn bundle(&self) -> &Path {
        self.ca_bundle.as_deref().unwrap_or(Path::new("of the system"))
    }
}

impl ServerTls {
    /// Reads the files; `protocols` are accepted in this order (ALPN).
    ///
    /// # Errors
    /// If a file cannot be read or used.
    pub fn load(&self, protocols: &[&[u8]]) -> Result<ServerConfig, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let versions = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(Path::new("TLS"), source))?;
        let letting_in = match &self.clients {
            ClientAuth::None => versions.with_no_client_auth(),
            ClientAuth::Optional(bundle) => {
                let verifier = client_verifier(bundle, &provider)?.allow_unauthenticated();
                versions.with_client_cert_verifier(
                    verifier.build().map_err(|error| unusable_bundle(bundle, &error))?,
                )
            }
            ClientAuth::Required(bundle) => {
                let verifier = client_verifier(bundle, &provider)?;
                versions.with_client_cert_verifier(
                    verifier.build().map_err(|error| unusable_bundle(bundle, &error))?,
                )
            }
        };
        let (chain, key) = self.identity.load()?;
        let mut config = letting_in
            .with_single_cert(chain, key)
            .map_err(|source| unusable(&self.identity.certfile, source))?;
        config.alpn_protocols = owned(protocols);
        Ok(config)
    }
}

fn client_verifier(
    bundle: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::server::ClientCertVerifierBuilder, TlsError> {
    let authorities = authorities(bundle)?;
    Ok(WebPkiClientVerifier::builder_with_provider(authorities.into(), provider.clone()))
}

fn unusable(path: &Path, source: rustls::Error) -> TlsError {
    TlsError::Unusable { path: path.to_owned(), source }
}

fn unusable_bundle(path: &Path, reason: &dyn std::error::Error) -> TlsError {
    TlsError::Authorities { path: path.to_owned(), reason: reason.to_string() }
}

fn owned(protocols: &[&[u8]]) -> Vec<Vec<u8>> {
    protocols.iter().map(|protocol| protocol.to_vec()).collect()
}
