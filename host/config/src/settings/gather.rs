//! Which entries of which bodies make up which option.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use linkspan_types::topic_creation;

use super::{Body, Flat, Found, GROUP_IGNORED, Reader, STEP_LISTS, is_step_option, step_name};
use crate::codes;
use crate::connect_files::{KeyFate, KeyReport};
use crate::diagnostic::Severity;
use crate::option::OptionType;
use crate::report::Draft;
use crate::vocabulary::{Built, Term, listing};
use crate::yaml::{Entry, Kind, Node};

impl<'a> Reader<'a> {
    pub(super) fn flatten(&mut self, prefix: &str, body: Body<'a>, found: &mut Found<'a>) {
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
    pub(super) fn steps(
        &mut self,
        list: &str,
        items: &'a [Node],
        body: Body<'a>,
        found: &mut Found<'a>,
    ) {
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

    pub(super) fn known(
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
    pub(super) fn account(&mut self, name: &str, term: &Term<'a>, entry: &Entry) {
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

    pub(super) fn unknown(
        &mut self,
        name: &str,
        prefix: &str,
        entry: &Entry,
        meant: &mut BTreeSet<String>,
    ) {
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
    pub(super) fn choose(&mut self, found: Vec<Flat<'a>>) -> BTreeMap<String, Flat<'a>> {
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
    pub(super) fn join(&mut self, into: &mut Flat<'a>, flat: Flat<'a>) {
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
}
