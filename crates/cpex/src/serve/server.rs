//! Serves over several transports at once.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use cpex_remote::mcp::{StartError, StdioConfig, serve_stdio};
use cpex_remote::{BindError, grpc, mcp, unix};
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::backend::{Render, Served};
use super::one::Plugins;
use crate::manager::Manager;
use crate::plugin::BoxFuture;

/// A server of the plugins of a manager. Each transport listens as soon as it is added; calls wait until it
/// [serves](Self::serve).
///
/// ```
/// use cpex::Manager;
/// use cpex::serve::{Server, grpc};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let server = Server::new(Manager::builder().start().await?);
/// let public = grpc::ServerConfig::new(grpc::Target::Tcp("0.0.0.0:0".into()));
/// let error = server.grpc(public).await.unwrap_err();
/// assert!(error.to_string().starts_with("refusing to serve without TLS"));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it answers once it serves"]
pub struct Server {
    manager: Manager,
    metrics: Option<Render>,
    transports: Vec<Transport>,
}

enum Transport {
    Mcp(mcp::Server),
    Grpc(grpc::Server),
    Unix(unix::Server),
    Stdio(StdioConfig),
}

/// A server cannot begin to listen.
///
/// ```
/// use cpex::Manager;
/// use cpex::serve::{ServeError, Server, unix};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let server = Server::new(Manager::builder().start().await?);
/// let error = server.unix(unix::ServerConfig::new("/no/such/directory/s")).unwrap_err();
/// assert!(matches!(error, ServeError::Socket(_)));
/// # Ok::<(), cpex::Error>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Over HTTP.
    #[error(transparent)]
    Http(#[from] StartError),
    /// At a socket.
    #[error(transparent)]
    Socket(#[from] BindError),
}

impl Server {
    /// A server of these plugins, over no transport yet.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let server = cpex::serve::Server::new(cpex::Manager::builder().start().await?);
    /// assert!(server.addresses().is_empty());
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(manager: Manager) -> Self {
        Self { manager, metrics: None, transports: Vec::new() }
    }

    /// Answers at `/metrics` with what this renders, in the text format of Prometheus.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// // With the crate metrics-exporter-prometheus: `move || handle.render()`.
    /// let server = cpex::serve::Server::new(manager).metrics(|| "up 1\n".to_owned());
    /// # drop(server);
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self { metrics: Some(Box::new(render)), ..self }
    }

    /// Over MCP, and begins to listen.
    ///
    /// ```
    /// use cpex::serve::{Server, mcp};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # let manager = cpex::Manager::builder().start().await?;
    /// let anywhere = mcp::ServerConfig::new(mcp::Target::Tcp("127.0.0.1:0".into()));
    /// let server = Server::new(manager).mcp(anywhere).await?;
    /// assert_ne!(server.addresses()[0].port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it cannot listen there, may not without TLS, or TLS cannot be set up.
    pub async fn mcp(mut self, config: mcp::ServerConfig) -> Result<Self, ServeError> {
        self.transports.push(Transport::Mcp(mcp::Server::bind(config).await?));
        Ok(self)
    }

    /// Over gRPC, and begins to listen.
    ///
    /// ```
    /// use cpex::serve::{Server, grpc};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # let manager = cpex::Manager::builder().start().await?;
    /// let anywhere = grpc::ServerConfig::new(grpc::Target::Tcp("127.0.0.1:0".into()));
    /// let server = Server::new(manager).grpc(anywhere).await?;
    /// assert_ne!(server.addresses()[0].port(), 0);
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`mcp`](Self::mcp).
    pub async fn grpc(mut self, config: grpc::ServerConfig) -> Result<Self, ServeError> {
        self.transports.push(Transport::Grpc(grpc::Server::bind(config).await?));
        Ok(self)
    }

    /// Over a Unix socket, and begins to listen.
    ///
    /// ```
    /// use cpex::serve::{Server, unix};
    ///
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # let manager = cpex::Manager::builder().start().await?;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("plugins.sock");
    /// let server = Server::new(manager).unix(unix::ServerConfig::new(&path))?;
    /// assert!(path.exists() && server.addresses().is_empty());
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If it cannot listen there, or others could put a socket of theirs in its place.
    pub fn unix(mut self, config: unix::ServerConfig) -> Result<Self, ServeError> {
        self.transports.push(Transport::Unix(unix::Server::bind(config)?));
        Ok(self)
    }

    /// Over MCP on the standard streams, of which it has the sole use then. When the input ends, it stops to serve.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// let server = cpex::serve::Server::new(manager).stdio(cpex::serve::mcp::StdioConfig::default());
    /// # drop(server);
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stdio(mut self, config: StdioConfig) -> Self {
        self.transports.push(Transport::Stdio(config));
        self
    }

    /// Where it listens over TCP, in the order in which the transports were added.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let server = cpex::serve::Server::new(cpex::Manager::builder().start().await?);
    /// assert_eq!(server.addresses(), []);
    /// # Ok::<(), cpex::Error>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let address = |transport: &Transport| match transport {
            Transport::Mcp(server) => server.local_addr(),
            Transport::Grpc(server) => server.local_addr(),
            Transport::Unix(_) | Transport::Stdio(_) => None,
        };
        self.transports.iter().filter_map(address).collect()
    }

    /// Serves until `stop` ends; takes no new calls then, and lets those under way finish for the `grace` of each
    /// transport. The manager runs on: shut it down afterwards.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let manager = cpex::Manager::builder().start().await?;
    /// cpex::serve::Server::new(manager.clone()).serve(std::future::ready(())).await?;
    /// manager.shutdown().await;
    /// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(()) }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the system does not give the standard streams, where they are to be served.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> io::Result<()> {
        let Self { manager, metrics, transports } = self;
        let backend = Arc::new(Served { plugins: Plugins::new(manager), metrics });
        let stopping = CancellationToken::new();
        let serve = |transport| -> BoxFuture<'_, io::Result<()>> {
            let (backend, stopping) = (backend.clone(), stopping.clone());
            let stop = stopping.clone().cancelled_owned();
            Box::pin(async move {
                match transport {
                    Transport::Mcp(server) => server.serve(backend, stop).await,
                    Transport::Grpc(server) => server.serve(backend, stop).await,
                    Transport::Unix(server) => server.serve(backend, stop).await,
                    Transport::Stdio(config) => {
                        let ended = serve_stdio(backend, config, stop).await;
                        stopping.cancel();
                        return ended;
                    }
                }
                Ok(())
            })
        };
        let serving = join_all(transports.into_iter().map(serve));
        let stop = async {
            tokio::select! {
                () = stop => stopping.cancel(),
                () = stopping.cancelled() => {}
            }
        };
        let (ended, ()) = tokio::join!(serving, stop);
        ended.into_iter().collect()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("transports", &self.transports.len()).finish_non_exhaustive()
    }
}
