//! `#[derive(OptionEnum)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Fields, Result};

use crate::field::Attributes;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "an option of words is an enum",
        ));
    };
    let mut words = Vec::new();
    let mut arms = Vec::new();
    for variant in &data.variants {
        if !matches!(variant.fields, Fields::Unit) {
            return Err(syn::Error::new_spanned(variant, "a word has no fields"));
        }
        let attributes = Attributes::read(&variant.attrs)?;
        let ident = &variant.ident;
        let word = attributes.name.unwrap_or_else(|| snake(&ident.to_string()));
        for name in std::iter::once(&word).chain(&attributes.aliases) {
            arms.push(quote! {
                if text.eq_ignore_ascii_case(#name) {
                    return ::std::result::Result::Ok(Self::#ident);
                }
            });
        }
        words.push(word);
    }
    let ident = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::linkspan_sdk::__private::OptionValue for #ident {
            const KIND: &'static str = "string";
            const WORDS: &'static [&'static str] = &[#(#words),*];

            fn parse(_name: &str, text: &str) -> ::std::result::Result<Self, ::std::string::String> {
                let text = text.trim();
                #(#arms)*
                ::std::result::Result::Err(::linkspan_sdk::__private::one_of(Self::WORDS))
            }
        }
    })
}

/// Turns `ReadCommitted` into `read_committed`.
fn snake(name: &str) -> String {
    let mut word = String::new();
    for (n, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && n > 0 {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}
