//! The built-in plugins, in entries whose kind begins with `builtin.`: feature `builtin`.
//!
//! An entry is all there is to them. One without `hooks` attaches to those where its kind belongs; one that could do
//! nothing at a hook is not loaded, and neither is one whose configuration has a mistake: both are reported with file,
//! line, column and the path of the field. As for every plugin, `required: true` keeps the manager from starting then,
//! and `on_missing: deny` lets the hooks deny.
//!
//! ```
//! use cpex::config::Config;
//! use cpex::hooks::{TOOL_POST_INVOKE, ToolPostInvoke};
//! use cpex::{Context, Manager};
//! use serde_json::json;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let yaml = "plugins: [{name: pii, kind: builtin.pii_redactor, hooks: [tool_post_invoke], required: true}]";
//! let manager = Manager::builder().config(Config::parse(yaml, "plugins.yaml")?).start().await?;
//! let answer = ToolPostInvoke { name: "search".into(), result: json!({"author": "ann@example.com"}) };
//! let outcome = manager.invoke(&TOOL_POST_INVOKE, &answer, &Context::new("req-1")).await?;
//! assert_eq!(outcome.metadata["pii"]["findings"]["email"], 1);
//! assert_eq!(outcome.payload.unwrap().result["author"], "[EMAIL]");
//! # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Typed payloads are walked where they are, by their `Serialize`: nothing is converted unless a text is changed. A
//! payload that cannot be read or put together again makes the plugin fail, and its `on_error` judges.
//!
//! * What a plugin has found is in the outcome's `metadata`, below the name of its entry, and never shows a text.
//! * The limits put `http_status_code`, `http_headers` and `retry_after_seconds` into their violations.
//! * Text scanners in a row, sequential and without conditions, share one walk; each keeps a record of its own, and
//!   the time of the walk is the first one's.
//! * What must last from one hook of a call to the next is kept in the [`Context`](crate::Context): use the same for
//!   both.

mod attached;
mod facts;
mod serde_walk;
mod texts;
mod view;

pub use cpex_builtin::plugin::{KINDS, Kind, PREFIX};
use cpex_core::plan::in_running_order;
use cpex_core::{Entry, Phase};

pub(crate) use self::attached::{Attached, make};
pub(crate) use self::texts::Texts;
pub(crate) use self::view::Remembered;
use crate::plan::Slot;

/// Lets text scanners that follow one another share their walks. Puts the entries into the order of their running.
pub(crate) fn link(entries: &mut [Entry<Slot>]) {
    in_running_order(entries);
    for stretch in entries.chunk_by_mut(|one, next| is_shared(one) && is_shared(next)) {
        let scanners = stretch.iter().filter_map(|entry| entry.plugin.handler.builtin());
        let Some(run) = Attached::run(scanners) else { continue };
        for (place, entry) in stretch.iter_mut().enumerate() {
            if let Some(attached) = entry.plugin.handler.builtin() {
                entry.plugin.handler = attached.clone().in_run(run.clone(), place);
            }
        }
    }
}

/// Does it always take part, and alone?
fn is_shared(entry: &Entry<Slot>) -> bool {
    entry.phase == Phase::Sequential
        && entry.conditions.is_empty()
        && entry.plugin.handler.builtin().is_some_and(Attached::is_scanner)
}
