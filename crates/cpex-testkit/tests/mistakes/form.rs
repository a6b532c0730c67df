#![allow(unused)]

use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Payload, plugin};

struct ByValue;

#[plugin]
impl ByValue {
    #[hook("tool_pre_invoke")]
    async fn check(&self, call: ToolPreInvoke) {}
}

struct NoSelf;

#[plugin]
impl NoSelf {
    #[hook("tool_pre_invoke")]
    async fn check(call: &ToolPreInvoke) {}
}

struct NoHook;

#[plugin]
impl NoHook {
    async fn check(&self) {}
}

struct AsyncBlocking;

#[plugin]
impl AsyncBlocking {
    #[hook("tool_pre_invoke", blocking)]
    async fn check(&self, call: &ToolPreInvoke) {}
}

struct Misspelt;

#[plugin]
impl Misspelt {
    #[hook("tool_pre_invoke", blockng)]
    fn check(&self, call: &ToolPreInvoke) {}
}

struct Setting;

#[plugin]
impl Setting {
    #[hook(TOOL_PRE_INVOKE, timeout = 5)]
    fn check(&self, call: &ToolPreInvoke) {}
}

struct Twice;

#[plugin]
impl Twice {
    #[hook(TOOL_PRE_INVOKE)]
    fn first(&self, call: &ToolPreInvoke) {}

    #[hook(TOOL_PRE_INVOKE)]
    fn second(&self, call: &ToolPreInvoke) {}
}

#[plugin]
struct NotAnImpl;

struct OfATrait;

#[plugin]
impl Drop for OfATrait {
    fn drop(&mut self) {}
}

struct Synchronous;

#[plugin]
impl Synchronous {
    #[initialize]
    fn open(&self) {}

    #[hook("tool_pre_invoke")]
    fn check(&self, call: &ToolPreInvoke) {}
}

struct Unmarked;

#[plugin]
impl Unmarked {
    async fn initialize(&self) -> Result<(), String> {
        Ok(())
    }

    #[hook("tool_pre_invoke")]
    fn check(&self, call: &ToolPreInvoke) {}
}

struct UnmarkedEnd;

#[plugin]
impl UnmarkedEnd {
    fn shutdown(&mut self) {}

    #[hook("tool_pre_invoke")]
    fn check(&self, call: &ToolPreInvoke) {}
}

/// Methods of these names that are plainly about something else.
struct OwnBusiness;

#[plugin]
impl OwnBusiness {
    fn initialize(&self, words: &[&str]) {}

    fn shutdown(&self) -> bool {
        false
    }

    #[hook("tool_pre_invoke")]
    fn check(&self, call: &ToolPreInvoke) {}
}

struct NoPlugin;

impl NoPlugin {
    #[hook("tool_pre_invoke")]
    fn check(&self, call: &ToolPreInvoke) {}
}

#[derive(Payload)]
enum Choice {
    This,
    That,
}

#[derive(Payload)]
struct Pair(u8, u8);

fn main() {}
