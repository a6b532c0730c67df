//! What a plugin is asked.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::reply::Failure;

/// One hook is to run. Nothing in it is parsed before it is asked for.
#[derive(Clone)]
pub struct Call {
    hook: String,
    payload: String,
    context: String,
    extensions: Option<String>,
}

/// What is known of the request, and what plugins leave in it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Context {
    /// The plugin's own, until the call that the hooks are about is over.
    pub state: Map<String, Value>,
    /// The plugin's own, too.
    pub metadata: Map<String, Value>,
    /// What all plugins see.
    pub global_context: GlobalContext,
}

/// What all plugins see of a request.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct GlobalContext {
    /// The request's id.
    pub request_id: String,
    /// Who asks: a name, or an object.
    pub user: Value,
    /// For whom.
    pub tenant_id: Option<String>,
    /// Through which server.
    pub server_id: Option<String>,
    /// What plugins share.
    pub state: Map<String, Value>,
    /// What the host says beside.
    pub metadata: Map<String, Value>,
    /// What newer hosts say.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Call {
    /// A call, for the tests of a plugin. Its context is empty.
    ///
    /// # Panics
    /// If the payload has no JSON.
    pub fn new(hook: impl Into<String>, payload: impl Serialize) -> Self {
        let payload = serde_json::to_string(&payload).expect("a payload with JSON");
        Self::of(hook.into(), payload, "{}".to_owned(), None)
    }

    pub(crate) const fn of(
        hook: String,
        payload: String,
        context: String,
        extensions: Option<String>,
    ) -> Self {
        Self { hook, payload, context, extensions }
    }

    /// The same with this context.
    ///
    /// # Panics
    /// Never: a context has JSON.
    #[must_use]
    pub fn with_context(self, context: &Context) -> Self {
        Self { context: serde_json::to_string(context).expect("a context with JSON"), ..self }
    }

    /// The hook, as `tool_pre_invoke`.
    #[must_use]
    pub fn hook(&self) -> &str {
        &self.hook
    }

    /// The payload as a type; `serde_json::Value` takes any.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        read(&self.payload, "payload")
    }

    /// The context. What is changed in it counts once it is in the reply.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn context(&self) -> Result<Context, Failure> {
        read(&self.context, "context")
    }

    /// The extensions, as far as the capabilities of the plugin's entry go.
    ///
    /// # Errors
    /// If they are not of this type.
    pub fn extensions<T: DeserializeOwned>(&self) -> Result<Option<T>, Failure> {
        self.extensions.as_deref().map(|text| read(text, "extensions")).transpose()
    }
}

/// Without what stands there, which is nobody's business.
fn read<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
        let message = format!("the {what} is not what the plugin expects (column {})", error.column());
        Failure::new(message).code("UNEXPECTED_INPUT")
    })
}
