//! `#[plugin]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Result, Token, Type};

pub(crate) fn expand(mut item: ItemImpl) -> Result<TokenStream> {
    if let Some((path, _)) = &item.trait_ {
        return Err(Error::new(path.span(), "#[plugin] belongs on `impl Type`, not on the impl of a trait"));
    }
    let mut handlers = Vec::new();
    let (mut initialize, mut shutdown) = (None, None);
    for method in item.items.iter_mut().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(method),
        _ => None,
    }) {
        if let Some(attribute) = take(method, "hook") {
            handlers.push(handler(method, &attribute)?);
        }
        for (name, slot) in [("initialize", &mut initialize), ("shutdown", &mut shutdown)] {
            if take(method, name).is_some() && slot.replace(lifecycle(method, name)?).is_some() {
                return Err(Error::new(method.sig.ident.span(), format!("a plugin has one #[{name}] method")));
            }
        }
    }
    if handlers.is_empty() {
        return Err(Error::new(item.self_ty.span(), "no method has #[hook(\"name\")]: this plugin would do nothing"));
    }
    let (impl_generics, _, where_clause) = item.generics.split_for_impl();
    let plugin = &item.self_ty;
    Ok(quote! {
        #item

        impl #impl_generics ::cpex::Plugin for #plugin #where_clause {
            fn handlers(self: ::std::sync::Arc<Self>, handlers: &mut ::cpex::Handlers) {
                #(#handlers)*
            }

            #initialize
            #shutdown
        }
    })
}

/// The arguments of `#[hook(...)]`: names, then perhaps `blocking`.
struct Hooks {
    names: Vec<Expr>,
    blocking: bool,
}

impl Parse for Hooks {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut hooks = Self { names: Vec::new(), blocking: false };
        for argument in Punctuated::<Expr, Token![,]>::parse_terminated(input)? {
            match argument {
                Expr::Path(path) if path.path.is_ident("blocking") => hooks.blocking = true,
                name => hooks.names.push(name),
            }
        }
        if hooks.names.is_empty() {
            return Err(input.error("name the hook: #[hook(\"tool_pre_invoke\")]"));
        }
        Ok(hooks)
    }
}

fn take(method: &mut ImplItemFn, name: &str) -> Option<Attribute> {
    let index = method.attrs.iter().position(|attribute| attribute.path().is_ident(name))?;
    Some(method.attrs.remove(index))
}

fn handler(method: &ImplItemFn, attribute: &Attribute) -> Result<TokenStream> {
    let hooks: Hooks = attribute.parse_args()?;
    let (names, ident) = (&hooks.names, &method.sig.ident);
    let (payload, takes_context) = parameters(method)?;
    let context = takes_context.then(|| quote!(, context));
    let wait = method.sig.asyncness.is_some().then(|| quote!(.await));
    let runs = Ident::new(if hooks.blocking { "Blocking" } else { "Inline" }, attribute.span());
    Ok(quote! {
        for hook in [#(::cpex::hook::name_of(&#names)),*] {
            handlers.method::<Self, #payload>(hook, &self, ::cpex::plugin::Runs::#runs, |plugin, payload, context| {
                let _ = &context;
                ::std::boxed::Box::pin(async move {
                    ::cpex::plugin::Answer::of(plugin.#ident(payload #context)#wait)
                })
            });
        }
    })
}

/// The payload's type, and whether a context follows.
fn parameters(method: &ImplItemFn) -> Result<(&Type, bool)> {
    let expected = "a handler takes (&self, payload: &Payload) or (&self, payload: &Payload, context: &mut PluginContext)";
    let mut inputs = method.sig.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if receiver.mutability.is_none() => {}
        _ => return Err(Error::new(method.sig.span(), expected)),
    }
    let payload = match inputs.next() {
        Some(FnArg::Typed(argument)) => match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_none() => &*reference.elem,
            other => return Err(Error::new(other.span(), expected)),
        },
        _ => return Err(Error::new(method.sig.span(), expected)),
    };
    match (inputs.next(), inputs.next()) {
        (None, _) => Ok((payload, false)),
        (Some(_), None) => Ok((payload, true)),
        (_, Some(extra)) => Err(Error::new(extra.span(), expected)),
    }
}

fn lifecycle(method: &ImplItemFn, name: &str) -> Result<TokenStream> {
    if method.sig.asyncness.is_none() || method.sig.inputs.len() != 1 {
        return Err(Error::new(method.sig.span(), format!("#[{name}] belongs on `async fn(&self)`")));
    }
    let (ident, name) = (&method.sig.ident, Ident::new(name, method.sig.ident.span()));
    Ok(quote! {
        fn #name(&self) -> ::cpex::plugin::BoxFuture<'_, ::core::result::Result<(), ::cpex::BoxError>> {
            ::std::boxed::Box::pin(async move { ::cpex::plugin::done(Self::#ident(self).await) })
        }
    })
}
