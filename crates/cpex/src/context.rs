//! Who asks, and what plugins remember while the request lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

/// What is known about a request, for all hooks that are invoked on its behalf.
///
/// Cheap to make, and shared by reference. What plugins share while the request lasts is kept in it.
///
/// ```
/// let context = cpex::Context::new("req-1").user("alice").tenant("acme");
/// context.share("attempts", 1);
/// assert_eq!(context.shared()["attempts"], 1);
/// ```
#[derive(Debug)]
pub struct Context {
    request: Arc<Request>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    shared: Arc<Map<String, Value>>,
    /// What plugins keep between hooks of the request, by plugin. Only of those that keep anything.
    own: HashMap<u64, Map<String, Value>>,
}

/// The facts about a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Identifier of the request.
    pub id: String,
    /// Who asks.
    pub user: User,
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The server the request is for.
    pub server_id: Option<String>,
    /// Media type of the request.
    pub content_type: Option<String>,
    /// What the application tells its plugins.
    pub metadata: Map<String, Value>,
}

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum User {
    /// Nobody, or nobody knows.
    #[default]
    Unknown,
    /// A user, by name.
    Name(String),
    /// What the application knows about the user.
    Record(Map<String, Value>),
}

impl Context {
    /// A request about which nothing is known but its identifier.
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self::from(Request { id: request_id.into(), ..Request::default() })
    }

    /// The same, asked by this user.
    #[must_use]
    pub fn user(self, name: impl Into<String>) -> Self {
        self.with(|request| request.user = User::Name(name.into()))
    }

    /// The same, for this tenant.
    #[must_use]
    pub fn tenant(self, id: impl Into<String>) -> Self {
        self.with(|request| request.tenant_id = Some(id.into()))
    }

    /// The same, for this server.
    #[must_use]
    pub fn server(self, id: impl Into<String>) -> Self {
        self.with(|request| request.server_id = Some(id.into()))
    }

    /// The same, of this media type.
    #[must_use]
    pub fn content_type(self, content_type: impl Into<String>) -> Self {
        self.with(|request| request.content_type = Some(content_type.into()))
    }

    /// The facts about the request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What plugins share now.
    #[must_use]
    pub fn shared(&self) -> Arc<Map<String, Value>> {
        self.memory().shared.clone()
    }

    /// Shares something with the plugins.
    pub fn share(&self, key: impl Into<String>, value: impl Into<Value>) {
        Arc::make_mut(&mut self.memory().shared).insert(key.into(), value.into());
    }

    /// A plugin's view of the request.
    pub(crate) fn give(&self, plugin: u64) -> PluginContext {
        let mut memory = self.memory();
        let state = memory.own.remove(&plugin).unwrap_or_default();
        let shared = memory.shared.clone();
        PluginContext { request: self.request.clone(), snapshot: shared.clone(), shared, state }
    }

    /// Takes back what a plugin keeps for itself.
    pub(crate) fn keep(&self, plugin: u64, context: &mut PluginContext) {
        if !context.state.is_empty() {
            self.memory().own.insert(plugin, std::mem::take(&mut context.state));
        }
    }

    /// Writes back what a plugin added, changed or deleted in the shared state.
    pub(crate) fn write_back(&self, context: &PluginContext) {
        let (before, after) = (&context.snapshot, &context.shared);
        if Arc::ptr_eq(before, after) {
            return;
        }
        let mut memory = self.memory();
        let shared = Arc::make_mut(&mut memory.shared);
        for (key, value) in after.iter().filter(|(key, value)| before.get(*key) != Some(value)) {
            shared.insert(key.clone(), value.clone());
        }
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            shared.remove(key);
        }
    }

    /// A panic while it was locked has left nothing half-done: each use is one step.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(mut self, change: impl FnOnce(&mut Request)) -> Self {
        change(Arc::make_mut(&mut self.request));
        self
    }
}

impl From<Request> for Context {
    fn from(request: Request) -> Self {
        Self { request: Arc::new(request), memory: Mutex::default() }
    }
}

/// A plugin's view of a request.
#[derive(Debug)]
pub struct PluginContext {
    request: Arc<Request>,
    /// The shared state as it was when the plugin was called.
    snapshot: Arc<Map<String, Value>>,
    shared: Arc<Map<String, Value>>,
    /// What this plugin keeps for itself between the hooks of the request.
    pub state: Map<String, Value>,
}

impl PluginContext {
    /// The facts about the request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// What the plugins of the request share.
    #[must_use]
    pub fn shared(&self) -> &Map<String, Value> {
        &self.shared
    }

    /// The same, to write. What is added, changed or deleted counts once the plugin has answered, in the modes
    /// that write back.
    pub fn shared_mut(&mut self) -> &mut Map<String, Value> {
        Arc::make_mut(&mut self.shared)
    }
}
