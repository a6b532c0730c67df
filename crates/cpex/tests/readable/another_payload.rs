use cpex::hooks::{TOOL_PRE_INVOKE, ToolPostInvoke};
use cpex::{Reply, plugin};

struct Guard;

#[plugin]
impl Guard {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPostInvoke) -> Reply<ToolPostInvoke> {
        Reply::modify(call.clone())
    }
}

fn main() {}
