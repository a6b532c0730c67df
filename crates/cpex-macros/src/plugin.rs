//! `#[plugin]`.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Lit, ReceiverKind, Result,
    ReturnType, Token, Type,
};

/// The block as it is written, and what makes it a plugin or what is wrong with it.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut item: ItemImpl = match syn::parse2(input.clone()) {
        Ok(item) => item,
        Err(error) => {
            let text = format!("#[plugin] belongs on an `impl` block: {error}");
            let error = Error::new(error.span(), text).into_compile_error();
            return quote!(#input #error);
        }
    };
    let plugin = implementation(&mut item).unwrap_or_else(Error::into_compile_error);
    // With the block itself, a mistake leaves no other errors behind.
    for method in methods(&mut item) {
        method.attrs.retain(|attribute| !MARKS.iter().any(|mark| attribute.path().is_ident(mark)));
    }
    quote!(#item #plugin)
}

const MARKS: [&str; 3] = ["hook", "initialize", "shutdown"];

fn methods(item: &mut ItemImpl) -> impl Iterator<Item = &mut ImplItemFn> {
    item.items.iter_mut().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(method),
        _ => None,
    })
}

fn implementation(item: &mut ItemImpl) -> Result<TokenStream> {
    if let Some((path, _)) = &item.trait_ {
        return Err(Error::new(path.span(), "#[plugin] belongs on `impl Type`, not on the impl of a trait"));
    }
    let mut answered = HashSet::new();
    let mut handlers = Vec::new();
    let (mut initialize, mut shutdown) = (None, None);
    for method in methods(item) {
        let is_marked = MARKS.iter().any(|mark| method.attrs.iter().any(|it| it.path().is_ident(mark)));
        if !is_marked {
            unmarked(method)?;
        }
        while let Some(attribute) = take(method, "hook") {
            let hooks: Hooks = attribute.parse_args()?;
            for name in &hooks.names {
                if !answered.insert(name.to_token_stream().to_string()) {
                    return Err(Error::new(
                        name.span(),
                        "another method, or this one, answers this hook already",
                    ));
                }
            }
            handlers.push(handler(method, &hooks, &attribute)?);
        }
        for (name, slot) in [("initialize", &mut initialize), ("shutdown", &mut shutdown)] {
            if take(method, name).is_some() && slot.replace(lifecycle(method, name)?).is_some() {
                let text = format!("a plugin has one #[{name}] method");
                return Err(Error::new(method.sig.ident.span(), text));
            }
        }
    }
    if handlers.is_empty() {
        let text = "no method has #[hook(\"name\")]: this plugin would do nothing";
        return Err(Error::new(item.self_ty.span(), text));
    }
    let (impl_generics, _, where_clause) = item.generics.split_for_impl();
    let plugin = &item.self_ty;
    Ok(quote! {
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

const EXPECTED: &str = "#[hook] takes texts or constants that name hooks, then perhaps `blocking`: \
                        #[hook(\"tool_pre_invoke\")], #[hook(TOOL_PRE_INVOKE, blocking)]";

/// A text, or the path of a constant.
fn is_name(argument: &Expr) -> bool {
    match argument {
        Expr::Lit(literal) => matches!(literal.lit, Lit::Str(_)),
        Expr::Path(path) => {
            path.path.segments.last().is_some_and(|last| !last.ident.to_string().contains(char::is_lowercase))
        }
        _ => false,
    }
}

impl Parse for Hooks {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut hooks = Self { names: Vec::new(), blocking: false };
        for argument in Punctuated::<Expr, Token![,]>::parse_terminated(input)? {
            match argument {
                Expr::Path(path) if path.path.is_ident("blocking") => hooks.blocking = true,
                name if is_name(&name) => hooks.names.push(name),
                other => return Err(Error::new(other.span(), EXPECTED)),
            }
        }
        if hooks.names.is_empty() {
            return Err(input.error(EXPECTED));
        }
        Ok(hooks)
    }
}

fn take(method: &mut ImplItemFn, name: &str) -> Option<Attribute> {
    let index = method.attrs.iter().position(|attribute| attribute.path().is_ident(name))?;
    Some(method.attrs.remove(index))
}

fn handler(method: &ImplItemFn, hooks: &Hooks, attribute: &Attribute) -> Result<TokenStream> {
    let (names, ident) = (&hooks.names, &method.sig.ident);
    let Parameters { payload, context, extensions } = parameters(method)?;
    if hooks.blocking && method.sig.asyncness.is_some() {
        let text = "a blocking handler is a plain `fn`: it runs on a thread of its own";
        return Err(Error::new(method.sig.asyncness.span(), text));
    }
    let given = [context.then(|| quote!(, context)), extensions.then(|| quote!(, extensions))];
    let (context, extensions) = (&given[0], &given[1]);
    let wait = method.sig.asyncness.is_some().then(|| quote!(.await));
    let sees = Ident::new(if extensions.is_some() { "Extensions" } else { "PayloadOnly" }, attribute.span());
    let answer = quote_spanned! {method.sig.output.span()=>
        ::cpex::plugin::Answer::of(plugin.#ident(payload #context #extensions)#wait)
    };
    let (add, body) = if hooks.blocking {
        (quote!(add_blocking), answer)
    } else {
        (quote!(add), quote!(::std::boxed::Box::pin(async move { #answer })))
    };
    let adds = names.iter().map(|name| {
        quote_spanned! {name.span()=>
            handlers.#add::<Self, #payload>(
                &#name,
                &self,
                ::cpex::plugin::Sees::#sees,
                |plugin, payload, context, extensions| {
                    let _ = (&context, &extensions);
                    #body
                },
            );
        }
    });
    Ok(adds.collect())
}

/// What a handler takes beside `&self`.
struct Parameters<'a> {
    payload: &'a Type,
    context: bool,
    extensions: bool,
}

fn parameters(method: &ImplItemFn) -> Result<Parameters<'_>> {
    let expected = "a handler takes (&self, payload: &Payload), then perhaps context: &mut PluginContext, \
                    then perhaps extensions: &Extensions";
    let mut inputs = method.sig.inputs.iter();
    match inputs.next() {
        Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        _ => return Err(Error::new(method.sig.span(), expected)),
    }
    let payload = match inputs.next() {
        Some(FnArg::Typed(argument)) => match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_none() => &*reference.elem,
            other => return Err(Error::new(other.span(), expected)),
        },
        _ => return Err(Error::new(method.sig.span(), expected)),
    };
    let mut found = Parameters { payload, context: false, extensions: false };
    for input in inputs {
        let slot = match input {
            FnArg::Typed(argument) => match &*argument.ty {
                Type::Reference(reference) if reference.mutability.is_some() => &mut found.context,
                Type::Reference(_) if !found.extensions => &mut found.extensions,
                other => return Err(Error::new(other.span(), expected)),
            },
            FnArg::Receiver(_) => return Err(Error::new(input.span(), expected)),
        };
        if *slot {
            return Err(Error::new(input.span(), expected));
        }
        *slot = true;
    }
    Ok(found)
}

/// A method that is meant to be called at the beginning or the end says so, or nobody would call it.
fn unmarked(method: &ImplItemFn) -> Result<()> {
    let returns_result = |output: &Type| {
        let Type::Path(path) = output else { return false };
        path.path.segments.last().is_some_and(|last| last.ident == "Result")
    };
    let is_meant = match &method.sig.output {
        ReturnType::Default => true,
        ReturnType::Type(_, output) => returns_result(output),
    };
    match ["initialize", "shutdown"].into_iter().find(|name| method.sig.ident == name) {
        Some(name) if is_meant && borrows_itself_only(method) => Err(Error::new(
            method.sig.ident.span(),
            format!(
                "a plugin's {name} is called if it is marked: write #[{name}] above `async fn {name}(&self)`; \
                 a method that the application calls itself belongs into another `impl` block"
            ),
        )),
        _ => Ok(()),
    }
}

fn borrows_itself_only(method: &ImplItemFn) -> bool {
    let mut inputs = method.sig.inputs.iter();
    let itself = |input: Option<&FnArg>| matches!(input, Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Reference(..)));
    itself(inputs.next()) && inputs.next().is_none()
}

fn lifecycle(method: &ImplItemFn, name: &str) -> Result<TokenStream> {
    if method.sig.asyncness.is_none() || method.sig.inputs.len() != 1 {
        return Err(Error::new(method.sig.span(), format!("#[{name}] belongs on `async fn(&self)`")));
    }
    let (ident, name) = (&method.sig.ident, Ident::new(name, method.sig.ident.span()));
    Ok(quote! {
        fn #name(&self) -> ::cpex::plugin::BoxFuture<'_, ::core::result::Result<(), ::cpex::BoxError>> {
            ::std::boxed::Box::pin(async move { ::cpex::plugin::Done::done(Self::#ident(self).await) })
        }
    })
}
