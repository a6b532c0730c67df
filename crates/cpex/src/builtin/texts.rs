//! The texts of a payload of any type.

use std::cell::RefCell;
use std::sync::Arc;

use cpex_builtin::text::{Editor, Place, TooDeep};
use serde_json::Value;

use super::serde_walk::{Walk, Walked};
use crate::payload::{AnyPayload, Payload};

/// Why a payload cannot be looked at, or not be put together again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
    #[error("the payload cannot be written as JSON or read from it")]
    Json(#[from] serde_json::Error),
    #[error("the payload cannot be read: {0}")]
    Other(String),
    #[error("{0} is not the same once it was JSON: its texts cannot be changed")]
    Lossy(&'static str),
    #[error("{0} has other texts each time it is read: they cannot be changed")]
    Unsteady(&'static str),
}

/// Payloads whose texts can be looked at and changed, whatever their type.
pub(crate) trait Texts {
    /// Shows every text to `editor`; the payload with its changes, if there were any.
    fn edit_texts(
        &self,
        editor: &mut dyn Editor,
        place: &Place<'_>,
    ) -> Result<Option<Arc<dyn AnyPayload>>, Unreadable>;

    /// The payload with another value of one field.
    fn with_field(&self, field: &str, value: Value) -> Result<Arc<dyn AnyPayload>, Unreadable>;
}

impl<P: Payload> Texts for P {
    fn edit_texts(
        &self,
        editor: &mut dyn Editor,
        place: &Place<'_>,
    ) -> Result<Option<Arc<dyn AnyPayload>>, Unreadable> {
        let mut recorder = Recorder { editor, edits: Vec::new(), texts: 0 };
        Walk::look(&mut recorder, self, place)?;
        let Recorder { edits, texts, .. } = recorder;
        if edits.is_empty() {
            return Ok(None);
        }
        // Only now is it converted: the same walk again, which makes the changes and tells their fields.
        let mut player = Player { edits: edits.into_iter().peekable(), texts: 0 };
        let Walked { json, touched } = Walk::build(&mut player, self, place)?;
        if player.texts != texts {
            return Err(Unreadable::Unsteady(std::any::type_name::<P>()));
        }
        put_together(self, json, &touched).map(Some)
    }

    fn with_field(&self, field: &str, value: Value) -> Result<Arc<dyn AnyPayload>, Unreadable> {
        let mut json = serde_json::to_value(self)?;
        if let Value::Object(fields) = &mut json {
            fields.insert(field.to_owned(), value);
        }
        put_together(self, json, &[field.to_owned()])
    }
}

/// A payload of the same type with these fields of its JSON, which has to tell them in full. The others stay as they
/// are, also those that it does not, such as secrets.
fn put_together<P: Payload>(
    payload: &P,
    json: Value,
    touched: &[String],
) -> Result<Arc<dyn AnyPayload>, Unreadable> {
    let proposed: P = serde_json::from_value(json)?;
    let taken = RefCell::new(Vec::new());
    let is_touched = |field: &str| {
        let is_touched = touched.iter().any(|touched| touched == field);
        if is_touched {
            taken.borrow_mut().push(field.to_owned());
        }
        is_touched
    };
    let left = payload.restrict(&proposed, &is_touched).payload;
    let is_complete = touched.iter().all(|field| taken.borrow().contains(field));
    let same: P = serde_json::from_value(serde_json::to_value(payload)?)?;
    let (made, loses) = match left {
        Some(left) if is_complete => (left, payload.restrict(&same, &is_touched).payload.is_some()),
        // A field has another name in JSON than in Rust: all is taken.
        _ => (proposed, payload.restrict(&same, &|_| true).payload.is_some()),
    };
    if loses { Err(Unreadable::Lossy(std::any::type_name::<P>())) } else { Ok(Arc::new(made)) }
}

/// Notes which texts were changed, counted in the order of the walk.
struct Recorder<'a> {
    editor: &'a mut dyn Editor,
    edits: Vec<(usize, String)>,
    texts: usize,
}

impl Editor for Recorder<'_> {
    fn text(&mut self, text: &str, place: &Place<'_>) -> Option<String> {
        let edited = self.editor.text(text, place);
        self.edits.extend(edited.clone().map(|new| (self.texts, new)));
        self.texts += 1;
        edited
    }
}

/// Makes the noted changes.
struct Player<I: Iterator<Item = (usize, String)>> {
    edits: std::iter::Peekable<I>,
    texts: usize,
}

impl<I: Iterator<Item = (usize, String)>> Editor for Player<I> {
    fn text(&mut self, _: &str, _: &Place<'_>) -> Option<String> {
        let here = self.texts;
        self.texts += 1;
        self.edits.next_if(|(text, _)| *text == here).map(|(_, new)| new)
    }
}
