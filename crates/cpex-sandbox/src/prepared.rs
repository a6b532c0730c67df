//! A policy that this system can keep.

use std::io;

use crate::{Basis, Child, Missing, Policy, Profile, Program, Refusal, Support, system};

/// A policy, made ready for this system: programs can be started in it, any number of times.
#[derive(Debug)]
pub struct Prepared {
    missing: Vec<Missing>,
    sandbox: system::Sandbox,
}

impl Policy {
    /// Makes ready what this policy asks for.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] if a path cannot be opened, or if the profile is `strict` and this system does not give all of it.
    pub fn prepare(&self, basis: &Basis) -> Result<Prepared, Refusal> {
        let missing = Support::probe().missing(self);
        if self.profile == Profile::Strict && !missing.is_empty() {
            return Err(Refusal::Missing { profile: self.profile, missing });
        }
        Ok(Prepared { missing, sandbox: system::Sandbox::new(self, basis)? })
    }
}

impl Prepared {
    /// What the policy asks for and this system does not give: to be said when the program is loaded.
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Starts a program. Blocks until it runs or could not be started (milliseconds): call it off an event loop.
    ///
    /// # Errors
    ///
    /// If the system refuses a step; the error names it. The child is gone then.
    pub fn spawn(&self, program: Program) -> io::Result<Child> {
        self.sandbox.spawn(program)
    }
}
