//! Certificates and keys, from files and from the system.

use std::fs;
use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfo;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Identity, TlsError, unusable};
use crate::secret::Secret;

impl Identity {
    pub(super) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
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
        let is_old = text.contains("Proc-Type: 4,ENCRYPTED");
        return Err(if is_old { TlsError::OldKey } else { TlsError::NoKey }(path.to_owned()));
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

/// Those of a file.
pub(super) fn authorities(bundle: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(bundle)? {
        roots.add(certificate).map_err(|source| unusable(bundle, source))?;
    }
    Ok(roots)
}

/// Those of the system.
pub(super) fn system_authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
