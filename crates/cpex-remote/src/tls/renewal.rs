//! TLS of a server whose files are renewed while it runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::rustls::ServerConfig;

use super::{ClientAuth, ServerTls, TlsError};

/// What a server shows and whom it lets in, as its files say when a peer asks.
///
/// Connections that are open stay what they are. No session of TLS is resumed beyond a renewal: whoever is no longer let
/// in would come in with it.
pub(crate) struct Renewed {
    tls: ServerTls,
    protocols: &'static [&'static [u8]],
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    /// Of each file, before it was read.
    stamps: Vec<Option<Stamp>>,
}

/// What is different after a file, or the link to it, was written or put in its place.
type Stamp = (u64, u64, u64, [i64; 4]);

impl Renewed {
    /// Reads the files.
    pub(crate) fn load(tls: &ServerTls, protocols: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        let stamps = stamps(tls);
        let config = Arc::new(tls.load(protocols)?);
        Ok(Self { tls: tls.clone(), protocols, current: Mutex::new(Current { config, stamps }) })
    }

    /// For a handshake that begins now; and, if the files have changed, whether they can be used. Those before are used
    /// until they can.
    pub(crate) fn now(&self) -> (Arc<ServerConfig>, Option<Result<(), TlsError>>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.tls);
        if stamps == current.stamps {
            return (current.config.clone(), None);
        }
        current.stamps = stamps;
        let renewed = self.tls.load(self.protocols).map(|config| current.config = Arc::new(config));
        (current.config.clone(), Some(renewed))
    }
}

fn stamps(tls: &ServerTls) -> Vec<Option<Stamp>> {
    let bundle = match &tls.clients {
        ClientAuth::None => None,
        ClientAuth::Optional(bundle) | ClientAuth::Required(bundle) => Some(bundle),
    };
    let files = [Some(&tls.identity.certfile), tls.identity.keyfile.as_ref(), bundle];
    files.into_iter().flatten().map(|file| stamp(file)).collect()
}

fn stamp(file: &Path) -> Option<Stamp> {
    let file = fs::metadata(file).ok()?;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()];
    Some((file.dev(), file.ino(), file.size(), times))
}
