//! Records as OpenTelemetry logs, sent by OTLP over HTTP.
//!
//! A thread of its own sends them in batches, with a client that needs no async runtime: plugins never wait for the
//! receiver. What a receiver that is away does not take is lost, and said in the log of the host.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{LogExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ConfigError;
use crate::limits::span::Span;
use crate::limits::store::Secret;

/// Where OpenTelemetry logs are sent.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// The whole address of the receiver for logs, such as `http://localhost:4318/v1/logs`.
    pub endpoint: String,
    /// Headers of each request, such as a key of the receiver. Take them from the environment, not from the file.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// How long a batch may take. A shutdown waits at most twice as long for the last ones.
    #[serde(default = "timeout")]
    pub timeout: Span,
    /// `service.name` of the records.
    #[serde(default = "service_name")]
    pub service_name: String,
}

const fn timeout() -> Span {
    Span::seconds(5)
}

fn service_name() -> String {
    "cpex".to_owned()
}

/// Sends records until it is closed, which sends those that wait.
pub(super) struct Sender {
    logger: SdkLogger,
    provider: SdkLoggerProvider,
    patience: Duration,
}

impl Sender {
    pub(super) fn new(config: OtlpConfig) -> Result<Self, ConfigError> {
        let OtlpConfig { endpoint, headers, timeout, service_name } = config;
        let uri: Result<ureq::http::Uri, _> = endpoint.parse();
        let scheme = uri.ok().and_then(|uri| uri.scheme_str().map(str::to_owned));
        match scheme.as_deref() {
            Some("http") => {}
            Some("https") if cfg!(feature = "otlp-tls") => {}
            Some("https") => {
                return Err(ConfigError::new("otlp.endpoint", "TLS needs a build with the feature otlp-tls"));
            }
            _ => {
                return Err(ConfigError::new(
                    "otlp.endpoint",
                    "expected a URL such as http://localhost:4318/v1/logs",
                ));
            }
        }
        for (name, value) in &headers {
            let sound = ureq::http::HeaderName::try_from(name).is_ok()
                && ureq::http::HeaderValue::try_from(value.reveal()).is_ok();
            if !sound {
                return Err(ConfigError::new(
                    format!("otlp.headers.{name}"),
                    "no name or no value of a header",
                ));
            }
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout.duration()))
            .http_status_as_error(false)
            .max_redirects(0);
        #[cfg(feature = "otlp-tls")]
        let agent = agent.tls_config(tls());
        let agent = agent.build().new_agent();
        let headers = headers.into_iter().map(|(name, value)| (name, value.reveal().to_owned())).collect();
        let exporter = LogExporter::builder()
            .with_http()
            .with_http_client(Client(agent))
            .with_endpoint(endpoint)
            .with_headers(headers)
            .with_timeout(timeout.duration())
            .build()
            .map_err(|error| ConfigError::new("otlp", error.to_string()))?;
        let resource = Resource::builder().with_service_name(service_name).build();
        let provider =
            SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let patience = timeout.duration().saturating_mul(2);
        Ok(Self { logger: provider.logger("cpex.audit"), provider, patience })
    }

    /// Sends what waits, and ends the thread.
    pub(super) fn close(&self) {
        // Whatever was not sent, the SDK says it.
        let _ = self.provider.shutdown_with_timeout(self.patience);
    }

    /// Puts a record into the queue.
    pub(super) fn send(&self, record: &Value, now: SystemTime) {
        let mut log = self.logger.create_log_record();
        log.set_event_name("cpex.audit");
        log.set_timestamp(now);
        log.set_observed_timestamp(now);
        log.set_severity_number(Severity::Info);
        log.set_severity_text("INFO");
        for (name, value) in record.as_object().into_iter().flatten() {
            match name.as_str() {
                "payload" => log.set_body(told(value)),
                "user" => log.add_attribute("user.id", told(value)),
                _ => log.add_attribute(format!("cpex.{name}"), told(value)),
            }
        }
        self.logger.emit(log);
    }
}

/// Certificates are trusted as the system trusts them.
#[cfg(feature = "otlp-tls")]
fn tls() -> ureq::tls::TlsConfig {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};
    let trusted = rustls_native_certs::load_native_certs().certs;
    let trusted = trusted.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    TlsConfig::builder()
        .root_certs(RootCerts::Specific(std::sync::Arc::new(trusted)))
        .unversioned_rustls_crypto_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

fn told(value: &Value) -> AnyValue {
    match value {
        Value::Null => AnyValue::from("null"),
        Value::Bool(boolean) => AnyValue::from(*boolean),
        Value::Number(number) => match number.as_i64() {
            Some(int) => AnyValue::from(int),
            None => AnyValue::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => AnyValue::from(text.clone()),
        Value::Array(items) => items.iter().map(told).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), told(value))).collect(),
    }
}

/// The SDK's thread may block.
#[derive(Debug)]
struct Client(ureq::Agent);

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let response = self.0.run(Request::from_parts(parts, &body[..]))?;
        let (parts, mut body) = response.into_parts();
        Ok(Response::from_parts(parts, body.read_to_vec()?.into()))
    }
}
