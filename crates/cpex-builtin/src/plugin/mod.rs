//! One way to run every built-in plugin, whatever the host.
//!
//! A host
//! 1. makes a [`Builtin`] of an entry whose kind begins with [`PREFIX`],
//! 2. [attaches](Builtin::attach) it to the [`Site`]s of its hooks, which finds what could never work there,
//! 3. [opens](Builtin::open) it before the first call, and [closes](Builtin::close) it after the last,
//! 4. [calls](Builtin::call) it with a [`Call`]: a [`Payload`], which is the host's own payload and is not converted,
//!    and a [`Request`], which is asked for the facts that the plugin needs,
//! 5. carries out the [`Answer`]: at once, or after waiting for something outside.
//!
//! Everything that is read of a payload is read before an answer that waits is made, so payloads never live across an
//! `await`. Neighbouring text scanners can share one walk over the payload: see [`Run`].
//!
//! | kinds | hooks | what they do there |
//! |---|---|---|
//! | `deny_list`, `pii_redactor`, `secrets_detector`, `url_filter`, `prompt_injection`, `output_length`, `regex_rewrite` | any; those that change texts only where plugins return what the hook is about | look at all texts |
//! | `json_schema` | those of tools, prompts and resources | checks arguments before and results after |
//! | `rate_limiter` | all but those after something | counts and refuses |
//! | `cost_budget` | one before something, and the one after it if it settles by the result | reserves before, settles after |
//! | `circuit_breaker` | one before something and the one after it | admits before, learns after |
//! | `header_injector` | those with headers | changes them |
//! | `policy`, `audit_log` | any | decide, write |
//!
//! A call that is reserved or admitted and whose hook after it never comes, because another plugin refused it or the
//! host failed, costs what was reserved, and says nothing about its target: see [`Keep`].
//!
//! ```
//! use cpex_builtin::plugin::{Answer, Builtin, Call, Decision, Nobody, Power, Site};
//! use serde_json::json;
//!
//! let mut words = Builtin::new("builtin.deny_list", "words", json!({"words": ["forbidden"]}))?;
//! let site = Site::of("tool_pre_invoke");
//! words.attach(&[&site], Power::Full)?;
//! let payload = json!({"name": "search", "args": {"query": "something forbidden"}});
//! let Answer::Now(reply) = words.call(&Call { site: &site, payload: &payload, request: &Nobody::default() })? else {
//!     panic!("it need not wait");
//! };
//! assert!(matches!(reply.decision, Decision::Deny(denial) if denial.code == "DENIED_WORD"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builtin;
mod kind;
mod site;

mod payload;
mod request;

mod keep;
mod reply;

mod run;

mod attach;
mod config;
mod gates;
mod limits;

pub use attach::{Misplaced, Power};
pub use builtin::{Builtin, Call};
pub use keep::{Keep, Keeps};
pub use kind::{KINDS, Kind, PREFIX};
pub use payload::{Headers, Payload, Shown};
pub use reply::{Answer, Decision, Failure, Reply};
pub use request::{Fact, Nobody, Request, User};
pub use run::{Run, Scans};
pub use site::{Moment, Site};
