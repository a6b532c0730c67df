//! `#[derive(Payload)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, Ident, Result, Token, Type};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.span(), "a payload is a struct: its fields are what a policy names"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(
            data.fields.span(),
            "a payload has named fields: they are what a policy names",
        ));
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let idents: Vec<_> = fields.named.iter().filter_map(|field| field.ident.as_ref()).collect();
    let labels = idents.iter().map(|ident| ident.to_string().trim_start_matches("r#").to_owned());
    let subject = subject(fields.named.iter())?;
    Ok(quote! {
        impl #impl_generics ::cpex::Payload for #name #type_generics #where_clause {
            fn restrict(
                &self,
                proposed: &Self,
                writable: &dyn ::core::ops::Fn(&str) -> bool,
            ) -> ::cpex::payload::Restricted<Self> {
                let mut taken = ::core::option::Option::None;
                let mut trimmed = ::std::vec::Vec::new();
                #(
                    if self.#idents != proposed.#idents {
                        if writable(#labels) {
                            let taken: &mut Self = taken.get_or_insert_with(|| ::core::clone::Clone::clone(self));
                            taken.#idents = ::core::clone::Clone::clone(&proposed.#idents);
                        } else {
                            trimmed.push(#labels.into());
                        }
                    }
                )*
                ::cpex::payload::Restricted { payload: taken, trimmed }
            }

            #subject
        }
    })
}

fn subject<'a>(fields: impl Iterator<Item = &'a Field>) -> Result<TokenStream> {
    let mut found = None;
    for field in fields {
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("payload")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("subject") {
                    return Err(meta.error("expected `subject` or `subject = opaque`"));
                }
                let mut is_opaque = false;
                if meta.input.peek(Token![=]) {
                    let value: Ident = meta.value()?.parse()?;
                    if value != "opaque" {
                        return Err(Error::new(value.span(), "expected `opaque`"));
                    }
                    is_opaque = true;
                }
                if found.replace((field, is_opaque)).is_some() {
                    return Err(meta.error("a payload has one subject"));
                }
                Ok(())
            })?;
        }
    }
    let Some((field, is_opaque)) = found else { return Ok(TokenStream::new()) };
    let ident = &field.ident;
    let value = if is_opaque {
        quote!(::core::option::Option::Some(::cpex::payload::Subject::Opaque))
    } else if is_option(&field.ty) {
        quote!(self.#ident.as_deref().map(::cpex::payload::Subject::Text))
    } else {
        quote!(::core::option::Option::Some(::cpex::payload::Subject::Text(&self.#ident)))
    };
    Ok(quote! {
        fn subject(&self) -> ::core::option::Option<::cpex::payload::Subject<'_>> {
            #value
        }
    })
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}
