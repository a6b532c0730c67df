//! Many managers of one configuration: what each of them costs, and what they share.

#![allow(clippy::unwrap_used, reason = "tests say what they expect")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cpex::config::Config;
use cpex::plugin::Shared;
use cpex::{BoxError, Builder, Context, Hook, Json, Manager, Reply, plugin};
use cpex_testkit::Counting;
use serde::Deserialize;

const PING: Hook<Json> = Hook::new("ping");

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Deserialize)]
struct Limit {
    limit: usize,
}

#[plugin]
impl Limit {
    #[hook("ping", "pong")]
    async fn check(&self, payload: &Json) -> Reply<Json> {
        Reply::allow().metadata("within", payload.len() <= self.limit)
    }
}

fn config() -> Config {
    let entry = |n| {
        format!(
            "  - {{name: limit{n}, kind: app.Limit, config: {{limit: {n}}}, conditions: [{{tenant_ids: [acme]}}]}}\n"
        )
    };
    Config::parse(&format!("plugins:\n{}", (0..10).map(entry).collect::<String>()), "plugins.yaml").unwrap()
}

fn of(config: &Config) -> Builder {
    Manager::builder().kind("app.Limit", |limit: Limit| limit).config(config.clone())
}

/// 500 tenants with 10 plugins each fit into memory many times over.
#[tokio::test(flavor = "current_thread")]
async fn a_manager_costs_kilobytes() {
    let config = config();
    drop(of(&config).start().await.unwrap());
    let before = Counting::held();
    let mut managers = Vec::with_capacity(500);
    for _ in 0..500 {
        managers.push(of(&config).start().await.unwrap());
    }
    let each = (Counting::held() - before) / managers.len();
    println!("{each} bytes a manager with 10 plugins at 2 hooks each");
    assert!(each < 48 * 1024, "{each} bytes");
    for manager in &managers {
        let context = Context::new("1").tenant("acme");
        let outcome = manager.invoke(&PING, &Json::default(), &context).await.unwrap();
        assert_eq!(outcome.metadata["within"], true);
    }
}

/// Counts how often it is opened and closed.
#[derive(Default)]
struct Model {
    opened: AtomicUsize,
    closed: AtomicUsize,
}

struct Uses(Arc<Model>);

#[plugin]
impl Uses {
    #[initialize]
    async fn open(&self) -> Result<(), BoxError> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    #[shutdown]
    async fn close(&self) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }

    #[hook("ping")]
    async fn look(&self, _: &Json) {}
}

#[tokio::test]
async fn a_shared_plugin_is_up_while_any_manager_has_it() {
    let model = Arc::<Model>::default();
    let counts = || (model.opened.load(Ordering::SeqCst), model.closed.load(Ordering::SeqCst));
    let shared = Shared::new(Uses(model.clone()));
    let acme = Manager::builder().plugin("model", shared.clone()).start().await.unwrap();
    let emca = Manager::builder().plugin("model", shared).start().await.unwrap();
    assert_eq!(counts(), (1, 0));
    acme.shutdown().await;
    acme.shutdown().await;
    assert_eq!(counts(), (1, 0));
    let outcome = emca.invoke(&PING, &Json::default(), &Context::new("1")).await.unwrap();
    assert_eq!(outcome.report.lines().next().unwrap().outcome, "ran");
    emca.remove("model").await.unwrap();
    assert_eq!(counts(), (1, 1));
}
