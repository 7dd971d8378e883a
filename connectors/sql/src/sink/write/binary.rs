//! Before rows go in COPY's binary form: are the columns still of the types that they were encoded for?
//!
//! The server would take the bytes of a whole number for a fraction. So the table is locked as COPY will lock it, which keeps its
//! columns as they are until the end of the transaction, and their types are read.

use sqlx::Row as _;

use super::super::target::Target;
use crate::connect::Connection;
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::types::Binary;

const TYPES: &str = "SELECT a.attname::text AS name, format_type(a.atttypid, NULL) AS base_type FROM pg_attribute a \
     WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";

/// Compares the columns of encoded rows with those of the table.
///
/// # Errors
/// `Internal` where they differ: a new task reads the table and encodes anew.
pub(super) async fn types_are(
    connection: &mut Connection,
    target: &Target,
    columns: &[usize],
    forms: &[Binary],
) -> Result<(), SqlError> {
    let lock = format!("LOCK TABLE {} IN ROW EXCLUSIVE MODE", target.quoted);
    connection.run(&lock).await?;
    let Connection::Postgres(connection) = connection else {
        return Ok(());
    };
    let failed = |error: sqlx::Error| SqlError::new(Dialect::Postgres, &error);
    let found = sqlx::query(TYPES)
        .bind(&target.quoted)
        .fetch_all(&mut **connection)
        .await
        .map_err(failed)?;
    let mut types = Vec::with_capacity(found.len());
    for row in &found {
        let (name, base_type): (String, String) = (
            row.try_get("name").map_err(failed)?,
            row.try_get("base_type").map_err(failed)?,
        );
        types.push((name, Binary::of_type(&base_type)));
    }
    for (&column, form) in columns.iter().zip(forms) {
        let name = target.table.columns.get(column).map(|column| &column.name);
        let same = types
            .iter()
            .any(|(known, of)| Some(known) == name && *of == Some(*form));
        if !same {
            return Err(SqlError::plain(
                Dialect::Postgres,
                Class::Internal,
                format!(
                    "the type of column `{}` has changed since the table was read; it is read again",
                    name.map_or("", String::as_str)
                ),
            ));
        }
    }
    Ok(())
}
