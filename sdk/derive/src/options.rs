//! `#[derive(Options)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, GenericArgument, LitStr, PathArguments, Result,
    Type, ext::IdentExt as _,
};

use crate::field::{Attributes, docs};

/// One field's share of the generated code.
struct Parts {
    /// Adds to `out: Vec<OptionDef>`.
    definition: TokenStream,
    /// Binds `value_N: Option<field type>`.
    read: TokenStream,
    /// Checks a nested struct's own rules, with its prefix.
    check: TokenStream,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(
            &input.ident,
            "options are a struct with named fields",
        ));
    };
    let fields = match &data.fields {
        Fields::Named(fields) => fields.named.iter().collect::<Vec<_>>(),
        Fields::Unit => Vec::new(),
        Fields::Unnamed(_) => {
            return Err(syn::Error::new_spanned(
                &input.ident,
                "options are a struct with named fields",
            ));
        }
    };
    let mut parts = Vec::new();
    let mut names = Vec::new();
    let mut bindings = Vec::new();
    for (n, field) in fields.iter().enumerate() {
        let Some(ident) = &field.ident else { continue };
        let binding = format_ident!("value_{n}");
        let attributes = Attributes::read(&field.attrs)?;
        parts.push(match &attributes.nest {
            Some(prefix) => nested(prefix, &field.ty, ident, &binding),
            None => plain(&attributes, &docs(&field.attrs), &field.ty, ident, &binding)?,
        });
        names.push(ident);
        bindings.push(binding);
    }
    let definitions = parts.iter().map(|part| &part.definition);
    let reads = parts.iter().map(|part| &part.read);
    let checks = parts.iter().map(|part| &part.check);
    let own_check = match validate(&input.attrs)? {
        Some(path) => quote! { problems.extend((#path)(self)); },
        None => quote! {},
    };
    let struct_docs = docs(&input.attrs);
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics ::linkspan_sdk::__private::Options for #ident #type_generics #where_clause {
            const DOCS: &'static str = #struct_docs;

            fn definitions() -> ::std::vec::Vec<::linkspan_sdk::__private::OptionDef> {
                #[allow(unused_mut)]
                let mut out = ::std::vec::Vec::new();
                #(#definitions)*
                out
            }

            fn read(
                reader: &mut ::linkspan_sdk::__private::Reader<'_>,
            ) -> ::std::option::Option<Self> {
                let _ = &reader;
                #(#reads)*
                ::std::option::Option::Some(Self { #(#names: #bindings?),* })
            }

            fn check(&self) -> ::std::vec::Vec<::linkspan_sdk::__private::ConfigProblem> {
                #[allow(unused_mut)]
                let mut problems = ::std::vec::Vec::new();
                #(#checks)*
                #own_check
                problems
            }
        }
    })
}

fn nested(prefix: &str, ty: &Type, ident: &syn::Ident, binding: &syn::Ident) -> Parts {
    let private = quote!(::linkspan_sdk::__private);
    Parts {
        definition: quote! {
            out.extend(#private::with_prefix(#prefix, <#ty as #private::Options>::definitions()));
        },
        read: quote! {
            let #binding = reader.nested(#prefix, <#ty as #private::Options>::read);
        },
        check: quote! {
            problems.extend(#private::problems_with_prefix(#prefix, #private::Options::check(&self.#ident)));
        },
    }
}

fn plain(
    attributes: &Attributes,
    docs: &str,
    ty: &Type,
    ident: &syn::Ident,
    binding: &syn::Ident,
) -> Result<Parts> {
    let private = quote!(::linkspan_sdk::__private);
    let inner = option_inner(ty);
    let value = inner.unwrap_or(ty);
    if inner.is_some() && attributes.default.is_some() {
        return Err(syn::Error::new_spanned(
            ty,
            "an `Option` has no default: it is `None` where it is missing",
        ));
    }
    let name = attributes
        .name
        .clone()
        .unwrap_or_else(|| ident.unraw().to_string().replace('_', "."));
    let (aliases, values) = (&attributes.aliases, &attributes.values);
    let (default, min, max) = (
        text(&attributes.default),
        text(&attributes.min),
        text(&attributes.max),
    );
    let group = attributes.group.as_deref().unwrap_or_default();
    let importance = attributes.importance.as_deref().unwrap_or("medium");
    let kind = text(&attributes.kind);
    let (secret, optional) = (attributes.secret, inner.is_some());
    let field = quote! {
        #private::Field {
            name: #name,
            aliases: &[#(#aliases),*],
            default: #default,
            values: &[#(#values),*],
            secret: #secret || <#value as #private::OptionValue>::SECRET,
        }
    };
    let definition = quote! {
        out.push(#private::define::<#value>(&#field, &#private::Described {
            docs: #docs, group: #group, importance: #importance, kind: #kind,
            optional: #optional, min: #min, max: #max,
        }));
    };
    let method = if optional {
        quote!(optional)
    } else {
        quote!(required)
    };
    let bounds = if attributes.min.is_some() || attributes.max.is_some() {
        let each = if optional {
            quote!(::std::option::Option::Some(::std::option::Option::Some(
                value
            )))
        } else {
            quote!(::std::option::Option::Some(value))
        };
        quote! {
            if let #each = &#binding {
                reader.bounds::<#value>(&#field, value, #min, #max);
            }
        }
    } else {
        quote! {}
    };
    let read = quote! {
        let #binding = reader.#method::<#value>(&#field);
        #bounds
    };
    Ok(Parts {
        definition,
        read,
        check: quote! {},
    })
}

fn text(value: &Option<String>) -> TokenStream {
    match value {
        Some(text) => quote!(::std::option::Option::Some(#text)),
        None => quote!(::std::option::Option::None),
    }
}

/// Returns `T` of `Option<T>`.
fn option_inner(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    if last.ident != "Option" {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// Returns the path in `#[options(validate = "…")]`.
fn validate(attributes: &[Attribute]) -> Result<Option<Expr>> {
    let mut path = None;
    for attribute in attributes {
        if !attribute.path().is_ident("options") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("validate") {
                return Err(meta.error("unknown; use validate"));
            }
            let text: LitStr = meta.value()?.parse()?;
            path = Some(text.parse()?);
            Ok(())
        })?;
    }
    Ok(path)
}
