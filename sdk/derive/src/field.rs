//! Attributes: documentation, and what stands in `#[option(…)]`.

use syn::{
    Attribute, Expr, ExprLit, ExprUnary, Lit, LitStr, Meta, Result, UnOp, meta::ParseNestedMeta,
};

/// What `#[option(…)]` says about a field or a variant.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) aliases: Vec<String>,
    pub(crate) values: Vec<String>,
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
    pub(crate) secret: bool,
    pub(crate) group: Option<String>,
    pub(crate) importance: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) nest: Option<String>,
}

impl Attributes {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        for attribute in attributes {
            if attribute.path().is_ident("option") {
                attribute.parse_nested_meta(|meta| read.one(&meta))?;
            }
        }
        Ok(read)
    }

    fn one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = meta
            .path
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        match key.as_str() {
            "name" => self.name = Some(text(meta)?),
            "default" => self.default = Some(text(meta)?),
            "alias" => self.aliases.push(text(meta)?),
            "min" => self.min = Some(text(meta)?),
            "max" => self.max = Some(text(meta)?),
            "group" => self.group = Some(text(meta)?),
            "kind" => self.kind = Some(text(meta)?),
            "nest" => self.nest = Some(text(meta)?),
            "secret" => self.secret = true,
            "importance" => {
                let word = text(meta)?;
                if !["high", "medium", "low"].contains(&word.as_str()) {
                    return Err(meta.error("importance is `high`, `medium` or `low`"));
                }
                self.importance = Some(word);
            }
            "values" => {
                let list;
                syn::parenthesized!(list in meta.input);
                let words =
                    list.parse_terminated(|input| input.parse::<LitStr>(), syn::Token![,])?;
                self.values = words.iter().map(LitStr::value).collect();
            }
            _ => {
                return Err(meta.error(
                    "unknown; use name, default, alias, values, min, max, secret, group, importance, kind or nest",
                ));
            }
        }
        Ok(())
    }
}

/// Reads `key = literal`: a text as it is, a number or boolean as it would be written in a configuration.
fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let expr: Expr = meta.value()?.parse()?;
    literal(&expr).ok_or_else(|| syn::Error::new_spanned(expr, "a literal is wanted here"))
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Lit(ExprLit { lit, .. }) => Some(match lit {
            Lit::Str(text) => text.value(),
            Lit::Int(number) => number.base10_digits().to_owned(),
            Lit::Float(number) => number.base10_digits().to_owned(),
            Lit::Bool(flag) => flag.value.to_string(),
            Lit::Char(char) => char.value().to_string(),
            _ => return None,
        }),
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => Some(format!("-{}", literal(expr)?)),
        _ => None,
    }
}

/// Returns the documentation, its lines joined; an empty line stays a break.
pub(crate) fn docs(attributes: &[Attribute]) -> String {
    let mut docs = String::new();
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        if !meta.path.is_ident("doc") {
            continue;
        }
        let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = &meta.value
        else {
            continue;
        };
        let line = line.value();
        let line = line.trim();
        if line.is_empty() {
            docs.push('\n');
            continue;
        }
        if !docs.is_empty() && !docs.ends_with('\n') {
            docs.push(' ');
        }
        docs.push_str(line);
    }
    docs.trim().to_owned()
}
