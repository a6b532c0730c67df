//! How calls run: deadlines, panics, cancellation, the blocking pool, the background.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cpex::config::{Mode, OnError, PluginConfig};
use cpex::hooks::{HTTP_PRE_REQUEST, HttpHeaders, HttpPreRequest, TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Context, Failure, Hook, InvokeError, Json, Manager, PluginContext, Reply, Violation, plugin};
use serde_json::json;

const PING: Hook<Json> = Hook::new("ping");

async fn ping(manager: &Manager) -> Result<cpex::Outcome<Json>, InvokeError> {
    manager.invoke(&PING, &Json::default(), &Context::new("1")).await
}

struct Counts(Arc<AtomicUsize>);

impl Drop for Counts {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_waits_too_long_has_failed() {
    let manager = Manager::builder()
        .timeout(Duration::from_millis(5))
        .on_async(&PING, "sleeps", |_: &Json, _: &mut PluginContext| {
            tokio::time::sleep(Duration::from_secs(9))
        })
        .start()
        .await
        .unwrap();
    let Err(InvokeError::Plugin { plugin, failure: Failure::TimedOut(limit), report }) = ping(&manager).await
    else {
        panic!("no timeout");
    };
    assert_eq!((&*plugin, limit), ("sleeps", Duration::from_millis(5)));
    let line = report.lines().next().unwrap();
    assert_eq!((line.outcome, line.detail.as_deref()), ("timed_out", Some("took longer than 5ms")));
}

#[tokio::test]
async fn a_panic_is_a_failure_wherever_it_happens() {
    let at_once = |_: &Json, _: &mut PluginContext| -> Reply<Json> { panic!("at once") };
    let later = |_: &Json, _: &mut PluginContext| async {
        tokio::task::yield_now().await;
        panic!("later {}", 1);
        #[allow(unreachable_code)]
        Reply::<Json>::allow()
    };
    let ignored = |name: &str| PluginConfig::new(name).on_error(OnError::Ignore);
    let manager = Manager::builder()
        .on(&PING, ignored("at-once"), at_once)
        .on_async(&PING, ignored("later"), later)
        .on_async(&PING, ignored("beside").mode(Mode::Concurrent), later)
        .start()
        .await
        .unwrap();
    let outcome = ping(&manager).await.unwrap();
    let details: Vec<_> = outcome.report.lines().map(|line| line.detail.unwrap().into_owned()).collect();
    assert_eq!(details, ["panicked: at once", "panicked: later 1", "panicked: later 1"]);
}

#[tokio::test]
async fn what_a_disabled_plugin_failed_with_is_not_asked_again_until_it_is_reset() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let fails = move |_: &Json, _: &mut PluginContext| -> Result<Reply<Json>, &'static str> {
        counted.fetch_add(1, Ordering::SeqCst);
        Err("broken")
    };
    let entry = PluginConfig::new("fails").on_error(OnError::Disable);
    let manager = Manager::builder().on(&PING, entry, fails).start().await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().report.lines().next().unwrap().outcome, "failed");
    assert_eq!(ping(&manager).await.unwrap().report.lines().next().unwrap().outcome, "disabled");
    assert_eq!(manager.eligible(&PING, &Json::default(), &Context::new("1"))[0].skipped, Some("disabled"));
    manager.reset_disabled();
    let _ = ping(&manager).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn dropping_a_hook_stops_its_plugins() {
    let stopped = Arc::new(AtomicUsize::new(0));
    let counted = stopped.clone();
    let hangs = move |_: &Json, _: &mut PluginContext| {
        let held = Counts(counted.clone());
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    };
    let beside = |name: &str| PluginConfig::new(name).mode(Mode::Concurrent);
    let manager = Manager::builder()
        .timeout(None)
        .on_async(&PING, beside("a"), hangs.clone())
        .on_async(&PING, beside("b"), hangs)
        .start()
        .await
        .unwrap();
    let context = Context::new("1");
    let payload = Json::default();
    {
        let mut running = std::pin::pin!(manager.invoke(&PING, &payload, &context));
        assert!(futures_util::poll!(running.as_mut()).is_pending());
    }
    assert_eq!(stopped.load(Ordering::SeqCst), 2);
}

struct Computes {
    abandoned: std::sync::mpsc::Sender<bool>,
}

#[plugin]
impl Computes {
    #[hook("ping", blocking)]
    fn compute(&self, _: &Json, context: &mut PluginContext) {
        while !context.is_abandoned() {
            std::thread::yield_now();
        }
        let _ = self.abandoned.send(true);
    }
}

#[tokio::test]
async fn the_deadline_of_a_blocking_plugin_holds_for_the_caller() {
    let (abandoned, told) = std::sync::mpsc::channel();
    let manager = Manager::builder()
        .timeout(Duration::from_millis(1))
        .plugin("computes", Computes { abandoned })
        .start()
        .await
        .unwrap();
    assert!(matches!(ping(&manager).await, Err(InvokeError::Plugin { failure: Failure::TimedOut(_), .. })));
    assert_eq!(told.recv(), Ok(true));
}

struct Adds;

#[plugin]
impl Adds {
    #[hook("ping", blocking)]
    fn add(&self, payload: &Json, context: &mut PluginContext) -> Reply<Json> {
        context.shared_mut().insert("added".into(), true.into());
        let mut changed = payload.clone();
        changed.insert("n".into(), json!(1));
        Reply::modify(changed)
    }
}

#[tokio::test]
async fn what_a_blocking_plugin_says_and_writes_counts() {
    let manager = Manager::builder().plugin("adds", Adds).start().await.unwrap();
    let context = Context::new("1");
    let outcome = manager.invoke(&PING, &Json::default(), &context).await.unwrap();
    assert_eq!(outcome.payload.unwrap()["n"], 1);
    assert_eq!(context.shared()["added"], true);
}

#[tokio::test(start_paused = true)]
async fn the_background_is_drained_and_then_stopped() {
    let ended = Arc::new(AtomicUsize::new(0));
    let takes = |seconds| {
        let ended = ended.clone();
        move |_: &Json, _: &mut PluginContext| {
            let ended = ended.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                ended.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let behind = |name: &str| PluginConfig::new(name).mode(Mode::FireAndForget);
    let manager = Manager::builder()
        .timeout(None)
        .on_async(&PING, behind("quick"), takes(1))
        .on_async(&PING, behind("slow"), takes(1_000_000))
        .start()
        .await
        .unwrap();
    assert!(ping(&manager).await.unwrap().is_allowed());
    manager.shutdown().await;
    assert_eq!(ended.load(Ordering::SeqCst), 1);
    assert!(matches!(ping(&manager).await, Err(InvokeError::ShutDown)));
}

struct Header(&'static str);

#[plugin]
impl Header {
    #[hook(HTTP_PRE_REQUEST)]
    fn add(&self, request: &HttpPreRequest, context: &mut PluginContext) -> Reply<HttpHeaders> {
        let mut headers =
            context.previous::<HttpHeaders>().cloned().unwrap_or_else(|| request.headers.clone());
        headers.insert(self.0.to_owned(), request.path.clone());
        Reply::modify(headers)
    }
}

#[tokio::test]
async fn a_hook_that_returns_something_else_shows_each_plugin_what_it_is_about() {
    let manager = Manager::builder().plugin("a", Header("a")).plugin("b", Header("b")).start().await.unwrap();
    let json = json!({"path": "/x", "method": "GET", "headers": {"accept": "*/*"}});
    let outcome = manager.invoke_json("http_pre_request", json, &Context::new("1")).await.unwrap();
    assert_eq!(*outcome.payload.unwrap(), json!({"accept": "*/*", "a": "/x", "b": "/x"}));
}

struct Renames;

#[plugin]
impl Renames {
    #[hook("tool_pre_invoke")]
    async fn rename(&self, payload: &Json) -> Reply<Json> {
        let mut changed = payload.clone();
        changed
            .insert("name".into(), json!(if payload["name"] == "break" { json!(5) } else { json!("other") }));
        Reply::modify(changed)
    }
}

#[tokio::test]
async fn a_plugin_that_takes_json_answers_a_typed_hook() {
    let manager = Manager::builder().plugin("renames", Renames).start().await.unwrap();
    let context = Context::new("1");
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("search"), &context).await.unwrap();
    assert_eq!(outcome.payload.unwrap().name, "other");
    let broken = manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("break"), &context).await;
    assert!(matches!(broken, Err(InvokeError::Plugin { failure: Failure::Error(_), .. })));
}

#[tokio::test]
async fn a_violation_raised_denies_in_every_mode() {
    let raises = |_: &Json, _: &mut PluginContext| -> Result<Reply<Json>, Violation> {
        Err(Violation::new("NO", "no"))
    };
    let entry = PluginConfig::new("raises").mode(Mode::Audit).on_error(OnError::Ignore);
    let manager = Manager::builder().on(&PING, entry, raises).start().await.unwrap();
    assert!(matches!(ping(&manager).await, Err(InvokeError::Plugin { failure: Failure::Refused(_), .. })));
}

#[tokio::test]
async fn the_report_says_how_long_each_took() {
    let slept = Duration::from_millis(5);
    let sleeps = move |_: &Json, _: &mut PluginContext| std::thread::sleep(slept);
    let waits = move |_: &Json, _: &mut PluginContext| tokio::time::sleep(slept);
    let manager = Manager::builder()
        .on(&PING, "sleeps", sleeps)
        .on_async(&PING, "waits", waits)
        .on_async(&PING, PluginConfig::new("beside").mode(Mode::Concurrent), waits)
        .start()
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let outcome = ping(&manager).await.unwrap();
    let in_all = begun.elapsed();
    let took: Vec<_> = outcome.report.lines().map(|line| line.duration).collect();
    // The counter of the processor and the system's clock differ by parts of a thousand at most.
    assert!(took.iter().all(|took| *took > slept * 99 / 100), "{took:?}");
    assert!(took.iter().sum::<Duration>() < in_all * 101 / 100, "{took:?} of {in_all:?}");
}
