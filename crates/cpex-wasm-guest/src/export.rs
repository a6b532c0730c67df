//! What stands between the interface and a [`Plugin`]. [`export!`](crate::export!) alone uses it.

use std::cell::RefCell;
use std::panic;

use serde_json::Value;

use self::bindings::exports::cpex::plugin::hooks;
use crate::call::Call;
use crate::{Failure, Plugin, log};

pub mod bindings {
    #![allow(missing_docs, unreachable_pub, unused_qualifications, unsafe_op_in_unsafe_fn, clippy::all)]
    #![allow(clippy::undocumented_unsafe_blocks, clippy::unwrap_used)]
    wit_bindgen::generate!({ path: "wit", pub_export_macro: true });
}

/// The plugin of an instance.
pub type Instance<P> = RefCell<Option<P>>;

pub fn start<P: Plugin>(instance: &Instance<P>, settings: &str) -> Result<(), String> {
    // What a panic says may be of a payload; where it was is not.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| format!(" at {place}"));
        log::error(&format!("the plugin panicked{place}"));
    }));
    let settings = serde_json::from_str(settings).map_err(|error| unlike(&error))?;
    *instance.borrow_mut() = Some(P::start(settings)?);
    Ok(())
}

pub fn invoke<P: Plugin>(instance: &Instance<P>, call: hooks::Call) -> Result<hooks::Reply, hooks::Failure> {
    let call = Call::of(call.hook, call.payload, call.context, call.extensions);
    let mut instance = instance.borrow_mut();
    let plugin = instance.as_mut().ok_or_else(|| failed(Failure::new("it has not been started")))?;
    let reply = plugin.invoke(&call).map_err(failed)?;
    let text = |json: serde_json::Result<String>| json.map_err(|error| failed(error.into()));
    Ok(hooks::Reply {
        result: text(serde_json::to_string(&reply))?,
        context: reply.left().map(|context| text(serde_json::to_string(context))).transpose()?,
    })
}

fn failed(failure: Failure) -> hooks::Failure {
    let Failure { message, code, details } = failure;
    hooks::Failure { message, code, details: Value::Object(details).to_string() }
}

/// What would be right, without what is there: settings hold secrets.
fn unlike(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(&*text, |(text, _)| text);
    match text.strip_prefix("invalid ").and_then(|text| text.rsplit_once(", expected ")) {
        Some((_, expected)) => format!("config: expected {expected}"),
        None => format!("config: {text}"),
    }
}

/// Makes a [`Plugin`](crate::Plugin) the plugin of this crate, which is of type `cdylib`.
///
/// Elsewhere than in WebAssembly it exports nothing, for linkers there do not take the names; `cargo test` runs the tests of
/// a plugin.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_plugin<P: $crate::Plugin>() {}
            is_a_plugin::<$plugin>();
        };

        #[cfg(target_family = "wasm")]
        const _: () = {
            use bindings::exports::cpex::plugin::hooks::{Call, Failure, Guest, Reply};
            use $crate::export::{Instance, bindings, invoke, start};

            ::std::thread_local! {
                static INSTANCE: Instance<$plugin> = const { Instance::new(None) };
            }

            struct Component;

            impl Guest for Component {
                fn start(_: String, settings: String) -> Result<(), String> {
                    INSTANCE.with(|instance| start(instance, &settings))
                }

                fn invoke(call: Call) -> Result<Reply, Failure> {
                    INSTANCE.with(|instance| invoke(instance, call))
                }
            }

    bindings::export!(Component with_types_in bindings);
        };
    };
}
