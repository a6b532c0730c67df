//! The messages, byte by byte and law by law.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use cpex_remote::wire::{
    Features, GetPluginConfigRequest, InvokeHookRequest, InvokeHookResponse, Numbers, PluginContext, Struct,
};
use cpex_remote::{Call, Json, Outcome, PluginError, Reply};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Map, Value, json};

const OURS: Features = Features { json: true, context: true, extensions: true };

fn text(value: &Value) -> Json {
    Json::new(value.to_string()).unwrap()
}

fn value(json: &Json) -> Value {
    serde_json::from_str(json.as_str()).unwrap()
}

fn hex(message: &impl Message) -> String {
    message.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn call(payload: &Value, context: &Value) -> Call {
    Call::new("tool_pre_invoke", "P", text(payload), text(context))
}

fn reply(result: &Value) -> Reply {
    Reply { plugin: "P".into(), outcome: Outcome::Result(text(result)), context: None }
}

/// There and back, as a peer with these features sees it.
fn send(reply: &Reply, peer: Features) -> Reply {
    let message = InvokeHookResponse::from_reply(reply, peer).unwrap();
    InvokeHookResponse::decode(&*message.encode_to_vec()).unwrap().into_reply("P", Numbers::Integers).unwrap()
}

fn result(reply: &Reply) -> Value {
    match &reply.outcome {
        Outcome::Result(result) => value(result),
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

#[test]
fn bytes_are_those_of_published_peers() {
    // W25
    let config = GetPluginConfigRequest { name: "ProbePlugin".into() };
    assert_eq!(hex(&config), "0a0b50726f6265506c7567696e");
    let call = call(&json!({"name": "t"}), &json!({"global_context": {"request_id": "q"}}));
    assert_eq!(
        hex(&InvokeHookRequest::from_call(&call, Features::default()).unwrap()),
        "0a0f746f6f6c5f7072655f696e766f6b651201501a0d0a0b0a046e616d6512031a017422050a030a0171"
    );
    let error = PluginError {
        message: "RuntimeError('kaboom')".into(),
        plugin: "ProbePlugin".into(),
        code: String::new(),
        details: Json::empty_object(),
        mcp_error_code: -32603,
    };
    assert_eq!(
        hex(&InvokeHookResponse::from_reply(&Reply::failed(error), Features::default()).unwrap()),
        "0a0b50726f6265506c7567696e22300a1652756e74696d654572726f7228276b61626f6f6d2729120b50726f6265506c7567696e28a581feffffffffffff01"
    );
    for (metadata, bytes) in [
        (json!({"n": -3}), "2a0b22090a070a016e12021005"),
        (json!({"b": true}), "2a0b22090a070a016212020801"),
        (json!({"f": 1.5}), "2a1222100a0e0a0166120919000000000000f83f"),
    ] {
        let message = InvokeHookResponse::from_reply(
            &reply(&json!({"denial_metadata": metadata})),
            Features::default(),
        );
        assert_eq!(hex(&message.unwrap()), format!("0a0150{}{bytes}", "1200"));
    }
}

#[test]
fn older_peers_are_sent_nothing_new() {
    // W29
    let call = call(&json!({"n": 1}), &json!({"global_context": {"request_id": "q", "content_type": "c"}}));
    let old = InvokeHookRequest::from_call(&call, Features::default()).unwrap();
    let new = InvokeHookRequest::from_call(&call, OURS).unwrap();
    assert_eq!((&*old.payload_json, &*old.context.as_ref().unwrap().context_json), ("", ""));
    assert_eq!(old.features(), Features::default());
    assert_eq!(new.features(), OURS);
    assert_eq!(new.payload, old.payload, "the older fields stay filled");
    assert_eq!(
        value(&new.into_call(Numbers::Integers).unwrap().context)["global_context"]["content_type"],
        "c"
    );
}

#[test]
fn extensions_travel_to_peers_that_understand_them_alone() {
    let plain = call(&json!({"name": "t"}), &json!({"global_context": {"request_id": "q"}}));
    let extensions = json!({"security": {"labels": ["pii"], "n": u64::MAX}});
    let call = Call { extensions: Some(text(&extensions)), ..plain.clone() };
    let older = InvokeHookRequest::from_call(&call, Features::default()).unwrap();
    let captured = "0a0f746f6f6c5f7072655f696e766f6b651201501a0d0a0b0a046e616d6512031a017422050a030a0171";
    assert_eq!(hex(&older), captured, "W25: what an older peer is sent");
    assert_eq!(older.into_call(Numbers::Integers).unwrap().extensions, None);

    let only = Features { extensions: true, ..Features::default() };
    let newer = InvokeHookRequest::from_call(&call, only).unwrap();
    let head = &hex(&newer)[..captured.len()];
    assert_eq!(head, captured, "what an older peer understands of it");
    assert_eq!(hex(&newer)[captured.len()..][..4], *"aa06", "W29: a field of ours, number 101");
    let read = InvokeHookRequest::decode(&*newer.encode_to_vec()).unwrap();
    assert_eq!(read.features(), only);
    assert_eq!(value(&read.into_call(Numbers::Integers).unwrap().extensions.unwrap()), extensions);

    assert_eq!(InvokeHookRequest::from_call(&plain, OURS).unwrap().extensions_json, "");
    let list = Call { extensions: Some(text(&json!([]))), ..plain };
    InvokeHookRequest::from_call(&list, OURS).unwrap_err();
    let broken = InvokeHookRequest { extensions_json: "[]".into(), ..InvokeHookRequest::default() };
    let error = broken.into_call(Numbers::Integers).unwrap_err().to_string();
    assert_eq!(error, "extensions: not a JSON object");
}

#[test]
fn integers_come_back_as_integers() {
    // B12, W26
    let sent = json!({"n": 5, "big": 9_007_199_254_740_992_i64, "f": 2.5, "huge": 1e300, "neg": -7});
    let older = reply(&sent);
    let read = send(&older, Features::default());
    assert_eq!(result(&read), sent);
    let message = InvokeHookResponse::from_reply(&older, Features::default()).unwrap();
    let floats = message.into_reply("P", Numbers::Floats).unwrap();
    assert_eq!(result(&floats)["n"], json!(5.0));
    let exact = json!({"n": 9_007_199_254_740_993_i64, "u": u64::MAX, "f": 5.0});
    assert_eq!(result(&send(&reply(&exact), OURS)), exact);
    assert_ne!(result(&send(&reply(&exact), Features::default())), exact);
}

#[test]
fn denial_metadata_travels_beside_the_result() {
    // W14, W22
    let sent = json!({"continue_processing": false, "denial_metadata": {"n": -3, "b": true, "f": 1.5}});
    for peer in [Features::default(), OURS] {
        assert_eq!(result(&send(&reply(&sent), peer)), sent);
    }
    let only = json!({"denial_metadata": {"n": 1}});
    assert_eq!(result(&send(&reply(&only), Features::default())), only);
    let none = json!({"denial_metadata": null, "a": 1});
    assert_eq!(result(&send(&reply(&none), Features::default())), json!({"a": 1}));
    let odd = json!({"denial_metadata": {"text": "x", "n": 1}});
    assert_eq!(result(&send(&reply(&odd), Features::default())), json!({"denial_metadata": {"n": 1}}));
}

#[test]
fn contexts_keep_what_the_older_message_has_fields_for() {
    // W20, W26
    let context = json!({
        "state": {"k": {"v": 1}}, "metadata": {},
        "global_context": {"request_id": "r", "user": "alice", "tenant_id": "t", "server_id": null, "state": {"g": [1, 2]}, "metadata": {"m": 1}},
    });
    let older = InvokeHookRequest::from_call(&call(&json!({}), &context), Features::default()).unwrap();
    assert_eq!(value(&older.into_call(Numbers::Integers).unwrap().context), context);
    let rich = json!({"global_context": {"request_id": "r", "user": {"id": 7, "roles": ["a"]}, "user_context": {"user_id": "u"}}});
    let older = InvokeHookRequest::from_call(&call(&json!({}), &rich), Features::default()).unwrap();
    let read = value(&older.into_call(Numbers::Integers).unwrap().context);
    assert_eq!(read["global_context"]["user"], rich["global_context"]["user"]);
    assert_eq!(read["global_context"].get("user_context"), None);
    let newer = InvokeHookRequest::from_call(&call(&json!({}), &rich), OURS).unwrap();
    assert_eq!(value(&newer.into_call(Numbers::Integers).unwrap().context), rich);
}

#[test]
fn what_is_no_reply_is_refused() {
    // W22, W35, W82
    let refuse =
        |message: InvokeHookResponse| message.into_reply("P", Numbers::Integers).unwrap_err().to_string();
    assert_eq!(refuse(InvokeHookResponse::default()), "the reply is of another plugin");
    let empty = InvokeHookResponse { plugin_name: "P".into(), ..Default::default() };
    assert_eq!(refuse(empty.clone()), "the reply has neither a result nor an error");
    let blank = InvokeHookResponse { error: Some(Default::default()), ..empty.clone() };
    assert_eq!(refuse(blank), "the reply has neither a result nor an error");
    let other = InvokeHookResponse::from_reply(&reply(&json!({})), OURS).unwrap();
    assert_eq!(
        other.into_reply("Q", Numbers::Integers).unwrap_err().to_string(),
        "the reply is of another plugin"
    );
    let list =
        InvokeHookResponse { result: Some(Struct::default()), result_json: "[]".into(), ..empty.clone() };
    assert_eq!(refuse(list), "result: not a JSON object");
    let broken =
        InvokeHookResponse { result: Some(Struct::default()), result_json: "{".into(), ..empty.clone() };
    assert_eq!(refuse(broken), "result: invalid JSON at line 1, column 1");
    let context = PluginContext { context_json: "3".into(), ..Default::default() };
    let odd = InvokeHookResponse { result: Some(Struct::default()), context: Some(context), ..empty };
    assert_eq!(refuse(odd), "context: not a JSON object");
}

#[test]
fn a_value_that_json_cannot_express_is_named() {
    // W27, W28
    use prost_types::{ListValue, Struct as Tree, Value as Node, value::Kind};
    let node = |kind| Node { kind: Some(kind) };
    let list = node(Kind::ListValue(ListValue {
        values: vec![node(Kind::BoolValue(true)), node(Kind::NumberValue(f64::NAN))],
    }));
    let args = node(Kind::StructValue(Tree { fields: [("x".to_owned(), list)].into() }));
    let tree = Tree { fields: [("args".to_owned(), args)].into() };
    let read = Struct::decode(&*tree.encode_to_vec()).unwrap().to_json(Numbers::Integers);
    assert_eq!(read.unwrap_err().to_string(), "invalid value at 'args.x[1]': NaN is not a finite number");
}

#[test]
fn nesting_is_limited() {
    let deep = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let fits = Json::new(deep(127)).unwrap();
    let sent = Struct::from_json(&fits).unwrap();
    assert_eq!(sent.to_json(Numbers::Integers).unwrap(), fits);
    assert!(Struct::from_json(&Json::new(deep(128)).unwrap()).is_err());
    // One level more than JSON may have, made of bytes.
    let inner = sent.encode_to_vec();
    let wrapped = wrap(&inner);
    let read = Struct::decode(&*wrapped).unwrap().to_json(Numbers::Integers);
    assert!(read.unwrap_err().to_string().ends_with("nested too deep"));
}

/// The encoded object as the member `a` of another.
fn wrap(object: &[u8]) -> Vec<u8> {
    #[derive(prost::Message)]
    struct Member {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(message, optional, tag = "2")]
        value: Option<Object>,
    }
    #[derive(prost::Message)]
    struct Object {
        #[prost(bytes, tag = "5")]
        fields: Vec<u8>,
    }
    #[derive(prost::Message)]
    struct Outer {
        #[prost(message, optional, tag = "1")]
        member: Option<Member>,
    }
    let value = Some(Object { fields: object.to_vec() });
    Outer { member: Some(Member { name: "a".into(), value }) }.encode_to_vec()
}

#[test]
fn only_objects_are_sent() {
    for text in ["[]", "1", "\"x\"", "null"] {
        let refused = Struct::from_json(&Json::new(text).unwrap()).unwrap_err();
        assert_eq!(refused.to_string(), "a Struct must be a JSON object");
    }
}

#[test]
fn payloads_do_not_show_in_debug_output() {
    let call = call(&json!({"password": "hunter2"}), &json!({"state": {"token": "hunter2"}}));
    let request = InvokeHookRequest::from_call(&call, Features::default()).unwrap();
    assert!(!format!("{call:?} {request:?}").contains("hunter2"));
}

/// Any JSON whose numbers a double holds exactly.
fn any_json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        proptest::num::f64::NORMAL.prop_map(|number| if number.fract() == 0.0 {
            json!(0.5)
        } else {
            json!(number)
        }),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        ".*".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(".*", inner, 0..6)
                .prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

fn any_object() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(".*", any_json(), 0..6)
        .prop_map(|members| Value::Object(Map::from_iter(members)))
}

/// What another implementation of `Struct` says these bytes mean.
fn read_by_others(tree: prost_types::Struct) -> Value {
    fn node(value: prost_types::Value) -> Value {
        use prost_types::value::Kind;
        match value.kind.unwrap() {
            Kind::NullValue(_) => Value::Null,
            Kind::NumberValue(number) => json!(number),
            Kind::StringValue(text) => Value::from(text),
            Kind::BoolValue(flag) => Value::from(flag),
            Kind::StructValue(tree) => read_by_others(tree),
            Kind::ListValue(list) => list.values.into_iter().map(node).collect(),
        }
    }
    tree.fields.into_iter().map(|(name, value)| (name, node(value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_struct_comes_back_as_it_went(object in any_object()) {
        let sent = Struct::from_json(&text(&object)).unwrap();
        let received = Struct::decode(&*sent.encode_to_vec()).unwrap();
        prop_assert_eq!(&sent, &received);
        prop_assert_eq!(value(&received.to_json(Numbers::Integers).unwrap()), object);
    }

    #[test]
    fn others_read_a_struct_as_we_do(object in any_object()) {
        let sent = Struct::from_json(&text(&object)).unwrap();
        let tree = prost_types::Struct::decode(&*sent.encode_to_vec()).unwrap();
        let floats = sent.to_json(Numbers::Floats).unwrap();
        let again = Struct::decode(&*tree.encode_to_vec()).unwrap();
        prop_assert_eq!(value(&again.to_json(Numbers::Floats).unwrap()), value(&floats));
        prop_assert_eq!(read_by_others(tree), value(&floats));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = InvokeHookResponse::decode(&*bytes) {
            let _ = message.into_reply("P", Numbers::Integers);
        }
        if let Ok(message) = InvokeHookRequest::decode(&*bytes) {
            let _ = message.into_call(Numbers::Integers);
        }
        if let Ok(message) = Struct::decode(&*bytes)
            && let Ok(json) = message.to_json(Numbers::Integers)
        {
            prop_assert!(Struct::from_json(&Json::new(json.into_string()).unwrap()).is_ok());
        }
    }

    #[test]
    fn calls_and_replies_come_back_as_they_went(payload in any_object(), state in any_object(), ours in any::<bool>()) {
        let peer = if ours { OURS } else { Features::default() };
        let context = json!({"state": state, "metadata": {}, "global_context": {"request_id": "r", "user": null, "tenant_id": null, "server_id": "s", "state": {}, "metadata": state}});
        let sent = call(&payload, &context);
        let message = InvokeHookRequest::from_call(&sent, peer).unwrap();
        let received = InvokeHookRequest::decode(&*message.encode_to_vec()).unwrap().into_call(Numbers::Integers).unwrap();
        prop_assert_eq!(value(&received.payload), payload.clone());
        prop_assert_eq!(value(&received.context), context);
        let mut payload = payload;
        payload.as_object_mut().unwrap().remove("denial_metadata");
        prop_assert_eq!(result(&send(&reply(&payload), peer)), payload);
    }
}
