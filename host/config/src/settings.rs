//! Maps of a document → flat, checked options. Connectors, topics, the host and parameters are all read by this.
//!
//! `errors: {tolerance: all}` and `errors.tolerance: all` are one option. Nesting ends at an option that is declared as
//! a map: below it the keys are data, and `map.key: value` is one entry of it. Lists and maps become canonical JSON text whose scalars are all strings, because a
//! scalar keeps its source text (`004`, `1.10`); `topics` is stored with commas, as Connect does.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use linkspan_types::{HIDDEN, topic_creation};
use serde_json::Value;

use crate::check;
use crate::codes;
use crate::connect_files::{KeyFate, KeyReport};
use crate::diagnostic::Severity;
use crate::option::{OptionDef, OptionType};
use crate::placeholder::{self, Resolver, Unresolved};
use crate::report::{Draft, Report};
use crate::source::Span;
use crate::vocabulary::{Built, Term, Vocabulary, listing};
use crate::yaml::{Entry, Kind, Node};

/// Lists that are stored with commas.
const COMMA_LISTS: [&str; 3] = ["topics", "transforms", "predicates"];

/// Lists whose items may be maps with a `name`: below it stand the options of `LIST.NAME`.
const STEP_LISTS: [&str; 2] = ["transforms", "predicates"];

/// The group of options that a class knows from elsewhere and that have no effect on it.
const GROUP_IGNORED: &str = "ignored";

/// Whether a list is stored with commas: those of Connect's own names, and the options of steps.
fn has_commas(name: &str) -> bool {
    COMMA_LISTS.contains(&name) || is_step_option(name)
}

fn is_step_option(name: &str) -> bool {
    STEP_LISTS.iter().any(|list| {
        name.strip_prefix(list)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

/// The name of a step that is written as a map.
fn step_name(item: &Node) -> Option<&str> {
    let Kind::Map(entries) = &item.kind else {
        return None;
    };
    entries
        .iter()
        .find(|entry| entry.key == "name")?
        .value
        .text()
}

/// One map to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'n> {
    pub(crate) entries: &'n [Entry],
    /// False for `defaults:`, which yield to everything else.
    pub(crate) explicit: bool,
}

/// One option that was set.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// The flat text; placeholders stand as they were written.
    pub(crate) text: String,
    /// The same with everything replaced that could be.
    pub(crate) resolved: Option<String>,
    pub(crate) def: OptionDef,
    pub(crate) span: Span,
    pub(crate) base: PathBuf,
    /// The text holds placeholders, or `$${`.
    pub(crate) late: bool,
}

/// Whose options are read.
pub(crate) struct Reader<'a> {
    pub(crate) report: &'a mut Report,
    pub(crate) vocabulary: &'a Vocabulary<'a>,
    pub(crate) resolver: &'a Resolver,
    /// A warning for `validate`, an error for a run.
    pub(crate) unset_env: Severity,
    /// `connector flights-in`; begins messages.
    pub(crate) owner: String,
    /// Where a missing option is reported.
    pub(crate) span: Span,
}

struct Flat<'n> {
    name: String,
    def: &'n OptionDef,
    built: Built,
    key_span: Span,
    node: Cow<'n, Node>,
    priority: (bool, usize),
}

/// What the bodies say.
#[derive(Default)]
struct Found<'n> {
    flats: Vec<Flat<'n>>,
    /// Options that need not be reported as missing.
    meant: BTreeSet<String>,
}

impl Flat<'_> {
    /// Whether this is one entry of a map, written as `map.key`.
    fn is_entry(&self) -> bool {
        matches!(self.node, Cow::Owned(_))
    }
}

impl<'a> Reader<'a> {
    /// Reads all bodies into one set of options and reports everything that is wrong.
    pub(crate) fn read(&mut self, bodies: &[Body<'a>]) -> BTreeMap<String, Setting> {
        let mut found = Found::default();
        for body in bodies {
            self.flatten("", *body, &mut found);
        }
        let Found { flats, mut meant } = found;
        let chosen = self.choose(flats);
        let mut settings = BTreeMap::new();
        for (name, flat) in chosen {
            meant.insert(name.clone());
            if let Some(setting) = self.setting(&flat) {
                settings.insert(name, setting);
            }
        }
        self.missing(&meant);
        settings
    }

    fn flatten(&mut self, prefix: &str, body: Body<'a>, found: &mut Found<'a>) {
        for entry in body.entries {
            if entry.key.starts_with("x-") {
                continue;
            }
            let name = if prefix.is_empty() {
                entry.key.clone()
            } else {
                format!("{prefix}.{}", entry.key)
            };
            let nested = match &entry.value.kind {
                Kind::Map(entries) => Some(entries.as_slice()),
                Kind::Null | Kind::Scalar(_) | Kind::List(_) => None,
            };
            if STEP_LISTS.contains(&name.as_str())
                && let Kind::List(items) = &entry.value.kind
            {
                self.steps(&name, items, body, found);
            }
            match (self.vocabulary.find(&name), nested) {
                // A predicate, or a group of topics, written as a map below its name.
                (Some((term, _)), Some(entries))
                    if term.def.kind != OptionType::Map
                        && ((is_step_option(&name) && name.matches('.').count() == 1)
                            || (name.starts_with(topic_creation::PREFIX)
                                && name.matches('.').count() == 2)) =>
                {
                    self.flatten(&name, Body { entries, ..body }, found);
                }
                (Some((term, _)), Some(entries))
                    if term.def.kind != OptionType::Map
                        && term.built != Built::No
                        && self.vocabulary.has_below(&name) =>
                {
                    self.flatten(&name, Body { entries, ..body }, found);
                }
                (Some((term, canonical)), _) => {
                    let node = Cow::Borrowed(&entry.value);
                    self.known(term, canonical, entry, node, body, found);
                }
                (None, Some(entries)) if self.vocabulary.has_below(&name) => {
                    self.flatten(&name, Body { entries, ..body }, found);
                }
                (None, _) => match self.vocabulary.below_map(&name) {
                    Some((term, key)) => {
                        let inner = Entry {
                            key: key.to_owned(),
                            ..entry.clone()
                        };
                        let node = Node {
                            kind: Kind::Map(vec![inner]),
                            span: entry.value.span,
                        };
                        let canonical = term.def.name.clone();
                        self.known(term, canonical, entry, Cow::Owned(node), body, found);
                    }
                    None => self.unknown(&name, prefix, entry, &mut found.meant),
                },
            }
        }
    }

    /// The options of steps that are written as maps.
    fn steps(&mut self, list: &str, items: &'a [Node], body: Body<'a>, found: &mut Found<'a>) {
        for item in items {
            let Kind::Map(entries) = &item.kind else {
                continue;
            };
            let Some(name) = step_name(item).filter(|name| !name.is_empty()) else {
                let message = format!("{}: an item of `{list}` has no `name`", self.owner);
                self.report
                    .push(Draft::error(&codes::MISSING_OPTION, item.span, message));
                continue;
            };
            for entry in entries.iter().filter(|entry| entry.key != "name") {
                let entries = std::slice::from_ref(entry);
                self.flatten(&format!("{list}.{name}"), Body { entries, ..body }, found);
            }
        }
    }

    fn known(
        &mut self,
        term: Term<'a>,
        name: String,
        entry: &Entry,
        node: Cow<'a, Node>,
        body: Body<'a>,
        found: &mut Found<'a>,
    ) {
        if term.def.is_secret() {
            self.report.conceal(entry.value.span);
        }
        if let Some(why) = term.misplaced {
            if body.explicit {
                found
                    .meant
                    .extend((name == "topics").then(|| "topic".to_owned()));
                self.report.push(Draft::error(
                    &codes::WRONG_KIND,
                    entry.key_span,
                    format!("{}: `{name}` {why}", self.owner),
                ));
            }
            return;
        }
        self.account(&name, &term, entry);
        let layer = self.report.sources.layer(entry.value.span.file);
        found.flats.push(Flat {
            name,
            def: term.def,
            built: term.built,
            key_span: entry.key_span,
            node,
            priority: (body.explicit, layer),
        });
    }

    /// Notes what becomes of a key of one of Connect's files.
    fn account(&mut self, name: &str, term: &Term<'a>, entry: &Entry) {
        let location = self.report.sources.location(entry.key_span);
        let told = self.report.keys.iter().any(|key| key.location == location);
        if told || !self.report.sources.is_lenient(entry.key_span.file) {
            return;
        }
        let (fate, why) = match term.built {
            Built::No => (
                KeyFate::Unsupported,
                "known but not built yet in this version",
            ),
            Built::Yes | Built::Only(_) if term.def.group.as_deref() == Some(GROUP_IGNORED) => {
                (KeyFate::Ignored, term.def.docs.as_str())
            }
            Built::Yes | Built::Only(_) if name == entry.key => (KeyFate::Used, ""),
            Built::Yes | Built::Only(_) => (KeyFate::Mapped(name.to_owned()), ""),
        };
        self.report.keys.push(KeyReport {
            location,
            key: entry.key.clone(),
            fate,
            why: why.to_owned(),
        });
    }

    fn unknown(&mut self, name: &str, prefix: &str, entry: &Entry, meant: &mut BTreeSet<String>) {
        let suggestion = self.vocabulary.suggest(name);
        let looks_secret = |text: &str| {
            ["password", "secret", "token", "passw", "credential"]
                .iter()
                .any(|word| text.to_lowercase().contains(word))
        };
        let suggests_secret = suggestion
            .and_then(|known| self.vocabulary.find(known))
            .is_some_and(|(term, _)| term.def.is_secret());
        if suggests_secret || looks_secret(name) {
            self.report.conceal(entry.value.span);
        }
        let lenient = self.report.sources.is_lenient(entry.key_span.file);
        let mut draft = Draft::error(
            &codes::UNKNOWN_KEY,
            entry.key_span,
            format!("unknown key `{}`", name.escape_debug()),
        );
        if lenient {
            draft = draft.severity(Severity::Warning);
            self.report.keys.push(KeyReport {
                location: self.report.sources.location(entry.key_span),
                key: name.to_owned(),
                fate: KeyFate::Ignored,
                why: match suggestion {
                    Some(known) => format!("no option of {}; did you mean `{known}`?", self.owner),
                    None => format!("no option of {}", self.owner),
                },
            });
        }
        if let Some(known) = suggestion {
            meant.insert(known.to_owned());
            // Below `errors:` only the last word needs to be written.
            let short = known
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('.'))
                .filter(|_| !prefix.is_empty());
            draft = draft.label(format!("did you mean `{}`?", short.unwrap_or(known)));
        }
        self.report.push(draft.note(format!(
            "known here: {}",
            listing(self.vocabulary.names(prefix))
        )));
    }

    /// Keeps one entry per option: what is explicit before defaults, later layers before earlier ones.
    fn choose(&mut self, found: Vec<Flat<'a>>) -> BTreeMap<String, Flat<'a>> {
        let mut chosen: BTreeMap<String, Flat<'a>> = BTreeMap::new();
        for flat in found {
            let Some(earlier) = chosen.get_mut(&flat.name) else {
                chosen.insert(flat.name.clone(), flat);
                continue;
            };
            if earlier.is_entry() || flat.is_entry() {
                self.join(earlier, flat);
            } else if earlier.priority == flat.priority {
                let draft = Draft::error(
                    &codes::SET_TWICE,
                    flat.key_span,
                    format!("{}: `{}` is set twice", self.owner, flat.name),
                )
                .related(earlier.key_span, "first set at");
                self.report.push(draft);
            } else if earlier.priority < flat.priority {
                chosen.insert(flat.name.clone(), flat);
            }
        }
        chosen
    }

    /// Puts the entries of two settings of one map together, where at least one was written as `map.key`.
    fn join(&mut self, into: &mut Flat<'a>, flat: Flat<'a>) {
        let wins = flat.priority > into.priority;
        let (Kind::Map(entries), Kind::Map(more)) = (&mut into.node.to_mut().kind, &flat.node.kind)
        else {
            // Its own error says what a map is.
            return;
        };
        for entry in more {
            let Some(earlier) = entries.iter_mut().find(|known| known.key == entry.key) else {
                entries.push(entry.clone());
                continue;
            };
            if flat.priority == into.priority {
                let message = format!("{}: `{}.{}` is set twice", self.owner, flat.name, entry.key);
                let draft = Draft::error(&codes::SET_TWICE, entry.key_span, message);
                self.report
                    .push(draft.related(earlier.key_span, "first set at"));
            } else if wins {
                *earlier = entry.clone();
            }
        }
        into.priority = into.priority.max(flat.priority);
    }

    fn setting(&mut self, flat: &Flat<'a>) -> Option<Setting> {
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
    fn shape_holds(&mut self, flat: &Flat<'a>) -> bool {
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

    fn checked(&mut self, flat: &Flat<'a>, text: &str, late: bool) -> Option<String> {
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

    fn not_built(&mut self, flat: &Flat<'_>, message: String) {
        self.report.push(
            Draft::error(&codes::NOT_BUILT, flat.key_span, message)
                .label("not built yet")
                .help("remove it, or use a later version"),
        );
    }

    /// Checks the syntax of all placeholders below the node, and that they have values.
    fn placeholders_hold(&mut self, node: &Node) -> bool {
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

    fn unresolved(&mut self, problem: &Unresolved, span: Span) -> Severity {
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
    fn items_hold(&mut self, name: &str, node: &Node) -> bool {
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

    fn missing(&mut self, meant: &BTreeSet<String>) {
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

/// Returns the flat text of a node; each scalar goes through `scalar` first.
fn encode(name: &str, node: &Node, scalar: &mut dyn FnMut(&str) -> String) -> String {
    match &node.kind {
        Kind::Null => String::new(),
        Kind::Scalar(value) => scalar(&value.text),
        Kind::List(items) if has_commas(name) => items
            .iter()
            .filter_map(|item| item.text().or_else(|| step_name(item)))
            .map(scalar)
            .collect::<Vec<_>>()
            .join(","),
        Kind::List(_) | Kind::Map(_) => json(node, scalar).to_string(),
    }
}

fn json(node: &Node, scalar: &mut dyn FnMut(&str) -> String) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Scalar(value) => Value::String(scalar(&value.text)),
        Kind::List(items) => Value::Array(items.iter().map(|item| json(item, scalar)).collect()),
        Kind::Map(entries) => Value::Object(
            entries
                .iter()
                .map(|entry| (entry.key.clone(), json(&entry.value, scalar)))
                .collect(),
        ),
    }
}

/// What a secret is shown as stands in its place.
pub(crate) fn hidden_word(owner: &str, name: &str, span: Span) -> Draft {
    let message = format!(
        "{owner}: `{name}` is `{HIDDEN}`, which is shown in a secret's place and is no secret"
    );
    Draft::error(&codes::HIDDEN_WORD, span, message).label("write `${env:NAME}` instead")
}

/// Resolves what a value names against the folder of its file: a path, or the file in the address of a database.
pub(crate) fn place_of(kind: OptionType, text: &str, base: &Path) -> String {
    if kind != OptionType::Url {
        return absolute(text, base);
    }
    let lower = text.to_ascii_lowercase();
    let scheme = ["jdbc:sqlite:", "sqlite:"]
        .into_iter()
        .find(|scheme| lower.starts_with(scheme));
    let Some((scheme, rest)) = scheme.and_then(|scheme| text.split_at_checked(scheme.len())) else {
        return text.to_owned();
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (file, query) = match rest.split_once('?') {
        Some((file, query)) => (file, format!("?{query}")),
        None => (rest, String::new()),
    };
    if file.starts_with(':') {
        return text.to_owned();
    }
    format!("{scheme}{}{query}", absolute(file, base))
}

/// Resolves a relative path against the folder of the file that names it. One that begins with a placeholder waits.
pub(crate) fn absolute(text: &str, base: &Path) -> String {
    if text.is_empty() || text.starts_with("${") || Path::new(text).is_absolute() {
        return text.to_owned();
    }
    let mut base = base;
    let mut relative = text;
    loop {
        // The base is canonical, so that leading dots may be worked off by hand; `..` further inside stays.
        (base, relative) = match relative.split_once('/').unwrap_or((relative, "")) {
            ("." | "", rest) if !rest.is_empty() => (base, rest),
            ("..", rest) => (base.parent().unwrap_or(base), rest),
            (".", _) => (base, ""),
            _ => break,
        };
        if relative.is_empty() {
            return base.to_string_lossy().into_owned();
        }
    }
    base.join(relative).to_string_lossy().into_owned()
}
