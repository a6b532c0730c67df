//! Plugins of a running manager come, change and go: none loses what it remembers, none is shut down while it is called.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cpex::config::{Config, Mode, PluginConfig};
use cpex::{BoxError, Context, Error, Hook, InvokeError, Json, Manager, Outcome, Reply, Violation, plugin};
use serde::Deserialize;
use tokio::sync::Semaphore;

const PING: Hook<Json> = Hook::new("ping");

async fn ping(manager: &Manager) -> Result<Outcome<Json>, InvokeError> {
    manager.invoke(&PING, &Json::default(), &Context::new("1")).await
}

/// What the plugins of a test have done.
#[derive(Default)]
struct World {
    closed: Mutex<Vec<String>>,
    called_after_the_end: AtomicUsize,
    fails_to_start: AtomicBool,
}

impl World {
    fn closed(&self) -> Vec<String> {
        self.closed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    name: String,
    #[serde(default)]
    fragile: bool,
}

/// Counts its calls, and notices one that comes when it is shut down.
struct Counter {
    settings: Settings,
    calls: AtomicUsize,
    is_open: AtomicBool,
    world: Arc<World>,
}

impl Counter {
    fn new(settings: Settings, world: Arc<World>) -> Self {
        Self { settings, calls: AtomicUsize::new(0), is_open: AtomicBool::new(false), world }
    }

    fn is_open(&self) {
        if !self.is_open.load(Ordering::SeqCst) {
            self.world.called_after_the_end.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[plugin]
impl Counter {
    #[initialize]
    async fn open(&self) -> Result<(), BoxError> {
        if self.settings.fragile && self.world.fails_to_start.load(Ordering::SeqCst) {
            return Err("no connection".into());
        }
        self.is_open.store(true, Ordering::SeqCst);
        Ok(())
    }

    #[shutdown]
    async fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
        self.world.closed.lock().unwrap_or_else(PoisonError::into_inner).push(self.settings.name.clone());
    }

    #[hook("ping")]
    async fn count(&self, _: &Json) -> Reply<Json> {
        self.is_open();
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::task::yield_now().await;
        self.is_open();
        Reply::allow().metadata(&self.settings.name, calls)
    }
}

fn yaml(entries: &[&str]) -> String {
    format!("plugins:\n{}", entries.iter().map(|entry| format!("  - {{{entry}}}\n")).collect::<String>())
}

fn config(entries: &[&str]) -> Config {
    Config::parse(&yaml(entries), "plugins.yaml").unwrap()
}

async fn started(entries: &[&str]) -> (Manager, Arc<World>) {
    let world = Arc::<World>::default();
    let of = world.clone();
    let builder = Manager::builder().kind("app.Counter", move |settings| Counter::new(settings, of.clone()));
    (builder.config(config(entries)).start().await.unwrap(), world)
}

const A: &str = "name: a, kind: app.Counter, config: {name: a}";
const B: &str = "name: b, kind: app.Counter, config: {name: b}";
const FRAGILE: &str = "name: f, kind: app.Counter, hooks: [ping], config: {name: f, fragile: true}";

#[tokio::test]
async fn another_configuration_keeps_what_is_made_alike() {
    let (manager, world) = started(&[A, B, "name: c, kind: app.Counter, config: {name: c}"]).await;
    let _ = ping(&manager).await.unwrap();
    let other_schedule =
        format!("{A}, mode: audit, priority: 7, conditions: [{{tenant_ids: [acme]}}], timeout_ms: 5");
    manager
        .replace(config(&[&other_schedule, "name: b, kind: app.Counter, config: {name: b2}"]))
        .await
        .unwrap();
    assert_eq!(world.closed(), ["c", "b"], "those that are gone, the last one first");
    let acme = Context::new("1").tenant("acme");
    let outcome = manager.invoke(&PING, &Json::default(), &acme).await.unwrap();
    assert_eq!((&outcome.metadata["a"], &outcome.metadata["b2"]), (&2.into(), &1.into()));
    let modes: Vec<_> = outcome.report.lines().map(|line| (line.plugin.to_owned(), line.mode)).collect();
    assert_eq!(modes, [("b".to_owned(), Mode::Sequential), ("a".to_owned(), Mode::Audit)]);
    manager.replace(config(&[A])).await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata["a"], 3);
}

#[tokio::test]
async fn a_change_that_fails_changes_nothing() {
    let (manager, world) = started(&[A]).await;
    let broken = config(&[B, "name: x, kind: no.Such, required: true"]);
    let error = manager.replace(broken).await.unwrap_err();
    let expected = "plugins.yaml:3:21: plugin \"x\" cannot be loaded: plugins[1].kind: no kind \"no.Such\" is registered; registered: app.Counter";
    assert_eq!(error.to_string(), expected);
    assert_eq!(world.closed(), ["b"], "what was made for it is shut down again");
    assert_eq!(ping(&manager).await.unwrap().metadata.keys().collect::<Vec<_>>(), ["a"]);

    let twice = manager.replace(config(&[A, B, A])).await.unwrap_err();
    let expected = "plugins.yaml:4:5: there are two plugins called \"a\": names are unique in a manager";
    assert_eq!(twice.to_string(), expected);
    let missing = manager.update("aa", |entry| entry).await.unwrap_err();
    assert!(matches!(missing, Error::NoSuchPlugin { .. }), "{missing}");
    let no_handler = manager.update("a", |entry| entry.hook("pong").required()).await.unwrap_err();
    assert!(no_handler.to_string().contains("has no handler for hook \"pong\""), "{no_handler}");
    assert_eq!(ping(&manager).await.unwrap().metadata["a"], 2);
}

#[tokio::test]
async fn one_plugin_changes_and_the_others_do_not_notice() {
    let (manager, world) = started(&[A, B]).await;
    let _ = ping(&manager).await.unwrap();
    manager.update("a", |entry| entry.mode(Mode::Audit).priority(1)).await.unwrap();
    manager.update("b", |entry| entry.setting("name", "b2")).await.unwrap();
    assert_eq!(world.closed(), ["b"]);
    let settings = Settings { name: "c".to_owned(), fragile: false };
    manager.add("c", Counter::new(settings, world.clone())).await.unwrap();
    let outcome = ping(&manager).await.unwrap();
    assert_eq!((&outcome.metadata["b2"], &outcome.metadata["c"]), (&1.into(), &1.into()));
    manager.update("a", |entry| entry.mode(Mode::Disabled)).await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata.get("a"), None);
    manager.update("a", |entry| entry.mode(Mode::Sequential)).await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata["a"], 3);
    manager.remove("c").await.unwrap();
    manager.add_entry(PluginConfig::new("d").kind("app.Counter").setting("name", "d")).await.unwrap();
    let names: Vec<_> = manager.entries().await.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, ["a", "b", "d"]);
    assert_eq!(world.closed(), ["b", "c"]);
}

#[tokio::test]
async fn a_disabled_plugin_keeps_what_it_remembers_and_another_instance_is_in_service() {
    let (manager, _) = started(&[A]).await;
    let _ = ping(&manager).await.unwrap();
    manager.disable("a").await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().report.lines().next().unwrap().outcome, "disabled");
    manager.update("a", |entry| entry.priority(5)).await.unwrap();
    assert!(ping(&manager).await.unwrap().metadata.is_empty(), "it is the same instance");
    manager.enable("a").await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata["a"], 2);
    manager.disable("a").await.unwrap();
    manager.update("a", |entry| entry.setting("name", "a2")).await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata["a2"], 1);
}

#[tokio::test]
async fn a_plugin_that_could_not_be_loaded_is_tried_again() {
    let world = Arc::<World>::default();
    world.fails_to_start.store(true, Ordering::SeqCst);
    let of = world.clone();
    let builder = Manager::builder().kind("app.Counter", move |settings| Counter::new(settings, of.clone()));
    let denies = format!("{FRAGILE}, on_missing: deny");
    let manager = builder.config(config(&[A, &denies])).start().await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().violation.unwrap().code, "PLUGIN_UNAVAILABLE");
    let failures = manager.retry_failed().await.unwrap();
    assert_eq!(failures[0].to_string(), "plugins.yaml:3:5: plugin \"f\" cannot be loaded: no connection");
    world.fails_to_start.store(false, Ordering::SeqCst);
    assert_eq!(manager.retry_failed().await.unwrap(), []);
    assert_eq!(ping(&manager).await.unwrap().metadata["f"], 1);
    assert_eq!(world.closed(), [] as [&str; 0]);
}

#[tokio::test]
async fn the_files_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugins.yaml");
    std::fs::write(&file, yaml(&[A])).unwrap();
    let world = Arc::<World>::default();
    let of = world.clone();
    let builder = Manager::builder().kind("app.Counter", move |settings| Counter::new(settings, of.clone()));
    let manager = builder.yaml(&file).unwrap().start().await.unwrap();
    let _ = ping(&manager).await.unwrap();
    std::fs::write(&file, yaml(&[B, A])).unwrap();
    manager.reload().await.unwrap();
    assert_eq!(ping(&manager).await.unwrap().metadata["a"], 2);
    std::fs::write(&file, "plugins: 5").unwrap();
    let error = manager.reload().await.unwrap_err().to_string();
    assert!(error.ends_with("plugins.yaml:1:10: plugins: expected a list, found an integer"), "{error}");
    assert_eq!(ping(&manager).await.unwrap().metadata["b"], 2);
    let no_file = Manager::builder().start().await.unwrap().reload().await;
    assert!(matches!(no_file, Err(Error::NoFile)));
}

/// Says that it was called, and waits for leave to answer.
struct Waits {
    called: Arc<Semaphore>,
    leave: Arc<Semaphore>,
    is_open: AtomicBool,
}

#[plugin]
impl Waits {
    #[shutdown]
    async fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
    }

    #[hook("ping")]
    async fn wait(&self, _: &Json) -> Reply<Json> {
        self.called.add_permits(1);
        self.leave.acquire().await.unwrap().forget();
        if self.is_open.load(Ordering::SeqCst) {
            Reply::allow()
        } else {
            Reply::deny(Violation::new("CLOSED", "shut down beneath its call"))
        }
    }
}

struct Waiting {
    manager: Manager,
    called: Arc<Semaphore>,
    leave: Arc<Semaphore>,
}

async fn waiting(entry: PluginConfig) -> Waiting {
    let (called, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let waits = Waits { called: called.clone(), leave: leave.clone(), is_open: AtomicBool::new(true) };
    let manager = Manager::builder().timeout(None).plugin(entry, waits).start().await.unwrap();
    Waiting { manager, called, leave }
}

impl Waiting {
    /// A call that is under way.
    async fn call(&self) -> tokio::task::JoinHandle<Result<Outcome<Json>, InvokeError>> {
        let manager = self.manager.clone();
        let call = tokio::spawn(async move { ping(&manager).await });
        self.called.acquire().await.unwrap().forget();
        call
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_under_way_ends_as_it_began_and_new_ones_are_refused_at_once() {
    let it = waiting("waits".into()).await;
    let call = it.call().await;
    let manager = it.manager.clone();
    let shutdown = tokio::spawn(async move { manager.shutdown().await });
    while eligible(&it.manager) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(matches!(ping(&it.manager).await, Err(InvokeError::ShutDown)));
    assert!(!shutdown.is_finished());
    it.leave.add_permits(1);
    assert!(call.await.unwrap().unwrap().is_allowed());
    shutdown.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_of_two_plans_ago_keeps_its_plugin_up() {
    let it = waiting("waits".into()).await;
    let call = it.call().await;
    it.manager.update("waits", |entry| entry.priority(1)).await.unwrap();
    let manager = it.manager.clone();
    let removal = tokio::spawn(async move { manager.remove("waits").await });
    while eligible(&it.manager) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(!removal.is_finished());
    it.leave.add_permits(1);
    assert!(call.await.unwrap().unwrap().is_allowed());
    removal.await.unwrap().unwrap();
}

/// Answers once its thread is let go, whoever still waits for it.
struct Blocks {
    called: Arc<Semaphore>,
    leave: Mutex<std::sync::mpsc::Receiver<()>>,
    world: Arc<World>,
    is_open: AtomicBool,
}

#[plugin]
impl Blocks {
    #[shutdown]
    async fn close(&self) {
        self.is_open.store(false, Ordering::SeqCst);
    }

    #[hook("ping", blocking)]
    fn block(&self, _: &Json) {
        self.called.add_permits(1);
        let _ = self.leave.lock().unwrap_or_else(PoisonError::into_inner).recv();
        if !self.is_open.load(Ordering::SeqCst) {
            self.world.called_after_the_end.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// `Manager::shutdown` and `remove` wait for the last call of a plugin: a thread cannot be stopped, so a method on the
/// blocking pool counts as one until it returns, also when its caller has gone.
#[tokio::test]
async fn a_method_on_the_blocking_pool_keeps_its_plugin_up_when_its_caller_has_gone() {
    let (called, world) = (Arc::new(Semaphore::new(0)), Arc::<World>::default());
    let (let_go, leave) = std::sync::mpsc::channel();
    let (of, leave) = (world.clone(), Mutex::new(leave));
    let blocks = Blocks { called: called.clone(), leave, world: of, is_open: AtomicBool::new(true) };
    let manager = Manager::builder().timeout(None).plugin("blocks", blocks).start().await.unwrap();
    let caller = manager.clone();
    let call = tokio::spawn(async move { ping(&caller).await });
    called.acquire().await.unwrap().forget();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    let remover = manager.clone();
    let removal = tokio::spawn(async move { remover.remove("blocks").await });
    while eligible(&manager) > 0 {
        tokio::task::yield_now().await;
    }
    // The only thread of this runtime: whatever can be done without the method is done by then.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!removal.is_finished());
    let_go.send(()).unwrap();
    removal.await.unwrap().unwrap();
    assert_eq!(world.called_after_the_end.load(Ordering::SeqCst), 0, "shut down beneath its method");
}

/// Says that it was called and fails, once it has leave.
struct Fails {
    called: Arc<Semaphore>,
    leave: Arc<Semaphore>,
}

#[plugin]
impl Fails {
    #[hook("ping")]
    async fn fail(&self, _: &Json) -> Result<Reply<Json>, BoxError> {
        self.called.add_permits(1);
        self.leave.acquire().await?.forget();
        Err("no connection".into())
    }
}

/// `on_error: disable` takes the instance out of service that has failed, not the one in its place: neither a new one,
/// nor what denies because it could not be loaded.
#[tokio::test]
async fn a_call_that_began_before_a_plugin_was_replaced_does_not_disable_its_successor() {
    for (mode, loads) in
        [("sequential", true), ("fire_and_forget", true), ("sequential", false), ("fire_and_forget", false)]
    {
        let (called, leave) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let world = Arc::<World>::default();
        world.fails_to_start.store(!loads, Ordering::SeqCst);
        let (fails, of) = ((called.clone(), leave.clone()), world.clone());
        let builder = Manager::builder()
            .kind("app.Fails", move |_: serde_json::Value| Fails {
                called: fails.0.clone(),
                leave: fails.1.clone(),
            })
            .kind("app.Counter", move |settings| Counter::new(settings, of.clone()));
        let old = format!("name: f, kind: app.Fails, mode: {mode}, on_error: disable");
        let manager = builder.config(config(&[&old])).start().await.unwrap();
        let caller = manager.clone();
        let call = tokio::spawn(async move { ping(&caller).await });
        called.acquire().await.unwrap().forget();
        // One of the same name that cannot be loaded is no successor: nothing would be replaced.
        let name = if loads { "name: f" } else { "name: g" };
        let successor = format!("{}, on_missing: deny", FRAGILE.replacen("name: f", name, 1));
        let replacing = manager.clone();
        let replaced = tokio::spawn(async move { replacing.replace(config(&[&successor])).await });
        let is_new = |outcome: &Outcome<Json>| match loads {
            true => outcome.metadata.contains_key("f"),
            false => {
                outcome.violation.as_ref().is_some_and(|violation| violation.code == "PLUGIN_UNAVAILABLE")
            }
        };
        while manager.entries().await[0].kind != "app.Counter" {
            tokio::task::yield_now().await;
        }
        leave.add_permits(1);
        replaced.await.unwrap().unwrap();
        let before = call.await.unwrap().unwrap();
        let expected = if mode == "sequential" { "failed" } else { "detached" };
        assert_eq!(before.report.lines().next().unwrap().outcome, expected, "{mode}");
        assert!(is_new(&ping(&manager).await.unwrap()), "{mode}, loads: {loads}");
    }
}

/// How many plugins would answer.
fn eligible(manager: &Manager) -> usize {
    manager.eligible(&PING, &Json::default(), &Context::new("1")).len()
}

#[tokio::test(start_paused = true)]
async fn after_the_time_limit_a_plugin_is_shut_down_beneath_its_call() {
    let it = waiting("waits".into()).await;
    let call = it.call().await;
    it.manager.remove("waits").await.unwrap();
    it.leave.add_permits(1);
    assert_eq!(call.await.unwrap().unwrap().violation.unwrap().code, "CLOSED");
}

#[tokio::test(start_paused = true)]
async fn a_plugin_in_the_background_is_up_until_it_has_ended() {
    let it = waiting(PluginConfig::new("waits").mode(Mode::FireAndForget)).await;
    assert!(it.call().await.await.unwrap().unwrap().is_allowed());
    let manager = it.manager.clone();
    let removal = tokio::spawn(async move { manager.remove("waits").await });
    while eligible(&it.manager) > 0 {
        tokio::task::yield_now().await;
    }
    assert!(!removal.is_finished());
    it.leave.add_permits(1);
    removal.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_goes_on_whose_future_is_dropped() {
    let (manager, world) = started(&[A, B]).await;
    {
        let mut change = std::pin::pin!(manager.remove("b"));
        assert!(futures_util::poll!(change.as_mut()).is_pending());
    }
    while world.closed().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ping(&manager).await.unwrap().metadata.keys().collect::<Vec<_>>(), ["a"]);
}

#[tokio::test]
async fn a_report_that_is_kept_keeps_no_plugin_up() {
    let (manager, world) = started(&[A]).await;
    let outcome = ping(&manager).await.unwrap();
    let begun = std::time::Instant::now();
    manager.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "it waited for a report");
    assert_eq!(world.closed(), ["a"]);
    assert_eq!(outcome.report.lines().next().unwrap().plugin, "a");
}

/// 4 threads call without a pause while plugins are changed, replaced, removed and added.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_no_plugin_is_called_when_it_is_shut_down() {
    let (manager, world) =
        started(&[A, B, "name: c, kind: app.Counter, mode: fire_and_forget, config: {name: c}"]).await;
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let manager = manager.clone();
            tokio::spawn(async move {
                let mut calls = 0;
                loop {
                    match ping(&manager).await {
                        Ok(outcome) => calls += usize::from(outcome.is_allowed()),
                        Err(InvokeError::ShutDown) => return calls,
                        Err(error) => panic!("{error}"),
                    }
                }
            })
        })
        .collect();
    for round in 0..100 {
        let other = format!("name: b, kind: app.Counter, config: {{name: b{round}}}");
        let behind =
            format!("name: c, kind: app.Counter, mode: fire_and_forget, config: {{name: c{}}}", round / 2);
        manager.replace(config(&[A, &other, &behind])).await.unwrap();
        manager.update("a", move |entry| entry.priority(round)).await.unwrap();
        manager.remove("b").await.unwrap();
    }
    manager.shutdown().await;
    for caller in callers {
        assert!(caller.await.unwrap() > 0, "a caller was never answered");
    }
    assert_eq!(world.called_after_the_end.load(Ordering::SeqCst), 0);
    assert_eq!(world.closed().iter().filter(|name| *name == "a").count(), 1, "it was kept all the while");
}
