//! A guard, a rewrite and a trail around a tool call.

use cpex::config::{Mode, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{BoxError, Context, Manager, PluginContext, Reply, Violation, plugin};

/// Lets only some tools be called.
struct Allowlist {
    tools: Vec<&'static str>,
}

#[plugin]
impl Allowlist {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
        if self.tools.contains(&&*call.name) {
            Reply::allow()
        } else {
            Reply::deny(Violation::new("TOOL_DENIED", "not on the list").detail("tool", &*call.name))
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let limit = |call: &ToolPreInvoke, _: &mut PluginContext| match call.arg("limit") {
        Some(limit) if limit.as_u64().is_some_and(|limit| limit > 10) => {
            Reply::modify(call.clone().with("limit", 10))
        }
        _ => Reply::allow(),
    };
    let trail = |call: &ToolPreInvoke, context: &mut PluginContext| {
        println!("{}: {}", context.request().id, call.name);
    };
    let manager = Manager::builder()
        .plugin(PluginConfig::new("allowlist").priority(10), Allowlist { tools: vec!["search"] })
        .on(&TOOL_PRE_INVOKE, PluginConfig::new("limit").mode(Mode::Transform), limit)
        .on(&TOOL_PRE_INVOKE, PluginConfig::new("trail").mode(Mode::Audit), trail)
        .start()
        .await?;

    for call in [ToolPreInvoke::new("search").with("limit", 500), ToolPreInvoke::new("shell")] {
        let context = Context::new("req-1").user("alice");
        let outcome = manager.invoke(&TOOL_PRE_INVOKE, &call, &context).await?;
        match outcome.into_payload(call) {
            Ok(call) => println!("calling {} with {:?}", call.name, call.args.unwrap_or_default()),
            Err(violation) => println!("denied: {violation}"),
        }
    }
    manager.shutdown().await;
    Ok(())
}
