//! Rust plugins, served over every transport at once to hosts elsewhere. S3

use std::path::{Path, PathBuf};
use std::time::Duration;

use cpex::config::{Condition, Mode, PluginConfig};
use cpex::external::RemoteFailure;
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::serve::{Server, grpc, mcp, unix};
use cpex::{Failure, Manager, PluginContext, Reply, Violation, plugin};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::world::{NAME, PATIENCE, ask, context, documented, failure, host, merged, names, tool};

/// Does what the tool's name says, as `cpex-remote/tests/peers/probe_plugin.py` does.
pub(crate) struct Probe;

#[plugin]
impl Probe {
    #[hook(TOOL_PRE_INVOKE)]
    async fn obey(
        &self,
        call: &ToolPreInvoke,
        context: &mut PluginContext,
    ) -> Result<Reply<ToolPreInvoke>, cpex::BoxError> {
        Ok(match &*call.name {
            "modify" => {
                let changed = ToolPreInvoke { name: "modified".to_owned(), ..call.clone() };
                Reply::modify(changed.with("added", 1).with("f", 2.5).with("ünï", "✓"))
                    .metadata("modified", true)
            }
            "state" => {
                context.state_mut().insert("k".to_owned(), json!({"v": 1}));
                context.shared_mut().insert("g".to_owned(), json!([1, 2]));
                let reply = Reply::allow().metadata("seen", true).http_header("X-A", "b");
                reply.retry_after(Duration::from_millis(7))
            }
            "context" => {
                let request = serde_json::to_value(context.request())?;
                let kept = json!({"state": context.state(), "shared": context.shared(), "request": request});
                Reply::allow().metadata("context", kept)
            }
            "deny" => {
                let violation = Violation::new("PROBE", "no").description("blocked by probe");
                let violation = violation.detail("n", 1).detail("l", json!(["a", null, 1.5]));
                let violation = violation.http_status(403).http_header("X-P", "1");
                Reply::deny(Violation { mcp_error_code: Some(-32001), ..violation })
            }
            "measure" => {
                let reply = Reply::deny(Violation::new("PROBE", "no")).denial_metadata("score", 0.5);
                reply.denial_metadata("blocked", true).denial_metadata("text", "personal")
            }
            "refuse" => return Err(Violation::new("REFUSED", "no").into()),
            "raise" => return Err("RuntimeError('kaboom')".into()),
            "echo" => Reply::modify(call.clone()),
            "sleep" => {
                let seconds = call.arg("seconds").and_then(Value::as_f64).unwrap_or_default();
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                Reply::allow()
            }
            _ => Reply::allow(),
        })
    }
}

/// A server of this process.
pub(crate) struct Served {
    pub(crate) manager: Manager,
    directory: tempfile::TempDir,
    mcp: u16,
    grpc: u16,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn serve(entry: PluginConfig) -> Served {
    let manager = Manager::builder().plugin(entry, Probe).start().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let loopback = || mcp::Target::Tcp("127.0.0.1:0".to_owned());
    let server = Server::new(manager.clone())
        .metrics(|| "up 1\n".to_owned())
        .mcp(mcp::ServerConfig::new(loopback()))
        .await
        .unwrap()
        .grpc(grpc::ServerConfig::new(loopback()))
        .await
        .unwrap()
        .unix(unix::ServerConfig::new(directory.path().join("s")))
        .unwrap();
    let [mcp, grpc] = server.addresses()[..] else { panic!("{:?}", server.addresses()) };
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async move { drop(stopped.await) }));
    Served { manager, directory, mcp: mcp.port(), grpc: grpc.port(), stop: Some(stop), task }
}

impl Served {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    pub(crate) fn sections(&self) -> [Value; 3] {
        let url = format!("http://localhost:{}/mcp", self.mcp);
        [
            json!({"mcp": {"proto": "STREAMABLEHTTP", "url": url}}),
            json!({"grpc": {"target": format!("127.0.0.1:{}", self.grpc)}}),
            json!({"unix_socket": {"path": self.socket()}}),
        ]
    }

    async fn get(&self, path: &str) -> String {
        self.converse(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
    }

    /// Announces a message of so many bytes.
    async fn announce(&self, size: usize) -> String {
        let head = "host: localhost\r\ncontent-type: application/json\r\naccept: */*";
        self.converse(format!("POST /mcp HTTP/1.1\r\n{head}\r\ncontent-length: {size}\r\n\r\n")).await
    }

    async fn converse(&self, request: String) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.mcp)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn a_rust_plugin_is_one_for_hosts_elsewhere() {
    let served = serve(PluginConfig::new(NAME)).await;
    for section in served.sections() {
        let manager = host(section.clone()).await.unwrap_or_else(|error| panic!("{section}: {error}"));
        let ask = async |name: &str, args: Value| ask(&manager, name, args).await;
        assert!(ask("allow", json!({})).await.unwrap().is_allowed());
        let changed = ask("modify", json!({"n": u64::MAX, "none": null})).await.unwrap();
        let args = json!({"n": u64::MAX, "none": null, "added": 1, "f": 2.5, "ünï": "✓"});
        assert_eq!(Value::from(changed.payload.unwrap().args.clone().unwrap()), args);
        assert_eq!(changed.metadata["modified"], true);
        let violation = ask("deny", json!({})).await.unwrap().violation.unwrap();
        assert_eq!((violation.mcp_error_code, violation.http_status_code), (Some(-32001), Some(403)));
        assert_eq!(Value::Object(*violation.details), json!({"n": 1, "l": ["a", null, 1.5]}));
        let measured = ask("measure", json!({})).await.unwrap();
        let told = Value::Object(measured.report.denial_metadata().clone());
        assert_eq!(told, json!({"score": 0.5, "blocked": true}), "W14: {section}");
        let refused = ask("refuse", json!({})).await.unwrap().violation.unwrap();
        assert_eq!(refused.code, "REFUSED", "a violation as an error is a denial");
        let raised = failure(ask("raise", json!({})).await);
        assert_eq!(raised.to_string(), "RuntimeError('kaboom')", "{section}");

        let context = context();
        let kept = manager.invoke(&TOOL_PRE_INVOKE, &tool("state", json!({})), &context).await.unwrap();
        assert_eq!((kept.retry_after.as_millis(), &*kept.http_headers["X-A"]), (7, "b"));
        assert_eq!(Value::Object((*context.shared()).clone()), json!({"sk": true, "g": [1, 2]}));
        let seen = manager.invoke(&TOOL_PRE_INVOKE, &tool("context", json!({})), &context).await.unwrap();
        let seen = &seen.metadata["context"];
        assert_eq!(seen["state"], json!({"k": {"v": 1}}), "{section}");
        assert_eq!(seen["shared"], json!({"sk": true, "g": [1, 2]}));
        assert_eq!(seen["request"]["user"], "alice");

        let other = host(merged(section, json!({"hooks": ["tool_post_invoke"]}))).await.unwrap();
        let missing =
            other.invoke_json("tool_post_invoke", json!({"name": "t", "result": 1}), &context).await;
        let Err(cpex::InvokeError::Plugin { failure: Failure::Error(error), .. }) = missing else { panic!() };
        assert!(
            error.downcast::<RemoteFailure>().unwrap().message.starts_with("Unable to find tool_post_invoke")
        );
    }
}

#[tokio::test]
async fn what_is_measured_has_the_names_of_the_python_host() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // Whatever runs on this thread is counted, and all of this test does.
    let _counting = metrics::set_default_local_recorder(&recorder);
    let served = serve(PluginConfig::new(NAME)).await;
    let [mcp, ..] = served.sections();
    let manager = host(mcp.clone()).await.unwrap();
    assert!(ask(&manager, "allow", json!({})).await.unwrap().is_allowed());
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed());
    failure(ask(&manager, "raise", json!({})).await);
    let stranger = host(merged(mcp, json!({"hooks": ["no_such_hook"]}))).await.unwrap();
    stranger.invoke_json("no_such_hook", json!({}), &context()).await.unwrap_err();
    let large = served.announce(64 << 20).await;
    assert!(large.starts_with("HTTP/1.1 413"), "{large}");

    let counted = handle.render();
    let hook = format!(r#"plugin="{NAME}",hook="tool_pre_invoke""#);
    for line in [
        format!(r#"cpex_server_calls_total{{{hook},end="result"}} 2"#),
        format!(r#"cpex_server_calls_total{{{hook},end="error"}} 1"#),
        format!("cpex_server_denials_total{{{hook}}} 1"),
        r#"cpex_server_calls_total{plugin="unknown",hook="unknown",end="error"} 1"#.to_owned(),
        r#"cpex_server_refused_total{reason="size"} 1"#.to_owned(),
        "cpex_server_calls_in_flight 0".to_owned(),
    ] {
        assert!(counted.lines().any(|counted| counted == line), "{line}: {counted}");
    }
    assert_eq!(names(&counted, "cpex_server_"), documented("serving.md", "cpex_server_"));
}

#[tokio::test]
async fn the_entry_of_the_server_says_what_a_plugin_may_and_that_of_the_host_when_it_runs() {
    let never = Condition { tenant_ids: vec!["nobody".to_owned()], ..Condition::default() };
    let served = serve(PluginConfig::new(NAME).mode(Mode::Audit).when(never)).await;
    let [mcp, ..] = served.sections();
    let manager = host(merged(mcp, json!({"mode": "sequential", "conditions": []}))).await.unwrap();
    assert!(ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "S3: there it only observes");
    served.manager.update(NAME, |entry| entry.mode(Mode::Sequential)).await.unwrap();
    assert!(!ask(&manager, "deny", json!({})).await.unwrap().is_allowed(), "its conditions are the host's");

    served.manager.disable(NAME).await.unwrap();
    assert!(failure(ask(&manager, "allow", json!({})).await).to_string().contains("out of service"));
    served.manager.remove(NAME).await.unwrap();
    assert!(failure(ask(&manager, "allow", json!({})).await).to_string().starts_with("Unable to find"));
}

#[tokio::test]
async fn a_server_that_stops_finishes_what_it_has_begun() {
    let mut served = serve(PluginConfig::new(NAME)).await;
    assert!(served.get("/health").await.starts_with("HTTP/1.1 200"));
    assert!(served.get("/ready").await.starts_with("HTTP/1.1 200"));
    assert!(served.get("/metrics").await.ends_with("up 1\n"));
    let mut hosts = Vec::new();
    for section in served.sections() {
        hosts.push(host(section).await.unwrap());
    }
    let calls: Vec<_> = hosts
        .iter()
        .cloned()
        .map(|host| tokio::spawn(async move { ask(&host, "sleep", json!({"seconds": 1})).await }))
        .collect();
    // Until the calls are on their way there is nothing to see from outside.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(served.stop.take());
    for call in calls {
        assert!(call.await.unwrap().unwrap().is_allowed());
    }
    tokio::time::timeout(PATIENCE, &mut served.task).await.unwrap().unwrap().unwrap();
    for host in hosts {
        assert!(matches!(failure(ask(&host, "allow", json!({})).await), Failure::Error(_)));
    }
    assert!(!Path::new(&served.socket()).exists());
}

#[tokio::test]
async fn a_manager_that_is_shut_down_allows_nothing() {
    let served = serve(PluginConfig::new(NAME)).await;
    let [mcp, grpc, unix] = served.sections();
    let mut hosts = Vec::new();
    for section in [mcp, grpc, unix] {
        hosts.push(host(section).await.unwrap());
    }
    served.manager.shutdown().await;
    assert!(served.get("/ready").await.starts_with("HTTP/1.1 503"));
    for host in hosts {
        assert!(matches!(failure(ask(&host, "allow", json!({})).await), Failure::Error(_)));
    }
}
