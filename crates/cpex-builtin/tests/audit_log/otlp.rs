//! A receiver of OpenTelemetry logs gets what the file would.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message;
use serde_json::json;
use tokio::sync::mpsc;

use super::{lines, open, read, record};

/// A receiver on a free port, and what it gets.
async fn receiver() -> (String, mpsc::UnboundedReceiver<(HeaderMap, ExportLogsServiceRequest)>) {
    let (sender, received) = mpsc::unbounded_channel();
    let logs = post(move |headers: HeaderMap, body: Bytes| async move {
        sender.send((headers, ExportLogsServiceRequest::decode(body).unwrap())).unwrap();
        StatusCode::OK
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/logs", logs)).await });
    (endpoint, received)
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Told::StringValue(text)) => text,
        other => panic!("expected a text, found {other:?}"),
    }
}

fn attribute(attributes: &[KeyValue], name: &str) -> String {
    text(
        attributes
            .iter()
            .find(|attribute| attribute.key == name)
            .and_then(|attribute| attribute.value.clone()),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_with_their_attributes_and_without_secrets() {
    let (endpoint, mut received) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let log = open(json!({
        "path": path,
        "include_payload": true,
        "otlp": {"endpoint": endpoint, "headers": {"x-key": "hunter2"}, "service_name": "gateway"},
    }));
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
    let payload = json!({"args": {"password": "hunter2", "list": [1, true]}});
    log.write(record("r1", Some(&payload)), at).unwrap();
    assert!(log.is_sending());
    let log = Arc::new(log);
    let closing = log.clone();
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();

    let (headers, mut request) = received.recv().await.unwrap();
    assert_eq!(
        (&headers["x-key"], &headers["content-type"]),
        (&"hunter2".parse().unwrap(), &"application/x-protobuf".parse().unwrap())
    );
    let mut logs = request.resource_logs.remove(0);
    assert_eq!(attribute(&logs.resource.unwrap().attributes, "service.name"), "gateway");
    let mut scope = logs.scope_logs.remove(0);
    assert_eq!(scope.scope.unwrap().name, "cpex.audit");
    let sent = scope.log_records.remove(0);
    assert_eq!((sent.time_unix_nano, &*sent.severity_text), (7_000_000_000, "INFO"));
    for (name, value) in [
        ("cpex.hook", "tool_pre_invoke"),
        ("cpex.request_id", "r1"),
        ("user.id", "alice"),
        ("cpex.subject", "search"),
    ] {
        assert_eq!(attribute(&sent.attributes, name), value);
    }
    let body = format!("{:?}", sent.body);
    assert!(
        body.contains("[HIDDEN]") && body.contains("BoolValue(true)") && !body.contains("hunter2"),
        "{body}"
    );
    assert_eq!(lines(&path)[0]["payload"]["args"]["password"], "[HIDDEN]");
}

/// The file is the record; the receiver gets a copy when it can.
#[test]
fn a_receiver_that_is_away_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let nobody = "http://127.0.0.1:9/v1/logs";
    let log = open(json!({"path": path, "otlp": {"endpoint": nobody, "timeout": "100ms"}}));
    super::write(&log, 1).unwrap();
    drop(log);
    assert_eq!(lines(&path).len(), 1);
}

/// One that takes connections and never answers does not hold a shutdown up for ever.
#[test]
fn a_receiver_that_hangs_is_not_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    let log = open(json!({"otlp": {"endpoint": endpoint, "timeout": "200ms"}}));
    for number in 0..2000 {
        super::write(&log, number).unwrap();
    }
    log.close();
    log.close();
    super::write(&log, 1).unwrap();
}

#[test]
fn an_address_that_is_none_is_an_error_without_its_headers() {
    for (otlp, error) in [
        (json!({"endpoint": "localhost:4318"}), "otlp.endpoint: expected a URL"),
        (json!({"endpoint": "ftp://localhost"}), "otlp.endpoint: expected a URL"),
        (
            json!({"endpoint": "http://localhost", "headers": {"x-key": "hunter2\n"}}),
            "otlp.headers.x-key: no name",
        ),
        (json!({"endpoint": "http://localhost", "header": {}}), "unknown field `header`"),
    ] {
        let told = read(json!({"otlp": otlp})).map(|_| ()).unwrap_err();
        assert!(told.starts_with(error) && !told.contains("hunter2"), "{told}");
    }
    #[cfg(not(feature = "otlp-tls"))]
    assert!(
        read(json!({"otlp": {"endpoint": "https://a"}}))
            .map(|_| ())
            .unwrap_err()
            .contains("feature otlp-tls")
    );
    assert!(read(json!({})).map(|_| ()).unwrap_err().contains("or a receiver in otlp"));
}
