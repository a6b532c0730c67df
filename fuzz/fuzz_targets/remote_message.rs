//! Messages of external plugins: whatever the bytes, a message or an error; what was read can be sent.
#![no_main]

use cpex_remote::Json;
use cpex_remote::wire::{Features, InvokeHookRequest, InvokeHookResponse, Numbers, Struct};
use libfuzzer_sys::fuzz_target;
use prost::Message;

const OURS: Features = Features { json: true, context: true, extensions: true };

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = InvokeHookRequest::decode(bytes)
        && let Ok(call) = request.into_call(Numbers::Integers)
    {
        for peer in [Features::default(), OURS] {
            let _ = InvokeHookRequest::from_call(&call, peer);
        }
    }
    if let Ok(response) = InvokeHookResponse::decode(bytes)
        && let Ok(reply) = response.into_reply("P", Numbers::Integers)
    {
        assert_eq!(reply.plugin, "P");
        for peer in [Features::default(), OURS] {
            let _ = InvokeHookResponse::from_reply(&reply, peer);
        }
    }
    if let Ok(object) = Struct::decode(bytes)
        && let Ok(json) = object.to_json(Numbers::Floats)
    {
        let json = Json::new(json.into_string()).unwrap();
        if let Ok(sent) = Struct::from_json(&json) {
            assert_eq!(sent.to_json(Numbers::Floats).unwrap(), json);
        }
    }
});
