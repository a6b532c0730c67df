//! `audit_log`: what happened, one JSON object a line, without secrets.

mod rotation;

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
use rotation::RotatingFile;

/// The configuration of `audit_log`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditLogConfig {
    /// The file. Its folder must exist; others than its owner cannot read it.
    pub path: PathBuf,
    /// Whether what a hook is about is written too, with its secrets masked.
    #[serde(default)]
    pub include_payload: bool,
    /// The size at which a new file is begun, in bytes.
    #[serde(default = "max_bytes")]
    pub max_bytes: u64,
    /// How many full files are kept, as `path.1`, the newest, to `path.N`.
    #[serde(default = "keep")]
    pub keep: u32,
    /// Whether every line is on the disk before the hook goes on.
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
    record: Record<'a>,
}

/// Why a record could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file cannot be written.
    #[error("the audit log cannot be written: {0}")]
    Io(#[from] std::io::Error),
    /// The record is no JSON.
    #[error("the record cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The payload could not be searched for secrets.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
}

/// Writes records to a file.
pub struct AuditLog {
    file: Mutex<RotatingFile>,
    secrets: Secrets,
    include_payload: bool,
}

impl AuditLog {
    /// Opens the file, to write behind what is there.
    ///
    /// # Errors
    /// The file cannot be opened, or would be full after every line.
    pub fn open(config: AuditLogConfig) -> Result<Self, ConfigError> {
        if config.max_bytes < 4096 {
            return Err(ConfigError::new("max_bytes", "give at least 4096"));
        }
        let redact = RedactConfig { mask: "[{kind}]".to_owned(), ..RedactConfig::default() };
        let secrets = SecretsConfig { action: Action::Redact, redact, ..SecretsConfig::default() };
        let problem = |error: std::io::Error| ConfigError::new("path", error.to_string());
        let file =
            RotatingFile::open(config.path, config.max_bytes, config.keep, config.sync).map_err(problem)?;
        Ok(Self {
            file: Mutex::new(file),
            secrets: Secrets::new(secrets)?,
            include_payload: config.include_payload,
        })
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
        let masked = payload.map(|payload| inspect(payload, &[&self.secrets])).transpose()?;
        let payload = masked.as_ref().and_then(|masked| masked.changed.as_ref()).or(payload);
        let time = jiff::Timestamp::try_from(now).map_or_else(|_| String::new(), |time| format!("{time:.6}"));
        let mut line = serde_json::to_vec(&Line { time, record: Record { payload, ..record } })?;
        line.push(b'\n');
        Ok(self.file.lock().unwrap_or_else(PoisonError::into_inner).write(&line)?)
    }
}
