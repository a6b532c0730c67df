//! Plugins at hooks that nobody invokes: a guard whose hook is misspelt never runs, and nothing else tells.

use cpex_config::Step;
use hashbrown::HashSet;

use crate::builder::Rules;
use crate::error::Error;
use crate::factory::is_builtin;
use crate::failure::{LoadFailure, LoadPhase};
use crate::lifecycle::{Entry, State};
use crate::narrator;
use crate::planning::attached;

/// Looks at the hooks of the entries that have just come to them. Known are the built-in hooks and those of
/// [`Builder::hook`](crate::Builder::hook). Others are an application's own, which is told if nothing but a configuration
/// names them; a slip of a known one is a mistake.
///
/// # Errors
/// The first mistake of a plugin that must not be missing; others are logged. If the configuration is strict, the first
/// thing that would be logged.
pub(crate) fn check(entries: &[Entry], came: &[&Entry], rules: &Rules) -> Result<(), Error> {
    let code = named_in_code(entries, rules);
    came.iter().try_for_each(|entry| {
        hooks(entry).iter().try_for_each(|hook| match suspicion(entry, hook, &code, rules) {
            Some(suspicion) => told(entry, hook, &suspicion, rules),
            None => Ok(()),
        })
    })
}

/// What an unknown hook may be.
enum Suspicion {
    /// A slip of this one.
    Slip(String),
    /// An application's own that only a configuration names.
    OnlyConfigured,
}

/// The hooks that plugins of the application answer. One that could not be loaded answers none: what its entry names is
/// configured only.
fn named_in_code(entries: &[Entry], rules: &Rules) -> HashSet<Box<str>> {
    let of_application =
        entries.iter().filter(|entry| !is_builtin(&entry.config, rules) && entry.instance().is_some());
    of_application.flat_map(hooks).collect()
}

fn hooks(entry: &Entry) -> Vec<Box<str>> {
    match &entry.state {
        _ if entry.config.phase().is_none() => Vec::new(),
        State::Loaded(instance) => attached(instance).map(|handler| handler.hook).collect(),
        State::Failed(_) => entry.config.hooks.iter().map(|hook| hook.as_str().into()).collect(),
        State::Idle | State::Kept(_) => Vec::new(),
    }
}

fn suspicion(entry: &Entry, hook: &str, code: &HashSet<Box<str>>, rules: &Rules) -> Option<Suspicion> {
    let only_configured = is_builtin(&entry.config, rules);
    if rules.types.knows(hook) || only_configured && code.contains(hook) {
        return None;
    }
    let in_code = code.iter().filter(|_| only_configured).map(|name| &**name);
    match cpex_config::slip_of(hook, rules.types.names().chain(in_code)) {
        Some(meant) => Some(Suspicion::Slip(meant.to_owned())),
        None => only_configured.then_some(Suspicion::OnlyConfigured),
    }
}

fn told(entry: &Entry, hook: &str, suspicion: &Suspicion, rules: &Rules) -> Result<(), Error> {
    let config = &entry.config;
    let (hint, is_mistake) = match suspicion {
        Suspicion::Slip(meant) => {
            (format!("; did you mean {meant:?}?"), entry.is_needed(rules) || config.denies_if_missing)
        }
        Suspicion::OnlyConfigured => (":".to_owned(), false),
    };
    let place = config.hooks.iter().position(|name| name == hook);
    let path = place.map(|index| [Step::Key("hooks"), Step::Index(index)]);
    let problem =
        format!("no hook {hook:?} is known{hint} `Builder::hook` makes one of the application known");
    let error = config.problem(path.as_ref().map_or(&[], |path| path), problem);
    if is_mistake || rules.is_strict {
        return Err(Error::Load(LoadFailure::new(config, LoadPhase::Register, &error)));
    }
    narrator::hook_unknown(&config.name, hook, &error);
    Ok(())
}
