//! What the audit log writes, and what becomes of it when the disk, another process or a restart gets in its way.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod file;
#[cfg(feature = "otlp")]
mod otlp;
mod secrets;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cpex_builtin::audit_log::{AuditError, AuditLog, AuditLogConfig, Record};
use serde_json::Value;

fn open(config: Value) -> AuditLog {
    read(config).unwrap()
}

fn read(config: Value) -> Result<AuditLog, String> {
    let config = serde_json::from_value::<AuditLogConfig>(config).map_err(|error| error.to_string())?;
    AuditLog::new(config).map_err(|error| error.to_string())
}

fn record<'a>(request_id: &'a str, payload: Option<&'a Value>) -> Record<'a> {
    Record {
        hook: "tool_pre_invoke",
        request_id,
        user: Some("alice"),
        tenant_id: None,
        subject: Some("search"),
        payload,
    }
}

fn write(log: &AuditLog, number: u64) -> Result<(), AuditError> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
    log.write(record(&number.to_string(), None), at)
}

/// The lines of a log and of its full files, the oldest first.
fn lines(path: &Path) -> Vec<Value> {
    let numbered = |number: u32| format!("{}.{number}", path.display());
    let kept = (1..).map(numbered).take_while(|name| Path::new(name).exists());
    let mut texts: Vec<String> = kept.map(|name| fs::read_to_string(name).unwrap()).collect();
    texts.reverse();
    texts.push(fs::read_to_string(path).unwrap());
    texts.concat().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn numbers(lines: &[Value]) -> Vec<u64> {
    lines.iter().map(|line| line["request_id"].as_str().unwrap().parse().unwrap()).collect()
}
