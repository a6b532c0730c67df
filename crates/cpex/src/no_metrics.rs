//! The feature `metrics` is off: nothing is counted.

use cpex_core::Outcome;
use cpex_core::record::Fate;

use crate::clock::Moment;
use crate::failure::LoadFailure;
use crate::host::RustValues;

pub(crate) struct HookMetrics;

pub(crate) const fn describe() {}

pub(crate) const fn load_failed(_: &LoadFailure) {}

#[cfg(feature = "external")]
pub(crate) fn served(_: &cpex_remote::Event<'_>, _: impl FnOnce(&str, &str) -> bool) {}

#[cfg(feature = "external")]
pub(crate) const fn denied(_: &str, _: &str) {}

#[cfg(feature = "external")]
pub(crate) struct InFlight;

#[cfg(feature = "external")]
impl InFlight {
    pub(crate) const fn begin() -> Self {
        Self
    }
}

#[cfg(feature = "external")]
pub(crate) const fn balanced(_: &str, _: &cpex_remote::balance::BalanceEvent<'_>) {}

impl HookMetrics {
    pub(crate) fn new<'a>(_: &str, _: impl Iterator<Item = &'a str>) -> Self {
        Self
    }

    pub(crate) const fn count(&self, _: &Outcome<RustValues>, _: Moment) {}

    pub(crate) const fn count_background(&self, _: usize, _: Fate) {}
}
