//! Where a server listens, as Python says it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cpex_remote::mcp::{Access, ClientName, Limits, Plaintext, Sessions, StartError, StdioConfig, Target};
use cpex_remote::tls::{ClientAuth, Identity, ServerTls};
use cpex_remote::{BindError, Secret, grpc, mcp, unix};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use super::backend::Plugins;
use super::meters;

/// Probes that are being answered when a server stops have as long.
const FAREWELL: Duration = Duration::from_secs(1);

/// One place to listen: the attributes of `cpex.framework.external._server.listen.Listen`.
#[derive(FromPyObject)]
pub(super) struct Listen {
    transport: Transport,
    host: String,
    port: u16,
    uds: Option<PathBuf>,
    tls: Option<Tls>,
    insecure: bool,
    token: Option<String>,
    allowed_hosts: Vec<String>,
    allowed_origins: Vec<String>,
    allowed_clients: Vec<String>,
    sessions: bool,
    max_connections: usize,
    max_calls: usize,
    max_message: usize,
    grace: f64,
}

/// The attributes of `cpex.framework.external._server.listen.Tls`.
#[derive(FromPyObject)]
struct Tls {
    certfile: PathBuf,
    keyfile: Option<PathBuf>,
    keyfile_password: Option<String>,
    ca_bundle: Option<PathBuf>,
    client_auth: String,
}

#[derive(Clone, Copy)]
enum Transport {
    Mcp,
    Grpc,
    Unix,
    Stdio,
    /// Health and metrics alone, over HTTP.
    Status,
}

impl<'a, 'py> FromPyObject<'a, 'py> for Transport {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(match object.extract::<&str>()? {
            "mcp" => Self::Mcp,
            "grpc" => Self::Grpc,
            "unix" => Self::Unix,
            "stdio" => Self::Stdio,
            "status" => Self::Status,
            other => {
                let problem = format!("transport: '{other}' is none of mcp, grpc, unix, stdio, status");
                return Err(PyValueError::new_err(problem));
            }
        })
    }
}

/// A server that listens.
pub(super) enum Listening {
    Mcp(Box<mcp::Server>),
    /// It answers no calls, only how the others are.
    Status(Box<mcp::Server>),
    Grpc(Box<grpc::Server>),
    Unix(unix::Server, String),
    Stdio(StdioConfig),
}

impl Listen {
    /// For `/metrics`; `None` for a server that answers no calls.
    pub(super) fn info(&self) -> Option<meters::Listening> {
        let transport = match self.transport {
            Transport::Mcp => "http",
            Transport::Grpc => "grpc",
            Transport::Unix => "unix",
            Transport::Stdio => "stdio",
            Transport::Status => return None,
        };
        Some(meters::Listening { transport, tls: self.tls.is_some() })
    }

    /// Begins to listen. Needs a tokio runtime.
    pub(super) async fn bind(self) -> PyResult<Listening> {
        match self.transport {
            Transport::Mcp => {
                let sessions = if self.sessions { Sessions::default() } else { Sessions::None };
                let config = mcp::ServerConfig { sessions, ..self.http("/mcp")? };
                Ok(Listening::Mcp(Box::new(mcp::Server::bind(config).await.map_err(start_error)?)))
            }
            Transport::Status => {
                // No request has an empty path: there is nothing to call.
                let config = self.http("")?;
                let limits = Limits { grace: FAREWELL, ..config.limits };
                let config = mcp::ServerConfig { limits, ..config };
                Ok(Listening::Status(Box::new(mcp::Server::bind(config).await.map_err(start_error)?)))
            }
            Transport::Grpc => {
                let config = grpc::ServerConfig {
                    tls: self.tls()?,
                    plaintext: self.plaintext(),
                    limits: self.limits()?,
                    access: self.access()?,
                    ..grpc::ServerConfig::new(self.target())
                };
                Ok(Listening::Grpc(Box::new(grpc::Server::bind(config).await.map_err(start_error)?)))
            }
            Transport::Unix => {
                let path =
                    self.uds.clone().ok_or_else(|| PyValueError::new_err("uds: a path is required"))?;
                let limits = unix::Limits {
                    connections: self.max_connections,
                    calls: self.max_calls,
                    frame: self.max_message,
                    grace: self.grace()?,
                    ..unix::Limits::default()
                };
                let address = format!("unix:{}", path.display());
                let config = unix::ServerConfig { limits, ..unix::ServerConfig::new(path) };
                Ok(Listening::Unix(unix::Server::bind(config).map_err(bind_error)?, address))
            }
            Transport::Stdio => {
                let Limits { calls, message, call, grace, .. } = self.limits()?;
                Ok(Listening::Stdio(StdioConfig { calls, message, call, grace }))
            }
        }
    }

    fn http(&self, path: &str) -> PyResult<mcp::ServerConfig> {
        Ok(mcp::ServerConfig {
            path: path.to_owned(),
            tls: self.tls()?,
            plaintext: self.plaintext(),
            access: self.access()?,
            limits: self.limits()?,
            ..mcp::ServerConfig::new(self.target())
        })
    }

    fn target(&self) -> Target {
        match &self.uds {
            Some(path) => Target::Unix(path.clone()),
            None if self.host.contains(':') && !self.host.starts_with('[') => {
                Target::Tcp(format!("[{}]:{}", self.host, self.port))
            }
            None => Target::Tcp(format!("{}:{}", self.host, self.port)),
        }
    }

    fn tls(&self) -> PyResult<Option<ServerTls>> {
        self.tls.as_ref().map(Tls::server).transpose()
    }

    fn plaintext(&self) -> Plaintext {
        if self.insecure { Plaintext::Anywhere } else { Plaintext::Loopback }
    }

    fn access(&self) -> PyResult<Access> {
        let clients: Result<Vec<ClientName>, _> =
            self.allowed_clients.iter().map(|client| client.parse()).collect();
        let clients = clients.map_err(|error| PyValueError::new_err(format!("allowed_clients: {error}")))?;
        let asked = self.tls.as_ref().is_some_and(|tls| tls.client_auth != "none");
        if !clients.is_empty() && !asked {
            return Err(PyValueError::new_err(
                "allowed_clients: names are in certificates, and clients are not asked for one",
            ));
        }
        Ok(Access {
            token: self.token.as_deref().map(Secret::new),
            hosts: self.allowed_hosts.clone(),
            origins: self.allowed_origins.clone(),
            clients,
        })
    }

    fn limits(&self) -> PyResult<Limits> {
        Ok(Limits {
            connections: self.max_connections,
            calls: self.max_calls,
            message: self.max_message,
            grace: self.grace()?,
            ..Limits::default()
        })
    }

    fn grace(&self) -> PyResult<Duration> {
        Duration::try_from_secs_f64(self.grace)
            .map_err(|_| PyValueError::new_err("grace: seconds must be 0 or more"))
    }
}

impl Tls {
    fn server(&self) -> PyResult<ServerTls> {
        let authorities = || {
            self.ca_bundle.clone().ok_or_else(|| {
                PyValueError::new_err(
                    "ca_bundle: clients are asked for a certificate, but no authorities are named to check it with",
                )
            })
        };
        Ok(ServerTls {
            identity: Identity {
                certfile: self.certfile.clone(),
                keyfile: self.keyfile.clone(),
                password: self.keyfile_password.as_deref().map(Secret::new),
            },
            clients: match &*self.client_auth {
                "none" => ClientAuth::None,
                "optional" => ClientAuth::Optional(authorities()?),
                _ => ClientAuth::Required(authorities()?),
            },
        })
    }
}

impl Listening {
    /// Where, in words.
    pub(super) fn address(&self) -> Option<String> {
        match self {
            Self::Mcp(server) | Self::Status(server) => {
                server.local_addr().map(|address| address.to_string())
            }
            Self::Grpc(server) => server.local_addr().map(|address| address.to_string()),
            Self::Unix(_, address) => Some(address.clone()),
            Self::Stdio(_) => None,
        }
    }

    /// Serves until `stop` ends, or nobody is left at the other end.
    pub(super) async fn serve(
        self,
        plugins: Arc<Plugins>,
        stop: impl Future<Output = ()>,
    ) -> std::io::Result<()> {
        match self {
            Self::Mcp(server) | Self::Status(server) => server.serve(plugins, stop).await,
            Self::Grpc(server) => server.serve(plugins, stop).await,
            Self::Unix(server, _) => server.serve(plugins, stop).await,
            Self::Stdio(config) => return mcp::serve_stdio(plugins, config, stop).await,
        }
        Ok(())
    }
}

fn start_error(error: StartError) -> PyErr {
    match error {
        StartError::Bind(error) => bind_error(error),
        other => PyValueError::new_err(other.to_string()),
    }
}

fn bind_error(error: BindError) -> PyErr {
    PyOSError::new_err(error.to_string())
}
