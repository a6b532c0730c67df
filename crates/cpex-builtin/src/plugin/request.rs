//! Who asks, as plugins look at it.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde_json::{Map, Value};

use super::keep::{Keep, Keeps};

/// A fact about a request, or why it cannot be read.
pub type Fact<'a, E> = Result<Option<Cow<'a, str>>, E>;

/// What is known of a request, to one plugin. Asked only for what the plugin's configuration needs.
///
/// A fact that is not known is `None`; one that cannot be read is an error, and the plugin fails.
#[allow(clippy::missing_errors_doc, reason = "said once for all methods")]
pub trait Request {
    /// Why a fact cannot be read: the same as of the payload.
    type Error;

    /// Identifier of the request.
    fn id(&self) -> Fact<'_, Self::Error>;

    /// Who asks.
    fn user(&self) -> Result<User<'_>, Self::Error>;

    /// For which tenant.
    fn tenant(&self) -> Fact<'_, Self::Error>;

    /// Which server is asked.
    fn server(&self) -> Fact<'_, Self::Error>;

    /// A header of the request, by its name in lower case, from beside the payload (the extensions) if the plugin may
    /// see those. Asked only where [`Site::seeing_headers`](super::Site::seeing_headers) says that it may.
    fn header(&self, name: &str) -> Fact<'_, Self::Error>;

    /// What this plugin keeps while this request lasts: the same at each of its hooks. Asked only by plugins that
    /// keep something, so make it then: of `keeps`, the plugin's own, if callers may not carry it to the hook after.
    fn keep(&self, keeps: &Keeps) -> Result<Keep, Self::Error>;
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub enum User<'a> {
    /// Nobody, or nobody knows.
    Unknown,
    /// A user by name.
    Name(Cow<'a, str>),
    /// What is known about the user.
    Record(Cow<'a, Map<String, Value>>),
}

/// Where a record says who it is about, the first that is there.
const NAMES: [&str; 6] = ["id", "sub", "email", "username", "user_id", "name"];

impl<'a> User<'a> {
    /// What tells this user from others: the name, or of a record the first of `id`, `sub`, `email`, `username`,
    /// `user_id` and `name` that is a text or a number.
    #[must_use]
    pub fn name(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Unknown => None,
            Self::Name(name) => Some(name).filter(|name| !name.is_empty()),
            Self::Record(record) => NAMES.iter().find_map(|key| match record.get(*key)? {
                Value::String(text) if !text.is_empty() => Some(Cow::Owned(text.clone())),
                Value::Number(number) => Some(Cow::Owned(number.to_string())),
                _ => None,
            }),
        }
    }

    /// As policies see it: `null`, a text or an object.
    #[must_use]
    pub fn json(self) -> Value {
        match self {
            Self::Unknown => Value::Null,
            Self::Name(name) => Value::String(name.into_owned()),
            Self::Record(record) => Value::Object(record.into_owned()),
        }
    }
}

/// A request about which nothing is known.
#[derive(Clone, Debug)]
pub struct Nobody<E> {
    keep: Keep,
    error: PhantomData<fn() -> E>,
}

impl<E> Default for Nobody<E> {
    fn default() -> Self {
        Self { keep: Keep::default(), error: PhantomData }
    }
}

impl<E> Request for Nobody<E> {
    type Error = E;

    fn id(&self) -> Fact<'_, E> {
        Ok(None)
    }

    fn user(&self) -> Result<User<'_>, E> {
        Ok(User::Unknown)
    }

    fn tenant(&self) -> Fact<'_, E> {
        Ok(None)
    }

    fn server(&self) -> Fact<'_, E> {
        Ok(None)
    }

    fn header(&self, _: &str) -> Fact<'_, E> {
        Ok(None)
    }

    fn keep(&self, _: &Keeps) -> Result<Keep, E> {
        Ok(self.keep.clone())
    }
}
