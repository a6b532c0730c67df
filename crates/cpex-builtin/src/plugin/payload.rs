//! What a hook is about, as plugins look at it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::site::Site;
use crate::text::{TextTree, TooDeep};

/// HTTP headers by their names.
pub type Headers = BTreeMap<String, String>;

/// What a hook is about, as plugins look at it, without converting it.
///
/// A host implements it for a cheap handle to its own payloads. Scanners only use [`TextTree`]; the methods here are
/// for the few plugins that need a part of a payload as JSON, and they ask for no more than that part.
///
/// A payload that cannot be read is an error, never `None`: the plugin then fails, and its `on_error` judges.
pub trait Payload: TextTree {
    /// The text of a top-level field; `None` if there is none, or it is no text.
    ///
    /// # Errors
    /// The field cannot be read.
    fn text(&self, field: &str) -> Result<Option<Cow<'_, str>>, Self::Error>;

    /// A top-level field as JSON, or the whole payload if no field is named; `None` if there is no such field.
    ///
    /// # Errors
    /// The field cannot be read, or is no JSON.
    fn json(&self, field: Option<&str>) -> Result<Option<Cow<'_, Value>>, Self::Error>;

    /// The headers in [`Site::headers`], with what plugins before this one made of them: at a hook that
    /// [returns headers](Site::returns_headers), those are not in the payload. `None` if the payload has none.
    ///
    /// # Errors
    /// They cannot be read.
    fn headers(&self, site: &Site) -> Result<Option<Headers>, Self::Error>;

    /// What a plugin returns to put headers in the place of those: the payload with other headers, or, at a hook that
    /// [returns headers](Site::returns_headers), the headers alone.
    ///
    /// # Errors
    /// The payload has no place for them.
    fn with_headers(&self, site: &Site, headers: Headers) -> Result<Self, Self::Error>;
}

/// A payload that can be told from others, so that what one walk over it has found can be remembered: see
/// [`Run`](super::Run).
pub trait Shown: Payload {
    /// Tells payloads apart and outlives them. It keeps a payload alive that a plugin has made: another can then not
    /// be taken for it.
    type Handle: Send + Sync;

    /// The payload's own.
    fn handle(&self) -> Self::Handle;

    /// Whether the handle is that of this very object.
    fn is(&self, handle: &Self::Handle) -> bool;

    /// The payload that a plugin has made, by its handle.
    fn of(&self, handle: &Self::Handle) -> Self;
}

/// A JSON object, for hosts without payloads of their own.
impl Payload for Value {
    fn text(&self, field: &str) -> Result<Option<Cow<'_, str>>, TooDeep> {
        Ok(self.get(field).and_then(Self::as_str).map(Cow::Borrowed))
    }

    fn json(&self, field: Option<&str>) -> Result<Option<Cow<'_, Value>>, TooDeep> {
        Ok(match field {
            Some(field) => self.get(field).map(Cow::Borrowed),
            None => Some(Cow::Borrowed(self)),
        })
    }

    fn headers(&self, site: &Site) -> Result<Option<Headers>, TooDeep> {
        let fields = site.headers().and_then(|field| self.get(field)).and_then(Self::as_object);
        let text = |(name, value): (&String, &Self)| Some((name.clone(), value.as_str()?.to_owned()));
        Ok(fields.map(|fields| fields.iter().filter_map(text).collect()))
    }

    fn with_headers(&self, site: &Site, headers: Headers) -> Result<Self, TooDeep> {
        let headers = headers.into_iter().map(|(name, value)| (name, Self::String(value))).collect();
        if site.returns_headers() {
            return Ok(Self::Object(headers));
        }
        let mut changed = self.clone();
        if let (Self::Object(fields), Some(field)) = (&mut changed, site.headers()) {
            fields.insert(field.to_owned(), Self::Object(headers));
        }
        Ok(changed)
    }
}
