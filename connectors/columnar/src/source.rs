//! `columnar-source`: each file once, from its first row to its last.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::options::{ColumnarSourceOptions, OnNoInput, share};
use crate::rows::{self, Rows};

/// A task of `columnar-source`.
pub(crate) struct ColumnarSource {
    options: ColumnarSourceOptions,
    ctx: SourceContext,
    share: (u64, u64),
    queue: Vec<String>,
    current: Option<Current>,
    /// Files that were read to their end, with their size and time then.
    done: HashMap<String, Stamp>,
    scanned: bool,
    failed: Option<Error>,
}

/// Size and modification time.
type Stamp = (u64, i64);

struct Current {
    name: String,
    stamp: Stamp,
    position: u64,
    rows: Box<dyn Rows>,
    schema: RowSchema,
}

/// `columnar-source` as a whole: splits its files among tasks.
pub(crate) struct ColumnarSourceConnector;

impl SourceConnector for ColumnarSourceConnector {
    type Options = ColumnarSourceOptions;

    async fn task_configs(options: &ColumnarSourceOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let (files, _) = find(options)?;
        let tasks = u32::try_from(files.len())
            .unwrap_or(u32::MAX)
            .clamp(1, max.max(1));
        Ok((0..tasks)
            .map(|task| TaskConfig::from([("file.share".to_owned(), format!("{task}/{tasks}"))]))
            .collect())
    }
}

impl SourceTask for ColumnarSource {
    type Options = ColumnarSourceOptions;

    async fn open(options: ColumnarSourceOptions, ctx: SourceContext) -> Result<Self> {
        Ok(Self {
            share: share(&options.file_share).unwrap_or((0, 1)),
            options,
            ctx,
            queue: Vec::new(),
            current: None,
            done: HashMap::new(),
            scanned: false,
            failed: None,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.fill(out) {
            Err(error) if !out.is_empty() => {
                self.failed = Some(error);
                Ok(Poll::More)
            }
            other => other,
        }
    }
}

impl ColumnarSource {
    fn fill(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        loop {
            if self.current.is_none() {
                let Some(name) = self.queue.pop() else {
                    if self.scanned && self.ctx.bounded() {
                        return Ok(Poll::Exhausted);
                    }
                    if !out.is_empty() {
                        return Ok(Poll::More);
                    }
                    if !self.scan()? {
                        return Ok(match self.ctx.bounded() {
                            true => Poll::Exhausted,
                            false => Poll::Idle(self.options.poll_interval),
                        });
                    }
                    continue;
                };
                self.begin(name)?;
                continue;
            }
            if self.read(out)? {
                return Ok(Poll::More);
            }
        }
    }

    fn scan(&mut self) -> Result<bool> {
        self.scanned = true;
        let (files, missing) = find(&self.options)?;
        if let Some(pattern) = missing.first()
            && self.ctx.bounded()
            && self.options.on_no_input == OnNoInput::Fail
        {
            return Err(Error::not_found(format!(
                "no file matches `{pattern}`; set `on.no.input: ok` if that is right"
            )));
        }
        for name in files {
            let hash = name.bytes().fold(0_u64, |hash, byte| {
                hash.wrapping_mul(31).wrapping_add(u64::from(byte))
            });
            if hash % self.share.1 != self.share.0 {
                continue;
            }
            let stamp = stamp(&name)?;
            if self.done.get(&name) != Some(&stamp) {
                self.queue.push(name);
            }
        }
        // Taken from the end.
        self.queue.reverse();
        Ok(!self.queue.is_empty())
    }

    fn begin(&mut self, name: String) -> Result<()> {
        let stamp = stamp(&name)?;
        let stored = self.ctx.offset(partition(&name));
        let position = stored.u64("position")?.unwrap_or(0);
        if stored.is_some()? {
            let known = (stored.u64("size")?, stored.i64("modified")?);
            if known != (Some(stamp.0), Some(stamp.1)) {
                return Err(Error::conflict(format!(
                    "`{name}` was replaced since {position} rows of it were read; reset its offset to read it again, or give the new file another name"
                )));
            }
            if stored.bool("done")? == Some(true) {
                self.done.insert(name, stamp);
                return Ok(());
            }
        }
        let rows = rows::open(Path::new(&name), self.options.format, position)
            .map_err(|error| error.context(format!("`{name}`")))?;
        let schema = self
            .ctx
            .register_schema(std::sync::Arc::clone(rows.schema()))?;
        self.current = Some(Current {
            name,
            stamp,
            position,
            rows,
            schema,
        });
        Ok(())
    }

    /// Reads on in the current file; returns whether the batch is full.
    fn read(&mut self, out: &mut BatchBuilder) -> Result<bool> {
        let Some(current) = &mut self.current else {
            return Ok(false);
        };
        out.stamp(partition(&current.name));
        let before = current.position;
        let mut ended = Ok(false);
        while !out.is_full() {
            let row = match current.rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    ended = Ok(true);
                    break;
                }
                Err(error) => {
                    let row = current.position + 1;
                    ended = Err(error.context(format!("`{}` row {row}", current.name)));
                    break;
                }
            };
            let value = Value::Struct(Struct::from_values(
                std::sync::Arc::clone(current.schema.schema()),
                row,
            )?);
            out.to(&self.options.topic).value(&current.schema, &value)?;
            current.position += 1;
        }
        let done = matches!(ended, Ok(true));
        if current.position != before || done {
            out.offset(
                partition(&current.name),
                [
                    ("position", OffsetValue::from(current.position)),
                    ("size", current.stamp.0.into()),
                    ("modified", current.stamp.1.into()),
                    ("done", done.into()),
                ],
            );
            let bytes = if done { current.stamp.0 } else { 0 };
            let path = Path::new(&current.name);
            if let Err(error) = self.ctx.report_file(path, bytes, current.position) {
                // Only the summary of the run misses it.
                tracing::debug!(%error, "the host took no file report");
            }
        }
        if ended? {
            self.done.insert(current.name.clone(), current.stamp);
            self.current = None;
            return Ok(out.is_full());
        }
        Ok(true)
    }
}

fn partition(name: &str) -> SourcePartition {
    SourcePartition::from([("filename", name)])
}

fn stamp(name: &str) -> Result<Stamp> {
    let meta =
        fs::metadata(name).map_err(|error| Error::from(error).context(format!("`{name}`")))?;
    let modified = meta
        .mtime()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(meta.mtime_nsec());
    Ok((meta.len(), modified))
}

/// Returns the files and the entries that name none.
fn find(options: &ColumnarSourceOptions) -> Result<(Vec<String>, Vec<String>)> {
    let (mut files, mut missing) = (Vec::new(), Vec::new());
    for pattern in options.path.iter() {
        let before = files.len();
        if Path::new(pattern).is_file() {
            files.push(pattern.to_owned());
        } else {
            let entries =
                glob::glob(pattern).map_err(|error| Error::config_invalid(error.to_string()))?;
            for entry in entries {
                let path = entry.map_err(|error| Error::unavailable(error.to_string()))?;
                if path.is_file()
                    && let Some(name) = path.to_str()
                {
                    files.push(name.to_owned());
                }
            }
        }
        if files.len() == before {
            missing.push(pattern.to_owned());
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|name| seen.insert(name.clone()));
    Ok((files, missing))
}
