//! Plugins in WebAssembly in a manager: the plugin of `examples/wasm-plugin`, as cargo makes it.

mod guest;

use std::path::Path;

use cpex::config::Config;
use cpex::hooks::{TOOL_POST_INVOKE, TOOL_PRE_INVOKE, ToolPostInvoke, ToolPreInvoke};
use cpex::{Context, Error, Failure, InvokeError, Manager};
use serde_json::json;

/// A manager of the one plugin, with this in its entry and these settings of its own.
async fn manager(module: &Path, entry: &str, settings: &str) -> Result<Manager, Error> {
    let file = module.with_file_name("plugins.yaml");
    let module = Path::new(module.file_name().expect("a name")).display();
    let yaml = format!(
        "plugins: [{{name: guard, kind: wasm, hooks: [tool_pre_invoke, tool_post_invoke], {entry} \
         config: {{module: {module}, {settings}}}}}]"
    );
    let config = Config::parse(&yaml, &file.display().to_string()).expect("a configuration");
    Manager::builder().config(config).start().await
}

fn post(result: serde_json::Value) -> ToolPostInvoke {
    ToolPostInvoke { name: "search".into(), result }
}

#[tokio::test]
async fn it_denies_and_changes() {
    let Some(module) = guest::module() else { return };
    let settings = "config: {denied_tools: [shell], struck_words: [plan]}";
    let manager = manager(module, "required: true,", settings).await.expect("a manager");
    let context = Context::new("req-1");

    let denied =
        manager.invoke(&TOOL_PRE_INVOKE, &ToolPreInvoke::new("shell"), &context).await.expect("an outcome");
    let violation = denied.violation.expect("a violation");
    assert_eq!((&*violation.code, &*violation.plugin), ("TOOL_DENIED", "guard"));
    assert_eq!(violation.details["tool"], "shell");

    let answer = post(json!({"text": "the plan", "more": ["plan"]}));
    let outcome = manager.invoke(&TOOL_POST_INVOKE, &answer, &context).await.expect("an outcome");
    assert_eq!(outcome.metadata["struck"], 2);
    let payload = outcome.payload.expect("a changed payload");
    assert_eq!(payload.result, json!({"text": "the █", "more": ["█"]}));
}

#[tokio::test]
async fn what_it_leaves_in_the_context_it_finds_there() {
    let Some(module) = guest::module() else { return };
    let manager =
        manager(module, "required: true,", "config: {denied_tools: [shell]}").await.expect("a manager");
    let context = Context::new("req-1");
    for asked in 1..4 {
        let tool = ToolPreInvoke::new("search");
        let outcome = manager.invoke(&TOOL_PRE_INVOKE, &tool, &context).await.expect("an outcome");
        assert_eq!(outcome.metadata["asked"], asked);
    }
}

#[tokio::test]
async fn a_failure_is_judged_by_on_error() {
    let Some(module) = guest::module() else { return };
    // One page of memory is too little for any plugin that allocates.
    let fails = manager(module, "on_missing: deny,", "memory: 64KiB").await.expect("a manager");
    let failure = fails.load_failures().await.pop().expect("a load failure");
    assert!(failure.to_string().contains("65536 bytes of memory"), "{failure}");
    let tool = ToolPreInvoke::new("search");
    let denied = fails.invoke(&TOOL_PRE_INVOKE, &tool, &Context::new("req-1")).await.expect("an outcome");
    assert!(!denied.is_allowed());

    let starved = manager(module, "required: true,", "fuel: 40000").await.expect("a manager");
    let long = post(json!("text ".repeat(10_000)));
    let error = starved.invoke(&TOOL_POST_INVOKE, &long, &Context::new("req-1")).await.expect_err("an error");
    let InvokeError::Plugin { failure: Failure::Error(error), .. } = error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), "the plugin used more than its 40000 units of fuel");
}

#[tokio::test]
async fn mistakes_are_told_with_their_place() {
    let Some(module) = guest::module() else { return };
    let mistakes = [
        ("sha256: abc", "plugins[0].config.sha256: expected the SHA-256 of the module"),
        ("modul: x", "plugins[0].config.modul: unknown key \"modul\""),
        ("memory: 64MB", "plugins[0].config.memory: expected bytes"),
        (
            "config: {denied_tool: []}",
            "plugins[0].config.config: the plugin does not start: config: unknown field",
        ),
        (
            "config: {struck_words: ['']}",
            "plugins[0].config.config: the plugin does not start: struck_words: an empty word is everywhere",
        ),
    ];
    for (settings, expected) in mistakes {
        let error =
            manager(module, "required: true,", settings).await.map(drop).expect_err(settings).to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn mistakes_are_told_before_a_module_is_read() {
    let entries = [
        ("config: {module: x.wasm}", "plugins[0].hooks: a plugin in WebAssembly does not name its hooks"),
        (
            "hooks: [tool_pre_invoke], config: {module: no.wasm}",
            "plugins[0].config.module: no.wasm cannot be read",
        ),
        ("hooks: [tool_pre_invoke], config: {module: /}", "plugins[0].config.module: / is no file"),
    ];
    for (entry, expected) in entries {
        let yaml = format!("plugins: [{{name: guard, kind: wasm, required: true, {entry}}}]");
        let config = Config::parse(&yaml, "plugins.yaml").expect("a configuration");
        let error = Manager::builder().config(config).start().await.map(drop).expect_err(entry).to_string();
        assert!(error.contains(expected), "{error}");
    }
}
