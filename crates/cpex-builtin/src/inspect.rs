//! One walk over a payload for any number of detectors.

use crate::finding::Report;
use crate::text::{Editor, Place, TextTree};

/// What looks at the texts of a payload: each on its own, then at what was found in all of them.
pub trait Detector: Send + Sync {
    /// Looks at a text; returns what to put in its place, `None` to leave it. Notes in `report` what it finds.
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String>;

    /// Called once after the last text, unless the detector has denied.
    fn conclude(&self, _report: &mut Report) {}

    /// Whether it may change texts; if not, it can look where nothing can be changed.
    fn rewrites(&self) -> bool;
}

/// What detectors came to.
#[derive(Clone, Debug)]
pub struct Inspection<T> {
    /// The payload with the changes of the detectors, `None` if there were none or one has denied.
    pub changed: Option<T>,
    /// A report for each detector that had its say: all of them, or those up to the first that denied.
    pub reports: Vec<Report>,
}

impl<T> Inspection<T> {
    /// The report of the detector that denied.
    #[must_use]
    pub fn denied(&self) -> Option<&Report> {
        self.reports.last().filter(|report| report.denial.is_some())
    }
}

/// Shows all text of a payload to detectors, in one walk, with the outcome of as many walks one after the other:
/// each detector sees what those before it made of a text, and the first that denies ends the matter.
///
/// ```
/// use cpex_builtin::deny_list::{DenyList, DenyListConfig};
/// use serde_json::json;
///
/// let words = DenyList::new(DenyListConfig::deny(["forbidden"]))?;
/// let inspection = cpex_builtin::inspect(&json!({"args": ["something forbidden"]}), &[&words])?;
/// assert!(inspection.denied().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The payload cannot be walked. It must not go on unseen.
pub fn inspect<T: TextTree>(tree: &T, detectors: &[&dyn Detector]) -> Result<Inspection<T>, T::Error> {
    let mut inspection = Inspection { changed: None, reports: Vec::with_capacity(detectors.len()) };
    let shared = each(tree, detectors)?;
    let is_shared = shared.is_some();
    for found in shared.into_iter().flatten() {
        inspection.take(found);
    }
    for detector in detectors.iter().skip(if is_shared { detectors.len() } else { 0 }) {
        let found = alone(inspection.changed.as_ref().unwrap_or(tree), *detector)?;
        inspection.take(found);
        if inspection.denied().is_some() {
            break;
        }
    }
    Ok(inspection)
}

/// What one of several detectors came to.
pub(crate) struct Found<T> {
    pub(crate) report: Report,
    /// The payload as it is after it; `None` if it has changed nothing, or denied.
    pub(crate) changed: Option<T>,
}

impl<T> Inspection<T> {
    fn take(&mut self, Found { report, changed }: Found<T>) {
        self.changed = if report.denial.is_some() { None } else { changed.or(self.changed.take()) };
        self.reports.push(report);
    }
}

/// One walk for one detector.
fn alone<T: TextTree>(tree: &T, detector: &dyn Detector) -> Result<Found<T>, T::Error> {
    let detectors = [detector];
    let mut walk = Walk::new(&detectors);
    let changed = tree.edit(&mut walk, &Place::ROOT)?;
    let mut report = walk.reports.pop().unwrap_or_default();
    if report.denial.is_none() {
        detector.conclude(&mut report);
    }
    Ok(Found { changed: changed.filter(|_| report.denial.is_none()), report })
}

/// One walk for several detectors: what each came to, all of them or those up to the first that denied, as if each
/// had walked over what those before it had left.
///
/// `None` if only walks of their own can tell. That is so once a key was changed: the texts below it have another
/// name for the detectors behind. And it is so if the payload has other texts when it is walked again: a change noted
/// would be made elsewhere, or nowhere.
pub(crate) fn each<T: TextTree>(
    tree: &T,
    detectors: &[&dyn Detector],
) -> Result<Option<Vec<Found<T>>>, T::Error> {
    if let [detector] = detectors {
        return Ok(Some(vec![alone(tree, *detector)?]));
    }
    let mut walk = Walk::new(detectors);
    let mut changed = tree.edit(&mut walk, &Place::ROOT)?;
    let Walk { mut reports, edits, renamed, text: texts, .. } = walk;
    if renamed {
        return Ok(None);
    }
    for (index, detector) in detectors.iter().enumerate().take(reports.len()) {
        if reports[index].denial.is_none() {
            detector.conclude(&mut reports[index]);
        }
        if reports[index].denial.is_some() {
            reports.truncate(index + 1);
            break;
        }
    }
    let is_only_editor = |index| edits.iter().all(|edit| edit.detector == index);
    let mut found = Vec::with_capacity(reports.len());
    for (index, report) in reports.into_iter().enumerate() {
        let has_changed = report.denial.is_none() && edits.iter().any(|edit| edit.detector == index);
        let changed = match has_changed {
            true if is_only_editor(index) => changed.take(),
            true => {
                let mut replay = Replay { edits: &edits, last: index, text: 0 };
                let changed = tree.edit(&mut replay, &Place::ROOT)?;
                if replay.text != texts {
                    return Ok(None);
                }
                changed
            }
            false => None,
        };
        found.push(Found { report, changed });
    }
    Ok(Some(found))
}

/// `reports` ends with the first detector that has denied: those behind it have nothing more to see.
struct Walk<'a> {
    detectors: &'a [&'a dyn Detector],
    reports: Vec<Report>,
    edits: Vec<Edit>,
    text: usize,
    /// A key was changed.
    renamed: bool,
}

/// A text that a detector has changed, counted in the order of the walk.
struct Edit {
    text: usize,
    detector: usize,
    new: String,
}

impl<'a> Walk<'a> {
    fn new(detectors: &'a [&'a dyn Detector]) -> Self {
        let reports = detectors.iter().map(|_| Report::default()).collect();
        Self { detectors, reports, edits: Vec::new(), text: 0, renamed: false }
    }
}

impl Editor for Walk<'_> {
    fn text(&mut self, text: &str, place: &Place<'_>) -> Option<String> {
        let mut current: Option<String> = None;
        for (index, detector) in self.detectors.iter().enumerate().take(self.reports.len()) {
            let report = &mut self.reports[index];
            if report.denial.is_some() {
                break;
            }
            if let Some(edited) = detector.examine(current.as_deref().unwrap_or(text), place, report) {
                if self.detectors.len() > 1 {
                    self.edits.push(Edit { text: self.text, detector: index, new: edited.clone() });
                }
                self.renamed |= place.is_key();
                current = Some(edited);
            }
            if report.denial.is_some() {
                self.reports.truncate(index + 1);
                break;
            }
        }
        self.text += 1;
        current
    }
}

/// Makes the changes of the detectors up to the `last` again.
struct Replay<'a> {
    /// In the order of the walk.
    edits: &'a [Edit],
    last: usize,
    text: usize,
}

impl Editor for Replay<'_> {
    fn text(&mut self, _: &str, _: &Place<'_>) -> Option<String> {
        let here = self.edits.iter().take_while(|edit| edit.text == self.text).count();
        let (here, behind) = self.edits.split_at(here);
        (self.edits, self.text) = (behind, self.text + 1);
        here.iter().rev().find(|edit| edit.detector <= self.last).map(|edit| edit.new.clone())
    }
}
