//! A client, whatever the transport.

#[cfg(feature = "grpc")]
use crate::grpc;
#[cfg(feature = "mcp")]
use crate::mcp;
#[cfg(feature = "unix")]
use crate::unix;
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

impl Remote {
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
