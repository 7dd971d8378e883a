//! The columns of a CSV file: from a header to a row schema, and from the fields of a record to a row.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use linkspan_sdk::prelude::*;

use super::csv::{Dialect, Splitter};
use crate::column::{Cell, ColumnType};
use crate::format::{HeaderProblem, Reason};
use crate::moment::Zone;
use crate::options::{CsvOptions, ShortRows};

/// What is set about CSV files, in the form that reading needs.
#[derive(Debug, Clone)]
pub(crate) struct CsvSettings {
    pub(crate) dialect: Dialect,
    pub(crate) header: bool,
    columns: Vec<String>,
    null_values: Vec<String>,
    types: BTreeMap<String, ColumnType>,
    pub(crate) zone: Option<Zone>,
    /// Columns without a type get one by what their first fields hold.
    pub(crate) infer: bool,
    /// The most rows that are looked at for that.
    pub(crate) infer_records: usize,
    /// Fields that are missing at the end of a row are null.
    pub(crate) pad: bool,
    decimal: Option<char>,
    group: Option<char>,
}

impl CsvSettings {
    pub(crate) fn new(options: &CsvOptions) -> Self {
        let types = options
            .types
            .iter()
            .filter_map(|(name, word)| Some((name.clone(), word.parse().ok()?)));
        Self {
            dialect: options.dialect(),
            header: options.header,
            columns: options.columns.clone(),
            null_values: options.null_values.clone(),
            types: types.collect(),
            zone: options.zone(),
            infer: options.infer,
            infer_records: usize::try_from(options.infer_records).unwrap_or(usize::MAX),
            pad: options.short_rows == ShortRows::Pad,
            decimal: options
                .decimal_separator
                .chars()
                .next()
                .filter(|c| *c != '.'),
            group: options
                .group_separator
                .as_deref()
                .and_then(|text| text.chars().next()),
        }
    }

    /// Returns the text of a number as it is written in programs, where files write it otherwise.
    pub(crate) fn number<'a>(&self, field: Cow<'a, str>) -> Cow<'a, str> {
        if self.decimal.is_none() && self.group.is_none() {
            return field;
        }
        let mut text = String::with_capacity(field.len());
        let grouped = self.group.is_none_or(|group| {
            let whole = field.split(self.decimal.unwrap_or('.')).next();
            is_grouped(whole.unwrap_or_default(), group)
        });
        let mut is_whole = true;
        for c in field.chars() {
            is_whole &= c != self.decimal.unwrap_or('.');
            if self.group == Some(c) {
                // Elsewhere it is a slip, or the decimal separator of another country.
                if !grouped || !is_whole {
                    text.push('?');
                }
                continue;
            }
            // A point in a file whose separator is another is no part of a number.
            match self.decimal {
                Some(decimal) if c == decimal => text.push('.'),
                Some(_) if c == '.' => text.push('?'),
                _ => text.push(c),
            }
        }
        Cow::Owned(text)
    }

    /// Says whether a column's type is set.
    pub(crate) fn has_type(&self, column: &str) -> bool {
        self.types.contains_key(column)
    }

    #[inline]
    pub(crate) fn is_null(&self, field: &str) -> bool {
        self.null_values.iter().any(|null| null == field)
    }
}

/// Says whether the digits before the decimal separator stand in groups of three, or in none.
fn is_grouped(whole: &str, group: char) -> bool {
    let digits = whole.trim_start_matches(['-', '+']);
    let mut groups = digits.split(group);
    let first = groups.next().map_or(0, str::len);
    let mut others = groups.peekable();
    others.peek().is_none() || ((1..=3).contains(&first) && others.all(|group| group.len() == 3))
}

/// The columns of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(Vec<(String, ColumnType)>);

impl Columns {
    /// Gives the columns of these names their types.
    ///
    /// `inferred` has types of columns that are not set.
    pub(crate) fn new(
        names: Vec<String>,
        settings: &CsvSettings,
        inferred: &BTreeMap<String, ColumnType>,
    ) -> Result<Self, HeaderProblem> {
        let bare = |name: &String| name.replace("\r\n", "").contains('\r');
        if settings.dialect.end == b'\n' && names.iter().any(bare) {
            return Err(HeaderProblem::BareCarriageReturn);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(HeaderProblem::Twice(twice.clone()));
        }
        if let Some(column) = settings
            .types
            .keys()
            .find(|column| !seen.contains(column.as_str()))
        {
            let columns = names
                .iter()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", ");
            return Err(HeaderProblem::NoSuchColumn {
                column: column.clone(),
                columns,
            });
        }
        let column = |name: String| {
            let column = settings
                .types
                .get(&name)
                .or_else(|| inferred.get(&name))
                .copied()
                .unwrap_or(ColumnType::Text);
            (name, column)
        };
        Ok(Self(names.into_iter().map(column).collect()))
    }

    /// Returns the schema of a row: a struct of nullable fields.
    pub(crate) fn schema(&self) -> Schema {
        let schema = self
            .0
            .iter()
            .fold(SchemaBuilder::structure(), |schema, (name, column)| {
                schema.field(name, column.schema().optional().build())
            });
        schema.build()
    }

    /// Returns the names for a file without a header whose first record has `n` fields.
    pub(crate) fn names_without_header(settings: &CsvSettings, n: usize) -> Vec<String> {
        if settings.columns.is_empty() {
            (1..=n).map(|i| format!("column{i}")).collect()
        } else {
            settings.columns.clone()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Writes the fields of the record that `splitter` cut off `text` as a row; what does not parse is left in `bad`.
    #[inline]
    pub(crate) fn write_row(
        &self,
        settings: &CsvSettings,
        splitter: &Splitter,
        text: &str,
        row: &mut RowWriter<'_, '_>,
        bad: &mut Option<Reason>,
    ) -> Result<()> {
        for (at, (field, (name, column))) in splitter.fields(text).zip(&self.0).enumerate() {
            if settings.is_null(&field) {
                row.null(at)?;
                continue;
            }
            let field = if column.is_number() {
                settings.number(field)
            } else {
                field
            };
            let Some(cell) = column.parse(&field, settings.zone.as_ref()) else {
                let expected = column.expectation(settings.zone.as_ref());
                *bad = Some(Reason::Value {
                    column: name.clone(),
                    expected,
                });
                return Err(Error::data_invalid("a field does not parse"));
            };
            match cell {
                Cell::Text(text) => row.string(at, text)?,
                Cell::Int8(n) => row.int8(at, n)?,
                Cell::Int16(n) => row.int16(at, n)?,
                Cell::Int32(n) | Cell::Date(n) | Cell::Time(n) => row.int32(at, n)?,
                Cell::Int64(n) | Cell::Timestamp(n) => row.int64(at, n)?,
                Cell::Float32(n) => row.float32(at, n)?,
                Cell::Float64(n) => row.float64(at, n)?,
                Cell::Boolean(flag) => row.boolean(at, flag)?,
                Cell::Bytes(bytes) => row.bytes(at, &bytes)?,
                Cell::Decimal(unscaled) => row.value(at, &Value::decimal(unscaled))?,
            };
        }
        for at in splitter.field_count()..self.0.len() {
            row.null(at)?;
        }
        Ok(())
    }
}

impl ColumnType {
    pub(crate) fn schema(self) -> SchemaBuilder {
        match self {
            Self::Text => SchemaBuilder::string(),
            Self::Int8 => SchemaBuilder::int8(),
            Self::Int16 => SchemaBuilder::int16(),
            Self::Int32 => SchemaBuilder::int32(),
            Self::Int64 => SchemaBuilder::int64(),
            Self::Float32 => SchemaBuilder::float32(),
            Self::Float64 => SchemaBuilder::float64(),
            Self::Boolean => SchemaBuilder::boolean(),
            Self::Bytes => SchemaBuilder::bytes(),
            Self::Decimal { precision, scale } => SchemaBuilder::decimal(i32::from(scale))
                .parameter("connect.decimal.precision", &precision.to_string()),
            Self::Date => SchemaBuilder::date(),
            Self::Time => SchemaBuilder::time(),
            Self::Timestamp => SchemaBuilder::timestamp(),
        }
    }
}
