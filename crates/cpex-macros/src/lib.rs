//! The attribute and derive macros of `cpex`, which re-exports them.

use proc_macro::TokenStream;

mod payload;
mod plugin;

/// Makes a struct with named fields a [`Payload`](https://docs.rs/cpex/latest/cpex/trait.Payload.html).
///
/// A policy names its fields. `#[payload(subject)]` on a `String` or `Option<String>` field makes it what
/// `tools`, `prompts`, `resources` and `agents` of a condition are compared with.
#[proc_macro_derive(Payload, attributes(payload))]
pub fn derive_payload(input: TokenStream) -> TokenStream {
    let derived = syn::parse(input).and_then(|input| payload::derive(&input));
    derived.unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a type a plugin: put it on an `impl` block, and `#[hook("name")]` on the methods that answer hooks.
///
/// A method takes `&self`, the payload by reference, and optionally a `&mut PluginContext`. It may be `async`, and
/// returns a `Reply`, a `Result` of one, or nothing. `#[hook("a", "b")]` answers several hooks,
/// `#[hook("a", blocking)]` runs on the blocking pool. `#[initialize]` and `#[shutdown]` mark an `async` method that
/// is called before the first hook and after the last one; a method with one of these names and without its mark is an
/// error.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, input: TokenStream) -> TokenStream {
    if !arguments.is_empty() {
        let error = syn::Error::new(proc_macro2::Span::call_site(), "#[plugin] takes no arguments");
        return error.into_compile_error().into();
    }
    plugin::expand(input.into()).into()
}
