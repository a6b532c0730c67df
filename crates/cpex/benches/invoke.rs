//! What a hook costs beside its floor: the plugins' own boxed futures, awaited in a row.

use std::future::Future;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cpex::config::{Mode, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::{Context, Manager, PluginContext, Reply, plugin};
use criterion::{Criterion, criterion_group, criterion_main};

const PLUGINS: usize = 5;

/// Allows.
struct Allows;

#[plugin]
impl Allows {
    #[hook(TOOL_PRE_INVOKE)]
    async fn allow(&self, call: &ToolPreInvoke, context: &mut PluginContext) -> Reply<ToolPreInvoke> {
        black_box((call, context));
        Reply::allow()
    }
}

/// The same without a manager.
trait Guard: Send + Sync {
    fn check<'a>(
        &'a self,
        call: &'a ToolPreInvoke,
    ) -> Pin<Box<dyn Future<Output = Reply<ToolPreInvoke>> + Send + 'a>>;
}

impl Guard for Allows {
    fn check<'a>(
        &'a self,
        call: &'a ToolPreInvoke,
    ) -> Pin<Box<dyn Future<Output = Reply<ToolPreInvoke>> + Send + 'a>> {
        Box::pin(async move {
            black_box((self, call));
            Reply::allow()
        })
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nobody waits"),
    }
}

fn manager(mode: Mode, plugins: usize) -> Manager {
    let add = |builder: cpex::Builder, index| {
        builder.plugin(PluginConfig::new(format!("p{index}")).mode(mode), Allows)
    };
    now((0..plugins).fold(Manager::builder(), add).start()).unwrap_or_else(|error| unreachable!("{error}"))
}

fn invoke(manager: &Manager, call: &ToolPreInvoke, context: &Context) {
    let outcome = now(manager.invoke(&TOOL_PRE_INVOKE, call, context));
    assert!(black_box(outcome).is_ok_and(|outcome| outcome.is_allowed()));
}

fn one_thread(c: &mut Criterion) {
    let (call, context) = (ToolPreInvoke::new("search"), Context::new("req-1"));
    let guards: Vec<Arc<dyn Guard>> = (0..PLUGINS).map(|_| Arc::new(Allows) as Arc<dyn Guard>).collect();
    let mut group = c.benchmark_group("invoke");
    group.bench_function("floor", |b| {
        b.iter(|| {
            now(async {
                for guard in &guards {
                    black_box(guard.check(&call).await);
                }
            });
        });
    });
    let empty = manager(Mode::Sequential, 0);
    group.bench_function("nobody", |b| b.iter(|| invoke(&empty, &call, &context)));
    for (name, mode, plugins) in [
        ("sequential/1", Mode::Sequential, 1),
        ("sequential/5", Mode::Sequential, PLUGINS),
        ("concurrent/5", Mode::Concurrent, PLUGINS),
    ] {
        let manager = manager(mode, plugins);
        group.bench_function(name, |b| b.iter(|| invoke(&manager, &call, &context)));
    }
}

/// How much faster a million invocations are on two threads than on one.
fn two_threads(c: &mut Criterion) {
    let manager = manager(Mode::Sequential, PLUGINS);
    let run = |threads: u64, total: u64| {
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (call, context) = (ToolPreInvoke::new("search"), Context::new("req-1"));
                    (0..total / threads).for_each(|_| invoke(&manager, &call, &context));
                });
            }
        });
        begun.elapsed()
    };
    let best = |threads| (0..5).map(|_| run(threads, 1_000_000)).min().unwrap_or(Duration::MAX);
    let (one, two) = (best(1), best(2));
    println!(
        "a million invocations: {one:?} on one thread, {two:?} on two: {:.2}x",
        one.as_secs_f64() / two.as_secs_f64()
    );
    let mut group = c.benchmark_group("threads");
    for threads in [1, 2] {
        group.bench_function(format!("{threads}"), |b| b.iter_custom(|total| run(threads, total)));
    }
}

criterion_group!(benches, one_thread, two_threads);
criterion_main!(benches);
