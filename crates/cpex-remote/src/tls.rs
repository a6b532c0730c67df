//! TLS from files, as the configuration names them.
//!
//! Files are read when a configuration is made: a client makes one for every connection, so that renewed
//! certificates are taken up. No error shows what a file contains.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pkcs8::EncryptedPrivateKeyInfo;
use thiserror::Error;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};

use crate::secret::Secret;

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
    /// Whom servers are believed on the word of (PEM); the system's authorities if none is named.
    pub ca_bundle: Option<PathBuf>,
    /// Who is believed beside the CA bundle.
    pub beside: Beside,
    /// What is checked.
    pub verify: Verify,
}

/// On whose word servers are believed beside that of a CA bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// Nobody's: the bundle stands in place of the system's authorities.
    #[default]
    Nobody,
    /// That of the system's authorities, if there are any.
    System,
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
        let provider = Arc::new(ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(Path::new("TLS"), source))?;
        let believed = || match &self.ca_bundle {
            Some(bundle) => authorities(bundle, self.beside),
            None => system_authorities(),
        };
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

impl Identity {
    fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let keyfile = self.keyfile.as_ref().unwrap_or(&self.certfile);
        Ok((certificates(&self.certfile)?, private_key(keyfile, self.password.as_ref())?))
    }
}

fn private_key(path: &Path, password: Option<&Secret>) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path)?;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(&pem) {
        return Ok(key);
    }
    let text = String::from_utf8_lossy(&pem);
    let Some(start) = text.find("-----BEGIN ENCRYPTED PRIVATE KEY-----") else {
        return Err(TlsError::NoKey(path.to_owned()));
    };
    let password = password.ok_or_else(|| TlsError::NoPassword(path.to_owned()))?;
    let wrong = || TlsError::WrongPassword(path.to_owned());
    let (_, document) = pkcs8::SecretDocument::from_pem(text[start..].trim_end()).map_err(|_| wrong())?;
    let encrypted = EncryptedPrivateKeyInfo::try_from(document.as_bytes()).map_err(|_| wrong())?;
    let key = encrypted.decrypt(password.reveal()).map_err(|_| wrong())?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| TlsError::NoCertificate(path.to_owned()))
}

fn authorities(bundle: &Path, beside: Beside) -> Result<RootCertStore, TlsError> {
    let mut roots = match beside {
        Beside::System => system_authorities().unwrap_or_else(|_| RootCertStore::empty()),
        Beside::Nobody => RootCertStore::empty(),
    };
    for certificate in certificates(bundle)? {
        roots.add(certificate).map_err(|source| unusable(bundle, source))?;
    }
    Ok(roots)
}

fn system_authorities() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(roots) }
}

fn client_verifier(
    bundle: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::server::ClientCertVerifierBuilder, TlsError> {
    let authorities = authorities(bundle, Beside::Nobody)?;
    Ok(WebPkiClientVerifier::builder_with_provider(authorities.into(), provider.clone()))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
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

/// Believes whoever holds the key of the certificate it shows.
#[derive(Debug)]
struct Everybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Everybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Believes whom the authorities vouch for, under any name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        match self.0.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // The name is looked at last, when all else is in order.
            Err(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
