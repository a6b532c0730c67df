//! The CPEX plugin pipeline as a pure state machine.
//!
//! An [`Invocation`] carries one payload through the plugins of one hook. It never awaits, never reads a
//! clock, never takes a lock and never looks inside a payload: it is *told* what happened and *asked* what to
//! do next. A driver (asyncio, tokio, a test's virtual world) does what it says.
//!
//! ```text
//!                 told:  start · handle_reply · handle_fault · handle_cancelled · handle_abort
//!                                      │
//!  Plan ──► LineUp ──────────►  Invocation (pure) ──► asked: poll() → Call | Spawn | Cancel | Detach | Wait | Done
//!                                      ▲
//!                    the driver carries it out and tells what came of it
//! ```
//!
//! # The run loop
//!
//! 1. Find the [`LineUp`] of the hook; [`Invocation::start`] chooses, once, who takes part: not the disabled,
//!    not those whose [`Condition`]s do not match the request's [`Facts`].
//! 2. [`Invocation::poll`]. On [`Action::Call`] run that plugin to its end; on [`Action::Spawn`] start it
//!    beside the others.
//! 3. Tell what came of it: [`Invocation::handle_reply`] or [`Invocation::handle_fault`]. The judgement
//!    ([`verdict::judge`]), the payload policy ([`payload::Rule`]) and the rules of the extensions
//!    ([`extensions::judge`]) are applied here and nowhere else.
//! 4. On [`Action::Cancel`] stop that plugin, and say when it has ended: [`Invocation::handle_cancelled`].
//! 5. On [`Action::Detach`] start that plugin in the background; its end is nobody's business here.
//! 6. On [`Action::Wait`] wait for a plugin to end; on [`Action::Done`] take the [`Outcome`].
//!
//! The one invariant of a driver: tell all that has happened, then call `poll` until it answers `Wait` or `Done`.
//!
//! # Example
//!
//! A whole driver, for plugins that answer at once; those of the simulated `cpex_testkit` do.
//!
//! ```
//! use cpex_core::{Action, End, Facts, Invocation, Phase};
//! use cpex_testkit::{Case, Payload, Plugin, Proposal, Request, Sim};
//!
//! let greets = Plugin::new("greets", Phase::Sequential).proposes(Proposal::Name);
//! let guards = Plugin::new("guards", Phase::Concurrent).denies("no");
//! let case = Case::of(&[guards, greets]);
//! let (line_up, payload) = (case.line_up(), Payload::original());
//! let mut host = Request::new(&case, line_up.clone());
//! let mut invocation =
//!     Invocation::<Sim>::start(line_up, case.settings(), payload, None, &Facts::NONE, |plugin| plugin.disabled, 0);
//! let outcome = loop {
//!     match invocation.poll(&mut host) {
//!         Action::Call(work) | Action::Spawn(work) => {
//!             let plugin = invocation.line_up().entries()[work.entry].plugin;
//!             let reply = plugin.reply(&work.payload, work.extensions.as_ref());
//!             invocation.handle_reply(&mut host, work.entry, reply, 1_000)?;
//!         }
//!         Action::Cancel(entry) => invocation.handle_cancelled(entry, 1_000)?,
//!         Action::Detach(_) => {}
//!         Action::Wait => unreachable!("every plugin has answered"),
//!         Action::Done => break invocation.into_outcome(),
//!     }
//! };
//! assert!(matches!(outcome.end, End::Halted { entry: 1, violation: Some("no") }));
//! assert_eq!(outcome.decided_by, Some(0));
//! # Ok::<(), cpex_core::Misuse>(())
//! ```
//!
//! This crate is `no_std`: it cannot name a clock, a file, a thread or a socket.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod action;
pub mod buffers;
pub mod capability;
pub mod condition;
pub mod error;
pub mod extensions;
pub mod health;
pub mod host;
pub mod invocation;
pub mod outcome;
pub mod payload;
pub mod phase;
pub mod plan;
pub mod record;
pub mod verdict;

pub use action::{Action, Fault, Reply, Settings, Work};
pub use buffers::Buffers;
pub use capability::{Capabilities, Capability, Slot, Slots};
pub use condition::{Condition, Facts};
pub use error::Misuse;
pub use host::{Host, Values};
pub use invocation::Invocation;
pub use outcome::{End, Outcome};
pub use phase::Phase;
pub use plan::{Entry, LineUp, Plan};
pub use record::Record;
pub use verdict::OnError;
