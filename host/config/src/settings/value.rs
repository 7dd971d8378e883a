//! Whether the value of an option is one.

use std::collections::BTreeSet;

use linkspan_types::{HIDDEN, topic_creation};

use super::{
    Flat, Reader, STEP_LISTS, Setting, encode, has_commas, hidden_word, is_step_option, place_of,
    step_name,
};
use crate::check;
use crate::codes;
use crate::diagnostic::Severity;
use crate::option::OptionType;
use crate::placeholder::{self, Unresolved};
use crate::report::Draft;
use crate::source::Span;
use crate::vocabulary::{Built, listing};
use crate::yaml::{Kind, Node};

impl<'a> Reader<'a> {
    pub(super) fn setting(&mut self, flat: &Flat<'a>) -> Option<Setting> {
        let Flat {
            name, def, node, ..
        } = flat;
        if !self.shape_holds(flat) {
            return None;
        }
        let placeholders = self.placeholders_hold(node);
        let items = self.items_hold(name, node);
        if !placeholders || !items {
            return None;
        }
        let base = self.report.sources.base(node.span.file);
        let path = matches!(def.kind, OptionType::Path | OptionType::Url);
        let absolute = |text: &str, base: &std::path::Path| place_of(def.kind, text, base);
        let mut late = false;
        let text = encode(name, node, &mut |text| {
            late |= placeholder::has_any(text);
            if path {
                absolute(text, &base)
            } else {
                text.to_owned()
            }
        });
        let mut open = false;
        let resolved = encode(
            name,
            node,
            &mut |text| match self.resolver.resolve(text, &base) {
                Ok(text) if path => absolute(&text, &base),
                Ok(text) => text,
                Err(_) => {
                    open = true;
                    String::new()
                }
            },
        );
        let resolved = if open {
            None
        } else {
            Some(self.checked(flat, &resolved, late)?)
        };
        let text = match &resolved {
            Some(value) if !late => value.clone(),
            Some(_) | None => text,
        };
        if def.is_secret() && text == HIDDEN {
            self.report.push(hidden_word(&self.owner, name, node.span));
            return None;
        }
        if def.is_secret() && !late && !text.is_empty() {
            let message = format!("{}: the secret `{name}` stands in the file", self.owner);
            let draft = Draft::warning(&codes::SECRET_LITERAL, flat.key_span, message);
            self.report.push(draft.label("write `${env:NAME}` instead"));
        }
        Some(Setting {
            text,
            resolved,
            def: (*def).clone(),
            span: node.span,
            base,
            late,
        })
    }

    /// Reports an option that is not built, has no value, or is a list or map where none belongs.
    pub(super) fn shape_holds(&mut self, flat: &Flat<'a>) -> bool {
        let Flat {
            name, def, node, ..
        } = flat;
        let accepts = def.kind.accepts();
        let fits = match node.kind {
            _ if flat.built == Built::No => {
                self.not_built(
                    flat,
                    format!(
                        "{}: `{name}` is known but not built yet in this version",
                        self.owner
                    ),
                );
                return false;
            }
            Kind::Null => {
                let message = format!("{}: `{name}` has no value", self.owner);
                let help =
                    format!("it takes {accepts}; write \"\" for an empty text, or remove the key");
                self.report
                    .push(Draft::error(&codes::NO_VALUE, flat.key_span, message).help(help));
                return false;
            }
            Kind::List(_) => {
                matches!(def.kind, OptionType::List | OptionType::Path)
                    || is_step_option(name)
                    || name.starts_with(topic_creation::PREFIX)
            }
            Kind::Map(_) => def.kind == OptionType::Map,
            Kind::Scalar(_) => true,
        };
        if !fits {
            let message = format!("`{name}` takes {accepts}, found {}", node.shape());
            self.report
                .push(Draft::error(&codes::WRONG_TYPE, node.span, message));
        }
        fits
    }

    pub(super) fn checked(&mut self, flat: &Flat<'a>, text: &str, late: bool) -> Option<String> {
        let outcome = check::check(flat.def, &flat.name, text, !late);
        match (outcome, flat.built) {
            (Ok(value), Built::Only(values)) if !values.contains(&value.as_str()) => {
                let shown = if late {
                    String::new()
                } else {
                    format!(": {value}")
                };
                self.not_built(
                    flat,
                    format!(
                        "{}: `{}{shown}` is known but not built yet: this version does only {}",
                        self.owner,
                        flat.name,
                        values.join(", ")
                    ),
                );
                None
            }
            (Ok(value), _) => Some(value),
            (Err(fault), _) => {
                let mut draft =
                    Draft::error(fault.code, flat.node.span, fault.message).label(fault.label);
                if late && let Some(written) = flat.node.text() {
                    draft = draft.note(format!("the value came from {}", written.escape_debug()));
                }
                if let Some(help) = fault.help {
                    draft = draft.help(help);
                }
                self.report.push(draft);
                None
            }
        }
    }

    pub(super) fn not_built(&mut self, flat: &Flat<'_>, message: String) {
        self.report.push(
            Draft::error(&codes::NOT_BUILT, flat.key_span, message)
                .label("not built yet")
                .help("remove it, or use a later version"),
        );
    }

    /// Checks the syntax of all placeholders below the node, and that they have values.
    pub(super) fn placeholders_hold(&mut self, node: &Node) -> bool {
        match &node.kind {
            Kind::Null => true,
            Kind::List(items) => {
                let bad = items
                    .iter()
                    .filter(|item| !self.placeholders_hold(item))
                    .count();
                bad == 0
            }
            Kind::Map(entries) => {
                let bad = entries
                    .iter()
                    .filter(|entry| !self.placeholders_hold(&entry.value))
                    .count();
                bad == 0
            }
            Kind::Scalar(scalar) => {
                let base = self.report.sources.base(node.span.file);
                let Err(failed) = self.resolver.resolve(&scalar.text, &base) else {
                    return true;
                };
                let mut good = true;
                for (problem, at, chars) in failed {
                    let severity = self.unresolved(&problem, node.part(at, chars));
                    good &= severity == Severity::Warning;
                }
                good
            }
        }
    }

    pub(super) fn unresolved(&mut self, problem: &Unresolved, span: Span) -> Severity {
        let (code, severity, label) = match problem {
            Unresolved::Syntax => (
                &codes::PLACEHOLDER_SYNTAX,
                Severity::Error,
                "write `$${` for the characters themselves".to_owned(),
            ),
            Unresolved::Provider(_) => (
                &codes::PLACEHOLDER_UNKNOWN,
                Severity::Error,
                format!("known are {}", self.resolver.known()),
            ),
            Unresolved::Env(name) => (
                &codes::ENV_UNSET,
                self.unset_env,
                format!("set {name}, or give a default: `${{env:{name}:-...}}`"),
            ),
            Unresolved::Param(_) => (
                &codes::UNKNOWN_PARAM,
                Severity::Error,
                if self.resolver.params.is_empty() {
                    "`params:` declares none".to_owned()
                } else {
                    format!(
                        "declared are: {}",
                        listing(self.resolver.params.keys().map(String::as_str))
                    )
                },
            ),
            Unresolved::Barred(..) => (&codes::PLACEHOLDER_BARRED, Severity::Error, String::new()),
            Unresolved::File(..) | Unresolved::Key(..) => {
                (&codes::PLACEHOLDER_FILE, Severity::Error, String::new())
            }
        };
        self.report.push(
            Draft::error(code, span, format!("{}: {problem}", self.owner))
                .label(label)
                .severity(severity),
        );
        severity
    }

    /// Lists hold values; a list that is stored with commas cannot hold a comma.
    pub(super) fn items_hold(&mut self, name: &str, node: &Node) -> bool {
        let Kind::List(items) = &node.kind else {
            return true;
        };
        let mut good = true;
        for item in items {
            if STEP_LISTS.contains(&name) && step_name(item).is_some() {
                continue;
            }
            let comma = has_commas(name) && item.text().is_some_and(|text| text.contains(','));
            let nested = has_commas(name) && item.text().is_none();
            let fault = match item.kind {
                Kind::Null => Some((&codes::NO_VALUE, "an item has no value")),
                Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) if nested => {
                    Some((&codes::WRONG_TYPE, "each item is a single value"))
                }
                Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) if comma => {
                    Some((&codes::WRONG_TYPE, "an item holds a comma"))
                }
                Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => None,
            };
            if let Some((code, what)) = fault {
                good = false;
                self.report
                    .push(Draft::error(code, item.span, format!("`{name}`: {what}")));
            }
        }
        good
    }

    pub(super) fn missing(&mut self, meant: &BTreeSet<String>) {
        let names: Vec<&str> = self
            .vocabulary
            .iter()
            .filter(|term| {
                term.def.required && term.misplaced.is_none() && !meant.contains(&term.def.name)
            })
            .filter(|term| !term.def.aliases.iter().any(|alias| meant.contains(alias)))
            .map(|term| term.def.name.as_str())
            .collect();
        for name in names {
            let docs = self
                .vocabulary
                .find(name)
                .and_then(|(term, _)| term.def.docs.lines().next().map(str::to_owned))
                .unwrap_or_default();
            let mut draft = Draft::error(
                &codes::MISSING_OPTION,
                self.span,
                format!("{} lacks the required option `{name}`", self.owner),
            )
            .label(format!("add `{name}:`"));
            if !docs.is_empty() {
                draft = draft.note(format!("{name}: {docs}"));
            }
            self.report.push(draft);
        }
    }
}
