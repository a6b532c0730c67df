//! A payload of this host, as the built-in plugins look at it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use cpex_builtin::TextTree;
use cpex_builtin::plugin::{Headers, Payload, Scans, Shown, Site};
use cpex_builtin::text::{Editor, Place};
use serde_json::Value;

use super::texts::Unreadable;
use crate::hooks::{HttpHeaders, PromptPostFetch, ResourcePostFetch, ToolPostInvoke};
use crate::payload::{AnyPayload, Subject};

/// A payload, whatever its type.
pub(super) enum View<'a> {
    /// As the plugin is shown it, with the headers that those before it made, at a hook that returns headers.
    Shown { payload: &'a dyn AnyPayload, previous: Option<&'a HttpHeaders> },
    /// As a plugin has made it.
    Made(Arc<dyn AnyPayload>),
}

impl View<'_> {
    fn payload(&self) -> &dyn AnyPayload {
        match self {
            View::Shown { payload, .. } => *payload,
            View::Made(payload) => &**payload,
        }
    }

    pub(super) fn into_shared(self) -> Arc<dyn AnyPayload> {
        match self {
            View::Shown { payload, .. } => payload.to_shared(),
            View::Made(payload) => payload,
        }
    }
}

impl TextTree for View<'_> {
    type Error = Unreadable;

    fn edit(&self, editor: &mut dyn Editor, place: &Place<'_>) -> Result<Option<Self>, Unreadable> {
        Ok(self.payload().edit_texts(editor, place)?.map(View::Made))
    }
}

impl Payload for View<'_> {
    fn text(&self, field: &str) -> Result<Option<Cow<'_, str>>, Unreadable> {
        Ok(match self.payload().named(field) {
            Some(Subject::Text(text)) => Some(Cow::Borrowed(text)),
            Some(Subject::Opaque) | None => None,
        })
    }

    fn json(&self, field: Option<&str>) -> Result<Option<Cow<'_, Value>>, Unreadable> {
        let payload = self.payload();
        let Some(field) = field else { return Ok(Some(Cow::Owned(payload.to_json()?))) };
        if let Some(result) = result(payload, field) {
            return Ok(Some(Cow::Borrowed(result)));
        }
        Ok(match payload.to_json()? {
            Value::Object(mut fields) => fields.remove(field).map(Cow::Owned),
            _ => None,
        })
    }

    fn headers(&self, site: &Site) -> Result<Option<Headers>, Unreadable> {
        if let View::Shown { previous: Some(previous), .. } = self {
            return Ok(Some(previous.0.clone()));
        }
        let Some(headers) = self.json(site.headers())? else { return Ok(None) };
        Ok(serde_json::from_value(headers.into_owned())?)
    }

    fn with_headers(&self, site: &Site, headers: Headers) -> Result<Self, Unreadable> {
        if site.returns_headers() {
            return Ok(View::Made(Arc::new(HttpHeaders(headers))));
        }
        let field = site.headers().unwrap_or_default();
        Ok(View::Made(self.payload().with_field(field, serde_json::to_value(headers)?)?))
    }
}

/// A field that is JSON already.
fn result<'a>(payload: &'a dyn AnyPayload, field: &str) -> Option<&'a Value> {
    let payload = payload as &dyn std::any::Any;
    match field {
        "result" => (payload.downcast_ref::<ToolPostInvoke>().map(|payload| &payload.result))
            .or_else(|| payload.downcast_ref::<PromptPostFetch>().map(|payload| &payload.result)),
        "content" => payload.downcast_ref::<ResourcePostFetch>().map(|payload| &payload.content),
        _ => None,
    }
}

impl Shown for View<'_> {
    type Handle = Held;

    fn handle(&self) -> Held {
        match self {
            View::Shown { payload, .. } => Held { address: address(*payload), made: None },
            View::Made(made) => Held { address: address(&**made), made: Some(made.clone()) },
        }
    }

    fn is(&self, handle: &Held) -> bool {
        address(self.payload()) == handle.address
    }

    fn of(&self, handle: &Held) -> Self {
        match &handle.made {
            Some(made) => View::Made(made.clone()),
            None => unreachable!("only what a plugin has made is handed out again"),
        }
    }
}

/// Tells payloads apart. One that a plugin has made is kept, so that no other can take its address; one that was only
/// shown is compared with as long as no scanner has changed anything, and is then still there.
pub(crate) struct Held {
    address: usize,
    made: Option<Arc<dyn AnyPayload>>,
}

fn address(payload: &dyn AnyPayload) -> usize {
    std::ptr::from_ref(payload).addr()
}

/// What the text scanners of a hook remember while it lasts. A copy remembers nothing.
#[derive(Default)]
pub(crate) struct Remembered(pub(super) Scans<Held>);

impl Clone for Remembered {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered")
    }
}
