//! One partition's file: written under a name of its own, renamed when it is durable.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use linkspan_sdk::prelude::*;

use crate::avro_write::AvroFile;
use crate::options::{ColumnarSinkOptions, SinkFormat};
use crate::parquet_write::ParquetFile;

/// What a file's name ends with while it is written.
const UNFINISHED: &str = ".inprogress";

/// A file of rows.
pub(crate) trait RowFile {
    /// Appends a row; `json` is the same row, for what a format writes as text.
    fn push(&mut self, row: &Struct, json: &serde_json::Value) -> Result<()>;

    /// Writes the rest.
    fn finish(&mut self) -> Result<()>;
}

/// A file that is being written.
pub(crate) struct OpenFile {
    pub(crate) schema: Arc<Schema>,
    pub(crate) records: u64,
    pub(crate) since: Instant,
    rows: Box<dyn RowFile>,
    path: PathBuf,
}

impl OpenFile {
    /// Begins the file of the rows from an offset on.
    pub(crate) fn create(
        options: &ColumnarSinkOptions,
        partition: &TopicPartition,
        offset: i64,
        schema: &Arc<Schema>,
    ) -> Result<Self> {
        let ending = match options.format {
            SinkFormat::Parquet => "parquet",
            SinkFormat::Avro => "avro",
        };
        let folder = options.path.join(partition.topic.as_str());
        fs::create_dir_all(&folder)
            .map_err(|error| Error::from(error).context(format!("make `{}`", folder.display())))?;
        let name = format!("{:05}-{offset:020}.{ending}", partition.partition);
        let path = folder.join(name);
        let file = File::create(unfinished(&path))
            .map_err(|error| Error::from(error).context(format!("open `{}`", path.display())))?;
        let rows: Box<dyn RowFile> = match options.format {
            SinkFormat::Parquet => Box::new(ParquetFile::create(
                file,
                schema,
                options.compression,
                options.row_group_records,
            )?),
            SinkFormat::Avro => Box::new(AvroFile::create(file, schema, options.compression)?),
        };
        Ok(Self {
            schema: Arc::clone(schema),
            records: 0,
            since: Instant::now(),
            rows,
            path,
        })
    }

    pub(crate) fn push(&mut self, row: &Struct, json: &serde_json::Value) -> Result<()> {
        let pushed = self.rows.push(row, json);
        pushed.map_err(|error| match error.kind() {
            ErrorKind::DataInvalid => error,
            _ => error.context(format!("write `{}`", self.path.display())),
        })?;
        self.records += 1;
        Ok(())
    }

    /// Writes the rest; no row comes any more.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let finished = self.rows.finish();
        finished.map_err(|error| error.context(format!("write `{}`", self.path.display())))
    }

    /// Gives the file up.
    pub(crate) fn discard(self) -> Result<()> {
        let temporary = unfinished(&self.path);
        let removed = fs::remove_file(&temporary);
        removed.map_err(|error| {
            Error::from(error).context(format!("remove `{}`", temporary.display()))
        })
    }

    /// Makes the finished file durable and gives it its name; returns the name and its size.
    pub(crate) fn publish(self) -> Result<(PathBuf, u64)> {
        let failed = |error: std::io::Error| {
            Error::internal(format!(
                "could not write `{}`: {error}",
                self.path.display()
            ))
        };
        let temporary = unfinished(&self.path);
        let file = File::open(&temporary).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        fs::rename(&temporary, &self.path).map_err(failed)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok((self.path, size))
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}
