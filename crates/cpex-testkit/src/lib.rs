//! A small simulated world for CPEX pipelines.
//!
//! A [`Case`] is data: scripted [`Plugin`]s in the order of their registration, and what holds for all of them.
//! [`world::run`] plays it on a virtual clock and hands back a [`Run`]: everything that happened, in order, and
//! what came of it. The [`laws`] say what must hold of every run, the [`scenarios`] what comes of particular
//! ones. Nothing here sleeps, and the same case always gives the same run.
//!
//! ```
//! use cpex_core::Phase;
//! use cpex_testkit::{Case, Plugin, world};
//!
//! let guard = Plugin::new("guard", Phase::Sequential).denies("no");
//! let run = world::run(&Case::of(&[guard]));
//! assert_eq!(run.ending(), "halted by guard: no");
//! ```

pub mod allocations;
pub mod case;
mod chain;
mod decode;
pub mod extensions;
pub mod fuzz;
pub mod generate;
pub mod journal;
pub mod laws;
mod oracle;
pub mod plugin;
pub mod request;
pub mod run;
pub mod scenarios;
pub mod values;
pub mod when;
pub mod world;

pub use allocations::Counting;
pub use case::Case;
pub use extensions::{Edit, Extensions, Writing};
pub use journal::Journal;
pub use plugin::{Answer, Does, Plugin, Proposal, Unreadable};
pub use request::Request;
pub use run::{How, Run, Step};
pub use values::{Kind, Payload, Sim};
pub use when::{Asked, When};
