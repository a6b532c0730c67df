//! Configuration, factories, what becomes of plugins that cannot be loaded, and another configuration at run time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cpex::config::{Config, Mode, OnError};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::lifecycle::LoadPhase;
use cpex::{BoxError, Builder, Context, Error, InvokeError, Json, Manager, Reply, Violation, plugin};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    tools: Vec<String>,
    #[serde(default)]
    fails: bool,
}

type Log = Arc<Mutex<Vec<String>>>;

struct Allowlist {
    settings: Settings,
    calls: AtomicUsize,
    log: Log,
}

#[plugin]
impl Allowlist {
    #[initialize]
    async fn open(&self) -> Result<(), BoxError> {
        if self.settings.fails { Err("no connection".into()) } else { Ok(()) }
    }

    #[shutdown]
    async fn close(&self) {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(format!("closed {}", self.settings.tools.join(",")));
    }

    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let reply = if self.settings.tools.contains(&call.name) {
            Reply::allow()
        } else {
            Reply::deny(Violation::new("TOOL_DENIED", "not on the list"))
        };
        reply.metadata("calls", calls)
    }
}

fn builder(yaml: &str) -> (Result<Builder, Error>, Log) {
    let log = Log::default();
    let (of, config) = (log.clone(), Config::parse(yaml, "plugins.yaml"));
    let make = move |settings| Allowlist { settings, calls: AtomicUsize::new(0), log: of.clone() };
    (config.map(|config| Manager::builder().kind("app.Allowlist", make).config(config)), log)
}

async fn search(manager: &Manager) -> Result<cpex::Outcome<ToolPreInvoke>, InvokeError> {
    manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("search"), &Context::new("1")).await
}

#[test]
fn errors_say_where_and_what_would_be_right_and_show_no_value() {
    for (yaml, error) in [
        ("plugins: 5", "plugins.yaml:1:10: plugins: expected a list, found an integer"),
        ("plugins:\n  - {name: a}", "plugins.yaml:2:5: plugins[0]: \"kind\" is missing"),
        (
            "plugins:\n  - {name: a, kind: k, mode: sequental}",
            "plugins.yaml:2:30: plugins[0].mode: did you mean \"sequential\"? expected one of: sequential, transform, \
             audit, concurrent, fire_and_forget, disabled, enforce, enforce_ignore_error, permissive",
        ),
        (
            "plugins:\n  - {name: a, kind: k, timeout_ms: 0}",
            "plugins.yaml:2:36: plugins[0].timeout_ms: expected an integer above 0, found another value (an integer)",
        ),
        (
            "plugins:\n  - {name: a, kind: k, priority: s3cr3t}",
            "plugins.yaml:2:34: plugins[0].priority: expected an integer, found a string",
        ),
        (
            "plugins:\n  - {name: a, kind: k, on_missing: skip}",
            "plugins.yaml:2:36: plugins[0].on_missing: expected one of: deny",
        ),
        (
            "plugin_settings: {extension_tiers: of}",
            "plugins.yaml:1:36: plugin_settings.extension_tiers: expected one of: default, enforce, warn, off",
        ),
        ("- a", "plugins.yaml:1:1: expected a mapping, found a list"),
    ] {
        assert_eq!(Config::parse(yaml, "plugins.yaml").unwrap_err().to_string(), error, "{yaml}");
    }
}

#[test]
fn older_modes_are_understood() {
    let modes = |mode: &str| {
        let yaml = format!("plugins: [{{name: a, kind: k, mode: {mode}}}]");
        let config = Config::parse(&yaml, "plugins.yaml").unwrap();
        (config.plugins[0].mode, config.plugins[0].on_error)
    };
    assert_eq!(modes("enforce"), (Mode::Sequential, OnError::Fail));
    assert_eq!(modes("enforce_ignore_error"), (Mode::Sequential, OnError::Ignore));
    assert_eq!(modes("permissive"), (Mode::Transform, OnError::Fail));
}

#[tokio::test]
async fn a_plugin_is_made_of_its_entry() {
    let (builder, log) = builder("plugins:\n  - {name: a, kind: app.Allowlist, config: {tools: [search]}}\n");
    let manager = builder.unwrap().start().await.unwrap();
    assert!(search(&manager).await.unwrap().is_allowed());
    manager.shutdown().await;
    assert_eq!(*log.lock().unwrap(), ["closed search"]);
}

#[tokio::test]
async fn settings_that_do_not_fit_are_named_by_their_place() {
    for (config, error) in [
        ("{tools: search}", "plugins.yaml:2:52: plugins[0].config.tools: expected a list, found a string"),
        (
            "{tool: [a]}",
            "plugins.yaml:2:51: plugins[0].config.tool: unknown key \"tool\"; did you mean \"tools\"?",
        ),
        (
            "{tools: [a, 5]}",
            "plugins.yaml:2:56: plugins[0].config.tools[1]: expected a string, found an integer",
        ),
        ("{}", "plugins.yaml:2:44: plugins[0].config: \"tools\" is missing"),
    ] {
        let (builder, _) =
            builder(&format!("plugins:\n  - {{name: a, kind: app.Allowlist, config: {config}}}\n"));
        let manager = builder.unwrap().start().await.unwrap();
        let failure = manager.load_failures().await.remove(0);
        let place = failure.place.unwrap();
        assert_eq!(
            (failure.phase, format!("{place}: {}", failure.error)),
            (LoadPhase::Construct, error.to_owned())
        );
    }
}

#[tokio::test]
async fn a_plugin_that_is_missing_passes_denies_or_ends_the_start() {
    let yaml = |more: &str| {
        format!(
            "plugins:\n  - {{name: a, kind: app.Allowlist, hooks: [tool_pre_invoke], \
             config: {{tools: [search], fails: true}}{more}}}\n"
        )
    };
    let passes = builder(&yaml("")).0.unwrap().start().await.unwrap();
    let outcome = search(&passes).await.unwrap();
    let line = outcome.report.lines().next().unwrap();
    assert_eq!((line.outcome, line.detail.as_deref()), ("not_loaded", Some("no connection")));
    assert!(outcome.is_allowed());

    let denies = builder(&yaml(", on_missing: deny")).0.unwrap().start().await.unwrap();
    assert_eq!(search(&denies).await.unwrap().violation.unwrap().code, "PLUGIN_UNAVAILABLE");

    let error = builder(&yaml(", required: true")).0.unwrap().start().await.unwrap_err();
    assert_eq!(error.to_string(), "plugins.yaml:2:5: plugin \"a\" cannot be loaded: no connection");
}

#[tokio::test]
async fn nothing_is_answered_before_the_start() {
    let manager = builder("plugins: []").0.unwrap().build().unwrap();
    assert!(matches!(search(&manager).await, Err(InvokeError::NotInitialized)));
}

struct AnyHook;

#[plugin]
impl AnyHook {
    #[hook("a", "b")]
    fn look(&self, _: &Json) {}
}

#[tokio::test]
async fn names_are_unique() {
    let error = Manager::builder().plugin("a", AnyHook).plugin("a", AnyHook).build().unwrap_err();
    assert_eq!(error.to_string(), "there are two plugins called \"a\": names are unique in a manager");
}

/// Without the feature, an entry of a built-in kind says what is missing.
#[cfg(not(feature = "builtin"))]
#[tokio::test]
async fn built_in_plugins_name_their_feature() {
    let yaml = "plugins: [{name: words, kind: builtin.deny_list, required: true}]";
    let config = Config::parse(yaml, "plugins.yaml").expect("it is YAML");
    let error = Manager::builder().config(config).start().await.expect_err("it is required").to_string();
    assert!(error.contains("plugins[0].kind: ") && error.contains("the feature `builtin`"), "{error}");
}
