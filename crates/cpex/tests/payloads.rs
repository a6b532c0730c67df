//! H1, X1: the JSON of payloads and extensions is what the Python host's models write. `tests/unit` of the Python
//! host keeps the recorded JSON true.

use std::collections::BTreeMap;

use cpex::hooks::{
    AgentPostInvoke, AgentPreInvoke, DelegatedToken, HttpAuthCheckPermission, HttpAuthResolveUser,
    HttpHeaders, HttpPostRequest, HttpPreRequest, Identity, IdentityResolve, MessagePayload, Permission,
    PromptPostFetch, PromptPreFetch, ResourcePostFetch, ResourcePreFetch, TokenDelegate, ToolPostInvoke,
    ToolPreInvoke,
};
use cpex::{Extensions, Payload};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

#[derive(Deserialize)]
struct Recorded {
    payloads: BTreeMap<String, Vec<Value>>,
    replies: BTreeMap<String, Vec<Value>>,
    extensions: Vec<Value>,
}

fn there_and_back<T: DeserializeOwned + serde::Serialize>(json: &Value) {
    let value: T = serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert_eq!(serde_json::to_value(&value).ok().as_ref(), Some(json));
}

fn payload<T: Payload>(json: &Value) {
    there_and_back::<T>(json);
}

#[test]
fn what_python_writes_is_read_and_written_the_same() {
    let recorded: Recorded = serde_json::from_str(include_str!("data/payloads.json")).unwrap();
    for (hook, json) in
        recorded.payloads.iter().flat_map(|(hook, all)| all.iter().map(move |json| (&**hook, json)))
    {
        match hook {
            "tool_pre_invoke" => payload::<ToolPreInvoke>(json),
            "tool_post_invoke" => payload::<ToolPostInvoke>(json),
            "prompt_pre_fetch" => payload::<PromptPreFetch>(json),
            "prompt_post_fetch" => payload::<PromptPostFetch>(json),
            "resource_pre_fetch" => payload::<ResourcePreFetch>(json),
            "resource_post_fetch" => payload::<ResourcePostFetch>(json),
            "agent_pre_invoke" => payload::<AgentPreInvoke>(json),
            "agent_post_invoke" => payload::<AgentPostInvoke>(json),
            "http_pre_request" => payload::<HttpPreRequest>(json),
            "http_post_request" => payload::<HttpPostRequest>(json),
            "http_auth_resolve_user" => payload::<HttpAuthResolveUser>(json),
            "http_auth_check_permission" => payload::<HttpAuthCheckPermission>(json),
            "identity_resolve" => payload::<IdentityResolve>(json),
            "token_delegate" => payload::<TokenDelegate>(json),
            "evaluate" => payload::<MessagePayload>(json),
            other => panic!("no payload is known for {other}"),
        }
    }
    for (hook, json) in
        recorded.replies.iter().flat_map(|(hook, all)| all.iter().map(move |json| (&**hook, json)))
    {
        match hook {
            "http_pre_request" => payload::<HttpHeaders>(json),
            "http_auth_check_permission" => payload::<Permission>(json),
            "identity_resolve" => payload::<Identity>(json),
            "token_delegate" => payload::<DelegatedToken>(json),
            other => panic!("no reply is known for {other}"),
        }
    }
    recorded.extensions.iter().for_each(there_and_back::<Extensions>);
}

#[test]
fn a_recorded_session_is_read() {
    let session = include_str!("../../../examples/agent-session/session.jsonl");
    for line in session.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let request: cpex::Request = serde_json::from_value(line["context"].clone()).unwrap();
        assert!(!request.id.is_empty());
        let read = match line["hook"].as_str().unwrap() {
            "tool_pre_invoke" => serde_json::from_value::<ToolPreInvoke>(line["payload"].clone()).map(drop),
            "tool_post_invoke" => serde_json::from_value::<ToolPostInvoke>(line["payload"].clone()).map(drop),
            "prompt_pre_fetch" => serde_json::from_value::<PromptPreFetch>(line["payload"].clone()).map(drop),
            "prompt_post_fetch" => {
                serde_json::from_value::<PromptPostFetch>(line["payload"].clone()).map(drop)
            }
            "resource_pre_fetch" => {
                serde_json::from_value::<ResourcePreFetch>(line["payload"].clone()).map(drop)
            }
            "resource_post_fetch" => {
                serde_json::from_value::<ResourcePostFetch>(line["payload"].clone()).map(drop)
            }
            other => panic!("{other}"),
        };
        read.unwrap();
    }
}
