//! The derive macros behind linkspan connector options.
//!
//! Re-exported by `linkspan-sdk`, whose `options` module documents the attributes. All paths of the generated code go through
//! `::linkspan_sdk`, so that a plugin needs no other line in its `[dependencies]`.

mod field;
mod options;
mod words;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `linkspan_sdk::Options` for a struct with named fields.
#[proc_macro_derive(Options, attributes(option, options))]
pub fn derive_options(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    options::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Derives `linkspan_sdk::OptionValue` for an enum of words: `ReadCommitted` is `read_committed`, any case.
#[proc_macro_derive(OptionEnum, attributes(option))]
pub fn derive_option_enum(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    words::expand(&input)
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
