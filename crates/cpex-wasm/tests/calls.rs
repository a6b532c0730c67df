//! What is asked and answered, and what of one call the next one sees.

mod guests;

use cpex_remote::{Json, Outcome, Reply};
use guests::{call, guest, guest_of, load, loaded, module};

/// A guest that answers with `{"calls":N}`: how many times its instance was asked.
fn counting() -> Vec<u8> {
    let counts = "
        (i32.store8 (i32.const 2057) (i32.add (i32.load8_u (i32.const 2057)) (i32.const 1)))
        (call $answer (i32.const 2048) (i32.const 11))";
    guest_of(&module("i32.const 32", counts, r#"(data (i32.const 2048) "{\22calls\22:0}")"#))
}

fn result(reply: Reply) -> Json {
    match reply.outcome {
        Outcome::Result(result) => result,
        Outcome::Error(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn an_answer_is_handed_on_as_it_is() {
    let reply = loaded(&guest("i32.const 16"), "").invoke(&call("{}")).await.expect("a reply");
    assert_eq!((&*reply.plugin, &reply.context), ("guard", &None));
    assert_eq!(result(reply).as_str(), r#"{"continue_processing":true}"#);
}

#[tokio::test]
async fn a_call_sees_nothing_of_another_unless_its_instance_may() {
    let fresh = loaded(&counting(), "");
    for _ in 0..3 {
        assert_eq!(result(fresh.invoke(&call("{}")).await.expect("a reply")).as_str(), r#"{"calls":1}"#);
    }
    let kept = loaded(&counting(), r#", "reuse": true"#);
    for calls in 1..4 {
        let expected = format!(r#"{{"calls":{calls}}}"#);
        assert_eq!(result(kept.invoke(&call("{}")).await.expect("a reply")).as_str(), expected);
    }
}

#[tokio::test]
async fn calls_at_a_time_are_answered_each_with_its_own() {
    // The payload is what is answered.
    let echo =
        std::sync::Arc::new(loaded(&guest("(call $answer (local.get $payload) (local.get $size))"), ""));
    let calls = (0..64).map(|number| {
        let echo = echo.clone();
        tokio::spawn(async move {
            let payload = format!(r#"{{"number":{number}}}"#);
            assert_eq!(result(echo.invoke(&call(&payload)).await.expect("a reply")).as_str(), payload);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("no panic");
    }
}

#[tokio::test]
async fn a_megabyte_goes_there_and_back() {
    let echo = loaded(&guest("(call $answer (local.get $payload) (local.get $size))"), "");
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(result(echo.invoke(&call(&payload)).await.expect("a reply")).as_str(), payload);
}

#[test]
fn a_module_is_the_pinned_one() {
    let pin = |digest: &str| load(&guest("i32.const 16"), &format!(r#", "sha256": "{digest}""#));
    let digest = {
        use sha2::{Digest, Sha256};
        Sha256::digest(guest("i32.const 16")).iter().map(|byte| format!("{byte:02X}")).collect::<String>()
    };
    assert!(pin(&digest).is_ok());
    let problem = pin(&"0".repeat(64)).err().expect("a problem");
    assert_eq!(problem.to_string(), "sha256: the module is another: its SHA-256 is not this");
    let problem = pin("abc").err().expect("a problem");
    assert_eq!(problem.to_string(), "sha256: expected the SHA-256 of the module: 64 hexadecimal digits");
}

#[test]
fn mistakes_in_the_settings_are_named() {
    let mistakes = [
        (r#", "memory": "64MB""#, "memory: expected bytes, such as \"64MiB\": from 64KiB to 4GiB"),
        (r#", "memory": 1"#, "memory: expected bytes, such as \"64MiB\": from 64KiB to 4GiB"),
        (r#", "fuel": 0"#, "fuel: invalid value: integer `0`, expected a nonzero u64"),
        (r#", "instances": 0"#, "instances: expected a number from 1 to 1000"),
        (r#", "reuse": "no""#, "reuse: invalid type: string \"no\", expected a boolean"),
    ];
    for (settings, expected) in mistakes {
        assert_eq!(load(b"", settings).err().expect("a problem").to_string(), expected);
    }
    let unknown = load(b"", r#", "modul": "x""#).err().expect("a problem").to_string();
    assert!(unknown.starts_with("modul: unknown field `modul`, expected one of `module`"), "{unknown}");
}
