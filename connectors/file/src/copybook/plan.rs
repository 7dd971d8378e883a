//! From a copybook's items to what decoding needs: lengths, names, the schema of a row, and which alternatives are shown when.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_sdk::Schema;
use linkspan_sdk::prelude::*;

use super::number::Zoned;
use super::parse::{Item, SignClause, Usage};
use super::picture::Picture;
use crate::encoding::TextEncoding;
use crate::fixed::number::Sign;

/// What is set about a copybook file.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) encoding: TextEncoding,
    /// `CUST-NAME` is `cust_name`.
    pub(crate) snake: bool,
    /// Groups and tables become columns of one row.
    pub(crate) flat: bool,
    /// All alternatives of REDEFINES are shown, not only the first.
    pub(crate) all_redefines: bool,
    /// COMP of one or two digits takes a byte, as GnuCOBOL's default has it.
    pub(crate) small_binary: bool,
    /// COMP-5 is little-endian.
    pub(crate) native_little: bool,
    /// Field → its value → the group that it shows.
    pub(crate) segments: BTreeMap<String, BTreeMap<String, String>>,
    /// How a DISPLAY number's sign is written in ASCII.
    pub(crate) ascii_sign: Sign,
}

/// A record's description, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) settings: Settings,
    pub(crate) nodes: Vec<Node>,
    pub(crate) schema: Schema,
    /// The longest record.
    pub(crate) len: usize,
    /// A table's length depends on a field.
    pub(crate) varies: bool,
    /// How many fields are watched while decoding: counters and segment fields.
    pub(crate) watched: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// As the row names it.
    pub(crate) name: String,
    pub(crate) cobol: String,
    /// Nested: its place in the row of its group. Flat: its first column, counted from its group's first. `None`: not in the row.
    pub(crate) slot: Option<usize>,
    /// Columns of one occurrence, when flat.
    pub(crate) stride: usize,
    pub(crate) occurs: Option<Table>,
    /// The sibling whose bytes it shares.
    pub(crate) redefines: Option<usize>,
    /// It is shown only while a watched field has one of these values.
    pub(crate) segment: Option<(usize, Vec<String>)>,
    /// Its number among the watched fields.
    pub(crate) watch: Option<usize>,
    /// Bytes of one occurrence, at most.
    pub(crate) len: usize,
    pub(crate) kind: Kind,
    /// The schema of one occurrence, when nested.
    pub(crate) schema: Option<std::sync::Arc<Schema>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) counter: Option<usize>,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Group(Vec<Node>),
    Text { right: bool },
    Double,
    National,
    Number(Number),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    pub(crate) storage: Storage,
    pub(crate) digits: u8,
    pub(crate) scale: u8,
    pub(crate) signed: bool,
    pub(crate) column: Column,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Storage {
    Zoned(Zoned),
    Packed,
    Binary { little: bool },
}

/// The type of a number in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Int32,
    Int64,
    Decimal,
}

impl Node {
    /// Bytes of all occurrences, at most.
    pub(crate) fn len_max(&self) -> usize {
        self.len
            .saturating_mul(self.occurs.as_ref().map_or(1, |table| table.max))
    }
}

/// A record with more columns is a mistake.
const COLUMNS_MAX: usize = 10_000;
const RECORD_BYTES_MAX: usize = 16 << 20;

impl Plan {
    /// Plans the record `name`, or the only one.
    pub(crate) fn new(
        items: &[Item],
        name: Option<&str>,
        settings: Settings,
    ) -> Result<Self, Vec<String>> {
        let record = choose(items, name).map_err(|why| vec![why])?;
        let mut planner = Planner {
            settings: &settings,
            problems: Vec::new(),
            watched: Vec::new(),
            varies: false,
        };
        planner.watch_segments(record);
        let inherited = Inherited {
            usage: record.usage,
            sign: record.sign,
        };
        let mut nodes = if record.children.is_empty() {
            planner.group(std::slice::from_ref(record), Inherited::default())
        } else {
            planner.group(&record.children, inherited)
        };
        let len: usize = group_len(&nodes);
        if len == 0 || len > RECORD_BYTES_MAX {
            planner.problems.push(format!(
                "a record of {len} bytes is not supported; there may be 1 to {RECORD_BYTES_MAX}"
            ));
        }
        let record_name = settings.name(record.name.as_deref().unwrap_or("RECORD"));
        let schema = if settings.flat {
            planner.flat_schema(&mut nodes, &record_name)
        } else {
            planner.nested_schema(&mut nodes, Some(&record_name))
        };
        if schema.fields().is_empty() || schema.fields().len() > COLUMNS_MAX {
            planner.problems.push(format!(
                "the record has {} columns; there may be 1 to {COLUMNS_MAX}",
                schema.fields().len()
            ));
        }
        let (problems, watched, varies) = (planner.problems, planner.watched.len(), planner.varies);
        if problems.is_empty() {
            Ok(Self {
                settings,
                nodes,
                schema,
                len,
                varies,
                watched,
            })
        } else {
            Err(problems)
        }
    }
}

impl Settings {
    fn name(&self, cobol: &str) -> String {
        if self.snake {
            cobol.to_ascii_lowercase().replace('-', "_")
        } else {
            cobol.to_owned()
        }
    }

    fn ebcdic(&self) -> bool {
        matches!(self.encoding, TextEncoding::Ebcdic(_))
    }
}

fn choose<'a>(items: &'a [Item], name: Option<&str>) -> Result<&'a Item, String> {
    let names = || {
        items
            .iter()
            .filter_map(|item| item.name.as_deref())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (name, items) {
        (Some(name), _) => items
            .iter()
            .find(|item| {
                item.name
                    .as_deref()
                    .is_some_and(|found| found.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| format!("the copybook has no record `{name}`; it has {}", names())),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!(
            "the copybook has several records ({}): name one with `copybook.record`",
            names()
        )),
    }
}

/// Bytes of a group, at most: what redefines takes the place of what it redefines.
fn group_len(nodes: &[Node]) -> usize {
    let (mut at, mut starts) = (0_usize, Vec::new());
    for node in nodes {
        let start = node
            .redefines
            .and_then(|sibling| starts.get(sibling).copied())
            .unwrap_or(at);
        starts.push(start);
        at = at.max(start.saturating_add(node.len_max()));
    }
    at
}

/// What a group hands down to its items.
#[derive(Debug, Clone, Copy, Default)]
struct Inherited {
    usage: Option<Usage>,
    sign: Option<SignClause>,
}

struct Planner<'s> {
    settings: &'s Settings,
    problems: Vec<String>,
    watched: Vec<String>,
    varies: bool,
}

impl Planner<'_> {
    /// Checks that the names of `copybook.segments` are there, and watches their fields.
    fn watch_segments(&mut self, record: &Item) {
        let mut names = BTreeSet::new();
        collect(record, &mut names);
        for (field, values) in &self.settings.segments {
            for name in std::iter::once(field).chain(values.values()) {
                if !names.contains(name.as_str()) {
                    self.problems.push(format!(
                        "`copybook.segments` names `{name}`, which the record does not have"
                    ));
                }
            }
            self.watched.push(field.clone());
        }
        watch_counters(record, &mut self.watched);
    }

    fn group(&mut self, items: &[Item], inherited: Inherited) -> Vec<Node> {
        let mut nodes: Vec<Node> = Vec::new();
        for item in items {
            let redefines = item
                .redefines
                .as_ref()
                .and_then(|name| nodes.iter().position(|node| node.cobol == *name));
            // What redefines something that redefines shares the first one's bytes.
            let first = redefines
                .and_then(|at| nodes.get(at))
                .and_then(|node| node.redefines)
                .or(redefines);
            let node = self.node(item, first, inherited);
            nodes.push(node);
        }
        nodes
    }

    fn node(&mut self, item: &Item, redefines: Option<usize>, inherited: Inherited) -> Node {
        let inherited = Inherited {
            usage: item.usage.or(inherited.usage),
            sign: item.sign.or(inherited.sign),
        };
        let cobol = item.name.clone().unwrap_or_else(|| "FILLER".to_owned());
        let segment = self.segment_of(&cobol);
        let (kind, len) = match item.picture {
            None => {
                let children = self.group(&item.children, inherited);
                let len = group_len(&children);
                (Kind::Group(children), len)
            }
            Some(picture) => self.leaf(item, picture, inherited),
        };
        let occurs = item.occurs.as_ref().map(|occurs| {
            self.varies |= occurs.depending.is_some();
            Table {
                min: occurs.min,
                max: occurs.max,
                counter: occurs
                    .depending
                    .as_ref()
                    .and_then(|name| self.watched.iter().position(|watched| watched == name)),
            }
        });
        // A group without a name still has its items.
        let hidden = (item.name.is_none() && item.picture.is_some())
            || (redefines.is_some() && segment.is_none() && !self.settings.all_redefines);
        Node {
            name: self.settings.name(&cobol),
            slot: (!hidden).then_some(0),
            stride: 0,
            occurs,
            redefines,
            segment,
            watch: self.watched.iter().position(|watched| *watched == cobol),
            len,
            kind,
            schema: None,
            cobol,
        }
    }

    fn segment_of(&self, cobol: &str) -> Option<(usize, Vec<String>)> {
        self.settings.segments.iter().find_map(|(field, values)| {
            let values: Vec<String> = values
                .iter()
                .filter(|(_, group)| *group == cobol)
                .map(|(value, _)| value.clone())
                .collect();
            let watch = self.watched.iter().position(|watched| watched == field)?;
            (!values.is_empty()).then_some((watch, values))
        })
    }

    fn leaf(&mut self, item: &Item, picture: Picture, inherited: Inherited) -> (Kind, usize) {
        let usage = inherited.usage.unwrap_or_default();
        match picture {
            Picture::Text { chars } => (Kind::Text { right: item.right }, chars),
            Picture::Double { chars } if usage == Usage::National => (Kind::National, chars * 2),
            Picture::Double { chars } => {
                if !matches!(self.settings.encoding, TextEncoding::Ebcdic(page) if page.has_double())
                    && self.settings.ebcdic()
                {
                    self.problems.push(format!(
                        "line {}: double-byte text needs the encoding cp933 or cp1364",
                        item.line
                    ));
                }
                (Kind::Double, chars * 2)
            }
            Picture::Number {
                digits,
                scale,
                signed,
            } => {
                let sign = inherited.sign.unwrap_or_default();
                let (storage, len) = match usage {
                    Usage::Packed => (Storage::Packed, usize::from(digits) / 2 + 1),
                    Usage::Binary | Usage::Native => {
                        if digits > 18 {
                            self.problems.push(format!(
                                "line {}: a binary number has 18 digits at most",
                                item.line
                            ));
                        }
                        let little = usage == Usage::Native && self.settings.native_little;
                        (Storage::Binary { little }, self.binary_len(digits))
                    }
                    Usage::Display | Usage::Double | Usage::National => {
                        let zoned = Zoned {
                            ebcdic: self.settings.ebcdic(),
                            leading: sign.leading,
                            separate: sign.separate && signed,
                            signed,
                        };
                        (
                            Storage::Zoned(zoned),
                            usize::from(digits) + usize::from(zoned.separate),
                        )
                    }
                };
                let column = column(digits, scale, signed, storage);
                (
                    Kind::Number(Number {
                        storage,
                        digits,
                        scale,
                        signed,
                        column,
                    }),
                    len,
                )
            }
        }
    }

    fn binary_len(&self, digits: u8) -> usize {
        match digits {
            1 | 2 if self.settings.small_binary => 1,
            0..=4 => 2,
            5..=9 => 4,
            _ => 8,
        }
    }

    /// Gives each node its place in its group's row.
    fn nested_schema(&mut self, nodes: &mut [Node], name: Option<&str>) -> Schema {
        let mut builder = SchemaBuilder::structure();
        let (mut next, mut names) = (0, BTreeSet::new());
        for node in nodes.iter_mut().filter(|node| node.slot.is_some()) {
            if !names.insert(node.name.clone()) {
                self.problems
                    .push(format!("`{}` is there twice in one group", node.cobol));
                continue;
            }
            let mut item = match &mut node.kind {
                Kind::Group(children) => self.nested_schema(children, None),
                kind => leaf_schema(kind).build(),
            };
            item.optional = true;
            let item = std::sync::Arc::new(item);
            node.slot = Some(next);
            node.schema = Some(std::sync::Arc::clone(&item));
            next += 1;
            builder = if node.occurs.is_some() {
                builder.field(&node.name, SchemaBuilder::array(item).optional().build())
            } else {
                builder.field(&node.name, item)
            };
        }
        match name {
            Some(name) => builder.name(name).build(),
            None => builder.build(),
        }
    }

    /// Gives each node its first column.
    fn flat_schema(&mut self, nodes: &mut [Node], name: &str) -> Schema {
        let mut twice = BTreeMap::new();
        count_leaves(nodes, &mut twice);
        let mut columns = Vec::new();
        flatten(nodes, "", "", &twice, &mut columns);
        let mut builder = SchemaBuilder::structure();
        let mut names = BTreeSet::new();
        for (column, schema) in columns {
            if !names.insert(column.clone()) {
                self.problems.push(format!(
                    "the column `{column}` is there twice; use `copybook.groups: nested`"
                ));
                continue;
            }
            builder = builder.field(&column, schema);
        }
        builder.name(name).build()
    }
}

fn collect<'a>(item: &'a Item, names: &mut BTreeSet<&'a str>) {
    names.extend(item.name.as_deref());
    item.children.iter().for_each(|child| collect(child, names));
}

fn watch_counters(item: &Item, watched: &mut Vec<String>) {
    if let Some(counter) = item
        .occurs
        .as_ref()
        .and_then(|occurs| occurs.depending.as_ref())
        && !watched.contains(counter)
    {
        watched.push(counter.clone());
    }
    item.children
        .iter()
        .for_each(|child| watch_counters(child, watched));
}

/// How often each name is a column of its own, so that names that are not unique get their group's in front.
fn count_leaves(nodes: &[Node], counts: &mut BTreeMap<String, usize>) {
    for node in nodes.iter().filter(|node| node.slot.is_some()) {
        match &node.kind {
            Kind::Group(children) => count_leaves(children, counts),
            _ => *counts.entry(node.name.clone()).or_default() += 1,
        }
    }
}

fn flatten(
    nodes: &mut [Node],
    group: &str,
    suffix: &str,
    counts: &BTreeMap<String, usize>,
    columns: &mut Vec<(String, Schema)>,
) {
    let base = columns.len();
    for node in nodes.iter_mut() {
        let Some(slot) = &mut node.slot else { continue };
        *slot = columns.len() - base;
        let repeats = node.occurs.as_ref().map_or(1, |table| table.max);
        for repeat in 1..=repeats {
            let before = columns.len();
            if before > COLUMNS_MAX {
                return;
            }
            let suffix = if node.occurs.is_some() {
                format!("{suffix}_{repeat}")
            } else {
                suffix.to_owned()
            };
            match &mut node.kind {
                Kind::Group(children) => flatten(children, &node.name, &suffix, counts, columns),
                kind => {
                    let unique = counts.get(&node.name).is_none_or(|count| *count == 1);
                    let front = if unique || group.is_empty() {
                        String::new()
                    } else {
                        format!("{group}_")
                    };
                    columns.push((
                        format!("{front}{}{suffix}", node.name),
                        leaf_schema(kind).optional().build(),
                    ));
                }
            }
            node.stride = columns.len() - before;
        }
    }
}

fn column(digits: u8, scale: u8, signed: bool, storage: Storage) -> Column {
    match (scale, digits, storage) {
        (1.., _, _) => Column::Decimal,
        // All values of its bytes: an unsigned one of four bytes is more than an int32.
        (_, 5..=9, Storage::Binary { .. }) if !signed => Column::Int64,
        (_, 0..=9, _) => Column::Int32,
        (_, 10..=18, _) => Column::Int64,
        _ => Column::Decimal,
    }
}

fn leaf_schema(kind: &Kind) -> SchemaBuilder {
    match kind {
        Kind::Number(number) => match number.column {
            Column::Int32 => SchemaBuilder::int32(),
            Column::Int64 => SchemaBuilder::int64(),
            Column::Decimal => SchemaBuilder::decimal(i32::from(number.scale))
                .parameter("connect.decimal.precision", &number.precision().to_string()),
        },
        Kind::Text { .. } | Kind::Double | Kind::National | Kind::Group(_) => {
            SchemaBuilder::string()
        }
    }
}

impl Number {
    /// The most digits of a value: a binary number may hold more than its picture says.
    fn precision(&self) -> u8 {
        match (self.storage, self.digits) {
            (Storage::Binary { .. }, 0..=4) => 5,
            (Storage::Binary { .. }, 5..=9) => 10,
            (Storage::Binary { .. }, _) => 20,
            (_, digits) => digits,
        }
    }
}
