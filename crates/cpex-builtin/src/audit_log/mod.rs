//! `audit_log`: what happened, one JSON object a line, without secrets.
//!
//! What a hook is about is looked at twice before it is written: values whose names tell a secret are hidden, and
//! what looks like a secret is masked, in the record's other fields, too.

mod file;
mod hide;
#[cfg(feature = "otlp")]
mod otlp;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::action::Action;
use crate::error::ConfigError;
use crate::inspect::inspect;
use crate::redact::RedactConfig;
use crate::secrets::{Secrets, SecretsConfig};
use crate::text::TooDeep;
use file::RotatingFile;
#[cfg(feature = "otlp")]
pub use otlp::OtlpConfig;

/// The configuration of `audit_log`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditLogConfig {
    /// The file. Its folder must exist; others than its owner cannot read it. Several processes may write one file.
    #[serde(default)]
    pub path: Option<PathBuf>,
    /// Sends every record as an OpenTelemetry log, too, or instead if there is no `path`.
    #[cfg(feature = "otlp")]
    #[serde(default)]
    pub otlp: Option<OtlpConfig>,
    /// Whether what a hook is about is written too, with its secrets masked. Personal data is not masked: put
    /// `builtin.pii_redactor` before the log.
    #[serde(default)]
    pub include_payload: bool,
    /// Names of fields whose values are never written, besides those that are known: `password`, `authorization`,
    /// `cookie`, `…token`, `…secret`, `…key` of an API and the like.
    #[serde(default)]
    pub hide: Vec<String>,
    /// The size at which a new file is begun, in bytes.
    #[serde(default = "max_bytes")]
    pub max_bytes: u64,
    /// How many full files are kept, as `path.1`, the newest, to `path.N`.
    #[serde(default = "keep")]
    pub keep: u32,
    /// Whether every line is on the disk before the hook goes on. Costs a wait for the disk.
    #[serde(default)]
    pub sync: bool,
}

const fn max_bytes() -> u64 {
    64 << 20
}

const fn keep() -> u32 {
    5
}

/// One line of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Record<'a> {
    /// The hook's name.
    pub hook: &'a str,
    /// The request it belongs to.
    pub request_id: &'a str,
    /// Who called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// For whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// The tool, prompt, resource or agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'a str>,
    /// What the hook is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<&'a Value>,
}

/// A line with the moment it was written.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    record: &'a Value,
}

/// Why a record could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file cannot be written: the disk is full, its folder was removed, or the like.
    #[error("the audit log {path:?} cannot be written: {error}", path = .path.display().to_string())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The record is no JSON.
    #[error("the record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The payload could not be searched for secrets.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
}

/// Writes records.
pub struct AuditLog {
    file: Option<Mutex<RotatingFile>>,
    path: PathBuf,
    #[cfg(feature = "otlp")]
    sender: Option<otlp::Sender>,
    secrets: Secrets,
    hide: Vec<String>,
    include_payload: bool,
}

impl AuditLog {
    /// Reads the configuration, and looks whether there can be such a file.
    ///
    /// # Errors
    /// There is nowhere to write to, there is no such folder, the file is none or would be full after every line, or
    /// the receiver's address is none.
    pub fn new(config: AuditLogConfig) -> Result<Self, ConfigError> {
        #[cfg(feature = "otlp")]
        let sender = config.otlp.map(otlp::Sender::new).transpose()?;
        #[cfg(feature = "otlp")]
        let (elsewhere, right) =
            (sender.is_some(), "expected the path of a file here, or a receiver in otlp");
        #[cfg(not(feature = "otlp"))]
        let (elsewhere, right) = (false, "expected the path of a file");
        if config.path.is_none() && !elsewhere {
            return Err(ConfigError::new("path", right));
        }
        if config.max_bytes < 4096 {
            return Err(ConfigError::new("max_bytes", "give at least 4096"));
        }
        let redact = RedactConfig { mask: "[{kind}]".to_owned(), ..RedactConfig::default() };
        let secrets = SecretsConfig { action: Action::Redact, redact, ..SecretsConfig::default() };
        let path = config.path.clone().unwrap_or_default();
        let file = |path| RotatingFile::new(path, config.max_bytes, config.keep, config.sync).map(Mutex::new);
        let file = config.path.map(file).transpose().map_err(|error| unopened(&error))?;
        Ok(Self {
            file,
            path,
            #[cfg(feature = "otlp")]
            sender,
            secrets: Secrets::new(secrets)?,
            hide: config.hide,
            include_payload: config.include_payload,
        })
    }

    /// Opens the file, to write behind what is there. Without it the first record does so.
    ///
    /// # Errors
    /// The file cannot be opened or made.
    pub fn open(&self) -> Result<(), ConfigError> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.open().map(drop).map_err(|error| unopened(&error))
    }

    /// Whether [`close`](Self::close) has something to wait for.
    #[must_use]
    pub const fn is_sending(&self) -> bool {
        #[cfg(feature = "otlp")]
        return self.sender.is_some();
        #[cfg(not(feature = "otlp"))]
        return false;
    }

    /// Sends the records that wait for it, and nothing from then on. Blocks, at most twice as long as a batch may
    /// take; what was not sent by then is lost, which the log says.
    pub fn close(&self) {
        #[cfg(feature = "otlp")]
        if let Some(sender) = &self.sender {
            sender.close();
        }
    }

    /// Whether what a hook is about is written.
    pub(crate) const fn includes_payload(&self) -> bool {
        self.include_payload
    }

    /// Writes a record as one line, in one piece.
    ///
    /// # Errors
    /// It could not be written. What the record is about was not audited then.
    pub fn write(&self, record: Record<'_>, now: SystemTime) -> Result<(), AuditError> {
        let payload = record.payload.filter(|_| self.include_payload);
        // Deep nesting is found here, before anything descends.
        let masked = payload.map(|payload| inspect(payload, &[&self.secrets])).transpose()?;
        let payload = masked.and_then(|masked| masked.changed).or_else(|| payload.cloned());
        let around = serde_json::to_value(Record { payload: None, ..record })?;
        let mut record = inspect(&around, &[&self.secrets])?.changed.unwrap_or(around);
        if let Some(fields) = record.as_object_mut() {
            fields.extend(payload.map(|payload| ("payload".to_owned(), payload)));
            // What a field of a record is called tells no secret.
            fields.values_mut().for_each(|below| hide::hide(below, &self.hide));
        }
        if let Some(file) = &self.file {
            let time =
                jiff::Timestamp::try_from(now).map_or_else(|_| String::new(), |time| format!("{time:.6}"));
            let mut line = serde_json::to_vec(&Line { time, record: &record })?;
            line.push(b'\n');
            let written = file.lock().unwrap_or_else(PoisonError::into_inner).write(&line);
            written.map_err(|error| AuditError::Io { path: self.path.clone(), error })?;
        }
        #[cfg(feature = "otlp")]
        if let Some(sender) = &self.sender {
            sender.send(&record, now);
        }
        Ok(())
    }
}

fn unopened(error: &std::io::Error) -> ConfigError {
    ConfigError::new("path", format!("it cannot be opened: {error}"))
}
