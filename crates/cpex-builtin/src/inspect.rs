//! One walk over a payload for any number of detectors.

use crate::finding::Report;
use crate::text::{Editor, Place, TextTree};

/// What looks at the texts of a payload: each on its own, then at what was found in all of them.
pub trait Detector: Send + Sync {
    /// Looks at a text; returns what to put in its place, `None` to leave it. Notes in `report` what it finds.
    fn examine(&self, text: &str, place: &Place<'_>, report: &mut Report) -> Option<String>;

    /// Called once after the last text, unless the detector has denied.
    fn conclude(&self, _report: &mut Report) {}
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
    let reports = detectors.iter().map(|_| Report::default()).collect();
    let mut walk = Walk { detectors, reports };
    let changed = tree.edit(&mut walk, &Place::ROOT)?;
    let Walk { mut reports, .. } = walk;
    for (index, detector) in detectors.iter().enumerate().take(reports.len()) {
        if reports[index].denial.is_none() {
            detector.conclude(&mut reports[index]);
        }
        if reports[index].denial.is_some() {
            reports.truncate(index + 1);
            return Ok(Inspection { changed: None, reports });
        }
    }
    Ok(Inspection { changed, reports })
}

/// `reports` ends with the first detector that has denied: those behind it have nothing more to see.
struct Walk<'a> {
    detectors: &'a [&'a dyn Detector],
    reports: Vec<Report>,
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
                current = Some(edited);
            }
            if report.denial.is_some() {
                self.reports.truncate(index + 1);
                break;
            }
        }
        current
    }
}
