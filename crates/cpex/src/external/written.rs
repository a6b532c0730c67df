//! What an entry says of an external plugin, and what its server says where the entry does not.

use serde_json::Value;

use crate::config::PluginConfig;

/// Where an entry says that its plugin is, and which of its fields it gives at all.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Written {
    pub(crate) given: Given,
    pub(crate) mcp: Option<Value>,
    pub(crate) grpc: Option<Value>,
    pub(crate) unix_socket: Option<Value>,
}

/// Fields that an entry gives: those that it does not are the server's to say.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Given {
    pub(crate) mode: bool,
    pub(crate) on_error: bool,
    pub(crate) priority: bool,
    pub(crate) conditions: bool,
    pub(crate) capabilities: bool,
}

impl Written {
    /// Does it name the same server, in the same way?
    pub(crate) fn is_same_server(&self, other: &Self) -> bool {
        (&self.mcp, &self.grpc, &self.unix_socket) == (&other.mcp, &other.grpc, &other.unix_socket)
    }
}

impl PluginConfig {
    /// The same, in which whatever is other than before counts as given.
    pub(crate) fn changed_since(mut self, before: &Self) -> Self {
        let given = &mut self.external.given;
        given.mode |= self.mode != before.mode;
        given.on_error |= self.on_error != before.on_error;
        given.priority |= self.priority != before.priority;
        given.conditions |= self.conditions != before.conditions;
        given.capabilities |= self.capabilities != before.capabilities;
        self
    }

    /// The same, with what the server says where the entry says nothing.
    pub(crate) fn completed_by(&self, server: &Self) -> Self {
        let (mut whole, given) = (self.clone(), self.external.given);
        if whole.hooks.is_empty() {
            whole.hooks.clone_from(&server.hooks);
        }
        if !given.mode {
            whole.mode = server.mode;
        }
        if !given.on_error {
            whole.on_error = server.on_error;
        }
        if !given.priority {
            whole.priority = server.priority;
        }
        if !given.conditions {
            whole.conditions.clone_from(&server.conditions);
        }
        if !given.capabilities {
            whole.capabilities = server.capabilities;
        }
        whole
    }
}
