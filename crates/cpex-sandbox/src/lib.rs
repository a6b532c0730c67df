//! A child process contained by the Linux kernel. This crate knows nothing of plugins or Python.
//!
//! 1. A [`Policy`] says what is allowed: a profile's name, or a mapping that starts from one.
//! 2. A [`Basis`] says what the program itself needs to run.
//! 3. [`Policy::prepare`] asks the kernel what it can do ([`Support`]) and refuses what is wrong. What cannot be had is told
//!    ([`Prepared::missing`]); with the profile `strict` it is a [`Refusal`].
//! 4. [`Prepared::spawn`] starts a [`Program`], as often as needed; a [`Child`] can be waited for and killed, with
//!    everything that it started. It dies with this process, however that ends.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use cpex_sandbox::{Basis, Policy, Program};
//!
//! let basis = Basis::new("/srv/project", "/tmp/scratch").read("/opt/venv").read("/srv/project/plugin");
//! let prepared = Policy::default().prepare(&basis)?;
//! for missing in prepared.missing() {
//!     eprintln!("the sandbox has a gap: {missing}");
//! }
//! let child = prepared.spawn(Program::new("/opt/venv/bin/python").arg("worker.py"))?;
//! println!("{}", child.wait().await);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing fails open: a step that fails ends the child before it is the program, and [`Prepared::spawn`] says which.
//! On systems other than Linux nothing is contained: everything is missing, and `strict` refuses.

mod basis;
mod child;
mod policy;
mod prepared;
mod program;
mod refusal;
mod support;

#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod system;
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod system;

pub use basis::Basis;
pub use child::Child;
pub use policy::{Bytes, Endpoint, Host, Limits, Network, Policy, Profile};
pub use prepared::Prepared;
pub use program::{Program, Stream};
pub use refusal::{Gap, Missing, Refusal};
pub use support::{Counter, Support};
