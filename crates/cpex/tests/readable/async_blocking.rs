use cpex::hooks::ToolPreInvoke;
use cpex::plugin;

struct Guard;

#[plugin]
impl Guard {
    #[hook("tool_pre_invoke", blocking)]
    async fn check(&self, call: &ToolPreInvoke) {}
}

fn main() {}
