//! Where a URL leads to.

use std::io;

use hyper::http::Uri;
use hyper::http::uri::{Authority, Scheme};

use super::config::Http;
use crate::error::RemoteError;
use crate::http::Target;

/// The parts of a URL, and where to connect to.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) scheme: Scheme,
    pub(super) authority: Authority,
    pub(super) path: String,
    pub(super) target: Target,
    pub(super) is_secure: bool,
}

impl Place {
    pub(super) fn of(http: &Http) -> Result<Self, RemoteError> {
        let wrong = |why: &str| RemoteError::Connect {
            target: "the URL".to_owned(),
            source: io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()),
        };
        let uri: Uri = http.url.parse().map_err(|_| wrong("it cannot be read"))?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.ok_or_else(|| wrong("it begins with neither http: nor https:"))?;
        let authority = parts.authority.ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it holds a user or a password: set a token instead"));
        }
        let (is_https, port) = match scheme.as_str() {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return Err(wrong("it begins with neither http: nor https:")),
        };
        let target = match &http.socket {
            Some(path) => Target::Unix(path.clone()),
            None => Target::Tcp(format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port))),
        };
        let path = parts.path_and_query.map_or_else(|| "/".to_owned(), |path| path.to_string());
        Ok(Self { scheme, authority, path, target, is_secure: is_https && http.socket.is_none() })
    }
}
