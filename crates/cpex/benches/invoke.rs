//! What a hook costs beside its floor: the same boxed async functions, awaited in a row.
//!
//! The floor has what `#[plugin]` makes of a method, behind a trait of its own as the manager has it behind one, and a
//! context that was made beforehand: what a person would write who keeps plugins of several types in one list.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use cpex::config::{Mode, PluginConfig};
use cpex::hooks::{TOOL_PRE_INVOKE, ToolPreInvoke};
use cpex::plugin::{Answer, BoxFuture};
use cpex::{Builder, Context, Manager, Plugin, PluginContext, Reply, plugin};
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;

/// Allows at once.
struct Allows;

#[plugin]
impl Allows {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
        black_box(call);
        Reply::allow()
    }
}

/// Lets others run, then allows.
struct Waits;

#[plugin]
impl Waits {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
        black_box(call);
        tokio::task::yield_now().await;
        Reply::allow()
    }
}

/// Changes a field that the policy lets it write and one that it does not.
struct Rewrites;

#[plugin]
impl Rewrites {
    #[hook(TOOL_PRE_INVOKE)]
    async fn check(&self, call: &ToolPreInvoke) -> Reply<ToolPreInvoke> {
        let call = call.clone().with("seen", true);
        Reply::modify(ToolPreInvoke { name: "find".to_owned(), ..call })
    }
}

/// A plugin, as an application would keep it that has no manager.
trait Boxed: Send + Sync {
    fn call<'a>(&'a self, call: &'a ToolPreInvoke, context: &'a mut PluginContext) -> BoxFuture<'a, Answer>;
}

macro_rules! boxed {
    ($($plugin:ident)+) => {$(
        impl Boxed for $plugin {
            fn call<'a>(&'a self, call: &'a ToolPreInvoke, _: &'a mut PluginContext) -> BoxFuture<'a, Answer> {
                Box::pin(async move { Answer::of(self.check(call).await) })
            }
        }
    )+};
}

boxed!(Allows Waits Rewrites);

type Make = fn() -> Arc<dyn Boxed>;

/// So many of them, of which the compiler knows nothing.
fn boxed(plugin: Make, count: usize) -> Vec<Arc<dyn Boxed>> {
    black_box((0..count).map(|_| plugin()).collect())
}

async fn in_a_row(plugins: &[Arc<dyn Boxed>], call: &ToolPreInvoke, context: &mut PluginContext) {
    for plugin in plugins {
        black_box(plugin.call(call, context).await);
    }
}

async fn beside_each_other(plugins: &[Arc<dyn Boxed>], call: &ToolPreInvoke, contexts: &mut [PluginContext]) {
    let started = plugins.iter().zip(contexts).map(|(plugin, context)| plugin.call(call, context));
    let mut running: FuturesUnordered<_> = started.collect();
    while let Some(answer) = running.next().await {
        black_box(answer);
    }
}

/// What plugins are given, kept by one of them.
fn plugin_context(context: &Context) -> PluginContext {
    let (keep, kept) = mpsc::channel();
    let keeps = move |_: &ToolPreInvoke, context: &mut PluginContext| {
        keep.send(context.clone()).ok();
    };
    let manager = now(Manager::builder().on(&TOOL_PRE_INVOKE, "keeps", keeps).start());
    now(invoke(
        &manager.unwrap_or_else(|error| unreachable!("{error}")),
        &ToolPreInvoke::new("search"),
        context,
    ));
    kept.recv().unwrap_or_else(|error| unreachable!("{error}"))
}

async fn invoke(manager: &Manager, call: &ToolPreInvoke, context: &Context) {
    let outcome = manager.invoke(&TOOL_PRE_INVOKE, call, context).await;
    assert!(black_box(outcome).is_ok_and(|outcome| outcome.is_allowed()));
}

async fn invoke_json(manager: &Manager, context: &Context) {
    let outcome = manager.invoke_json("tool_pre_invoke", json!({"name": "search"}), context).await;
    assert!(black_box(outcome).is_ok_and(|outcome| outcome.is_allowed()));
}

/// For futures that need no runtime. They stay where they are, as in the future of who awaits them.
#[inline(always)]
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("nobody waits"),
    }
}

fn with<P: Plugin>(builder: Builder, mode: Mode, count: usize, plugin: fn() -> P) -> Manager {
    let add =
        |builder: Builder, index| builder.plugin(PluginConfig::new(format!("p{index}")).mode(mode), plugin());
    now((0..count).fold(builder, add).start()).unwrap_or_else(|error| unreachable!("{error}"))
}

fn manager(mode: Mode, count: usize) -> Manager {
    with(Manager::builder(), mode, count, || Allows)
}

/// Something to measure: so many in a row.
type Run<'a> = Box<dyn FnMut(u64) + 'a>;

/// A hook beside its floor; the floor of a hook that nobody answers is nothing.
struct Row<'a> {
    name: &'static str,
    floor: Option<Run<'a>>,
    ours: Run<'a>,
}

fn rows<'a>(
    call: &'a ToolPreInvoke,
    context: &'a Context,
    runtime: &'a tokio::runtime::Runtime,
) -> Vec<Row<'a>> {
    let floor = |plugin: Make, count| -> Run<'a> {
        let (plugins, mut context) = (boxed(plugin, count), plugin_context(context));
        Box::new(move |count| (0..count).for_each(|_| now(in_a_row(&plugins, call, &mut context))))
    };
    let typed = |manager: Manager| -> Run<'a> {
        Box::new(move |count| (0..count).for_each(|_| now(invoke(&manager, call, context))))
    };
    let another_hook = Manager::builder().on(
        &cpex::hooks::TOOL_POST_INVOKE,
        "another hook's",
        |_: &cpex::hooks::ToolPostInvoke, _: &mut PluginContext| (),
    );
    let trimming = Manager::builder().policy(&TOOL_PRE_INVOKE, ["args"]);
    let in_json = manager(Mode::Sequential, 5);
    let (allows, waits, rewrites): (Make, Make, Make) =
        (|| Arc::new(Allows), || Arc::new(Waits), || Arc::new(Rewrites));
    let (together, mut contexts) = (boxed(allows, 5), vec![plugin_context(context); 5]);
    let (waits_alone, mut its_context) = (boxed(waits, 1), plugin_context(context));
    let waiting = with(Manager::builder(), Mode::Sequential, 1, || Waits);
    let row = |name, floor, ours| Row { name, floor: Some(floor), ours };
    let nobody = typed(with(another_hook, Mode::Sequential, 0, || Allows));
    vec![
        Row { name: "nobody", floor: None, ours: nobody },
        row("sequential/1", floor(allows, 1), typed(manager(Mode::Sequential, 1))),
        row("sequential/5", floor(allows, 5), typed(manager(Mode::Sequential, 5))),
        row("sequential/10", floor(allows, 10), typed(manager(Mode::Sequential, 10))),
        row("transform/5", floor(allows, 5), typed(manager(Mode::Transform, 5))),
        row("audit/5", floor(allows, 5), typed(manager(Mode::Audit, 5))),
        row(
            "concurrent/5",
            Box::new(move |count| {
                (0..count).for_each(|_| now(beside_each_other(&together, call, &mut contexts)));
            }),
            typed(manager(Mode::Concurrent, 5)),
        ),
        row(
            "waits once/1",
            Box::new(move |count| {
                runtime.block_on(async {
                    for _ in 0..count {
                        in_a_row(&waits_alone, call, &mut its_context).await;
                    }
                });
            }),
            Box::new(move |count| {
                runtime.block_on(async {
                    for _ in 0..count {
                        invoke(&waiting, call, context).await;
                    }
                });
            }),
        ),
        row(
            "JSON/5",
            floor(allows, 5),
            Box::new(move |count| (0..count).for_each(|_| now(invoke_json(&in_json, context)))),
        ),
        row(
            "policy that trims/5",
            floor(rewrites, 5),
            typed(with(trimming, Mode::Sequential, 5, || Rewrites)),
        ),
    ]
}

/// Floor and hook in turns, in short batches; of each the quickest counts, which is the one that nothing disturbed.
fn ratios(rows: &mut [Row<'_>]) {
    const BATCHES: usize = 2_000;
    const BATCH: u32 = 50;
    println!("{:<20} {:>11} {:>11} {:>8}", "", "floor", "hook", "ratio");
    for Row { name, floor, ours } in rows {
        let (mut without, mut with) = (Duration::MAX, Duration::MAX);
        for _ in 0..BATCHES {
            if let Some(floor) = floor {
                without = without.min(timed(floor, BATCH.into()));
            }
            with = with.min(timed(ours, BATCH.into()));
        }
        let nanos = |batch: Duration| batch.as_secs_f64() * 1e9 / f64::from(BATCH);
        let ours = nanos(with);
        if floor.is_some() {
            let (floor, ratio) = (nanos(without), ours / nanos(without));
            println!("{name:<20} {floor:>8.1} ns {ours:>8.1} ns {ratio:>6.2} x");
        } else {
            println!("{name:<20} {:>11} {ours:>8.1} ns", "");
        }
    }
}

fn one_thread(c: &mut Criterion) {
    let (call, context) = (ToolPreInvoke::new("search"), Context::new("req-1"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.unwrap_or_else(|error| unreachable!("{error}"));
    let mut rows = rows(&call, &context, &runtime);
    ratios(&mut rows);
    let mut group = c.benchmark_group("invoke");
    for Row { name, floor, ours } in &mut rows {
        if let Some(floor) = floor {
            group.bench_function(format!("{name}/floor"), |b| b.iter_custom(|count| timed(floor, count)));
        }
        group.bench_function(format!("{name}/hook"), |b| b.iter_custom(|count| timed(ours, count)));
    }
}

fn timed(run: &mut Run<'_>, count: u64) -> Duration {
    let begun = Instant::now();
    run(count);
    begun.elapsed()
}

/// How much faster a million invocations are on two threads than on one: of rounds in turns, the quickest of each.
fn two_threads(_: &mut Criterion) {
    const ROUNDS: usize = 20;
    const ROUND: u64 = 50_000;
    let (manager, plugins) = (manager(Mode::Sequential, 5), boxed(|| Arc::new(Allows), 5));
    let floor = |call: &ToolPreInvoke, _: &Context, plugins_context: &mut PluginContext| {
        now(in_a_row(&plugins, call, plugins_context));
    };
    let ours =
        |call: &ToolPreInvoke, context: &Context, _: &mut PluginContext| now(invoke(&manager, call, context));
    println!("two threads: {:.2} x one (floor: {:.2} x)", scaling(&ours), scaling(&floor));

    fn scaling(run: &(impl Fn(&ToolPreInvoke, &Context, &mut PluginContext) + Sync)) -> f64 {
        let (mut one, mut two) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            (one, two) = (one.min(round(1, run)), two.min(round(2, run)));
        }
        one.as_secs_f64() / two.as_secs_f64()
    }

    fn round(threads: u64, run: &(impl Fn(&ToolPreInvoke, &Context, &mut PluginContext) + Sync)) -> Duration {
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let (call, context) = (ToolPreInvoke::new("search"), Context::new("req-1"));
                    let mut plugins_context = plugin_context(&context);
                    (0..ROUND / threads).for_each(|_| run(&call, &context, &mut plugins_context));
                });
            }
        });
        begun.elapsed()
    }
}

fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = two_threads, one_thread }
criterion_main!(benches);
