//! A copy-on-write view of state that others may change meanwhile.

use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

type State = Map<String, Value>;

/// The state as it was at the first look, and what was made of it. Costs nothing as long as nobody looks.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    snapshot: OnceLock<Arc<State>>,
    changed: Option<State>,
}

impl View {
    pub(crate) fn read(&self, now: impl FnOnce() -> Arc<State>) -> &State {
        match &self.changed {
            Some(changed) => changed,
            None => self.snapshot.get_or_init(now),
        }
    }

    pub(crate) fn write(&mut self, now: impl FnOnce() -> Arc<State>) -> &mut State {
        let snapshot = self.snapshot.get_or_init(now);
        self.changed.get_or_insert_with(|| State::clone(snapshot))
    }

    #[inline]
    pub(crate) fn forget(&mut self) {
        if self.snapshot.get().is_some() {
            *self = Self::default();
        }
    }

    pub(crate) const fn is_changed(&self) -> bool {
        self.changed.is_some()
    }

    /// The state as it was, and as it is now, if anybody wrote.
    pub(crate) fn take_changes(&mut self) -> Option<(Arc<State>, State)> {
        let changed = self.changed.take()?;
        Some((self.snapshot.take()?, changed))
    }
}

/// Adds, changes and deletes in `target` what was added, changed and deleted between `before` and `after`.
pub(crate) fn apply(before: &State, after: State, target: &mut Arc<State>) {
    let target = Arc::make_mut(target);
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        target.remove(key);
    }
    for (key, value) in after {
        if before.get(&key) != Some(&value) {
            target.insert(key, value);
        }
    }
}
