//! The rows: as CSV for the job and the databases' tools, and with a schema in each line for the peer.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

/// The columns in the words of all three databases.
pub(crate) const COLUMNS: &str = "id BIGINT NOT NULL PRIMARY KEY, name VARCHAR(40), city VARCHAR(40), quantity INTEGER, price DOUBLE PRECISION, \
     weight DOUBLE PRECISION, code BIGINT, note VARCHAR(80)";

/// The types of the CSV columns that are no text.
pub(crate) const CSV_TYPES: &str =
    "{ id: int64, quantity: int32, price: float64, weight: float64, code: int64 }";

const CITIES: [&str; 5] = ["Busan", "Rotterdam", "Piraeus", "Felixstowe", "Valparaíso"];

/// One row.
struct Row {
    id: u32,
    city: &'static str,
    quantity: u32,
    price: f64,
    weight: f64,
    code: u64,
}

fn row(id: u32) -> Row {
    let mixed = u64::from(id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let at = usize::try_from(mixed >> 61).unwrap_or(0) % CITIES.len();
    Row {
        id,
        city: CITIES.get(at).copied().unwrap_or("Busan"),
        quantity: id % 1_000,
        price: f64::from(id % 100_000) / 100.0,
        weight: f64::from(id % 7_919) / 8.0,
        code: mixed >> 12,
    }
}

pub(crate) fn write_csv(path: &Path, rows: u32) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    writeln!(out, "id,name,city,quantity,price,weight,code,note")?;
    for id in 1..=rows {
        let row = row(id);
        writeln!(
            out,
            "{id},name of {id},{},{},{},{},{},on the quay since day {}",
            row.city,
            row.quantity,
            row.price,
            row.weight,
            row.code,
            row.id % 365
        )?;
    }
    out.flush()?;
    Ok(())
}

/// One `{"schema":…,"payload":…}` a line.
pub(crate) fn write_peer(path: &Path, rows: u32) -> Result<()> {
    let field = |name: &str, kind: &str, optional: bool| {
        format!(r#"{{"field":"{name}","type":"{kind}","optional":{optional}}}"#)
    };
    let fields = [
        field("id", "int64", false),
        field("name", "string", true),
        field("city", "string", true),
        field("quantity", "int32", true),
        field("price", "double", true),
        field("weight", "double", true),
        field("code", "int64", true),
        field("note", "string", true),
    ]
    .join(",");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for id in 1..=rows {
        let row = row(id);
        writeln!(
            out,
            r#"{{"schema":{{"type":"struct","optional":false,"name":"row","fields":[{fields}]}},"payload":{{"id":{id},"name":"name of {id}","city":"{}","quantity":{},"price":{:?},"weight":{:?},"code":{},"note":"on the quay since day {}"}}}}"#,
            row.city,
            row.quantity,
            row.price,
            row.weight,
            row.code,
            row.id % 365
        )?;
    }
    out.flush()?;
    Ok(())
}
