//! One plugin of several managers.

use std::sync::Arc;

use tokio::sync::Mutex;

use crate::error::BoxError;
use crate::plugin::{BoxFuture, Handlers, Plugin};

/// A plugin that several managers share, and so do their tenants: one model, one pool of connections, one count.
///
/// It is initialized by the first manager that loads it, and shut down by the last one that lets it go.
///
/// ```
/// use cpex::plugin::Shared;
/// use cpex::{Json, Manager, plugin};
///
/// struct Model;
///
/// #[plugin]
/// impl Model {
///     #[hook("ping")]
///     fn look(&self, _: &Json) {}
/// }
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let model = Shared::new(Model);
/// let acme = Manager::builder().plugin("model", model.clone()).start().await?;
/// let emca = Manager::builder().plugin("model", model).start().await?;
/// # drop((acme, emca));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Shared<T> {
    plugin: Arc<T>,
    /// How many managers have loaded it.
    users: Arc<Mutex<usize>>,
}

impl<T: Plugin> Shared<T> {
    /// Makes a plugin one that can be shared, by cloning what this returns.
    ///
    /// ```
    /// # use cpex::{Json, plugin};
    /// # struct Guard;
    /// # #[plugin] impl Guard { #[hook("ping")] fn look(&self, _: &Json) {} }
    /// let guard = cpex::plugin::Shared::new(Guard);
    /// # drop(guard);
    /// ```
    pub fn new(plugin: T) -> Self {
        Self { plugin: Arc::new(plugin), users: Arc::default() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { plugin: self.plugin.clone(), users: self.users.clone() }
    }
}

impl<T: Plugin> Plugin for Shared<T> {
    fn handlers(self: Arc<Self>, handlers: &mut Handlers) {
        self.plugin.clone().handlers(handlers);
    }

    fn initialize(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async {
            let mut users = self.users.lock().await;
            if *users == 0 {
                self.plugin.initialize().await?;
            }
            *users += 1;
            Ok(())
        })
    }

    fn shutdown(&self) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async {
            let mut users = self.users.lock().await;
            *users = users.saturating_sub(1);
            if *users == 0 { self.plugin.shutdown().await } else { Ok(()) }
        })
    }
}
