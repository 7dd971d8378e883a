//! What to do about an error, with the SQL where there is some.

use super::{At, Class, SqlError};
use crate::dialect::Dialect;

/// PostgreSQL's, MySQL's and SQLite's codes of a disk, or of what a table may take of it, that is full.
const FULL_DISK: [&str; 4] = ["53100", "1021", "1114", "13"];

pub(super) fn of(error: &SqlError, at: &At<'_>, column: Option<&str>) -> Option<String> {
    let dialect = error.dialect;
    let table = at
        .table
        .map(|table| table.quoted(dialect))
        .unwrap_or_else(|| "<table>".to_owned());
    let named = column
        .map(|column| dialect.quote(column))
        .unwrap_or_else(|| "<column>".to_owned());
    let user = at.user.unwrap_or("<user>");
    Some(match (error.class, dialect) {
        (Class::Login, Dialect::Sqlite) => return None,
        (Class::Login, _) => format!(
            "check `connection.user`, `connection.password` and the TLS options; the server decides who `{user}` is and from where it may come"
        ),
        (Class::Certificate, _) => "`connection.tls.ca` names the file of who signs the server's certificate; `connection.url` must name the host as the \
             certificate does, or `connection.tls: verify-ca` leaves the name unchecked"
            .to_owned(),
        (Class::MissingDatabase, Dialect::Sqlite) => "check that the folder of the file exists and may be written".to_owned(),
        (Class::MissingDatabase, _) => "check the database in `connection.url`, or make it: CREATE DATABASE …".to_owned(),
        (Class::MissingTable, _) => format!("make the table, or set `auto.create: true`; the name was taken as {table}"),
        (Class::MissingColumn, _) => format!(
            "ALTER TABLE {table} ADD COLUMN {named} …, or set `auto.evolve: true`, or leave the field out with `fields.exclude.list`"
        ),
        (Class::Privilege, Dialect::Postgres) => format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {}; and for what linkspan makes: GRANT CREATE ON SCHEMA …, \
             GRANT TEMPORARY ON DATABASE …",
            dialect.quote(user)
        ),
        (Class::Privilege, Dialect::MySql) => {
            format!("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER ON {table} TO '{user}'")
        }
        (Class::Privilege, Dialect::Sqlite) => "check who may write the file and its folder".to_owned(),
        (Class::ReadOnly, Dialect::Sqlite) => "the file or its folder may not be written".to_owned(),
        (Class::ReadOnly, _) => "the server takes no writes: a replica, or a primary that was switched over; name the primary".to_owned(),
        (Class::NoUniqueIndex, _) => format!(
            "`insert.mode: upsert` needs a unique index on exactly the key's columns: CREATE UNIQUE INDEX ON {table} (…)"
        ),
        (Class::TooLong, Dialect::Postgres) => format!("ALTER TABLE {table} ALTER COLUMN {named} TYPE text"),
        (Class::TooLong, Dialect::MySql) => format!("ALTER TABLE {table} MODIFY COLUMN {named} LONGTEXT"),
        (Class::OutOfRange, Dialect::Postgres) => {
            format!("a wider type takes it: ALTER TABLE {table} ALTER COLUMN {named} TYPE bigint (or numeric)")
        }
        (Class::OutOfRange, Dialect::MySql) => format!("a wider type takes it: ALTER TABLE {table} MODIFY COLUMN {named} BIGINT"),
        (Class::BadText, Dialect::MySql) => {
            format!("the column has another character set: ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4")
        }
        (Class::BadValue, Dialect::MySql) if error.message.starts_with("Incorrect string value") => {
            format!("the column has another character set: ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4")
        }
        (Class::BadText, _) => "PostgreSQL stores no U+0000 in text; take it out with a transform, or use bytea".to_owned(),
        (Class::NotNull, Dialect::Postgres) => {
            format!("send a value, or: ALTER TABLE {table} ALTER COLUMN {named} DROP NOT NULL (or SET DEFAULT …)")
        }
        (Class::NotNull, _) => format!("send a value, or allow null in {named} of {table}, or give it a default"),
        (Class::Unique, _) => "such a row is there already; `insert.mode: upsert` with `pk.mode` replaces it".to_owned(),
        (Class::ForeignKey, _) => "the row it points to is not there (yet); put the parents first, or drop the constraint".to_owned(),
        (Class::Crowded, _) if FULL_DISK.contains(&error.code.as_str()) => {
            "the database's disk is full: make room there; it is tried again until there is".to_owned()
        }
        (Class::Crowded, Dialect::Postgres) if error.code == "53300" => {
            "tried again by itself; ALTER SYSTEM SET max_connections, or fewer `tasks.max`: each task has one connection".to_owned()
        }
        _ => return None,
    })
}
