#![allow(unused)]

use std::rc::Rc;

use cpex::hooks::{TOOL_PRE_INVOKE, ToolPostInvoke, ToolPreInvoke};
use cpex::{Manager, PluginContext, Reply, plugin};

struct AnotherPayload;

#[plugin]
impl AnotherPayload {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPostInvoke) -> Reply<ToolPostInvoke> {
        Reply::modify(call.clone())
    }
}

struct NoPayload;

#[plugin]
impl NoPayload {
    #[hook("tool_pre_invoke")]
    async fn check(&self, call: &String) {}
}

struct NoReply;

#[plugin]
impl NoReply {
    #[hook("tool_pre_invoke")]
    async fn check(&self, call: &ToolPreInvoke) -> bool {
        call.name == "search"
    }
}

struct NotSend;

#[plugin]
impl NotSend {
    #[hook("tool_pre_invoke")]
    async fn check(&self, call: &ToolPreInvoke) {
        let name = Rc::new(call.name.clone());
        std::future::ready(()).await;
        drop(name);
    }
}

struct Generic<T>(T);

#[plugin]
impl<T> Generic<T> {
    #[hook("tool_pre_invoke")]
    async fn check(&self, call: &ToolPreInvoke) {}
}

fn main() {
    let _ = Manager::builder().plugin("no-plugin", 5);
    let _ = Manager::builder()
        .on(&TOOL_PRE_INVOKE, "other-reply", |_: &ToolPreInvoke, _: &mut PluginContext| Reply::<ToolPostInvoke>::allow());
}
