//! The backend as gRPC services.

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};

use crate::backend::{Backend, Failure, Running};
use crate::message::{Call, PluginError, Reply};
use crate::wire::plugin_service_server::PluginService;
use crate::wire::{
    Features, GetPluginConfigRequest, GetPluginConfigResponse, GetPluginConfigsRequest,
    GetPluginConfigsResponse, InvokeHookRequest, InvokeHookResponse, NotEncodable, Numbers,
};

pub(super) struct Plugins<B> {
    pub(super) backend: Arc<B>,
    pub(super) numbers: Numbers,
    /// Bytes of one reply.
    pub(super) limit: usize,
}

#[tonic::async_trait]
impl<B: Backend> PluginService for Plugins<B> {
    async fn get_plugin_config(
        &self,
        request: Request<GetPluginConfigRequest>,
    ) -> Result<Response<GetPluginConfigResponse>, Status> {
        let config = self.backend.config(&request.get_ref().name).await.map_err(failed)?;
        Ok(Response::new(GetPluginConfigResponse::from_config(config.as_ref()).map_err(unsendable)?))
    }

    async fn get_plugin_configs(
        &self,
        _: Request<GetPluginConfigsRequest>,
    ) -> Result<Response<GetPluginConfigsResponse>, Status> {
        let configs = self.backend.configs().await.map_err(failed)?;
        Ok(Response::new(GetPluginConfigsResponse::from_configs(&configs).map_err(unsendable)?))
    }

    async fn invoke_hook(
        &self,
        request: Request<InvokeHookRequest>,
    ) -> Result<Response<InvokeHookResponse>, Status> {
        let request = request.into_inner();
        let running = Running::new(&*self.backend, &request.hook_type, &request.plugin_name);
        let peer = request.features();
        let reply = match request.into_call(self.numbers) {
            Ok(call) => self.invoke(call).await,
            Err(invalid) => Reply::failed(PluginError::internal(running.plugin(), invalid.to_string())),
        };
        running.end(&reply);
        Ok(Response::new(self.message(&reply, peer)))
    }
}

impl<B: Backend> Plugins<B> {
    async fn invoke(&self, call: Call) -> Reply {
        let plugin = call.plugin.clone();
        match self.backend.invoke(call).await {
            Ok(reply) => reply,
            Err(Failure(message)) => Reply::failed(PluginError::internal(plugin, message)),
        }
    }

    /// The reply, as JSON text as well if that fits; an error if it cannot be sent.
    fn message(&self, reply: &Reply, peer: Features) -> InvokeHookResponse {
        let mut problem = String::new();
        for peer in peer.down_to_size() {
            match InvokeHookResponse::from_reply(reply, peer) {
                Ok(message) if message.encoded_len() <= self.limit => return message,
                Ok(message) => {
                    let size = message.encoded_len();
                    problem = format!("the reply of {size} bytes exceeds the limit of {}", self.limit);
                }
                Err(error) => problem = error.to_string(),
            }
        }
        let error = Reply::failed(PluginError::internal(&*reply.plugin, problem));
        InvokeHookResponse::from_reply(&error, Features::default()).unwrap_or_default()
    }
}

fn failed(Failure(message): Failure) -> Status {
    Status::internal(message)
}

fn unsendable(error: NotEncodable) -> Status {
    Status::internal(error.to_string())
}
