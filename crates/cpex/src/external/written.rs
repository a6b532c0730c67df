//! What an entry says of an external plugin, and what its server says where the entry does not.

use serde::Deserialize;
use serde_json::Value;

use crate::config::{Condition, Mode, OnError, PluginConfig};

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
}

/// What a server says of its plugin. Not its capabilities: no server gives itself a right to what this host knows.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Said {
    pub(crate) hooks: Option<Vec<String>>,
    mode: Option<Mode>,
    on_error: Option<OnError>,
    priority: Option<i64>,
    conditions: Option<Vec<Condition>>,
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
        self
    }

    /// The same, with what the server says where the entry says nothing.
    pub(crate) fn completed_by(&self, said: &Said) -> Self {
        let (mut whole, given) = (self.clone(), self.external.given);
        if let (true, Some(hooks)) = (whole.hooks.is_empty(), &said.hooks) {
            whole.hooks.clone_from(hooks);
        }
        if let (false, Some(mode)) = (given.mode, said.mode) {
            whole.mode = mode;
        }
        if let (false, Some(on_error)) = (given.on_error, said.on_error) {
            whole.on_error = on_error;
        }
        if let (false, Some(priority)) = (given.priority, said.priority) {
            whole.priority = priority;
        }
        if let (false, Some(conditions)) = (given.conditions, &said.conditions) {
            whole.conditions.clone_from(conditions);
        }
        whole
    }
}
