//! Words for calls and replies.

use cpex_remote::{Call, Json, Outcome, PluginError, Reply};
use serde_json::{Value, json};

/// The only plugin.
pub(crate) const NAME: &str = "ProbePlugin";

/// A call of the probe's only hook.
pub(crate) fn call(name: &str, args: Value) -> Call {
    let payload = json!({"name": name, "args": args, "headers": null});
    let context = json!({"state": {}, "metadata": {}, "global_context": {
        "request_id": "r", "user": "alice", "content_type": "ct", "state": {"sk": true}, "metadata": {},
    }});
    let (payload, context) = (payload.to_string(), context.to_string());
    Call::new("tool_pre_invoke", NAME, Json::new(payload).unwrap(), Json::new(context).unwrap())
}

/// The value of a text.
pub(crate) fn value(json: &Json) -> Value {
    serde_json::from_str(json.as_str()).unwrap()
}

/// The result of a reply that has one.
pub(crate) fn result(reply: &Reply) -> Value {
    match &reply.outcome {
        Outcome::Result(result) => value(result),
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

/// The error of a reply that has one.
pub(crate) fn error(reply: &Reply) -> &PluginError {
    match &reply.outcome {
        Outcome::Error(error) => error,
        Outcome::Result(result) => panic!("{result:?}"),
    }
}
