//! Who asks, and what plugins remember while the request lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

#[cfg(feature = "_foreign")]
use crate::call::Limit;
use crate::extensions::Extensions;
use crate::view::View;

/// What is known about a request, for all hooks that are invoked on its behalf.
///
/// Make one per request; it is cheap. What plugins share while the request lasts is kept in it, and so is what each
/// of them keeps for itself between the hooks of the request.
///
/// ```
/// let context = cpex::Context::new("req-1").user("alice").tenant("acme");
/// context.share("attempts", 1);
/// assert_eq!(context.shared()["attempts"], 1);
/// ```
#[derive(Debug)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) request: Request,
    pub(crate) extensions: Option<Arc<Extensions>>,
    memory: Mutex<Memory>,
}

/// What plugins leave in a request.
#[derive(Clone, Debug, Default)]
struct Memory {
    shared: Arc<Map<String, Value>>,
    /// What each plugin keeps for itself. Only of those that keep anything.
    own: HashMap<u64, Arc<Map<String, Value>>>,
    /// What built-in plugins keep of calls until they have ended.
    #[cfg(feature = "builtin")]
    kept: HashMap<u64, cpex_builtin::plugin::Keep>,
    /// What foreign plugins keep beside their state: their contexts have metadata, too.
    #[cfg(feature = "_foreign")]
    remote: HashMap<u64, Arc<Map<String, Value>>>,
}

/// The facts about a request. Its JSON is that of the Python host's `GlobalContext`, without the state.
///
/// ```
/// let request: cpex::Request = serde_json::from_str(r#"{"request_id": "req-1", "user": "alice"}"#)?;
/// assert_eq!(request.user, cpex::User::Name("alice".into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Identifier of the request.
    #[serde(rename = "request_id")]
    pub id: String,
    /// Who asks.
    #[serde(default)]
    pub user: User,
    /// The tenant.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The server the request is for.
    #[serde(default)]
    pub server_id: Option<String>,
    /// Media type of the request.
    #[serde(default)]
    pub content_type: Option<String>,
    /// What the application tells its plugins.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// Who asks.
///
/// ```
/// assert_eq!(cpex::User::default(), cpex::User::Unknown);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
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
    ///
    /// ```
    /// assert_eq!(cpex::Context::new("req-1").request().id, "req-1");
    /// ```
    #[must_use]
    pub fn new(request_id: impl Into<String>) -> Self {
        Self::from(Request { id: request_id.into(), ..Request::default() })
    }

    /// The same, asked by this user.
    ///
    /// ```
    /// let context = cpex::Context::new("req-1").user("alice");
    /// assert_eq!(context.request().user, cpex::User::Name("alice".into()));
    /// ```
    #[must_use]
    pub fn user(self, name: impl Into<String>) -> Self {
        self.with(|inner| inner.request.user = User::Name(name.into()))
    }

    /// The same, for this tenant.
    ///
    /// ```
    /// assert_eq!(cpex::Context::new("req-1").tenant("acme").request().tenant_id.as_deref(), Some("acme"));
    /// ```
    #[must_use]
    pub fn tenant(self, id: impl Into<String>) -> Self {
        self.with(|inner| inner.request.tenant_id = Some(id.into()))
    }

    /// The same, for this server.
    ///
    /// ```
    /// assert_eq!(cpex::Context::new("req-1").server("db").request().server_id.as_deref(), Some("db"));
    /// ```
    #[must_use]
    pub fn server(self, id: impl Into<String>) -> Self {
        self.with(|inner| inner.request.server_id = Some(id.into()))
    }

    /// The same, of this media type.
    ///
    /// ```
    /// let context = cpex::Context::new("req-1").content_type("text/html; charset=utf-8");
    /// assert!(context.request().content_type.is_some());
    /// ```
    #[must_use]
    pub fn content_type(self, content_type: impl Into<String>) -> Self {
        self.with(|inner| inner.request.content_type = Some(content_type.into()))
    }

    /// The same, with something to tell the plugins.
    ///
    /// ```
    /// assert_eq!(cpex::Context::new("req-1").metadata("region", "eu").request().metadata["region"], "eu");
    /// ```
    #[must_use]
    pub fn metadata(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.with(|inner| drop(inner.request.metadata.insert(key.into(), value.into())))
    }

    /// The same, with these extensions, of which each plugin is shown what its capabilities let it see.
    ///
    /// ```
    /// use cpex::extensions::{Extensions, Http};
    ///
    /// let http = Http { headers: [("accept".to_owned(), "*/*".to_owned())].into() };
    /// let context = cpex::Context::new("req-1").extensions(Extensions { http: Some(http), ..Extensions::default() });
    /// # let _ = context;
    /// ```
    #[must_use]
    pub fn extensions(self, extensions: impl Into<Arc<Extensions>>) -> Self {
        self.with(|inner| inner.extensions = Some(extensions.into()))
    }

    /// The facts about the request.
    ///
    /// ```
    /// assert_eq!(cpex::Context::new("req-1").request().id, "req-1");
    /// ```
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.inner.request
    }

    /// What plugins share now.
    ///
    /// ```
    /// assert!(cpex::Context::new("req-1").shared().is_empty());
    /// ```
    #[must_use]
    pub fn shared(&self) -> Arc<Map<String, Value>> {
        self.inner.shared()
    }

    /// Shares something with the plugins.
    ///
    /// ```
    /// let context = cpex::Context::new("req-1");
    /// context.share("attempts", 1);
    /// assert_eq!(context.shared()["attempts"], 1);
    /// ```
    pub fn share(&self, key: impl Into<String>, value: impl Into<Value>) {
        Arc::make_mut(&mut self.inner.memory().shared).insert(key.into(), value.into());
    }

    pub(crate) const fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Arc::try_unwrap(self.inner).unwrap_or_else(|shared| shared.fork());
        change(&mut inner);
        Self { inner: Arc::new(inner) }
    }
}

impl From<Request> for Context {
    fn from(request: Request) -> Self {
        Self { inner: Arc::new(Inner { request, extensions: None, memory: Mutex::default() }) }
    }
}

impl Inner {
    fn shared(&self) -> Arc<Map<String, Value>> {
        self.memory().shared.clone()
    }

    pub(crate) fn own(&self, plugin: u64) -> Arc<Map<String, Value>> {
        self.memory().own.get(&plugin).cloned().unwrap_or_default()
    }

    /// What a plugin has kept so far.
    #[cfg(feature = "external")]
    pub(crate) fn put_own(&self, plugin: u64, state: Map<String, Value>) {
        if !state.is_empty() {
            self.memory().own.insert(plugin, Arc::new(state));
        }
    }

    /// One that plugins of the background, which hold on to this one, do not see change.
    fn fork(&self) -> Self {
        let memory = Mutex::new(self.memory().clone());
        Self { request: self.request.clone(), extensions: self.extensions.clone(), memory }
    }

    /// A panic while it was locked has left nothing half-done: each use is one step.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A plugin's view of a request. What it writes into the state counts once it has answered.
///
/// ```
/// use cpex::{Context, Hook, Json, Manager, PluginContext, Reply};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// const PING: Hook<Json> = Hook::new("ping");
/// let counts = |_: &Json, context: &mut PluginContext| {
///     let pings = context.state().get("pings").and_then(|n| n.as_u64()).unwrap_or(0) + 1;
///     context.state_mut().insert("pings".into(), pings.into());
///     Reply::<Json>::allow().metadata("pings", pings)
/// };
/// let manager = Manager::builder().on(&PING, "counts", counts).start().await?;
/// let request = Context::new("req-1");
/// assert_eq!(manager.invoke(&PING, &Json::default(), &request).await?.metadata["pings"], 1);
/// assert_eq!(manager.invoke(&PING, &Json::default(), &request).await?.metadata["pings"], 2);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PluginContext {
    request: Arc<Inner>,
    plugin: u64,
    shared: View,
    own: View,
    /// What earlier plugins made, where a hook returns something else than it is about.
    previous: Option<Arc<dyn crate::payload::AnyPayload>>,
    /// Gone once nobody waits for the plugin any more. Only for those on the blocking pool.
    awaited: Option<std::sync::Weak<()>>,
    /// How long whoever waits for the plugin does so.
    #[cfg(feature = "_foreign")]
    limit: Option<Limit>,
    #[cfg(feature = "builtin")]
    scans: Option<Box<crate::builtin::Remembered>>,
}

impl PluginContext {
    pub(crate) fn new(request: &Context) -> Self {
        Self {
            request: request.inner.clone(),
            plugin: 0,
            shared: View::default(),
            own: View::default(),
            previous: None,
            awaited: None,
            #[cfg(feature = "_foreign")]
            limit: None,
            #[cfg(feature = "builtin")]
            scans: None,
        }
    }

    /// The facts about the request.
    ///
    /// ```
    /// # fn handler(context: &cpex::PluginContext) {
    /// let tenant = context.request().tenant_id.as_deref().unwrap_or("nobody's");
    /// # let _ = tenant; }
    /// ```
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request.request
    }

    /// What this plugin keeps for itself between the hooks of the request.
    ///
    /// ```
    /// # fn handler(context: &cpex::PluginContext) {
    /// let seen_before = context.state().contains_key("seen");
    /// # let _ = seen_before; }
    /// ```
    #[must_use]
    pub fn state(&self) -> &Map<String, Value> {
        self.own.read(|| self.request.own(self.plugin))
    }

    /// The same, to write.
    ///
    /// ```
    /// # fn handler(context: &mut cpex::PluginContext) {
    /// context.state_mut().insert("seen".into(), true.into());
    /// # }
    /// ```
    pub fn state_mut(&mut self) -> &mut Map<String, Value> {
        self.own.write(|| self.request.own(self.plugin))
    }

    /// What the plugins of the request share, as it was when this plugin first looked at it.
    ///
    /// ```
    /// # fn handler(context: &cpex::PluginContext) {
    /// let trusted = context.shared().get("trusted").is_some_and(|value| value == true);
    /// # let _ = trusted; }
    /// ```
    #[must_use]
    pub fn shared(&self) -> &Map<String, Value> {
        self.shared.read(|| self.request.shared())
    }

    /// The same, to write. What is added, changed or deleted counts once the plugin has answered, in the modes
    /// that write back.
    ///
    /// ```
    /// # fn handler(context: &mut cpex::PluginContext) {
    /// context.shared_mut().insert("language".into(), "en".into());
    /// # }
    /// ```
    pub fn shared_mut(&mut self) -> &mut Map<String, Value> {
        self.shared.write(|| self.request.shared())
    }

    /// What the plugins before this one have made, at a hook that returns something else than it is about.
    ///
    /// ```
    /// use cpex::hooks::HttpHeaders;
    ///
    /// # fn handler(context: &cpex::PluginContext) {
    /// let mut headers = context.previous::<HttpHeaders>().cloned().unwrap_or_default();
    /// headers.insert("x-trace".into(), "1".into());
    /// # }
    /// ```
    #[must_use]
    pub fn previous<R: crate::Payload>(&self) -> Option<&R> {
        (self.previous.as_deref()? as &dyn std::any::Any).downcast_ref()
    }

    /// Has everybody stopped waiting for this plugin? Ask in the loops of a handler that is `blocking`: a thread
    /// cannot be stopped from outside. Any other handler ends by itself, at its next `await`.
    ///
    /// ```
    /// # fn handler(context: &cpex::PluginContext) {
    /// for part in ["a", "b"] {
    ///     if context.is_abandoned() {
    ///         break;
    ///     }
    ///     # let _ = part;
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.strong_count() == 0)
    }

    /// Makes it the view of this plugin, which has seen and written nothing yet.
    #[inline]
    pub(crate) fn begin(&mut self, plugin: u64, previous: Option<Arc<dyn crate::payload::AnyPayload>>) {
        self.plugin = plugin;
        self.shared.forget();
        self.own.forget();
        self.previous = previous;
        self.awaited = None;
    }

    #[cfg(feature = "_foreign")]
    pub(crate) fn set_limit(&mut self, limit: Limit) {
        self.limit = Some(limit);
    }

    /// What is left of the time that the plugin may take; `None` if that is not limited.
    #[cfg(feature = "_foreign")]
    pub(crate) fn time_left(&self) -> Option<std::time::Duration> {
        let Limit { since, lasts } = self.limit?;
        Some(lasts?.saturating_sub(since.elapsed_for_timer()))
    }

    /// The same for a thread that outlives its caller's patience.
    pub(crate) fn awaited_by(&self, awaited: &Arc<()>) -> Self {
        Self { awaited: Some(Arc::downgrade(awaited)), ..self.clone() }
    }

    /// Keeps what the plugin wrote for itself.
    #[inline]
    pub(crate) fn keep_own(&mut self) {
        if self.own.is_changed() {
            self.write_own_back();
        }
    }

    #[cold]
    fn write_own_back(&mut self) {
        if let Some((before, after)) = self.own.take_changes() {
            let mut memory = self.request.memory();
            crate::view::apply(&before, after, memory.own.entry(self.plugin).or_default());
            if memory.own[&self.plugin].is_empty() {
                memory.own.remove(&self.plugin);
            }
        }
    }

    /// What this foreign plugin keeps beside its state.
    #[cfg(feature = "_foreign")]
    pub(crate) fn remote_metadata(&self) -> Arc<Map<String, Value>> {
        self.request.memory().remote.get(&self.plugin).cloned().unwrap_or_default()
    }

    #[cfg(feature = "_foreign")]
    pub(crate) fn keep_remote_metadata(&self, metadata: Map<String, Value>) {
        let mut memory = self.request.memory();
        if metadata.is_empty() {
            memory.remote.remove(&self.plugin);
        } else {
            memory.remote.insert(self.plugin, Arc::new(metadata));
        }
    }

    /// What this plugin keeps of the calls of the request.
    #[cfg(feature = "builtin")]
    pub(crate) fn keep(&self) -> cpex_builtin::plugin::Keep {
        self.request.memory().kept.entry(self.plugin).or_default().clone()
    }

    /// What the text scanners of this invocation remember: taken by one that looks, and left for the next.
    #[cfg(feature = "builtin")]
    pub(crate) fn scans(&mut self) -> &mut Option<Box<crate::builtin::Remembered>> {
        &mut self.scans
    }

    /// Writes back what the plugin added, changed or deleted in the shared state.
    #[inline]
    pub(crate) fn write_back(&mut self) {
        if self.shared.is_changed() {
            self.write_shared_back();
        }
    }

    #[cold]
    fn write_shared_back(&mut self) {
        if let Some((before, after)) = self.shared.take_changes() {
            crate::view::apply(&before, after, &mut self.request.memory().shared);
        }
    }
}
