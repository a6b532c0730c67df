//! The section `tls` of a transport, and the variables that stand in for it.

use std::path::PathBuf;

use cpex_config::Step;
use cpex_remote::Secret;
use cpex_remote::tls::{ClientTls, Identity, Verify};
use serde::Deserialize;

use super::Section;
use crate::config::{ConfigError, environment};

#[derive(Default, PartialEq, Deserialize)]
pub(super) struct Tls {
    certfile: Option<String>,
    keyfile: Option<String>,
    keyfile_password: Option<String>,
    ca_bundle: Option<String>,
    verify: Option<bool>,
    check_hostname: Option<bool>,
}

/// What an entry says.
pub(super) fn read(written: Tls, section: Section<'_>) -> Result<ClientTls, ConfigError> {
    made_of(written, |field, problem| section.problem_at(&[Step::Key("tls"), Step::Key(field)], problem))
}

/// What variables say that begin like this; `None` if they say nothing.
pub(super) fn of_environment(prefix: &str) -> Result<Option<ClientTls>, ConfigError> {
    let name = |field: &str| format!("{prefix}{}", field.to_uppercase());
    let text = |field| environment::text(&name(field));
    let flag = |field| environment::flag(&name(field));
    let written = Tls {
        certfile: text("certfile"),
        keyfile: text("keyfile"),
        keyfile_password: text("keyfile_password"),
        ca_bundle: text("ca_bundle"),
        verify: flag("verify")?,
        check_hostname: flag("check_hostname")?,
    };
    if written == Tls::default() {
        return Ok(None);
    }
    made_of(written, |field, problem| environment::wrong(&name(field), problem)).map(Some)
}

fn made_of(written: Tls, wrong: impl Fn(&str, &str) -> ConfigError) -> Result<ClientTls, ConfigError> {
    let file = |field: &str, path: Option<String>| match path.map(|path| at_home(&path)) {
        Some(path) if !path.is_file() => Err(wrong(field, "there is no such file")),
        path => Ok(path),
    };
    let (certfile, keyfile) = (file("certfile", written.certfile)?, file("keyfile", written.keyfile)?);
    let identity = match (certfile, keyfile) {
        (Some(certfile), keyfile) => {
            Some(Identity { certfile, keyfile, password: written.keyfile_password.map(Secret::new) })
        }
        (None, Some(_)) => return Err(wrong("keyfile", "a key needs a certificate: set certfile")),
        (None, None) => None,
    };
    let verify = match (written.verify.unwrap_or(true), written.check_hostname.unwrap_or(true)) {
        (true, true) => Verify::Full,
        (true, false) => {
            tracing::warn!(
                "TLS names are not verified: whoever has a certificate of the authorities is believed"
            );
            Verify::AnyName
        }
        (false, _) => {
            tracing::warn!("TLS is not verified: whoever answers is believed");
            Verify::Nothing
        }
    };
    let ca_bundle = file("ca_bundle", written.ca_bundle)?;
    Ok(ClientTls { identity, ca_bundle, verify })
}

/// A path whose `~` is the home of this user.
fn at_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(below), Some(home)) => PathBuf::from(home).join(below),
        _ => PathBuf::from(path),
    }
}
