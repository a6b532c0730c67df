//! A client, whatever the transport.

use std::net::SocketAddr;
use std::time::Duration;

use crate::addresses::Addresses;
#[cfg(feature = "grpc")]
use crate::grpc;
#[cfg(feature = "mcp")]
use crate::mcp;
#[cfg(feature = "unix")]
use crate::unix;
use crate::wire::Features;
use crate::{Call, Json, RemoteError, Reply};

/// A client of one plugin over one of the transports.
#[derive(Debug)]
#[non_exhaustive]
pub enum Remote {
    /// A Unix socket.
    #[cfg(feature = "unix")]
    Unix(unix::Client),
    /// gRPC.
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::Client>),
    /// MCP.
    #[cfg(feature = "mcp")]
    Mcp(Box<mcp::Client>),
}

/// How to reach a server over one of the transports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteConfig {
    /// A Unix socket.
    #[cfg(feature = "unix")]
    Unix(unix::ClientConfig),
    /// gRPC.
    #[cfg(feature = "grpc")]
    Grpc(grpc::ClientConfig),
    /// MCP.
    #[cfg(feature = "mcp")]
    Mcp(mcp::ClientConfig),
}

impl RemoteConfig {
    /// Where the server is, in words.
    #[must_use]
    pub fn target(&self) -> String {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(config) => config.path.display().to_string(),
            #[cfg(feature = "grpc")]
            Self::Grpc(config) => config.place(),
            #[cfg(feature = "mcp")]
            Self::Mcp(config) => config.endpoint.to_string(),
        }
    }

    /// The `host:port` of a server that has a name, which may stand for several; `None` if there is but one.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(_) => None,
            #[cfg(feature = "grpc")]
            Self::Grpc(grpc::ClientConfig { address: None, target, .. }) => target.name(),
            #[cfg(feature = "mcp")]
            Self::Mcp(mcp::ClientConfig { endpoint: mcp::Endpoint::Http(http), .. }) => http.name(),
            #[cfg(any(feature = "grpc", feature = "mcp"))]
            _ => None,
        }
    }

    /// Where it may be.
    pub(crate) fn addresses(&self) -> Addresses {
        match self {
            #[cfg(feature = "mcp")]
            Self::Mcp(mcp::ClientConfig { endpoint: mcp::Endpoint::Http(http), .. }) => http.allowed(),
            _ => Addresses::Any,
        }
    }

    /// The same, reached at this address.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        let mut here = self.clone();
        match &mut here {
            #[cfg(feature = "grpc")]
            Self::Grpc(config) => config.address = Some(address),
            #[cfg(feature = "mcp")]
            Self::Mcp(mcp::ClientConfig { endpoint: mcp::Endpoint::Http(http), .. }) => {
                http.address = Some(address);
            }
            #[cfg(feature = "mcp")]
            Self::Mcp(_) => {}
            // A socket is where its path says.
            #[cfg(feature = "unix")]
            Self::Unix(_) => _ = address,
        }
        here
    }

    /// How often a server that is not there is tried again for a call, and after how long at first.
    pub(crate) fn reconnects(&self) -> (usize, Duration) {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(config) => (config.reconnect_attempts, config.reconnect_delay),
            #[cfg(feature = "grpc")]
            Self::Grpc(config) => (config.reconnect_attempts, config.reconnect_delay),
            #[cfg(feature = "mcp")]
            Self::Mcp(config) => (config.reconnect_attempts, config.reconnect_delay),
        }
    }

    /// The same, tried but once: whoever knows other servers asks those first.
    pub(crate) fn once(mut self) -> Self {
        match &mut self {
            #[cfg(feature = "unix")]
            Self::Unix(config) => config.reconnect_attempts = 0,
            #[cfg(feature = "grpc")]
            Self::Grpc(config) => config.reconnect_attempts = 0,
            #[cfg(feature = "mcp")]
            Self::Mcp(config) => config.reconnect_attempts = 0,
        }
        self
    }

    /// For a whole call, connecting included.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(config) => config.timeout,
            #[cfg(feature = "grpc")]
            Self::Grpc(config) => config.timeout,
            #[cfg(feature = "mcp")]
            Self::Mcp(config) => config.timeout,
        }
    }
}

impl Remote {
    /// Connects to the server of `plugin`.
    ///
    /// # Errors
    /// If there is no server, or it does not answer in time.
    pub async fn connect(plugin: &str, config: RemoteConfig) -> Result<Self, RemoteError> {
        Ok(match config {
            #[cfg(feature = "unix")]
            RemoteConfig::Unix(config) => Self::Unix(unix::Client::connect(plugin, config).await?),
            #[cfg(feature = "grpc")]
            RemoteConfig::Grpc(config) => Self::Grpc(Box::new(grpc::Client::connect(plugin, config).await?)),
            #[cfg(feature = "mcp")]
            RemoteConfig::Mcp(config) => Self::Mcp(Box::new(mcp::Client::connect(plugin, config).await?)),
        })
    }

    /// The plugin's configuration on the server; `None` if the server has no such plugin.
    ///
    /// # Errors
    /// If the server cannot be reached or does not answer properly.
    pub async fn plugin_config(&self) -> Result<Option<Json>, RemoteError> {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(client) => client.plugin_config().await,
            #[cfg(feature = "grpc")]
            Self::Grpc(client) => client.plugin_config().await,
            #[cfg(feature = "mcp")]
            Self::Mcp(client) => client.plugin_config().await,
        }
    }

    /// Runs a hook of the plugin. Dropping the call gives it up on the server, too.
    ///
    /// # Errors
    /// If there is no reply: see [`RemoteError`]. Never retried once the call was sent.
    pub async fn invoke(&self, call: &Call) -> Result<Reply, RemoteError> {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(client) => client.invoke(call).await,
            #[cfg(feature = "grpc")]
            Self::Grpc(client) => client.invoke(call).await,
            #[cfg(feature = "mcp")]
            Self::Mcp(client) => client.invoke(call).await,
        }
    }

    /// What the server understood that was connected to last; nothing, before that.
    #[must_use]
    pub fn understood(&self) -> Features {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(client) => client.understood(),
            #[cfg(feature = "grpc")]
            Self::Grpc(client) => client.understood(),
            #[cfg(feature = "mcp")]
            Self::Mcp(client) => client.understood(),
        }
    }

    /// Asks whether the server takes calls, without waiting behind calls that are under way.
    ///
    /// # Errors
    /// If it does not, or does not answer.
    pub async fn health(&self) -> Result<(), RemoteError> {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(client) => client.health().await,
            #[cfg(feature = "grpc")]
            Self::Grpc(client) => client.health().await,
            #[cfg(feature = "mcp")]
            Self::Mcp(client) => client.health().await,
        }
    }

    /// Says goodbye, where the transport knows how: ends the session, and a server that is a child of this process.
    pub async fn close(&self) {
        match self {
            #[cfg(feature = "unix")]
            Self::Unix(_) => {}
            #[cfg(feature = "grpc")]
            Self::Grpc(_) => {}
            #[cfg(feature = "mcp")]
            Self::Mcp(client) => client.close().await,
        }
    }
}
