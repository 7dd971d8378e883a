//! The only module that knows a YAML library: text in, a tree of located nodes out.
//!
//! Two libraries, for a reason. `serde_yaml` (libyaml) is the judge of what is YAML: its verdict and its words are
//! reported. It forgets the position of everything it accepts, and its event interface is not public (the layer
//! below it is C-style and unsafe), so that the positions come from the events of `saphyr-parser`, which is safe Rust.
//! The event side runs first because it is bounded by [`DEPTH_MAX`] and [`NODES_MAX`] while it reads; libyaml never
//! sees a text that goes beyond them.
//!
//! Scalars keep their source text: `004`, `1.10`, `yes` stay what they are. Merge keys (`<<`), anchors and aliases are
//! resolved here; the callers see plain maps whose nodes point to the place where a value was written.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};
use serde::de::IgnoredAny;

use crate::source::{FileId, Span};

/// Writes a value as YAML, for people; what has no form there is empty.
#[must_use]
pub fn to_yaml(value: &serde_json::Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

/// Reads a text of YAML whose places do not matter, such as a file of settings.
///
/// # Errors
/// It is no YAML, or holds what has no form in JSON.
pub fn from_yaml(text: &str) -> Result<serde_json::Value, serde_yaml::Error> {
    serde_yaml::from_str(text)
}

/// The largest text that is read: a file of 1 MiB is a mistake, or data.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The deepest nesting.
pub const DEPTH_MAX: usize = 64;
/// The most nodes after aliases are expanded; what stops an alias bomb.
pub const NODES_MAX: usize = 50_000;

/// Lines beyond this length get their positions from the start of the value only: finding more would be quadratic.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing after the colon, `~` or `null`.
    Null,
    /// The text as written; quotes and folding undone.
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Written on one line, so that an offset into the text is an offset into the line.
    pub(crate) quote: usize,
    pub(crate) one_line: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn scalar(text: impl Into<String>, span: Span) -> Self {
        Self {
            kind: Kind::Scalar(Scalar {
                text: text.into(),
                quote: 0,
                one_line: true,
            }),
            span,
        }
    }

    /// Returns what the node is, as a person would say it.
    pub(crate) fn shape(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Scalar(_) => "a single value",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Returns the span of `width` characters at character `offset` of a scalar's text, or the whole scalar's.
    pub(crate) fn part(&self, offset: usize, width: usize) -> Span {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.one_line => self.span.part(scalar.quote + offset, width),
            Kind::Null | Kind::Scalar(_) | Kind::List(_) | Kind::Map(_) => self.span,
        }
    }
}

/// Why a text gave no tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) what: What,
    pub(crate) span: Span,
    /// A second place, for a key that is set twice.
    pub(crate) first: Option<Span>,
    /// A further fact of the parser.
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Syntax(String),
    Tab,
    /// A `${` inside `{ }` or `[ ]` without quotes, which YAML reads as a map.
    BarePlaceholder,
    TooDeep,
    TooManyNodes,
    /// `section`: the key of the map it stands in, when that is a section of the document.
    DuplicateKey {
        key: String,
        section: Option<String>,
    },
    KeyIsNotText,
    MergeOfScalar,
    AliasInsideItself,
    SecondDocument,
}

/// Reads a text. The tree is `None` when it is empty or cannot be read; duplicate keys leave a tree (the first wins).
pub(crate) fn parse(file: FileId, text: &str) -> (Option<Node>, Vec<Problem>) {
    let mut builder = Builder::new(file, text);
    let outcome = builder.run(text);
    let stopped = builder
        .problems
        .iter()
        .any(|problem| matches!(problem.what, What::TooDeep | What::TooManyNodes));
    if stopped {
        return (None, builder.problems);
    }
    if flow_depth(text) > FLOW_DEPTH_MAX {
        // libyaml takes quadratic time for these; the event side gave up or accepted them already.
        return match outcome {
            Ok(()) => (builder.root.take(), builder.problems),
            Err(scan) => {
                let span = Span::at(file, scan.marker().line().max(1), scan.marker().col() + 1);
                (
                    None,
                    vec![Problem {
                        what: What::TooDeep,
                        span,
                        first: None,
                        note: None,
                    }],
                )
            }
        };
    }
    if let Some(problem) = verdict(file, text, outcome.err().as_ref()) {
        return (None, vec![problem]);
    }
    (builder.root.take(), builder.problems)
}

/// How many brackets may be open at once before `serde_yaml` is spared the text.
const FLOW_DEPTH_MAX: usize = 1000;

/// Returns the most brackets that are open at once; those in quotes and comments count, which only makes it careful.
fn flow_depth(text: &str) -> usize {
    let mut open = 0_usize;
    let mut most = 0;
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

/// Asks `serde_yaml` whether the text is YAML; falls back to the event parser's complaint.
fn verdict(file: FileId, text: &str, scan: Option<&ScanError>) -> Option<Problem> {
    let mut judged = None;
    for document in serde_yaml::Deserializer::from_str(text) {
        if let Err(error) = serde::Deserialize::deserialize(document).map(|_: IgnoredAny| ()) {
            judged = Some(error);
            break;
        }
    }
    let scanned = scan.map(|scan| (scan.marker().line(), scan.marker().col() + 1));
    let (message, place) = match (&judged, scan) {
        (Some(error), _) => (
            error.to_string(),
            error
                .location()
                .map(|place| (place.line(), place.column()))
                .or(scanned),
        ),
        (None, Some(scan)) => (scan.info().to_owned(), scanned),
        (None, None) => return None,
    };
    let (line, column) = place.unwrap_or((1, 1));
    // libyaml prints `what at line 4 column 1, while doing something at line 2 column 7`.
    let (what, context) = message.split_once(", ").unwrap_or((message.as_str(), ""));
    let what = what
        .split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned();
    let mut problem = explain(file, text, what, line.max(1), column.max(1));
    problem.note = Some(context.to_owned()).filter(|context| context.starts_with("while"));
    Some(problem)
}

/// Finds the everyday mistake behind a parser's complaint.
fn explain(file: FileId, text: &str, message: String, line: usize, column: usize) -> Problem {
    let near = |number: usize| text.lines().nth(number.wrapping_sub(1)).unwrap_or_default();
    // A tab is often noticed only when the next line begins.
    for number in [line, line.saturating_sub(1)] {
        let indent: String = near(number)
            .chars()
            .take_while(|c| c.is_whitespace())
            .collect();
        if let Some(at) = indent.chars().position(|c| c == '\t') {
            return Problem {
                what: What::Tab,
                span: Span::at(file, number, at + 1),
                first: None,
                note: None,
            };
        }
    }
    let content = near(line);
    if let Some(byte) = content.find("${") {
        let before: String = content
            .chars()
            .take(content.get(..byte).unwrap_or_default().chars().count())
            .collect();
        let open = before.matches(['{', '[']).count() > before.matches(['}', ']']).count();
        let quoted = before.matches('"').count() % 2 == 1 || before.matches('\'').count() % 2 == 1;
        if open && !quoted {
            let span = Span::at(file, line, before.chars().count() + 1).part(0, 2);
            return Problem {
                what: What::BarePlaceholder,
                span,
                first: None,
                note: None,
            };
        }
    }
    Problem {
        what: What::Syntax(message),
        span: Span::at(file, line, column),
        first: None,
        note: None,
    }
}

/// A list or map that is being read.
struct Open {
    node: Node,
    /// The key whose value comes next, in a map.
    key: Option<(String, Span)>,
    seen: HashMap<String, Span>,
    anchor: usize,
}

struct Builder<'t> {
    file: FileId,
    lines: Vec<&'t str>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl<'t> Builder<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        Self {
            file,
            lines: text.lines().collect(),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    fn problem(&mut self, what: What, span: Span) {
        self.problems.push(Problem {
            what,
            span,
            first: None,
            note: None,
        });
    }

    fn run(&mut self, text: &str) -> Result<(), ScanError> {
        let mut documents = 0usize;
        for event in Parser::new_from_str(text) {
            let (event, place) = event?;
            let span = Span {
                file: self.file,
                line: place.start.line(),
                column: place.start.col() + 1,
                end_line: place.end.line(),
                end_column: place.end.col() + 1,
            };
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        self.problem(What::SecondDocument, span);
                        return Ok(());
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let null = matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                    // `null:` is a word when it stands before a colon: `csv: { null: { values: [NA] } }`.
                    let word = !text.is_empty() && self.awaits_key();
                    let plain_null = style == ScalarStyle::Plain && tag.is_none() && null && !word;
                    let node = self.scalar(text.into_owned(), style, span, plain_null);
                    self.value(node, 1, anchor);
                }
                Event::SequenceStart(anchor, _) => self.enter(Kind::List(Vec::new()), span, anchor),
                Event::MappingStart(anchor, _) => self.enter(Kind::Map(Vec::new()), span, anchor),
                Event::SequenceEnd | Event::MappingEnd => self.leave(span),
                Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                    Some((node, size)) => self.value(node, size, 0),
                    None => {
                        self.problem(What::AliasInsideItself, span);
                        self.value(
                            Node {
                                kind: Kind::Null,
                                span,
                            },
                            1,
                            0,
                        );
                    }
                },
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            }
            if self.nodes > NODES_MAX {
                self.problem(What::TooManyNodes, span);
                return Ok(());
            }
            if self.open.len() > DEPTH_MAX {
                self.problem(What::TooDeep, span);
                return Ok(());
            }
        }
        Ok(())
    }

    fn awaits_key(&self) -> bool {
        let in_map = |open: &Open| matches!(open.node.kind, Kind::Map(_)) && open.key.is_none();
        self.open.last().is_some_and(in_map)
    }

    fn scalar(&self, text: String, style: ScalarStyle, span: Span, null: bool) -> Node {
        if null {
            return Node {
                kind: Kind::Null,
                span,
            };
        }
        let quote = usize::from(matches!(
            style,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted
        ));
        let line = self
            .lines
            .get(span.line.wrapping_sub(1))
            .copied()
            .unwrap_or_default();
        let written: String = if line.len() > LINE_BYTES_MAX {
            String::new()
        } else {
            line.chars()
                .skip(span.column - 1 + quote)
                .take(text.chars().count())
                .collect()
        };
        let one_line = written == text;
        let span = if style == ScalarStyle::Plain && one_line {
            // The event's end may lie behind trailing space or a comment.
            span.part(0, text.chars().count())
        } else {
            span
        };
        Node {
            kind: Kind::Scalar(Scalar {
                text,
                quote,
                one_line,
            }),
            span,
        }
    }

    fn enter(&mut self, kind: Kind, span: Span, anchor: usize) {
        self.open.push(Open {
            node: Node { kind, span },
            key: None,
            seen: HashMap::new(),
            anchor,
        });
    }

    fn leave(&mut self, end: Span) {
        let Some(Open {
            mut node, anchor, ..
        }) = self.open.pop()
        else {
            return;
        };
        node.span.end_line = end.end_line;
        node.span.end_column = end.end_column;
        if let Kind::Map(entries) = &mut node.kind {
            merge(entries, &mut self.problems);
        }
        let size = if anchor == 0 { 1 } else { count(&node) };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.attach(node);
        self.nodes += 1;
    }

    fn value(&mut self, node: Node, size: usize, anchor: usize) {
        self.nodes += size;
        if self.nodes > NODES_MAX {
            return;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.attach(node);
    }

    /// Puts a finished value, or key, where it belongs.
    fn attach(&mut self, node: Node) {
        let depth = self.open.len();
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        let entries = match &mut parent.node.kind {
            Kind::List(items) => return items.push(node),
            Kind::Map(entries) => entries,
            Kind::Null | Kind::Scalar(_) => return,
        };
        let Some((key, key_span)) = parent.key.take() else {
            let key = match node.kind {
                Kind::Scalar(scalar) => scalar.text,
                Kind::Null | Kind::List(_) | Kind::Map(_) => {
                    self.problems.push(Problem {
                        what: What::KeyIsNotText,
                        span: node.span,
                        first: None,
                        note: None,
                    });
                    String::new()
                }
            };
            parent.key = Some((key, node.span));
            return;
        };
        let first = parent.seen.get(&key).copied().filter(|_| key != MERGE);
        if first.is_none() || depth <= SECTION_DEPTH {
            parent.seen.entry(key.clone()).or_insert(key_span);
            entries.push(Entry {
                key: key.clone(),
                key_span,
                value: node,
            });
        }
        if first.is_some() {
            let section = self.open.first().filter(|_| depth == SECTION_DEPTH);
            let section = section
                .and_then(|root| root.key.as_ref())
                .map(|(name, _)| name.clone());
            self.problems.push(Problem {
                what: What::DuplicateKey { key, section },
                span: key_span,
                first,
                note: None,
            });
        }
    }
}

/// Sections and their entries: here a second one of a name is kept, so that mistakes in it are reported, too.
const SECTION_DEPTH: usize = 2;

const MERGE: &str = "<<";

/// Replaces `<<` entries by what they name; a key that is written here wins, then the first map of a list.
fn merge(entries: &mut Vec<Entry>, problems: &mut Vec<Problem>) {
    if !entries.iter().any(|entry| entry.key == MERGE) {
        return;
    }
    let (merges, own): (Vec<_>, Vec<_>) = std::mem::take(entries)
        .into_iter()
        .partition(|entry| entry.key == MERGE);
    *entries = own;
    let mut keys: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in merges {
        let maps = match entry.value.kind {
            Kind::List(items) => items,
            Kind::Map(_) | Kind::Null | Kind::Scalar(_) => vec![entry.value],
        };
        for map in maps {
            let Kind::Map(inherited) = map.kind else {
                problems.push(Problem {
                    what: What::MergeOfScalar,
                    span: entry.key_span,
                    first: None,
                    note: None,
                });
                continue;
            };
            for candidate in inherited {
                if keys.insert(candidate.key.clone()) {
                    entries.push(candidate);
                }
            }
        }
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Null | Kind::Scalar(_) => 1,
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => {
            1 + entries
                .iter()
                .map(|entry| 1 + count(&entry.value))
                .sum::<usize>()
        }
    }
}

/// Reads one value of a YAML or JSON text by its dotted path or its whole name.
///
/// # Errors
/// Says why the text cannot be read, without quoting it: such files hold secrets.
pub(crate) fn look_up(text: &str, key: &str) -> Result<Option<String>, String> {
    let (root, problems) = parse(FileId(usize::MAX), text);
    if let Some(problem) = problems.first() {
        return Err(format!("line {} is not valid", problem.span.line));
    }
    Ok(root
        .as_ref()
        .and_then(|root| descend(root, key))
        .and_then(Node::text)
        .map(str::to_owned))
}

fn descend<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Kind::Map(entries) = &node.kind else {
        return None;
    };
    if let Some(entry) = entries.iter().find(|entry| entry.key == key) {
        return Some(&entry.value);
    }
    entries.iter().find_map(|entry| {
        let rest = key.strip_prefix(entry.key.as_str())?.strip_prefix('.')?;
        descend(&entry.value, rest)
    })
}
