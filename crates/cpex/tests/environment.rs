//! Variables of the environment, each in a process of its own; and the switches beside those of the Python host.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cpex::config::{Config, Mode, OnError, PluginConfig, Tiers};
use cpex::{Context, Hook, Json, Manager, PluginContext, Reply};
use serde_json::json;

const PING: Hook<Json> = Hook::new("ping");

/// Runs `child` under these variables.
fn child_under(variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn said(variables: &[(&str, &str)]) -> String {
    let Output { stdout, stderr, status } = child_under(variables);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Says what holds, or why it does not start.
#[tokio::test(start_paused = true)]
#[ignore = "run by the others, in a process of its own"]
async fn child() {
    let most = Arc::new(AtomicUsize::new(0));
    let now = Arc::new(AtomicUsize::new(0));
    let beside = |builder: cpex::Builder, index: usize| {
        let (most, now) = (most.clone(), now.clone());
        let entry = PluginConfig::new(format!("beside{index}")).mode(Mode::Concurrent);
        builder.on_async(&PING, entry, move |_: &Json, _: &mut PluginContext| {
            let (most, now) = (most.clone(), now.clone());
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                now.fetch_sub(1, Ordering::SeqCst);
            }
        })
    };
    let writes = |_: &Json, _: &mut PluginContext| {
        Json::try_from(json!({"written": true})).map(Reply::modify).map_err(cpex::BoxError::from)
    };
    let hangs = |_: &Json, _: &mut PluginContext| std::future::pending::<()>();
    let builder = (0..12).fold(Manager::builder(), beside).on(&PING, "writes", writes);
    let builder = builder.on_async(&PING, PluginConfig::new("hangs").on_error(OnError::Ignore), hangs);
    let builder = if std::env::var_os("TEST_MISSING").is_some() {
        builder.config(Config::parse("plugins: [{name: a, kind: no.Such}]", "plugins.yaml").unwrap())
    } else {
        builder
    };
    let builder = if std::env::var_os("TEST_SAYS_ITSELF").is_some() {
        builder.pool(3).timeout(std::time::Duration::from_secs(7)).deny_by_default()
    } else {
        builder
    };
    let manager = match builder.start().await {
        Ok(manager) => manager,
        Err(error) => return println!("error: {error}"),
    };
    let outcome = manager.invoke(&PING, &Json::default(), &Context::new("1")).await.unwrap();
    let lines: Vec<_> = outcome.report.lines().collect();
    let timed_out = lines.iter().find(|line| line.outcome == "timed_out").unwrap();
    println!("timeout: {}", timed_out.detail.as_deref().unwrap());
    println!("written: {}", outcome.payload.is_some());
    println!("at once: {}", most.load(Ordering::SeqCst));
}

#[test]
fn what_nobody_says() {
    let said = said(&[("PLUGINS_EXECUTION_POOL", " ")]);
    assert!(said.contains("timeout: took longer than 30s\nwritten: true\nat once: 10\n"), "{said}");
}

#[test]
fn the_environment_says_it_unless_the_application_does() {
    let variables = [
        ("PLUGINS_PLUGIN_TIMEOUT", "2"),
        ("PLUGINS_DEFAULT_HOOK_POLICY", "Deny"),
        ("PLUGINS_EXECUTION_POOL", "0"),
        ("PLUGINS_FAIL_ON_PLUGIN_ERROR", "no"),
    ];
    let by_environment = said(&variables);
    let expected = "timeout: took longer than 2s\nwritten: false\nat once: 12\n";
    assert!(by_environment.contains(expected), "{by_environment}");
    let by_itself = said(&[&variables[..], &[("TEST_SAYS_ITSELF", "1")]].concat());
    assert!(by_itself.contains("timeout: took longer than 7s\nwritten: false\nat once: 3\n"), "{by_itself}");
    let required = said(&[("PLUGINS_FAIL_ON_PLUGIN_ERROR", "true"), ("TEST_MISSING", "1")]);
    assert!(required.contains("error: plugins.yaml:1:27: plugin \"a\" cannot be loaded: "), "{required}");
}

#[test]
fn a_value_that_a_variable_does_not_take_is_an_error() {
    for (variable, value, error) in [
        ("PLUGINS_PLUGIN_TIMEOUT", "0", "expected an integer, 1 or more"),
        ("PLUGINS_EXECUTION_POOL", "ten", "expected an integer, 0 or more"),
        ("PLUGINS_DEFAULT_HOOK_POLICY", "open", "expected allow or deny"),
        ("PLUGINS_FAIL_ON_PLUGIN_ERROR", "maybe", "expected true or false"),
        ("PLUGINS_EXTENSION_TIERS", "of", "expected one of default, enforce, warn, off"),
        ("PLUGINS_STRICT_CONFIG", "ja", "expected true or false"),
        ("PLUGINS_ISOLATION", "never", "expected default or always"),
        ("PLUGINS_EXECUTION_DETAIL", "none", "expected default or full"),
    ] {
        let said = said(&[(variable, value)]);
        let expected = format!("error: {variable}: {error}");
        assert!(said.lines().any(|line| line == expected), "{said}");
    }
}

/// The switches of `plugin_settings` and their values, as `_switches.py` has them.
fn of_python() -> Vec<(String, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../python/cpex/framework/_switches.py");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.split_once("SWITCHES: Final = {").and_then(|(_, rest)| rest.split_once('}')).unwrap().0;
    let quoted = |line: &str| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = table.lines().map(quoted).filter(|words| !words.is_empty());
    rows.map(|mut words| (words.remove(0), words)).collect()
}

#[test]
fn both_hosts_have_the_same_switches() {
    let parse = |name: &str, value: &str| {
        Config::parse(&format!("plugin_settings: {{{name}: {value}}}"), "plugins.yaml")
    };
    let table = of_python();
    assert_eq!(table.len(), 3, "{table:?}");
    for (name, mut values) in table {
        values.push("default".to_owned());
        for value in &values {
            parse(&name, value).unwrap_or_else(|error| panic!("{name}: {value}: {error}"));
            let variable = format!("PLUGINS_{}", name.to_uppercase());
            assert!(!said(&[(&variable, &value.to_uppercase())]).contains("error"), "{variable}={value}");
        }
        let error = parse(&name, "nonsense").unwrap_err().to_string();
        assert!(values.iter().all(|value| error.contains(value.as_str())), "{error}");
    }
    let tiers = |value: &str| parse("extension_tiers", value).unwrap().plugin_settings.extension_tiers;
    assert_eq!([tiers("off"), tiers("'off'"), tiers("warn")], [Tiers::Off, Tiers::Off, Tiers::Warn]);
    assert!(parse("extension_tiers", "on").is_err());
}
