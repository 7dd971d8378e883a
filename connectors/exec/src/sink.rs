//! `exec-sink`: records to a program's input; progress when the program says so.
//!
//! ```text
//! ack: exit    records ─► stdin, closed at run.records or run.interval ─► exit code 0 ─► progress
//! ack: line    a record ─► stdin        a line on stdout ─► progress by one record
//! singer       SCHEMA, RECORD…, STATE {"batch": n} ─► stdin        STATE on stdout ─► progress of batch n
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

use crate::child::{Child, Output};
use crate::options::{Ack, ExecSinkOptions, Format, Restart};
use crate::settings::Settings;
use crate::singer;

/// How long to wait for a program's answer before the next look.
const LOOK: Duration = Duration::from_millis(2);

/// A task of `exec-sink`.
#[derive(Debug)]
pub(crate) struct ExecSink {
    options: ExecSinkOptions,
    settings: Settings,
    ctx: SinkContext,
    child: Option<Child>,
    config: Option<NamedTempFile>,
    /// Records of this run of the program.
    records: u64,
    since: Option<Instant>,
    /// What the next ending of the program covers.
    sent: Progress,
    /// What each further answer of the program covers, in order.
    waiting: VecDeque<(TopicPartition, i64)>,
    batches: VecDeque<(u64, Progress)>,
    batch: u64,
    /// The schema that each stream was described with last.
    described: HashMap<String, Option<Arc<Schema>>>,
    buf: Vec<u8>,
}

/// `exec-sink` as a whole: the default number of tasks, each with a program of its own.
#[derive(Debug)]
pub(crate) struct ExecSinkConnector;

impl SinkConnector for ExecSinkConnector {
    type Options = ExecSinkOptions;
}

impl SinkTask for ExecSink {
    type Options = ExecSinkOptions;

    async fn open(options: ExecSinkOptions, ctx: SinkContext) -> Result<Self> {
        Ok(Self {
            settings: Settings::from(&options),
            options,
            ctx,
            child: None,
            config: None,
            records: 0,
            since: None,
            sent: Progress::none(),
            waiting: VecDeque::new(),
            batches: VecDeque::new(),
            batch: 0,
            described: HashMap::new(),
            buf: Vec::new(),
        })
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let progress = records.progress();
        if records.len() > 0 {
            self.write(records, report)?;
            self.since.get_or_insert_with(Instant::now);
            self.sent.merge(progress);
        }
        let mut done = self.answers()?;
        let due = self
            .since
            .is_some_and(|since| since.elapsed() >= self.options.run_interval)
            || self.records >= self.options.run_records;
        if self.by_exit() && due {
            done.merge(self.finish()?);
        }
        Ok(done)
    }

    async fn flush(&mut self) -> Result<Progress> {
        self.finish()
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.stop();
        }
        Ok(())
    }
}

impl ExecSink {
    fn by_exit(&self) -> bool {
        self.options.format != Format::Singer && self.options.ack == Ack::Exit
    }

    fn write(&mut self, records: Records<'_>, report: &mut Report) -> Result<()> {
        if self.child.is_none() {
            self.start()?;
        }
        let mut last: BTreeMap<TopicPartition, i64> = BTreeMap::new();
        self.buf.clear();
        for record in records {
            let start = self.buf.len();
            let at = record.topic_partition();
            match self.encode(&record) {
                Ok(()) => {
                    self.records += 1;
                    if self.options.format != Format::Singer && self.options.ack == Ack::Line {
                        self.waiting.push_back((at, record.offset() + 1));
                        continue;
                    }
                }
                Err(error) => {
                    self.buf.truncate(start);
                    report.reject(&record, error);
                }
            }
            last.insert(at, record.offset() + 1);
        }
        if self.options.format == Format::Singer {
            self.batch += 1;
            let state = json!({"type": "STATE", "value": {"batch": self.batch}});
            self.buf.extend_from_slice(state.to_string().as_bytes());
            self.buf.push(b'\n');
            let mut covers = Progress::none();
            for (at, next) in last {
                covers.set(at, next, "");
            }
            self.batches.push_back((self.batch, covers));
        }
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        match child.write(&self.buf) {
            Ok(()) => Ok(()),
            // It has ended without reading all of it: its exit code says more than the pipe.
            Err(_) => Err(self.failure()),
        }
    }

    fn start(&mut self) -> Result<()> {
        let mut more = Vec::new();
        if let Some(config) = &self.options.singer_config {
            let mut file = NamedTempFile::with_prefix("linkspan-singer-")?;
            file.write_all(config.expose().as_bytes())?;
            file.flush()?;
            more.extend(["--config".to_owned(), file.path().display().to_string()]);
            self.config = Some(file);
        }
        self.child = Some(Child::start(&self.settings, &more, true, &self.ctx)?);
        self.described.clear();
        self.records = 0;
        Ok(())
    }

    fn encode(&mut self, record: &Record<'_>) -> Result<()> {
        let value = record.value();
        match self.options.format {
            Format::Lines => {
                let start = self.buf.len();
                match value.as_bytes() {
                    Some(bytes) => self.buf.extend_from_slice(bytes),
                    None if value.is_null() => {}
                    None => value.write_json(&mut self.buf)?,
                }
                if self
                    .buf
                    .get(start..)
                    .is_some_and(|line| line.contains(&b'\n'))
                {
                    return Err(Error::data_invalid(
                        "the value holds a newline, so it is not one line; `format: jsonl` writes it as JSON",
                    ));
                }
            }
            Format::Jsonl => value.write_json(&mut self.buf)?,
            Format::Singer => return self.singer(record),
        }
        self.buf.push(b'\n');
        Ok(())
    }

    fn singer(&mut self, record: &Record<'_>) -> Result<()> {
        let stream = record.topic();
        let value = record.value();
        let row: Json = value.json()?;
        if !row.is_object() {
            return Err(Error::data_invalid(
                "a Singer target takes rows: the value is neither a row nor a JSON object",
            ));
        }
        let schema = value.schema()?;
        if self.described.get(stream) != Some(&schema) {
            let message = match &schema {
                Some(schema) => singer::schema_message(stream, schema),
                None => json!({
                    "type": "SCHEMA", "stream": stream, "schema": {"type": "object"}, "key_properties": [],
                }),
            };
            self.buf.extend_from_slice(message.to_string().as_bytes());
            self.buf.push(b'\n');
            self.described.insert(stream.to_owned(), schema);
        }
        let message = json!({"type": "RECORD", "stream": stream, "record": row});
        self.buf.extend_from_slice(message.to_string().as_bytes());
        self.buf.push(b'\n');
        Ok(())
    }

    /// Takes what the program has answered.
    fn answers(&mut self) -> Result<Progress> {
        let mut done = Progress::none();
        while let Some(output) = self.child.as_mut().and_then(Child::try_next) {
            self.answer(&output, &mut done);
        }
        Ok(done)
    }

    fn answer(&mut self, output: &Output, done: &mut Progress) {
        let (Output::Line(line) | Output::TooLong(line)) = output;
        if self.options.format == Format::Singer {
            let batch = serde_json::from_slice::<Json>(line).ok().and_then(|state| {
                // Targets print the value alone, or the whole message.
                let value = state.get("value").unwrap_or(&state);
                value.get("batch")?.as_u64()
            });
            let Some(batch) = batch else {
                return;
            };
            while self
                .batches
                .front()
                .is_some_and(|(number, _)| *number <= batch)
            {
                if let Some((_, covers)) = self.batches.pop_front() {
                    done.merge(covers);
                }
            }
        } else if self.options.ack == Ack::Line {
            if let Some((at, next)) = self.waiting.pop_front() {
                done.set(at, next, "");
            }
        } else {
            tracing::debug!("the program printed a line that nobody asked for");
        }
    }

    /// Closes the program's input and waits for it to end; all it was given counts then.
    fn finish(&mut self) -> Result<Progress> {
        let Some(child) = &mut self.child else {
            return Ok(self.sent.take());
        };
        child.close_input();
        let since = Instant::now();
        let mut done = Progress::none();
        loop {
            while let Some(output) = self.child.as_mut().and_then(Child::try_next) {
                self.answer(&output, &mut done);
            }
            let Some(child) = &mut self.child else {
                break;
            };
            if child.has_ended()? && child.is_drained() {
                break;
            }
            if since.elapsed() >= self.options.stop_timeout {
                child.stop();
            }
            std::thread::park_timeout(LOOK);
        }
        let Some(mut child) = self.child.take() else {
            return Ok(done);
        };
        let code = child.wait(|| false)?;
        if !self.settings.is_success(code) {
            self.child = Some(child);
            return Err(self.failure());
        }
        self.since = None;
        self.records = 0;
        // An end with success covers everything, answered or not.
        self.waiting.clear();
        self.batches.clear();
        done.merge(self.sent.take());
        Ok(done)
    }

    /// The program failed: what was not answered is put again, to a new task.
    fn failure(&mut self) -> Error {
        let message = match self.child.take() {
            None => "the program is gone".to_owned(),
            Some(mut child) => match child.wait(|| false) {
                Ok(_) => child.failure(),
                Err(error) => error.chain(),
            },
        };
        match self.options.restart {
            Restart::Never => Error::unavailable(message).permanent(),
            // The host starts the task anew, from the committed offsets.
            Restart::Always | Restart::OnFailure => Error::internal(message),
        }
    }
}
