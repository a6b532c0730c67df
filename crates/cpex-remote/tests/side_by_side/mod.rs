//! Many calls at once.

use std::sync::Arc;

use cpex_remote::Remote;
use serde_json::json;

use crate::words::{call, result};

/// So many calls run side by side, and each gets the reply that is its own.
pub(crate) async fn check(client: &Arc<Remote>, calls: usize) {
    let calls: Vec<_> = (0..calls)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { (n, client.invoke(&call("echo", json!({"n": n}))).await.unwrap()) })
        })
        .collect();
    for done in calls {
        let (n, reply) = done.await.unwrap();
        assert_eq!(result(&reply)["modified_payload"]["args"]["n"], n);
    }
}
