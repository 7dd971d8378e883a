//! The columns of a CSV file: from a header to a row schema, and from the fields of a record to a row.

use std::collections::{BTreeMap, HashSet};

use linkspan_sdk::prelude::*;

use crate::column::{Cell, ColumnType};
use crate::csv::{Dialect, Splitter};
use crate::format::Reason;
use crate::moment::Zone;
use crate::options::CsvOptions;

/// What is set about CSV files, in the form that reading needs.
#[derive(Debug, Clone)]
pub(crate) struct CsvSettings {
    pub(crate) dialect: Dialect,
    pub(crate) header: bool,
    columns: Vec<String>,
    null_values: Vec<String>,
    types: BTreeMap<String, ColumnType>,
    zone: Option<Zone>,
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
        }
    }

    #[inline]
    fn is_null(&self, field: &str) -> bool {
        self.null_values.iter().any(|null| null == field)
    }
}

/// The columns of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns(Vec<(String, ColumnType)>);

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// A file of an old Macintosh, or one that lost its line feeds: all of it would be the header.
    #[error(
        "the header holds a carriage return without a line feed: the file's lines end in CR alone, write them with LF or CRLF"
    )]
    BareCarriageReturn,
    #[error("two columns are named `{0}`")]
    Twice(String),
    #[error(
        "`csv.types` names the column `{column}`, which the file does not have; its columns are {columns}"
    )]
    NoSuchColumn { column: String, columns: String },
}

impl Columns {
    /// Gives the columns of these names their types.
    pub(crate) fn new(names: Vec<String>, settings: &CsvSettings) -> Result<Self, HeaderError> {
        if names
            .iter()
            .any(|name| name.replace("\r\n", "").contains('\r'))
        {
            return Err(HeaderError::BareCarriageReturn);
        }
        let mut seen = HashSet::new();
        if let Some(twice) = names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(HeaderError::Twice(twice.clone()));
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
            return Err(HeaderError::NoSuchColumn {
                column: column.clone(),
                columns,
            });
        }
        let column = |name: String| {
            let column = settings
                .types
                .get(&name)
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
