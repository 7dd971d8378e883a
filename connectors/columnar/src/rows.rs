//! Rows of a file, one after the other, whatever its format.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use linkspan_sdk::prelude::*;

use crate::avro::AvroRows;
use crate::options::SourceFormat;
use crate::parquet::ParquetRows;

/// An open file.
pub(crate) trait Rows {
    /// Returns the schema of its rows.
    fn schema(&self) -> &Arc<Schema>;

    /// Returns the next row as the values of its fields; `None` at the end.
    fn next(&mut self) -> Result<Option<Vec<Value>>>;
}

/// Opens a file behind its first `rows` rows.
pub(crate) fn open(path: &Path, format: SourceFormat, rows: u64) -> Result<Box<dyn Rows>> {
    let mut file = File::open(path)?;
    let found = match format {
        SourceFormat::Auto => {
            let mut head = [0; 4];
            let n = file.read(&mut head)?;
            match head.get(..n) {
                Some(b"PAR1") => SourceFormat::Parquet,
                Some(b"Obj\x01") => SourceFormat::Avro,
                _ => {
                    return Err(Error::data_invalid(
                        "it is neither a Parquet nor an Avro file: it begins with other bytes",
                    ));
                }
            }
        }
        other => other,
    };
    let file = File::open(path)?;
    Ok(match found {
        SourceFormat::Parquet => Box::new(ParquetRows::open(file, rows)?),
        SourceFormat::Avro | SourceFormat::Auto => Box::new(AvroRows::open(file, rows)?),
    })
}
