//! An invocation allocates nothing beyond the plugins' own futures, once its buffers have grown.

use std::future::Future;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use cpex::config::{Mode, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Context, Manager, PluginContext, Reply, plugin};
use cpex_testkit::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Allows;

#[plugin]
impl Allows {
    #[hook(TOOL_PRE_INVOKE)]
    async fn allow(&self, call: &ToolPreInvoke, context: &mut PluginContext) -> Reply<ToolPreInvoke> {
        assert!(!call.name.is_empty() && context.request().id == "1");
        Reply::allow()
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nobody waits"),
    }
}

#[test]
fn only_the_futures_of_the_plugins() {
    let (call, context) = (ToolPreInvoke::new("search"), Context::new("1"));
    for mode in [Mode::Sequential, Mode::Transform, Mode::Audit] {
        for plugins in [0, 1, 5, 50] {
            let add = |builder: cpex::Builder, index| {
                builder.plugin(PluginConfig::new(format!("p{index}")).mode(mode), Allows)
            };
            let manager = now((0..plugins).fold(Manager::builder(), add).start()).unwrap();
            let invoke =
                || assert!(now(manager.invoke(&TOOL_PRE_INVOKE, &call, &context)).unwrap().is_allowed());
            invoke();
            let before = Counting::allocations();
            invoke();
            assert_eq!(Counting::allocations() - before, plugins, "{mode:?}");
        }
    }
}
