//! What is wrong with an entry, and where.

use cpex::config::Config;
use cpex::{Hook, Json, PluginContext};

use super::start;

async fn problem(yaml: &str) -> String {
    start(yaml).await.err().map_or_else(|| panic!("it starts: {yaml}"), |error| error.to_string())
}

fn entry(lines: &str) -> String {
    format!("plugins:\n  - name: it\n    required: true\n{lines}")
}

/// Issue 4: unknown or ill-typed config is an error with the path of the field.
#[tokio::test]
async fn mistakes_have_a_place_and_a_path() {
    let cases = [
        (
            "    kind: builtin.deny_list\n    config:\n      wrods: [a]\n",
            "plugins.yaml:6:14: ",
            "plugins[0].config.wrods: unknown key: did you mean \"words\"?",
        ),
        (
            "    kind: builtin.rate_limiter\n    config:\n      limits:\n        - rate: often\n",
            "plugins.yaml:7:17: ",
            "plugins[0].config.limits[0].rate: expected a count above zero",
        ),
        (
            "    kind: builtin.policy\n    hooks: [tool_pre_invoke]\n    config: {rules: [{name: a, when: '1 +', effect: deny}]}\n",
            "plugins.yaml:6:38: ",
            "plugins[0].config.rules[0].when: ",
        ),
        (
            "    kind: builtin.rate_limiter\n    hooks: [tool_pre_invoke, tool_post_invoke]\n    config: {limits: [{rate: 1/s}]}\n",
            "plugins.yaml:5:30: ",
            "plugins[0].hooks[1]: rate_limiter can do nothing at \"tool_post_invoke\"",
        ),
        (
            "    kind: builtin.policy\n    config: {rules: [{name: a, when: 'true', effect: deny}]}\n",
            "plugins.yaml:2:5: ",
            "plugins[0].hooks: builtin.policy belongs to no hook by itself",
        ),
        (
            "    kind: builtin.pii_redacter\n",
            "plugins.yaml:4:11: ",
            "plugins[0].kind: no built-in kind \"pii_redacter\"; did you mean \"builtin.pii_redactor\"?",
        ),
        (
            "    kind: builtin.pii_redactor\n    mode: concurrent\n    hooks: [tool_pre_invoke]\n",
            "plugins.yaml:2:5: ",
            "a concurrent plugin cannot",
        ),
    ];
    for (lines, place, expected) in cases {
        let found = problem(&entry(lines)).await;
        assert!(found.contains(place) && found.contains(expected), "{found}");
    }
}

/// A guard at a misspelt hook would never run.
#[tokio::test]
async fn a_hook_that_is_nearly_a_known_one_has_a_place() {
    let at = |hook: &str| {
        entry(&format!("    kind: builtin.secrets_detector\n    hooks: [tool_pre_invoke, {hook}]\n"))
    };
    let found = problem(&at("tool_post_invok")).await;
    let expected = "plugins.yaml:5:30: plugin \"it\" cannot be loaded: plugins[0].hooks[1]: no hook \
                    \"tool_post_invok\" is known; did you mean \"tool_post_invoke\"?";
    assert!(found.contains(expected), "{found}");
    // One of the application's own, which a plugin of it answers.
    let yaml = Config::parse(&at("before_al"), "plugins.yaml").unwrap();
    let own = |_: &Json, _: &mut PluginContext| ();
    let builder = cpex::Manager::builder().on(&Hook::<Json>::new("before_all"), "own", own);
    let error = builder.config(yaml).start().await.unwrap_err().to_string();
    assert!(error.contains("did you mean \"before_all\"?"), "{error}");
    start(&at("before_all")).await.unwrap();
}

/// No error shows a value: it may be a secret.
#[tokio::test]
async fn mistakes_show_no_value() {
    let lines = "    kind: builtin.pii_redactor\n    hooks: [tool_pre_invoke]\n    \
        config: {redact: {strategy: hash, key: s3cr3t}, entities: hunter2}\n";
    let found = problem(&entry(lines)).await;
    assert!(!found.contains("hunter2") && !found.contains("s3cr3t"), "{found}");
    let lines = "    kind: builtin.pii_redactor\n    hooks: [tool_pre_invoke]\n    config: {redact: {strategy: hash, key: s3cr3t}}\n";
    let found = problem(&entry(lines)).await;
    assert!(
        found.contains("plugins[0].config.redact.key: too short") && !found.contains("s3cr3t"),
        "{found}"
    );
}

/// A guard that could not be loaded is not missed in silence: `on_missing: deny` lets its hooks deny.
#[tokio::test]
async fn a_guard_that_is_missing_denies_if_it_says_so() {
    let yaml = "plugins: [{name: it, kind: builtin.deny_list, hooks: [tool_pre_invoke], on_missing: deny}]\n";
    let manager = start(yaml).await.unwrap();
    assert!(manager.load_failures().await[0].error.contains("words: "));
    let refused = super::violation(super::before(&manager, &super::search("a"), &super::request()).await);
    assert_eq!(refused.code, "PLUGIN_UNAVAILABLE");
}
