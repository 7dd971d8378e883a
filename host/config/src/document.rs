//! The sections of all files, put together: files side by side, overlays over them, `--set` on top.

use std::collections::BTreeMap;

use crate::codes;
use crate::report::{Draft, Report};
use crate::source::{FileId, Span};
use crate::vocabulary::{closest, listing};
use crate::yaml::{Entry, Kind, Node};

/// The top-level keys.
pub(crate) const SECTIONS: [&str; 8] = [
    "host",
    "params",
    "topics",
    "defaults",
    "connectors",
    "schedule",
    "on.failure",
    "on.success",
];
/// Those that hold for the connectors of their own file only.
const OF_FILE: [&str; 3] = ["schedule", "on.failure", "on.success"];

/// What a file says of its connectors as a whole.
#[derive(Debug, Default)]
pub(crate) struct FileSections {
    pub(crate) schedule: Option<Entry>,
    pub(crate) on_failure: Option<Entry>,
    pub(crate) on_success: Option<Entry>,
}

impl FileSections {
    fn section(&mut self, name: &str) -> Option<&mut Option<Entry>> {
        match name {
            "schedule" => Some(&mut self.schedule),
            "on.failure" => Some(&mut self.on_failure),
            "on.success" => Some(&mut self.on_success),
            _ => None,
        }
    }

    /// Where the first of them stands.
    pub(crate) fn span(&self) -> Span {
        [&self.schedule, &self.on_failure, &self.on_success]
            .into_iter()
            .flatten()
            .map(|entry| entry.key_span)
            .min()
            .unwrap_or(Span::at(FileId(0), 1, 1))
    }

    fn lay_over(&mut self, name: &str, over: Entry) {
        let Some(section) = self.section(name) else {
            return;
        };
        match section {
            Some(under) => {
                let mut list = vec![under.clone()];
                lay_over(&mut list, over);
                *section = list.pop();
            }
            None => *section = Some(over),
        }
    }
}

/// The entries of each section.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) host: Vec<Entry>,
    pub(crate) params: Vec<Entry>,
    pub(crate) topics: Vec<Entry>,
    pub(crate) defaults: Vec<Entry>,
    pub(crate) connectors: Vec<Entry>,
    /// What single files say of their connectors as a whole.
    pub(crate) files: BTreeMap<FileId, FileSections>,
}

impl Document {
    pub(crate) fn section(&mut self, name: &str) -> Option<&mut Vec<Entry>> {
        match name {
            "host" => Some(&mut self.host),
            "params" => Some(&mut self.params),
            "topics" => Some(&mut self.topics),
            "defaults" => Some(&mut self.defaults),
            "connectors" => Some(&mut self.connectors),
            _ => None,
        }
    }

    /// Adds a file's tree; keys that the file itself repeats were reported by the parser. `host_only`: top-level keys that are no section are settings of the host (`linkspan.yaml`).
    pub(crate) fn add(&mut self, report: &mut Report, root: Node, host_only: bool) {
        for (name, entry) in sections(report, root, host_only) {
            if OF_FILE.contains(&name.as_str()) {
                let file = self.files.entry(entry.key_span.file).or_default();
                if let Some(section) = file.section(&name) {
                    *section = Some(entry);
                }
                continue;
            }
            let Some(section) = self.section(&name) else {
                continue;
            };
            let earlier = section
                .iter()
                .find(|known| known.key == entry.key && !entry.key.starts_with("x-"));
            if let Some(earlier) =
                earlier.filter(|earlier| earlier.key_span.file != entry.key_span.file)
            {
                let (code, what) = match name.as_str() {
                    "connectors" => (
                        &codes::DUPLICATE_CONNECTOR,
                        format!("two connectors are named `{}`", entry.key),
                    ),
                    _ => (
                        &codes::DUPLICATE_KEY,
                        format!("`{}` of `{name}` is set in two files", entry.key),
                    ),
                };
                report.push(
                    Draft::error(code, entry.key_span, what).related(earlier.key_span, "first at"),
                );
            }
            // The second is kept, so that mistakes in it are reported, too: there will be no plan.
            section.push(entry);
        }
    }

    /// Lays a tree over what is there: maps are merged by key, all else is replaced.
    pub(crate) fn overlay(&mut self, report: &mut Report, root: Node) {
        for (name, entry) in sections(report, root, false) {
            if OF_FILE.contains(&name.as_str()) {
                self.lay_over_files(&name, &entry);
            } else if let Some(section) = self.section(&name) {
                lay_over(section, entry);
            }
        }
    }

    /// Lays a section over that of every file that has one, else over that of the file with the first connector.
    fn lay_over_files(&mut self, name: &str, over: &Entry) {
        if self.files.is_empty() {
            let first = self.connectors.first().map(|entry| entry.key_span.file);
            self.files.entry(first.unwrap_or(FileId(0))).or_default();
        }
        for file in self.files.values_mut() {
            file.lay_over(name, over.clone());
        }
    }

    /// Applies one `--set path=value`, whose text is a source of its own.
    pub(crate) fn set(
        &mut self,
        report: &mut Report,
        file: FileId,
        text: &str,
        value: Option<Node>,
    ) {
        let whole = Span::at(file, 1, 1).part(0, text.chars().count());
        let Some((path, raw)) = text.split_once('=') else {
            report.push(Draft::error(
                &codes::BAD_SET,
                whole,
                format!("`--set {}` has no `=`", text.escape_debug()),
            ));
            return;
        };
        let value_span = Span::at(file, 1, path.chars().count() + 2).part(0, raw.chars().count());
        let value = value.unwrap_or_else(|| Node::scalar(raw, value_span));
        let key_span = whole.part(0, path.chars().count());
        let of_file = OF_FILE.iter().find_map(|section| {
            let option = path.strip_prefix(section)?.strip_prefix('.')?;
            Some((*section, option))
        });
        if let Some((section, option)) = of_file.filter(|(_, option)| !option.is_empty()) {
            let inner = Entry {
                key: option.to_owned(),
                key_span,
                value,
            };
            let over = Entry {
                key: section.to_owned(),
                key_span,
                value: Node {
                    kind: Kind::Map(vec![inner]),
                    span: whole,
                },
            };
            self.lay_over_files(section, &over);
            return;
        }
        let (section_name, rest) = path.split_once('.').unwrap_or((path, ""));
        let Some(section) = self.section(section_name).filter(|_| !rest.is_empty()) else {
            let draft = Draft::error(
                &codes::BAD_SET,
                key_span,
                format!("`--set` knows no `{}`", path.escape_debug()),
            );
            report.push(draft.help(format!("begin with one of {} and a dot", listing(SECTIONS))));
            return;
        };
        if section_name == "host" {
            lay_over(
                section,
                Entry {
                    key: rest.to_owned(),
                    key_span,
                    value,
                },
            );
            return;
        }
        let Some((name, option)) = address(section_name, section, rest) else {
            report.push(no_such_entry(section_name, section, path, key_span));
            return;
        };
        let inner = Node {
            kind: Kind::Map(vec![Entry {
                key: option,
                key_span,
                value,
            }]),
            span: whole,
        };
        lay_over(
            section,
            Entry {
                key: name,
                key_span,
                value: inner,
            },
        );
    }
}

/// Splits `orders.tasks.max` into the name of an entry and its option. Names may hold dots: the longest that exists is
/// meant; topics and defaults may be new.
fn address(section_name: &str, section: &[Entry], path: &str) -> Option<(String, String)> {
    let known = section
        .iter()
        .map(|entry| entry.key.as_str())
        .filter(|name| {
            path.strip_prefix(name)
                .is_some_and(|after| after.starts_with('.'))
        })
        .max_by_key(|name| name.len());
    let new = || {
        matches!(section_name, "topics" | "defaults")
            .then(|| path.split('.').next())
            .flatten()
    };
    let name = known.or_else(new)?;
    let option = path.strip_prefix(name)?.strip_prefix('.')?;
    (!name.is_empty() && !option.is_empty()).then(|| (name.to_owned(), option.to_owned()))
}

fn no_such_entry(section_name: &str, section: &[Entry], path: &str, span: Span) -> Draft {
    let names = || section.iter().map(|entry| entry.key.as_str());
    let message = format!(
        "`--set`: `{}` names no option of an entry of `{section_name}`",
        path.escape_debug()
    );
    let draft = Draft::error(&codes::BAD_SET, span, message)
        .note(format!("known are: {}", listing(names())));
    match path
        .split('.')
        .nth(1)
        .and_then(|tried| closest(tried, names()))
    {
        Some(known) => draft.label(format!("did you mean `{known}`?")),
        None => draft,
    }
}

/// Takes a tree apart into (section, entry); reports unknown keys and wrong shapes.
fn sections(report: &mut Report, root: Node, host_only: bool) -> Vec<(String, Entry)> {
    let mut found = Vec::new();
    let Kind::Map(entries) = root.kind else {
        if !matches!(root.kind, Kind::Null) {
            report.push(
                Draft::error(
                    &codes::WRONG_SHAPE,
                    root.span,
                    format!("a configuration is a map, found {}", root.shape()),
                )
                .help(format!("begin with one of {}", listing(SECTIONS))),
            );
        }
        return found;
    };
    for entry in entries {
        // `on: {failure: …}` is `on.failure: …`.
        if entry.key == "on"
            && let Kind::Map(inner) = entry.value.kind
        {
            for mut inner in inner {
                inner.key = format!("on.{}", inner.key);
                if OF_FILE.contains(&inner.key.as_str()) {
                    found.push((inner.key.clone(), inner));
                } else {
                    report.push(unknown(&inner));
                }
            }
            continue;
        }
        if OF_FILE.contains(&entry.key.as_str()) {
            if !matches!(entry.value.kind, Kind::Null) {
                found.push((entry.key.clone(), entry));
            }
            continue;
        }
        let known = SECTIONS.contains(&entry.key.as_str());
        if entry.key.starts_with("x-") {
            continue;
        }
        if !known && host_only {
            found.push(("host".to_owned(), entry));
            continue;
        }
        if !known {
            report.push(unknown(&entry));
            continue;
        }
        match entry.value.kind {
            Kind::Null => {}
            Kind::Map(inner) => {
                found.extend(inner.into_iter().map(|inner| (entry.key.clone(), inner)))
            }
            Kind::Scalar(_) | Kind::List(_) => {
                report.push(Draft::error(
                    &codes::WRONG_SHAPE,
                    entry.value.span,
                    format!("`{}` takes a map, found {}", entry.key, entry.value.shape()),
                ));
            }
        }
    }
    found
}

fn unknown(entry: &Entry) -> Draft {
    let message = format!("unknown key `{}`", entry.key.escape_debug());
    let mut draft = Draft::error(&codes::UNKNOWN_KEY, entry.key_span, message);
    if let Some(known) = closest(&entry.key, SECTIONS) {
        draft = draft.label(format!("did you mean `{known}`?"));
    }
    draft.note(format!("known here: {}", listing(SECTIONS)))
}

fn lay_over(section: &mut Vec<Entry>, over: Entry) {
    let Some(under) = section.iter_mut().find(|entry| entry.key == over.key) else {
        section.push(over);
        return;
    };
    match (&mut under.value.kind, over.value.kind) {
        (Kind::Map(under), Kind::Map(over)) => {
            over.into_iter().for_each(|entry| lay_over(under, entry))
        }
        (_, kind) => {
            under.key_span = over.key_span;
            under.value = Node {
                kind,
                span: over.value.span,
            };
        }
    }
}
