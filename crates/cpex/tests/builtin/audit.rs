//! The audit log is opened with the manager, and sends what waits when the manager is shut down.

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use tokio::sync::mpsc;

use super::{before, request, search, start};

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_opened_with_the_manager() {
    let directory = tempfile::tempdir().unwrap();
    let (path, nowhere) = (directory.path().join("dangling"), directory.path().join("nowhere/audit.jsonl"));
    std::os::unix::fs::symlink(nowhere, &path).unwrap();
    let yaml = format!(
        "plugins:\n  - name: log\n    kind: builtin.audit_log\n    required: true\n    config: {{path: {path:?}}}\n"
    );
    let error = start(&yaml).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("plugins.yaml:5:"), "{error}");
    assert!(error.contains("config.path: it cannot be opened: No such file"), "{error}");
}

/// The receiver runs on the only thread of the runtime: a shutdown that blocked it would send nothing.
#[tokio::test(flavor = "current_thread")]
async fn what_waits_is_sent_at_the_shutdown() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let logs = post(move |body: Bytes| async move { sender.send(body).unwrap() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/v1/logs", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/logs", logs)).await });
    let yaml = format!(
        "plugins:\n  - {{name: log, kind: builtin.audit_log, required: true, config: {{otlp: {{endpoint: {endpoint:?}, timeout: 20s}}}}}}\n"
    );
    let manager = match start(&yaml).await {
        // Without the feature `otlp` of `cpex-builtin`.
        Err(error) if error.to_string().contains("otlp: unknown key") => return,
        manager => manager.unwrap(),
    };
    assert!(before(&manager, &search("a"), &request()).await.is_allowed());
    assert!(received.try_recv().is_err());
    manager.shutdown().await;
    let body = received.try_recv().unwrap();
    assert!(body.windows(5).any(|part| part == b"req-1"));
}
