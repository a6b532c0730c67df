//! Extensions as Python objects: what a plugin is shown of them, how what it returned compares, and what is merged.
//!
//! Who may do what is the core's to say. Here is only where each slot lives and what its values look like.

use cpex_core::capability::Policy;
use cpex_core::extensions::{Breach, Change, Enforcement, Refusal, Review, Shown, review};
use cpex_core::{Capabilities, Capability, Slot, Slots};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PySet, PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::classes::classes;
use crate::control::plain;
use crate::model::{attribute, copy_with, fields_of, instance, is_a};
use crate::payload::{Nested, copy_dict};

/// What plugins were shown, by the slots they may see, as long as the extensions are the same.
#[derive(Default)]
pub(crate) struct Views {
    of: Option<Py<PyAny>>,
    made: Vec<(Slots, Py<PyDict>)>,
}

impl Views {
    /// What a plugin sees that may see these slots. The slots' models are shared, unless the rules are enforced: then
    /// what the plugin writes in place reaches nobody.
    pub(crate) fn show<'py>(
        &mut self,
        extensions: &Bound<'py, PyAny>,
        slots: Slots,
        enforcement: Enforcement,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = extensions.py();
        if !self.of.as_ref().is_some_and(|of| of.is(extensions)) {
            let outdated = std::mem::take(self);
            self.of = Some(extensions.clone().unbind());
            drop(outdated);
        }
        let known =
            self.made.iter().find(|(seen, _)| *seen == slots).map(|(_, fields)| fields.bind(py).clone());
        let fields = match known {
            Some(fields) => fields,
            None => {
                let fields = visible(extensions, slots)?;
                self.made.push((slots, fields.clone().unbind()));
                fields
            }
        };
        match enforcement {
            Enforcement::Enforce => dressed(&copy_dict(&fields, Nested::Plain, 0)?),
            Enforcement::Warn | Enforcement::Off => dressed(&fields),
        }
    }

    /// For the garbage collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.of)?;
        self.made.iter().try_for_each(|(_, fields)| visit.call(fields))
    }
}

/// Makes what a plugin sees.
#[pyfunction]
pub(crate) fn filter_extensions<'py>(
    extensions: Option<Bound<'py, PyAny>>,
    capabilities: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let slots = read_capabilities(capabilities)?.visible();
    extensions.map(|extensions| dressed(&visible(&extensions, slots)?)).transpose()
}

/// Takes over what a plugin may write: new extensions, or `original` itself.
#[pyfunction]
pub(crate) fn merge_extensions<'py>(
    original: Option<Bound<'py, PyAny>>,
    plugin_output: Option<Bound<'py, PyAny>>,
    capabilities: &Bound<'py, PyAny>,
    plugin_name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (Some(current), Some(written)) = (&original, plugin_output) else { return Ok(original) };
    let capabilities = read_capabilities(capabilities)?;
    let before = current.clone().unbind();
    let compared = |slot, shown: Shown<'_, Py<PyAny>>| compare(slot, shown, &written);
    let Review { mut taken, refused } =
        review(Some(&before), capabilities.visible(), capabilities, compared)?;
    for (slot, refusal) in refused {
        if let Refusal::Breach(change) = refusal {
            return Err(violation(current.py(), plugin_name, Breach { slot, change })?);
        }
    }
    // As published: there is nothing to put labels into.
    if part(current, "security")?.is_none() {
        taken.remove(Slot::Labels);
    }
    if taken.is_empty() {
        return Ok(original);
    }
    merge(Some(current), &written, taken).map(Some)
}

/// Has a slot that may only grow done nothing else?
#[pyfunction]
pub(crate) fn only_grew(before: Py<PyAny>, after: &Bound<'_, PyAny>, slot: &str) -> PyResult<bool> {
    let Some(slot) = Slot::ALL.into_iter().find(|known| known.policy().path == slot) else {
        return Err(PyValueError::new_err(format!("no slot is called '{slot}'")));
    };
    let grows = |slot| -> PyResult<bool> {
        let change = compare(slot, Shown::All(&before), after)?;
        Ok(matches!(change, Change::Unchanged | Change::Added | Change::Grown))
    };
    Ok(grows(slot)? && (slot != Slot::Delegation || grows(Slot::DelegationOrigin)?))
}

/// Path, tier, and the capabilities to read and to write of each slot.
type Row = (&'static str, String, Option<&'static str>, Option<&'static str>);

/// The table of slots.
#[pyfunction]
pub(crate) fn extension_slots() -> Vec<Row> {
    let row = |slot: Slot| {
        let Policy { path, tier, read, write } = slot.policy();
        (path, tier.to_string(), read.map(Capability::name), write.map(Capability::name))
    };
    Slot::ALL.into_iter().map(row).collect()
}

/// Capabilities by their names. What is no capability grants nothing.
pub(crate) fn read_capabilities(names: &Bound<'_, PyAny>) -> PyResult<Capabilities> {
    let mut known = Vec::new();
    for name in names.try_iter()? {
        if let Ok(name) = plain(&name?) {
            known.extend(Capability::named(name.to_str()?));
        }
    }
    Ok(known.into_iter().collect())
}

/// The error of a plugin that took away from what may only grow.
pub(crate) fn violation(py: Python<'_>, plugin: &str, breach: Breach) -> PyResult<PyErr> {
    let tiers = py.import(intern!(py, "cpex.framework.extensions.tiers"))?;
    let Policy { path, tier, .. } = breach.slot.policy();
    let tier = tiers.getattr("MutabilityTier")?.call1((tier.to_string(),))?;
    let error = tiers.getattr("TierViolationError")?.call1((plugin, path, tier, breach.to_string()))?;
    Ok(PyErr::from_value(error))
}

/// The fields of what a plugin sees that may see these slots.
fn visible<'py>(extensions: &Bound<'py, PyAny>, slots: Slots) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(extensions.py());
    for slot in Slot::ALL.into_iter().filter(|slot| is_whole(*slot) && slots.contains(*slot)) {
        if let Some(value) = part(extensions, slot.policy().path)? {
            fields.set_item(slot.policy().path, value)?;
        }
    }
    if let Some(security) = part(extensions, "security")? {
        fields.set_item("security", visible_security(&security, slots)?)?;
    }
    Ok(fields)
}

fn visible_security<'py>(security: &Bound<'py, PyAny>, slots: Slots) -> PyResult<Bound<'py, PyAny>> {
    let py = security.py();
    let fields = fields_of(security)?.copy()?;
    if !slots.contains(Slot::Labels) {
        fields.set_item(intern!(py, "labels"), PyFrozenSet::empty(py)?)?;
    }
    let subject = match part(security, "subject")? {
        Some(subject) if slots.contains(Slot::Subject) => Some(visible_subject(&subject, slots)?),
        _ => None,
    };
    fields.set_item(intern!(py, "subject"), subject)?;
    whole_copy(security, &fields)
}

fn visible_subject<'py>(subject: &Bound<'py, PyAny>, slots: Slots) -> PyResult<Bound<'py, PyAny>> {
    let py = subject.py();
    let fields = fields_of(subject)?.copy()?;
    for slot in Slot::SUBJECT_PARTS.into_iter().filter(|slot| !slots.contains(*slot)) {
        let empty = match slot {
            Slot::SubjectClaims => PyDict::new(py).into_any(),
            _ => PyFrozenSet::empty(py)?.into_any(),
        };
        fields.set_item(last_name(slot), empty)?;
    }
    whole_copy(subject, &fields)
}

/// A copy of which all fields count as set, the hidden ones too.
fn whole_copy<'py>(model: &Bound<'py, PyAny>, fields: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let names: Vec<_> = fields.keys().iter().collect();
    copy_with(model, fields, None, &names)
}

/// New extensions with these slots, and no others set.
fn dressed<'py>(slots: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
    let py = slots.py();
    let classes = classes(py)?;
    let fields = classes.extension_fields.bind(py).copy()?;
    fields.update(slots.as_mapping())?;
    if let Some(custom) = slots.get_item(intern!(py, "custom"))? {
        let copy = py.get_type::<PyDict>().call1((custom,))?;
        fields.set_item(intern!(py, "custom"), copy)?;
    }
    instance(classes.extensions.bind(py), &fields, PySet::new(py, slots.keys())?.as_any())
}

/// How a slot of what a plugin returned compares with what it was shown.
pub(crate) fn compare(
    slot: Slot,
    shown: Shown<'_, Py<PyAny>>,
    written: &Bound<'_, PyAny>,
) -> PyResult<Change> {
    let py = written.py();
    let new = value(written, slot)?;
    if let Some(new) = &new {
        check(slot, new)?;
    }
    let (old, hidden) = match shown {
        Shown::All(shown) => (value(shown.bind(py), slot)?, None),
        Shown::Nothing(hidden) => (None, hidden),
    };
    match (old, new) {
        (old, new) if slot == Slot::DelegationOrigin => origin(old, hidden, new, written),
        (None, None) => Ok(Change::Unchanged),
        (Some(_), None) if slot != Slot::Custom && !mentions(written, slot)? => Ok(Change::Unchanged),
        // Labels that a security extension lacks were taken out of it.
        (Some(old), None) if slot == Slot::Labels && part(written, "security")?.is_some() => {
            Ok(Change::Shrunk { was: old.len()?, now: 0 })
        }
        (Some(_), None) => Ok(Change::Removed),
        (None, Some(new)) if slot == Slot::Delegation => blind_chain(hidden, &new),
        (None, Some(_)) => Ok(Change::Added),
        (Some(old), Some(new)) if old.is(&new) => Ok(Change::Unchanged),
        (Some(old), Some(new)) => match slot {
            Slot::Subject => same_subject(&old, &new),
            Slot::Labels => labels(&old, &new),
            Slot::Delegation => chain(&old, &new),
            _ => Ok(if old.eq(&new)? { Change::Unchanged } else { Change::Replaced }),
        },
    }
}

/// The extensions with these slots as a plugin wrote them.
pub(crate) fn merge<'py>(
    current: Option<&Bound<'py, PyAny>>,
    written: &Bound<'py, PyAny>,
    slots: Slots,
) -> PyResult<Bound<'py, PyAny>> {
    let py = written.py();
    let changed = PyDict::new(py);
    for slot in [Slot::Http, Slot::Custom].into_iter().filter(|slot| slots.contains(*slot)) {
        changed.set_item(slot.policy().path, part(written, slot.policy().path)?)?;
    }
    if slots.contains(Slot::Delegation)
        && let Some(new) = part(written, "delegation")?
    {
        changed.set_item("delegation", with_origin(current, new)?)?;
    }
    if slots.contains(Slot::Labels)
        && let Some(new) = value(written, Slot::Labels)?
    {
        changed.set_item("security", with_labels(current, &new)?)?;
    }
    let Some(current) = current else { return dressed(&changed) };
    let fields = fields_of(current)?.copy()?;
    fields.update(changed.as_mapping())?;
    let names: Vec<_> = changed.keys().iter().collect();
    copy_with(current, &fields, None, &names)
}

/// Who started a delegation is not for a plugin to rewrite.
fn with_origin<'py>(
    current: Option<&Bound<'py, PyAny>>,
    delegation: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let origin = current.map(|current| value(current, Slot::DelegationOrigin)).transpose()?.flatten();
    let Some(origin) = origin else { return Ok(delegation) };
    let name = intern!(delegation.py(), "origin_subject_id");
    let fields = fields_of(&delegation)?.copy()?;
    fields.set_item(name, origin)?;
    copy_with(&delegation, &fields, None, &[name.clone().into_any()])
}

fn with_labels<'py>(
    current: Option<&Bound<'py, PyAny>>,
    labels: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = labels.py();
    let name = intern!(py, "labels");
    let Some(security) = current.map(|current| part(current, "security")).transpose()?.flatten() else {
        let kwargs = PyDict::new(py);
        kwargs.set_item(name, labels)?;
        return classes(py)?.security.bind(py).call((), Some(&kwargs));
    };
    let fields = fields_of(&security)?.copy()?;
    let before =
        part(&security, "labels")?.map_or_else(|| PyFrozenSet::empty(py).map(Bound::into_any), Ok)?;
    fields.set_item(name, before.call_method1(intern!(py, "union"), (labels,))?)?;
    copy_with(&security, &fields, None, &[name.clone().into_any()])
}

/// Is this a slot that is a field of the extensions?
fn is_whole(slot: Slot) -> bool {
    !slot.policy().path.contains('.')
}

fn last_name(slot: Slot) -> &'static str {
    let path = slot.policy().path;
    path.rsplit('.').next().unwrap_or(path)
}

/// A part of a model; `None` if it has none.
fn part<'py>(model: &Bound<'py, PyAny>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let value = attribute(model, &PyString::intern(model.py(), name))?;
    Ok(value.filter(|value| !value.is_none()))
}

/// What is in a slot. Inside of security, an empty container is as good as none.
fn value<'py>(extensions: &Bound<'py, PyAny>, slot: Slot) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut value = Some(extensions.clone());
    for name in slot.policy().path.split('.') {
        value = match value {
            Some(model) => part(&model, name)?,
            None => return Ok(None),
        };
    }
    match value {
        Some(value) if !is_whole(slot) && !value.is_truthy()? => Ok(None),
        value => Ok(value),
    }
}

/// Did a plugin say anything about the field that the slot is in?
fn mentions(written: &Bound<'_, PyAny>, slot: Slot) -> PyResult<bool> {
    let field = slot.policy().path.split('.').next();
    let fields_set = classes(written.py())?.slots.fields_set.read(written)?;
    fields_set.contains(field)
}

/// What a plugin puts into a slot that it may be able to write: models are not validated when they are copied.
fn check(slot: Slot, new: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = new.py();
    let classes = classes(py)?;
    let is_of = |class: &Py<PyType>| is_a(new, class);
    let (fits, form) = match slot {
        Slot::Http => (is_of(&classes.http), "an HttpExtension"),
        Slot::Delegation => (is_of(&classes.delegation), "a DelegationExtension"),
        Slot::Custom => (new.is_instance_of::<PyDict>(), "a dict"),
        Slot::Labels => (are_texts(new)?, "a set of texts"),
        _ => (true, ""),
    };
    if fits {
        return Ok(());
    }
    let (path, class) = (slot.policy().path, new.get_type().name()?);
    Err(PyTypeError::new_err(format!("modified_extensions.{path} must be {form}, not {class}")))
}

fn are_texts(labels: &Bound<'_, PyAny>) -> PyResult<bool> {
    if !labels.is_instance_of::<PyFrozenSet>() && !labels.is_instance_of::<PySet>() {
        return Ok(false);
    }
    labels.try_iter()?.try_fold(true, |all, label| Ok(all && label?.is_instance_of::<PyString>()))
}

/// Who a subject is; its parts are slots of their own.
fn same_subject(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<Change> {
    let py = old.py();
    for name in [intern!(py, "id"), intern!(py, "type")] {
        if !old.getattr(name)?.eq(new.getattr(name)?)? {
            return Ok(Change::Replaced);
        }
    }
    Ok(Change::Unchanged)
}

fn labels(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<Change> {
    let (was, now) = (old.len()?, new.len()?);
    for label in old.try_iter()? {
        if !new.contains(label?)? {
            return Ok(Change::Shrunk { was, now });
        }
    }
    Ok(if now == was { Change::Unchanged } else { Change::Grown })
}

fn hops<'py>(delegation: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    match part(delegation, "chain")? {
        Some(chain) => chain.try_iter()?.collect(),
        None => Ok(Vec::new()),
    }
}

fn chain(old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<Change> {
    let (before, after) = (hops(old)?, hops(new)?);
    let (was, now) = (before.len(), after.len());
    if now < was {
        return Ok(Change::Shrunk { was, now });
    }
    for (old, new) in before.iter().zip(&after) {
        if !old.is(new) && !old.eq(new)? {
            return Ok(Change::Replaced);
        }
    }
    if now > was {
        return Ok(Change::Grown);
    }
    let rest = |delegation: &Bound<'_, PyAny>| -> PyResult<Py<PyDict>> {
        let rest = fields_of(delegation)?.copy()?;
        rest.del_item("chain")?;
        if part(old, "origin_subject_id")?.is_some() {
            rest.del_item("origin_subject_id")?;
        }
        Ok(rest.unbind())
    };
    let unchanged = rest(old)?.bind(old.py()).eq(rest(new)?)?;
    Ok(if unchanged { Change::Unchanged } else { Change::Altered })
}

/// The origin comes with the first hop, shown or not, and is part of it. From then on it is fixed.
fn origin<'py>(
    old: Option<Bound<'py, PyAny>>,
    hidden: Option<&Py<PyAny>>,
    new: Option<Bound<'py, PyAny>>,
    written: &Bound<'py, PyAny>,
) -> PyResult<Change> {
    let hidden = hidden.map(|hidden| value(hidden.bind(written.py()), Slot::DelegationOrigin)).transpose()?;
    let old = old.or(hidden.flatten());
    let (Some(old), Some(_)) = (old, part(written, "delegation")?) else { return Ok(Change::Unchanged) };
    match new {
        None => Ok(Change::Removed),
        Some(new) => Ok(if old.eq(new)? { Change::Unchanged } else { Change::Replaced }),
    }
}

/// What a chain is beside one that its plugin was not shown.
fn blind_chain(hidden: Option<&Py<PyAny>>, new: &Bound<'_, PyAny>) -> PyResult<Change> {
    let hidden = hidden.map(|hidden| part(hidden.bind(new.py()), "delegation")).transpose()?.flatten();
    match hidden {
        None => Ok(Change::Added),
        Some(hidden) => Ok(match chain(&hidden, new)? {
            Change::Grown => Change::Grown,
            _ => Change::Blind,
        }),
    }
}
