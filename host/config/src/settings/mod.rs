//! Maps of a document → flat, checked options. Connectors, topics, the host and parameters are all read by this.
//!
//! `errors: {tolerance: all}` and `errors.tolerance: all` are one option. Nesting ends at an option that is declared as
//! a map: below it the keys are data, and `map.key: value` is one entry of it. Lists and maps become canonical JSON text whose scalars are all strings, because a
//! scalar keeps its source text (`004`, `1.10`); `topics` is stored with commas, as Connect does.

mod gather;
mod value;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use linkspan_types::HIDDEN;
use serde_json::Value;

use crate::codes;
use crate::diagnostic::Severity;
use crate::option::{OptionDef, OptionType};
use crate::placeholder::Resolver;
use crate::report::{Draft, Report};
use crate::source::Span;
use crate::vocabulary::{Built, Vocabulary};
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
