//! The table of phases: in which order plugins run, and what each kind may do.

/// When a plugin runs and what it may do; the order of the variants is the order of the phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// One after another, each given the payload the one before left; may block and modify.
    Sequential,
    /// One after another; may modify, cannot block.
    Transform,
    /// One after another; observes only.
    Audit,
    /// All at once; the first denial wins; cannot modify.
    Concurrent,
    /// In the background, after all other phases; observes only.
    FireAndForget,
}

/// How the plugins of a phase are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Each is awaited before the next starts.
    Serial,
    /// Together, up to the size of the pool.
    Parallel,
    /// Started and left alone.
    Detached,
}

/// What the plugins of a phase may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How they are run.
    pub runs: Runs,
    /// A denial halts the pipeline. Otherwise it is suppressed.
    pub may_block: bool,
    /// A changed payload is handed on. Otherwise it is discarded.
    pub may_modify: bool,
    /// What a plugin wrote into the shared state and metadata of the request is kept.
    pub merges_state: bool,
    /// The metadata of a plugin's result becomes part of the pipeline's.
    pub merges_metadata: bool,
}

impl Phase {
    /// Every phase, in the order in which they run.
    pub const ALL: [Self; 5] =
        [Self::Sequential, Self::Transform, Self::Audit, Self::Concurrent, Self::FireAndForget];

    /// The rules of this phase.
    #[must_use]
    pub const fn rules(self) -> Rules {
        #[rustfmt::skip]
        let (runs, may_block, may_modify, merges_state, merges_metadata) = match self {
            Self::Sequential    => (Runs::Serial,   true,  true,  true,  true),
            Self::Transform     => (Runs::Serial,   false, true,  true,  true),
            Self::Audit         => (Runs::Serial,   false, false, false, true),
            Self::Concurrent    => (Runs::Parallel, true,  false, true,  true),
            Self::FireAndForget => (Runs::Detached, false, false, false, false),
        };
        Rules { runs, may_block, may_modify, merges_state, merges_metadata }
    }
}
