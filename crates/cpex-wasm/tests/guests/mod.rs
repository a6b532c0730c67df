//! Guests written by hand, for what no toolchain would let out.

use std::path::Path;

use cpex_remote::{Call, Json};
use cpex_wasm::{ConfigError, Plugin, Settings};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A core module that says which world it is of: with these functions for `start` and `invoke`, and more beside.
///
/// At 16 lies an answer that allows, at 48 one whose text is the host's to find at 1024; `start` is content.
pub(crate) fn guest(invoke: &str) -> Vec<u8> {
    guest_of(&module("i32.const 32", invoke, ""))
}

/// The same with another `start`, and further definitions.
pub(crate) fn module(start: &str, invoke: &str, more: &str) -> String {
    format!(
        r#"(module
            (import "cpex:plugin/log@0.1.0" "write" (func $log (param $level i32) (param $text i32) (param $size i32)))
            {more}
            (memory (export "memory") 2)
            (global $free (mut i32) (i32.const 16384))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
                (local $place i32)
                (local.set $place (global.get $free))
                (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
                (if (i32.gt_u (global.get $free) (i32.mul (memory.size) (i32.const 65536)))
                    (then (drop (memory.grow (i32.add (i32.div_u (local.get $size) (i32.const 65536)) (i32.const 1))))))
                (local.get $place))
            (func (export "cpex:plugin/hooks@0.1.0#start") (param i32 i32) (param $settings i32) (param $size i32) (result i32)
                {start})
            (func (export "cpex:plugin/hooks@0.1.0#invoke")
                (param i32 i32) (param $payload i32) (param $size i32) (param i32 i32) (param i32 i32 i32) (result i32)
                {invoke})
            (func $answer (param $text i32) (param $size i32) (result i32)
                (i32.store (i32.const 52) (local.get $text))
                (i32.store (i32.const 56) (local.get $size))
                (i32.const 48))
            ;; An answer: `ok`, the text at 1024 of 28 bytes, no context.
            (data (i32.const 16) "\00\00\00\00\00\04\00\00\1c\00\00\00\00\00\00\00")
            ;; Content with its settings.
            (data (i32.const 32) "\00\00\00\00\00\00\00\00\00\00\00\00")
            (data (i32.const 1024) "{{\22continue_processing\22:true}}")
        )"#
    )
}

pub(crate) fn guest_of(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).expect("a module");
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/cpex-plugin.wit");
    let package =
        resolve.push_str(&wit, &std::fs::read_to_string(&wit).expect("the interface")).expect("WIT");
    let world = resolve.select_world(package, Some("plugin")).expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("room for it");
    module
}

/// Loads what is in a file called `guest.wasm`.
pub(crate) fn load(bytes: &[u8], settings: &str) -> Result<Plugin, ConfigError> {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("guest.wasm"), bytes).expect("a file");
    let settings = Settings::from_json(&format!(r#"{{"module": "guest.wasm"{settings}}}"#))?;
    Plugin::load("guard", settings, directory.path())
}

/// One that loads.
pub(crate) fn loaded(bytes: &[u8], settings: &str) -> Plugin {
    load(bytes, settings).expect("a plugin")
}

pub(crate) fn call(payload: &str) -> Call {
    Call::new("tool_pre_invoke", "guard", Json::new(payload).expect("JSON"), Json::empty_object())
}
