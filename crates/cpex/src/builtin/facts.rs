//! What is known of a request, for the built-in plugins.

use std::borrow::Cow;

use cpex_builtin::plugin::{Fact, Keep, Keeps, Request, User};

use super::texts::Unreadable;
use crate::context::{self, PluginContext};
use crate::extensions::Extensions;

/// A request as one plugin sees it.
pub(super) struct Asked<'a> {
    pub(super) context: &'a PluginContext,
    pub(super) extensions: &'a Extensions,
}

impl Request for Asked<'_> {
    type Error = Unreadable;

    fn id(&self) -> Fact<'_, Unreadable> {
        Ok(Some(Cow::Borrowed(&self.context.request().id)))
    }

    fn user(&self) -> Result<User<'_>, Unreadable> {
        Ok(match &self.context.request().user {
            context::User::Unknown => User::Unknown,
            context::User::Name(name) => User::Name(Cow::Borrowed(name)),
            context::User::Record(record) => User::Record(Cow::Borrowed(record)),
        })
    }

    fn tenant(&self) -> Fact<'_, Unreadable> {
        Ok(self.context.request().tenant_id.as_deref().map(Cow::Borrowed))
    }

    fn server(&self) -> Fact<'_, Unreadable> {
        Ok(self.context.request().server_id.as_deref().map(Cow::Borrowed))
    }

    fn header(&self, name: &str) -> Fact<'_, Unreadable> {
        let headers = self.extensions.http.iter().flat_map(|http| &http.headers);
        let mut named = headers.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        Ok(named.next().map(|(_, value)| Cow::Borrowed(&**value)))
    }

    /// A context is handed from hook to hook by its type.
    fn keep(&self, _: &Keeps) -> Result<Keep, Unreadable> {
        Ok(self.context.keep())
    }
}
