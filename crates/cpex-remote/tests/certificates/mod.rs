//! A certificate authority of the test's own.

use std::fs;
use std::path::PathBuf;

use cpex_remote::Secret;
use cpex_remote::tls::Identity;
use pkcs8::pkcs5::pbes2;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};

/// What encrypted keys open with.
pub(crate) const PASSWORD: &str = "open sesame";

/// An authority and a directory of files.
pub(crate) struct Authority {
    directory: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Two authorities of the same name would be taken for one that signs badly.
        let directory = tempfile::tempdir().unwrap();
        params.distinguished_name.push(DnType::CommonName, directory.path().display().to_string());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self { directory, issuer };
        fs::write(authority.bundle(), authority.issuer.pem()).unwrap();
        authority
    }

    /// The authority's own certificate.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A certificate for this name, a host's or a URI; its subject's is the same.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = match name.contains("://") {
            true => CertificateParams::default(),
            false => CertificateParams::new(vec![name.to_owned()]).unwrap(),
        };
        if name.contains("://") {
            params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        }
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            certfile: self.write(name, "crt", &certificate.pem()),
            keyfile: Some(self.write(name, "key", &key.serialize_pem())),
            password: None,
        }
    }

    /// A certificate for this name, its key encrypted.
    pub(crate) fn encrypted_identity(&self, name: &str) -> Identity {
        let mut identity = self.identity(name);
        let keyfile = identity.keyfile.as_mut().unwrap();
        let (_, key) = pkcs8::SecretDocument::from_pem(&fs::read_to_string(&*keyfile).unwrap()).unwrap();
        let key = pkcs8::PrivateKeyInfo::try_from(key.as_bytes()).unwrap();
        // Few rounds: the tests are not built for speed.
        let how = pbes2::Parameters::pbkdf2_sha256_aes256cbc(100, b"salt of the test", b"sixteen bytes iv")
            .unwrap();
        let encrypted = key.encrypt_with_params(how, PASSWORD).unwrap();
        let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF).unwrap();
        *keyfile = self.write(name, "encrypted", &pem);
        identity.password = Some(Secret::new(PASSWORD));
        identity
    }

    fn write(&self, name: &str, kind: &str, pem: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{}.{kind}", name.replace('/', "_")));
        fs::write(&path, pem).unwrap();
        path
    }
}
