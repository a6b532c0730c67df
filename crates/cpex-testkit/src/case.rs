//! One invocation as data: who is registered, what holds for all, and what happens from outside.

use core::num::NonZeroUsize;
use core::time::Duration;
use std::sync::Arc;

use cpex_core::extensions::Enforcement;
use cpex_core::payload::{Isolation, Rule};
use cpex_core::{Facts, LineUp, Phase, Settings};

use crate::extensions::Extensions;
use crate::plugin::Plugin;
use crate::when::{Asked, When};

/// One invocation as data.
#[derive(Clone, Debug)]
pub struct Case {
    /// In the order of their registration.
    pub plugins: Vec<Plugin>,
    /// What plugins may change in the payload.
    pub rule: Rule,
    /// Whether those that may change the payload share it without a policy.
    pub isolation: Isolation,
    /// The extensions the caller passes.
    pub extensions: Option<Extensions>,
    /// What is made of extensions that a plugin may not write.
    pub enforcement: Enforcement,
    /// How long a plugin may take that has no limit of its own.
    pub timeout_ms: Option<u64>,
    /// How many concurrent plugins may run at once.
    pub pool: Option<NonZeroUsize>,
    /// The caller gets denials as errors.
    pub raise_denials: bool,
    /// What is known about the request.
    pub asked: Asked,
    /// The keys of the shared state that the caller has written.
    pub state: &'static [&'static str],
    /// The payload must always be isolated.
    pub open_container: bool,
    /// When the caller gives up.
    pub aborts_at_ms: Option<u64>,
    /// How many copies can be made before making one is interrupted.
    pub copies: Option<usize>,
}

impl Case {
    /// These plugins, no policy, no limits.
    #[must_use]
    pub fn of(plugins: &[Plugin]) -> Self {
        Self {
            plugins: plugins.to_vec(),
            rule: Rule::Open,
            isolation: Isolation::Observers,
            extensions: None,
            enforcement: Enforcement::Enforce,
            timeout_ms: None,
            pool: None,
            raise_denials: false,
            asked: Asked::NOTHING,
            state: &[],
            open_container: false,
            aborts_at_ms: None,
            copies: None,
        }
    }

    /// The line-up of the plugins.
    #[must_use]
    pub fn line_up(&self) -> Arc<LineUp<Plugin>> {
        Arc::new(LineUp::new(self.plugins.iter().map(|plugin| plugin.entry()).collect()))
    }

    /// The settings of the invocation.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            rule: self.rule,
            isolation: self.isolation,
            enforcement: self.enforcement,
            timeout: self.timeout_ms.map(Duration::from_millis),
            pool: self.pool,
            raise_denials: self.raise_denials,
        }
    }

    /// What conditions can ask.
    #[must_use]
    pub fn facts(&self) -> Facts<'static> {
        self.asked.facts("t")
    }

    /// Does this plugin take part?
    #[must_use]
    pub fn selects(&self, plugin: &Plugin) -> bool {
        let fits = |when: &When| when.fits(&self.asked, "t");
        !plugin.disabled && (plugin.when.is_empty() || plugin.when.iter().any(fits))
    }

    /// Is this plugin given a copy of the payload that nobody else can reach?
    #[must_use]
    pub fn isolates(&self, plugin: &Plugin) -> bool {
        let is_free =
            self.rule == Rule::Open && self.isolation == Isolation::Observers && !self.open_container;
        !is_free || !matches!(plugin.phase, Phase::Sequential | Phase::Transform)
    }
}
