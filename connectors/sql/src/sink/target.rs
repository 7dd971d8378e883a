//! A table that is written to: its columns, its key, what is made or widened in it, and the traps to warn about.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use linkspan_sdk::tracing;
use linkspan_sdk::{Error, ErrorKind, Schema, SchemaField};

use super::flight::Line;
use super::options::{InsertMode, PkMode, SinkOptions};
use crate::catalog::{self, Table, TableKind};
use crate::connect::{Connection, Connector};
use crate::dialect::{Dialect, TableName};
use crate::errors::Class;
use crate::types::{Binary, ColumnKind, Meaning, Wanted};

/// A table, as far as this task knows it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// The name by which it was looked for.
    pub(super) asked: TableName,
    pub(super) table: Table,
    pub(super) quoted: String,
    /// The columns of the key, by their place in the table; empty where rows have none.
    pub(super) key: Vec<usize>,
    /// Where each name goes that was asked for; `None`: nowhere.
    columns: HashMap<String, Option<usize>>,
    /// Made for the fields at an address, which `Plan::schema` keeps alive.
    plans: HashMap<(usize, String), Arc<Plan>>,
    /// The one that was asked for last, which is nearly always the one.
    last_plan: Option<(usize, String, Arc<Plan>)>,
    /// COPY into it was not refused so far.
    pub(super) copies: bool,
    /// COPY of text into it has worked: binary may be tried, which can go no other way.
    pub(super) proven: bool,
}

/// How the fields of one schema become cells.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) fields: Vec<Option<Slot>>,
    /// The binary form of each column, if all of them have one.
    pub(super) forms: Option<Arc<[Binary]>>,
    /// Keeps the fields where they are.
    _schema: Arc<Schema>,
}

/// One field's column.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) column: usize,
    pub(super) meaning: Meaning,
}

/// A column that a record needs and the table may lack.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub(super) name: String,
    pub(super) meaning: Meaning,
    pub(super) nullable: bool,
    pub(super) key: bool,
}

impl Target {
    fn new(asked: TableName, table: Table, dialect: Dialect) -> Self {
        Self {
            asked,
            quoted: table.name.quoted(dialect),
            copies: matches!(
                table.kind,
                TableKind::Table | TableKind::Partitioned | TableKind::Foreign
            ),
            table,
            key: Vec::new(),
            columns: HashMap::new(),
            proven: false,
            plans: HashMap::new(),
            last_plan: None,
        }
    }

    /// Returns the column of a name: the same letters, else the only one that differs in case.
    pub(super) fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(found) = self.columns.get(name) {
            return *found;
        }
        let exact = self
            .table
            .columns
            .iter()
            .position(|column| column.name == name);
        let found = exact.or_else(|| {
            let mut alike = self
                .table
                .columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.name.to_lowercase() == name.to_lowercase());
            match (alike.next(), alike.next()) {
                (Some((at, _)), None) => Some(at),
                _ => None,
            }
        });
        self.columns.insert(name.to_owned(), found);
        found
    }

    /// The columns that every row must have, because they take no null and nothing fills them in.
    pub(super) fn required(&self) -> impl Iterator<Item = usize> {
        let needed = |(at, column): (usize, &crate::types::Column)| {
            (!column.nullable && !column.has_default && !column.generated).then_some(at)
        };
        self.table.columns.iter().enumerate().filter_map(needed)
    }

    /// Returns the plan for a struct's fields, making it the first time.
    pub(super) fn plan(
        &mut self,
        fields: &[SchemaField],
        schema: &Arc<Schema>,
        choice: &Choice,
        topic: &str,
    ) -> Result<Arc<Plan>, Vec<Need>> {
        let address = fields.as_ptr().addr();
        if let Some((at, of, plan)) = &self.last_plan
            && *at == address
            && of == topic
        {
            return Ok(Arc::clone(plan));
        }
        let at = (address, topic.to_owned());
        if let Some(plan) = self.plans.get(&at) {
            self.last_plan = Some((address, at.1, Arc::clone(plan)));
            return Ok(Arc::clone(plan));
        }
        let (mut slots, mut missing) = (Vec::with_capacity(fields.len()), Vec::new());
        for field in fields {
            if !choice.takes(topic, &field.name) {
                slots.push(None);
                continue;
            }
            let name = choice.column_of(&field.name);
            let meaning = Meaning::of(&field.schema);
            match self.column(name) {
                Some(column)
                    if self
                        .table
                        .columns
                        .get(column)
                        .is_some_and(|column| column.generated) =>
                {
                    slots.push(None)
                }
                Some(column) => slots.push(Some(Slot { column, meaning })),
                None => missing.push(Need {
                    name: name.to_owned(),
                    meaning,
                    nullable: field.schema.nullable(),
                    key: false,
                }),
            }
        }
        if !missing.is_empty() {
            return Err(missing);
        }
        let forms = slots.iter().flatten().map(|slot: &Slot| {
            let column = self.table.columns.get(slot.column)?;
            Binary::of(&slot.meaning, column)
        });
        let plan = Arc::new(Plan {
            forms: forms.collect(),
            fields: slots,
            _schema: Arc::clone(schema),
        });
        self.plans.insert(at, Arc::clone(&plan));
        Ok(plan)
    }
}

/// Which fields are written, and into which columns.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    include: Vec<String>,
    exclude: Vec<String>,
    mapping: BTreeMap<String, String>,
}

impl Choice {
    pub(super) fn new(options: &SinkOptions) -> Self {
        Self {
            include: options.fields_include_list.clone(),
            exclude: options.fields_exclude_list.clone(),
            mapping: options.field_mapping.clone(),
        }
    }

    pub(super) fn takes(&self, topic: &str, field: &str) -> bool {
        let named = |list: &[String]| {
            list.iter().any(|entry| {
                entry == field
                    || entry
                        .split_once(':')
                        .is_some_and(|(of, name)| of == topic && name == field)
            })
        };
        (self.include.is_empty() || named(&self.include)) && !named(&self.exclude)
    }

    pub(super) fn column_of<'f>(&'f self, field: &'f str) -> &'f str {
        self.mapping.get(field).map_or(field, String::as_str)
    }
}

/// Finds a table, or makes it where that is wanted.
pub(super) async fn find(
    connection: &mut Connection,
    connector: &Connector,
    options: &SinkOptions,
    name: &TableName,
    needs: Option<&[Need]>,
) -> Result<Target, Error> {
    let dialect = connector.dialect();
    let at = connector.at().table(name);
    let read = |error: crate::errors::SqlError| error.into_error(&at);
    if let Some(table) = catalog::table(connection, name).await.map_err(read)? {
        return Ok(Target::new(name.clone(), table, dialect));
    }
    let missing = || {
        crate::errors::SqlError::plain(dialect, Class::MissingTable, "there is no such table")
            .into_error(&at)
    };
    let needs = match needs {
        Some(needs) if options.creates() && !needs.is_empty() => needs,
        Some(_) if options.creates() => {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!(
                    "{}: there is no table `{name}`, and records without a schema do not say what types its columns have; make the table, or \
                     let a source with a schema or a converter write the topic",
                    connector.shown
                ),
            ));
        }
        _ => return Err(missing()),
    };
    let sql = create_sql(dialect, name, needs);
    tracing::info!(table = %name, "making the table: {sql}");
    if let Err(error) = connection.run(&sql).await {
        // Another task may have been faster; what counts is whether the table is there.
        if catalog::table(connection, name)
            .await
            .ok()
            .flatten()
            .is_none()
        {
            return Err(error.into_error(&at));
        }
    }
    let table = catalog::table(connection, name)
        .await
        .map_err(read)?
        .ok_or_else(missing)?;
    Ok(Target::new(name.clone(), table, dialect))
}

fn create_sql(dialect: Dialect, name: &TableName, needs: &[Need]) -> String {
    let mut parts: Vec<String> = needs.iter().map(|need| column_sql(dialect, need)).collect();
    let key: Vec<String> = needs
        .iter()
        .filter(|need| need.key)
        .map(|need| dialect.quote(&need.name))
        .collect();
    if !key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
    }
    let tail = match dialect {
        Dialect::MySql => " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
        Dialect::Postgres | Dialect::Sqlite => "",
    };
    format!(
        "CREATE TABLE IF NOT EXISTS {} ({}){tail}",
        name.quoted(dialect),
        parts.join(", ")
    )
}

fn column_sql(dialect: Dialect, need: &Need) -> String {
    let wanted = Wanted {
        meaning: need.meaning.clone(),
        key: need.key,
    };
    let null = match (need.nullable && !need.key, dialect) {
        (false, _) => " NOT NULL",
        // Without the word MySQL makes a TIMESTAMP column that takes no null and changes by itself.
        (true, Dialect::MySql) => " NULL",
        (true, Dialect::Postgres | Dialect::Sqlite) => "",
    };
    format!(
        "{} {}{null}",
        dialect.quote(&need.name),
        dialect.column_type(&wanted)
    )
}

/// Adds columns that records need.
pub(super) async fn evolve(
    connection: &mut Connection,
    connector: &Connector,
    target: &mut Target,
    missing: &[Need],
) -> Result<(), Error> {
    let dialect = connector.dialect();
    for need in missing {
        // Rows that are there have no value for it.
        let need = Need {
            nullable: true,
            key: false,
            ..need.clone()
        };
        let sql = format!(
            "ALTER TABLE {} ADD COLUMN {}",
            target.quoted,
            column_sql(dialect, &need)
        );
        tracing::info!(table = %target.table.name, "adding a column: {sql}");
        if let Err(error) = connection.run(&sql).await {
            refresh(connection, connector, target).await?;
            if target.column(&need.name).is_none() {
                return Err(error.into_error(&connector.at().table(&target.table.name)));
            }
        }
    }
    refresh(connection, connector, target).await
}

/// Widens a column so that values of this meaning fit; returns whether something changed.
pub(super) async fn widen(
    line: &mut Line,
    connector: &Connector,
    target: &mut Target,
    column: usize,
    meaning: &Meaning,
) -> Result<bool, Error> {
    let dialect = connector.dialect();
    let Some(found) = target.table.columns.get(column) else {
        return Ok(false);
    };
    let Some(wider) = wider(&found.kind, found.length_max, meaning) else {
        return Ok(false);
    };
    let new_type = dialect.column_type(&Wanted {
        meaning: wider,
        key: false,
    });
    let Some(sql) = dialect.alter_type(&target.table.name, found, &new_type) else {
        return Ok(false);
    };
    let connection = line.connection().await?;
    tracing::info!(table = %target.table.name, "widening a column: {sql}");
    connection
        .run(&sql)
        .await
        .map_err(|error| error.into_error(&connector.at().table(&target.table.name)))?;
    refresh(connection, connector, target).await?;
    Ok(true)
}

/// The meaning whose type takes all that the column has and the new values: never narrower, never another family.
fn wider(kind: &ColumnKind, length_max: Option<u32>, meaning: &Meaning) -> Option<Meaning> {
    let bits = |meaning: &Meaning| match meaning {
        Meaning::Int8 => 8,
        Meaning::Int16 => 16,
        Meaning::Int32 => 32,
        Meaning::Int64 => 64,
        _ => 0,
    };
    match (kind, meaning) {
        (
            ColumnKind::Int {
                bits: has,
                unsigned: false,
            },
            Meaning::Int16 | Meaning::Int32 | Meaning::Int64,
        ) if bits(meaning) > *has => Some(meaning.clone()),
        (ColumnKind::Float32, Meaning::Float64) => Some(Meaning::Float64),
        (ColumnKind::Text, Meaning::Text) if length_max.is_some() => Some(Meaning::Text),
        _ => None,
    }
}

/// Reads the table again.
pub(super) async fn refresh(
    connection: &mut Connection,
    connector: &Connector,
    target: &mut Target,
) -> Result<(), Error> {
    let at = connector.at().table(&target.table.name);
    let table = catalog::table(connection, &target.table.name)
        .await
        .map_err(|error| error.into_error(&at))?;
    if let Some(table) = table {
        let key: Vec<String> = target
            .key
            .iter()
            .filter_map(|&at| target.table.columns.get(at))
            .map(|column| column.name.clone())
            .collect();
        let copies = target.copies;
        *target = Target::new(target.asked.clone(), table, connector.dialect());
        target.copies = copies;
        target.key = key.iter().filter_map(|name| target.column(name)).collect();
    }
    Ok(())
}

/// Checks a table against what the options ask of it, and warns about what would surprise.
pub(super) fn check(
    target: &Target,
    options: &SinkOptions,
    dialect: Dialect,
    exactly_once: bool,
    shown: &str,
) -> Result<(), Error> {
    let table = &target.table;
    let place = format!("{shown}: table `{}`", table.name);
    if dialect == Dialect::MySql
        && exactly_once
        && table
            .engine
            .as_deref()
            .is_some_and(|engine| !engine.eq_ignore_ascii_case("innodb"))
    {
        let engine = table.engine.as_deref().unwrap_or_default();
        return Err(Error::new(
            ErrorKind::ConfigInvalid,
            format!(
                "{place} has the engine {engine}, which has no transactions, so rows could not be written exactly once; ALTER TABLE {} \
                 ENGINE=InnoDB, or set `delivery: at_least_once`",
                target.quoted
            ),
        ));
    }
    let key: Vec<String> = target
        .key
        .iter()
        .filter_map(|&at| table.columns.get(at))
        .map(|column| column.name.clone())
        .collect();
    if options.insert_mode == InsertMode::Upsert && table.unique_on(&key).is_none() {
        let names: Vec<String> = key.iter().map(|name| dialect.quote(name)).collect();
        let index = dialect.quote(&format!("{}_key", table.name.name));
        return Err(Error::new(
            ErrorKind::ConfigInvalid,
            format!(
                "{place} has no unique index on exactly ({}), which `insert.mode: upsert` needs; CREATE UNIQUE INDEX {index} ON {} ({}){}",
                key.join(", "),
                target.quoted,
                names.join(", "),
                known_indexes(table),
            ),
        ));
    }
    if options.insert_mode == InsertMode::Upsert {
        for index in table
            .unique
            .iter()
            .filter(|index| !index.special || dialect == Dialect::MySql)
        {
            if index.columns.len() == key.len()
                && key.iter().all(|name| index.columns.contains(name))
            {
                continue;
            }
            let columns = index.columns.join(", ");
            match dialect {
                Dialect::MySql => tracing::warn!(
                    "{place} has a second unique index `{}` on ({columns}): a row whose key is new but whose ({columns}) is there already \
                     overwrites that other row (ON DUPLICATE KEY UPDATE looks at every unique index)",
                    index.name
                ),
                Dialect::Postgres | Dialect::Sqlite => tracing::warn!(
                    "{place} has a second unique index `{}` on ({columns}): a row whose key is new but whose ({columns}) is there already is \
                     refused and goes where bad records go",
                    index.name
                ),
            }
        }
    }
    if options.pk_mode != PkMode::None
        && let Some(column) = target
            .key
            .iter()
            .filter_map(|&at| table.columns.get(at))
            .find(|column| column.nullable)
    {
        tracing::warn!(
            "{place}: the key's column `{}` takes null, and rows with a null key are never the same",
            column.name
        );
    }
    Ok(())
}

fn known_indexes(table: &Table) -> String {
    if table.unique.is_empty() {
        return "; it has no unique index at all".to_owned();
    }
    let known: Vec<String> = table
        .unique
        .iter()
        .map(|index| format!("`{}` on ({})", index.name, index.columns.join(", ")))
        .collect();
    format!("; it has {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_made_from_what_records_need() {
        let need = |name: &str, meaning: Meaning, nullable: bool, key: bool| Need {
            name: name.to_owned(),
            meaning,
            nullable,
            key,
        };
        let needs = [
            need("id", Meaning::Text, false, true),
            need("at", Meaning::ZonedTimestamp, true, false),
            need("n\"", Meaning::Int32, false, false),
        ];
        let name = TableName::new(Some("s"), "t");
        assert_eq!(
            create_sql(Dialect::Postgres, &name, &needs),
            "CREATE TABLE IF NOT EXISTS \"s\".\"t\" (\"id\" TEXT NOT NULL, \"at\" TIMESTAMPTZ, \"n\"\"\" INTEGER NOT NULL, PRIMARY KEY (\"id\"))"
        );
        assert_eq!(
            create_sql(Dialect::MySql, &name, &needs),
            "CREATE TABLE IF NOT EXISTS `s`.`t` (`id` VARCHAR(255) NOT NULL, `at` TIMESTAMP(6) NULL, `n\"` INT NOT NULL, PRIMARY KEY (`id`)) \
             ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
        );
    }

    #[test]
    fn columns_are_only_widened() {
        assert_eq!(
            wider(&ColumnKind::INT32, None, &Meaning::Int64),
            Some(Meaning::Int64)
        );
        assert_eq!(wider(&ColumnKind::INT64, None, &Meaning::Int32), None);
        assert_eq!(
            wider(&ColumnKind::Text, Some(5), &Meaning::Text),
            Some(Meaning::Text)
        );
        assert_eq!(wider(&ColumnKind::Text, None, &Meaning::Text), None);
        assert_eq!(wider(&ColumnKind::INT32, None, &Meaning::Text), None);
    }
}
