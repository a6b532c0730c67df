//! Guests that misbehave: each ends in a fault, and the next call is answered.

mod guests;

use std::path::Path;
use std::time::Duration;

use cpex_remote::Outcome;
use cpex_wasm::{Fault, Plugin, Settings};
use guests::{call, guest, guest_of, load, loaded, module};
use tokio::time::timeout;

/// A guest that does this if its payload is longer than `{}`, and allows otherwise.
fn provoked(does: &str) -> String {
    format!("(if (i32.gt_u (local.get $size) (i32.const 2)) (then {does})) (i32.const 16)")
}

const PROVOKES: &str = r#"{"do": "it"}"#;

async fn fault(plugin: &Plugin) -> Fault {
    let fault = plugin.invoke(&call(PROVOKES)).await.expect_err("a fault");
    let next = plugin.invoke(&call("{}")).await.expect("a reply");
    assert!(matches!(next.outcome, Outcome::Result(_)), "the next call is answered");
    fault
}

async fn fault_of(does: &str) -> Fault {
    fault(&loaded(&guest(&provoked(does)), "")).await
}

#[tokio::test]
async fn a_trap_is_a_fault() {
    assert_eq!(
        fault_of("unreachable").await,
        Fault::Trapped("wasm `unreachable` instruction executed".into())
    );
    let divided = fault_of("(drop (i32.div_u (i32.const 1) (i32.const 0)))").await;
    assert_eq!(divided, Fault::Trapped("integer divide by zero".into()));
    let outside = fault_of("(drop (i32.load (i32.const -4)))").await;
    assert_eq!(outside, Fault::Trapped("out of bounds memory access".into()));
}

#[tokio::test]
async fn a_loop_without_end_yields_and_ends_with_its_future() {
    let plugin = loaded(&guest(&provoked("(loop $again (br $again))")), "");
    let call = call(PROVOKES);
    let (looping, other) = tokio::join!(
        timeout(Duration::from_millis(100), plugin.invoke(&call)),
        // On the same thread: the loop has let it run.
        timeout(Duration::from_millis(20), std::future::pending::<()>()),
    );
    assert!(looping.is_err() && other.is_err());
    assert!(plugin.invoke(&guests::call("{}")).await.is_ok());
}

#[tokio::test]
async fn fuel_ends_a_loop_at_the_same_place_each_time() {
    let plugin = loaded(&guest(&provoked("(loop $again (br $again))")), r#", "fuel": 100000"#);
    assert_eq!(fault(&plugin).await, Fault::OutOfFuel(100_000));
}

#[tokio::test]
async fn memory_and_tables_end_at_their_limit() {
    let bomb = provoked("(loop $again (drop (memory.grow (i32.const 16))) (br $again))");
    let plugin = loaded(&guest(&bomb), r#", "memory": "1MiB""#);
    assert_eq!(fault(&plugin).await, Fault::OutOfMemory(1 << 20));

    let bomb = provoked("(loop $again (drop (table.grow (ref.null func) (i32.const 1000))) (br $again))");
    let table = guest_of(&module("i32.const 32", &bomb, "(table 1 funcref)"));
    assert_eq!(fault(&loaded(&table, r#", "memory": "1MiB""#)).await, Fault::OutOfMemory(1 << 20));
}

#[tokio::test]
async fn what_needs_more_memory_than_it_may_have_does_not_start() {
    let plugin = loaded(&guest("i32.const 16"), r#", "memory": "64KiB""#);
    assert_eq!(plugin.start().await, Err(Fault::OutOfMemory(1 << 16)));
}

#[tokio::test]
async fn recursion_ends_where_the_stack_does() {
    let more = "(func $deeper (call $deeper) (call $deeper))";
    let plugin = loaded(&guest_of(&module("i32.const 32", &provoked("(call $deeper)"), more)), "");
    assert_eq!(fault(&plugin).await, Fault::Trapped("call stack exhausted".into()));
}

#[tokio::test]
async fn what_is_no_answer_is_a_fault() {
    // Not UTF-8, not JSON, not an object, outside the memory.
    let texts = [r"\ff\fe", "{]", "7"];
    for text in texts {
        let size = text.len().min(2);
        let more = format!(r#"(data (i32.const 2048) "{text}")"#);
        let does = format!("(return (call $answer (i32.const 2048) (i32.const {size})))");
        let plugin = loaded(&guest_of(&module("i32.const 32", &provoked(&does), &more)), "");
        assert!(matches!(fault(&plugin).await, Fault::BadReply(_)), "{text}");
    }
    let outside = fault_of("(return (call $answer (i32.const 2048) (i32.const -1)))").await;
    assert!(matches!(outside, Fault::BadReply(_)), "{outside}");
    let nowhere = fault_of("(return (i32.const -4))").await;
    assert!(matches!(nowhere, Fault::BadReply(_)), "{nowhere}");
}

#[tokio::test]
async fn an_answer_larger_than_the_host_keeps_is_a_fault() {
    let does =
        "(drop (memory.grow (i32.const 640))) (return (call $answer (i32.const 2048) (i32.const 41000000)))";
    let fault = fault_of(does).await;
    assert!(matches!(fault, Fault::BadReply(_)), "{fault}");
}

#[tokio::test]
async fn a_flooded_log_stays_a_brook() {
    let does = "(local.set $size (i32.const 100000))
        (loop $again
            (call $log (i32.const 1) (i32.const 1024) (i32.const 28))
            (local.set $size (i32.sub (local.get $size) (i32.const 1)))
            (br_if $again (local.get $size)))";
    let plugin = loaded(&guest(&provoked(does)), "");
    assert!(plugin.invoke(&call(PROVOKES)).await.is_ok());
}

#[tokio::test]
async fn a_plugin_that_does_not_like_its_settings_says_so() {
    // `err`, with a text of seven bytes.
    let more =
        r#"(data (i32.const 80) "\01\00\00\00\60\00\00\00\07\00\00\00") (data (i32.const 96) "no, no!")"#;
    let plugin = loaded(&guest_of(&module("i32.const 80", "i32.const 16", more)), "");
    assert_eq!(plugin.start().await, Err(Fault::NotStarted("no, no!".into())));
}

#[tokio::test]
async fn what_a_plugin_says_is_a_short_line() {
    // `err`, with a text of 10,000 bytes.
    let text = r#"(data (i32.const 96) "a\nb\1b[2J")"#;
    let more = format!(r#"{text} (data (i32.const 80) "\01\00\00\00\60\00\00\00\10\27\00\00")"#);
    let plugin = loaded(&guest_of(&module("i32.const 80", "i32.const 16", &more)), "");
    let Err(Fault::NotStarted(said)) = plugin.start().await else { panic!("it starts") };
    assert!(said.starts_with(r"a\nb\u{1b}[2J") && said.ends_with('…'), "{said}");

    // `err`, with a message of seven bytes, a code of three, and `{}`.
    let failure = r#"(data (i32.const 400)
            "\01\00\00\00\60\00\00\00\07\00\00\00\60\00\00\00\03\00\00\00\b8\01\00\00\02\00\00\00")
        (data (i32.const 440) "{}")"#;
    let plugin =
        loaded(&guest_of(&module("i32.const 32", "i32.const 400", &format!("{text} {failure}"))), "");
    let Outcome::Error(error) = plugin.invoke(&call("{}")).await.expect("a reply").outcome else {
        panic!("it answers")
    };
    assert_eq!((&*error.message, &*error.code), (r"a\nb\u{1b}[2J", r"a\nb"));
}

#[test]
fn what_may_not_be_imported_is_named() {
    let more = r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#;
    let problem =
        load(&guest_of(&module("i32.const 32", "i32.const 16", more)), "").err().expect("a problem");
    assert_eq!(problem.field, "module");
    assert!(problem.problem.contains("wasi_snapshot_preview1"), "{problem}");

    let component = r#"(component (import "wasi:cli/environment@0.2.0" (instance)))"#;
    let problem = load(component.as_bytes(), "").err().expect("a problem");
    assert!(problem.problem.contains("no plugin"), "text is none: {problem}");
    let problem = load(&wat::parse_str(component).expect("a component"), "").err().expect("a problem");
    let expected = "module: it imports wasi:cli/environment@0.2.0, which no plugin gets: it may import \
                    cpex:plugin/log alone";
    assert_eq!(problem.to_string(), expected);
}

#[test]
fn what_is_of_another_world_is_no_plugin() {
    for text in ["(component)", "(module)"] {
        let problem = load(&wat::parse_str(text).expect("WebAssembly"), "").err().expect("a problem");
        let expected = "module: it is no plugin: no exported instance named `cpex:plugin/hooks@0.1.0`";
        assert_eq!(problem.to_string(), expected, "{text}");
    }
}

#[test]
fn a_small_file_does_not_become_a_large_one() {
    // Each makes the one before it twice: two to the power of forty.
    let twice = |number| {
        format!(
            "(component $c{} (alias outer 1 $c{number} (component $last))
                (instance (instantiate $last)) (instance (instantiate $last)))",
            number + 1
        )
    };
    let bomb = format!("(component (component $c0) {})", (0..40).map(twice).collect::<String>());
    // Each within another.
    let nest = format!("{}{}", "(component ".repeat(40), ")".repeat(40));
    for text in [bomb, nest] {
        let problem = load(&wat::parse_str(text).expect("a component"), "").err().expect("a problem");
        assert_eq!(problem.to_string(), "module: it is made of more than 16 components");
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let settings = Settings::from_json(r#"{"module": "/dev/zero"}"#).expect("settings");
    let problem = settings.look(Path::new("")).expect_err("a problem");
    assert_eq!(
        problem.to_string(),
        "module: /dev/zero is no file: expected that of a plugin, such as guard.wasm"
    );
    assert_eq!(Plugin::load("guard", settings, Path::new("")).err(), Some(problem));
}

#[test]
fn no_bytes_break_the_loader() {
    let whole = guest("i32.const 16");
    for end in (0..whole.len()).step_by(97) {
        assert!(load(&whole[..end], "").is_err(), "cut at {end}");
    }
    // Whatever comes of it: no panic, no hang.
    for place in (8..whole.len()).step_by(89) {
        let mut changed = whole.clone();
        changed[place] ^= 0x55;
        let _ = load(&changed, "");
    }
}
