//! `exec-source`: what a program prints, line by line.

use std::io::Write;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use serde::de::IgnoredAny;
use serde_json::{Value as Json, json};
use tempfile::NamedTempFile;

use crate::child::{Child, Output};
use crate::options::{ExecSourceOptions, Format, Restart};
use crate::settings::Settings;
use crate::singer::{self, Message, Streams};

/// A failing program is run again after this at the latest.
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// A task of `exec-source`.
#[derive(Debug)]
pub(crate) struct ExecSource {
    options: ExecSourceOptions,
    settings: Settings,
    ctx: SourceContext,
    child: Option<Child>,
    /// The tap's configuration, catalog and state: deleted with the task.
    files: Vec<NamedTempFile>,
    streams: Streams,
    /// The last STATE that is not empty.
    state: Option<Json>,
    /// Lines of this run of the program.
    line: u64,
    failures: u32,
    /// When the program is run again.
    due: Option<Instant>,
    /// A failure that waits until the records before it are handed out.
    failed: Option<Error>,
}

/// `exec-source` as a whole: one program is one task.
#[derive(Debug)]
pub(crate) struct ExecSourceConnector;

impl SourceConnector for ExecSourceConnector {
    type Options = ExecSourceOptions;

    async fn task_configs(_options: &ExecSourceOptions, _max: u32) -> Result<Vec<TaskConfig>> {
        Ok(vec![TaskConfig::new()])
    }
}

impl SourceTask for ExecSource {
    type Options = ExecSourceOptions;

    async fn open(options: ExecSourceOptions, ctx: SourceContext) -> Result<Self> {
        let stored = ctx.offset(partition(&ctx));
        let state = stored
            .raw()?
            .and_then(|offset| offset.get("state").cloned());
        Ok(Self {
            settings: Settings::from(&options),
            options,
            ctx,
            child: None,
            files: Vec::new(),
            streams: Streams::default(),
            state,
            line: 0,
            failures: 0,
            due: None,
            failed: None,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some(due) = self.due {
            let left = due.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Ok(Poll::Idle(left));
            }
            self.due = None;
        }
        out.stamp(partition(&self.ctx));
        match self.fill(out).await {
            Err(error) if !out.is_empty() => {
                self.failed = Some(error);
                Ok(Poll::More)
            }
            other => other,
        }
    }

    async fn close(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.stop();
        }
        Ok(())
    }
}

impl ExecSource {
    /// Waits for a line, and takes what is there with it.
    async fn fill(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if self.child.is_none() {
            self.child = Some(self.start()?);
            self.line = 0;
        }
        let Some(child) = &mut self.child else {
            return Ok(Poll::Idle(self.options.restart_interval));
        };
        let Some(first) = child.next().await else {
            return self.ended();
        };
        let mut next = Some(first);
        while let Some(output) = next.take() {
            self.take(output, out)?;
            if out.is_full() {
                break;
            }
            next = self.child.as_mut().and_then(Child::try_next);
        }
        Ok(Poll::More)
    }

    /// Starts the program; a tap with the files it wants.
    fn start(&mut self) -> Result<Child> {
        if self.options.format != Format::Singer {
            return Child::start(&self.settings, &[], false, &self.ctx);
        }
        self.files.clear();
        let mut more = Vec::new();
        if let Some(config) = &self.options.singer_config {
            let file = private_file(config.expose())?;
            more.extend(["--config".to_owned(), file.path().display().to_string()]);
            self.files.push(file);
        }
        if self.options.singer_discover {
            let catalog = self.discover(&more)?;
            let file = private_file(&catalog.to_string())?;
            more.extend(["--catalog".to_owned(), file.path().display().to_string()]);
            self.files.push(file);
        } else if let Some(catalog) = &self.options.singer_catalog {
            more.extend(["--catalog".to_owned(), catalog.display().to_string()]);
        }
        if let Some(state) = &self.state {
            let file = private_file(&state.to_string())?;
            more.extend(["--state".to_owned(), file.path().display().to_string()]);
            self.files.push(file);
        }
        Child::start(&self.settings, &more, false, &self.ctx)
    }

    fn discover(&self, more: &[String]) -> Result<Json> {
        let mut settings = self.settings.clone();
        // A catalog is printed over many lines.
        settings.line_bytes_max = 16 << 20;
        let mut arguments = more.to_vec();
        arguments.push("--discover".to_owned());
        let mut child = Child::start(&settings, &arguments, false, &self.ctx)?;
        let mut text = Vec::new();
        let code = loop {
            while let Some(output) = child.try_next() {
                let (Output::Line(line) | Output::TooLong(line)) = output;
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
            if self.ctx.stopped() {
                return Err(Error::stopped("the task was stopped"));
            }
            if child.has_ended()? {
                while let Some(output) = child.try_next() {
                    let (Output::Line(line) | Output::TooLong(line)) = output;
                    text.extend_from_slice(&line);
                    text.push(b'\n');
                }
                if child.is_drained() {
                    break child.wait(|| false)?;
                }
            }
            std::thread::park_timeout(Duration::from_millis(5));
        };
        if !self.settings.is_success(code) {
            return Err(Error::unavailable(format!("--discover: {}", child.ending())).permanent());
        }
        let mut catalog: Json = serde_json::from_slice(&text)
            .map_err(|error| Error::from(error).context("the tap's answer to --discover"))?;
        singer::select(&mut catalog, &self.options.singer_streams)?;
        Ok(catalog)
    }

    /// Uses one line.
    fn take(&mut self, output: Output, out: &mut BatchBuilder) -> Result<()> {
        self.line += 1;
        let (raw, used) = match output {
            Output::Line(line) => {
                let used = self.use_line(&line, out);
                (line, used)
            }
            Output::TooLong(line) => {
                let max = self.settings.line_bytes_max;
                let error = Error::data_invalid(format!("longer than `max.line.bytes` ({max})"));
                (line, Err(error))
            }
        };
        match used {
            Err(error) if error.kind() == ErrorKind::DataInvalid => {
                let name = self.settings.name();
                let error = error.context(format!("`{name}` line {}", self.line));
                if !self.ctx.tolerates_bad_records() {
                    return Err(error);
                }
                // Where a tap's record was to go is not known without its stream.
                let topic = match self.options.format {
                    Format::Lines | Format::Jsonl => self.options.topic.as_str(),
                    Format::Singer if self.options.topic.is_empty() => "singer",
                    Format::Singer => self.options.topic.trim_end_matches(['.', '-', '_']),
                };
                out.reject(topic, Data::Bytes(&raw), &error)
            }
            other => other,
        }
    }

    fn use_line(&mut self, line: &[u8], out: &mut BatchBuilder) -> Result<()> {
        let text = std::str::from_utf8(line).map_err(|error| {
            Error::data_invalid(format!("byte {}: not UTF-8", error.valid_up_to()))
        })?;
        match self.options.format {
            Format::Lines => out.to(&self.options.topic).utf8(text),
            Format::Jsonl if text.trim().is_empty() => Ok(()),
            Format::Jsonl => {
                serde_json::from_str::<IgnoredAny>(text)
                    .map_err(|error| Error::data_invalid(format!("it is not JSON: {error}")))?;
                out.to(&self.options.topic).raw_json(text.trim().as_bytes())
            }
            Format::Singer if text.trim().is_empty() => Ok(()),
            Format::Singer => self.message(text, out),
        }
    }

    fn message(&mut self, text: &str, out: &mut BatchBuilder) -> Result<()> {
        let message: Message = serde_json::from_str(text)
            .map_err(|error| Error::data_invalid(format!("it is no Singer message: {error}")))?;
        match message {
            Message::Schema {
                stream,
                schema,
                key_properties,
            } => self.streams.declare(
                &self.options.topic,
                &stream,
                &schema,
                &key_properties,
                &self.ctx,
            ),
            Message::Record { stream, record } => self.streams.send(&stream, &record, out),
            Message::State { value } => {
                // It is stored with this batch, and so after all records that came before it.
                if singer::is_state(&value) {
                    out.offset_from(partition(&self.ctx), &json!({ "state": value }))?;
                    self.state = Some(value);
                }
                Ok(())
            }
            Message::Other => Ok(()),
        }
    }

    /// The program has closed its output: what now?
    fn ended(&mut self) -> Result<Poll> {
        let Some(mut child) = self.child.take() else {
            return Ok(Poll::More);
        };
        let ctx = self.ctx.clone();
        let code = child.wait(|| ctx.stopped())?;
        let success = self.settings.is_success(code);
        let ending = if success {
            let ending = child.ending();
            drop(child);
            ending
        } else {
            child.failure()
        };
        if success {
            self.failures = 0;
            tracing::info!(lines = self.line, "{ending}");
        }
        let again = match (self.options.restart, success) {
            (_, true) if self.ctx.bounded() => return Ok(Poll::Exhausted),
            (Restart::Never | Restart::OnFailure, true) => return Ok(Poll::Exhausted),
            (Restart::Always, true) => self.options.restart_interval,
            (Restart::Always | Restart::OnFailure, false) if !self.ctx.bounded() => {
                let doubled =
                    self.options.restart_backoff * 2_u32.saturating_pow(self.failures.min(16));
                self.failures = self.failures.saturating_add(1);
                doubled.min(BACKOFF_MAX)
            }
            (_, false) => {
                return Err(Error::unavailable(ending).permanent());
            }
        };
        if !success {
            tracing::warn!(
                seconds = again.as_secs_f64(),
                "{ending}; it is run again after a pause"
            );
        }
        self.due = Some(Instant::now() + again);
        Ok(Poll::Idle(again))
    }
}

/// Writes what only this task and its program may read.
fn private_file(text: &str) -> Result<NamedTempFile> {
    // Created with mode 0600.
    let mut file = NamedTempFile::with_prefix("linkspan-singer-")?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

fn partition(ctx: &TaskContext) -> SourcePartition {
    SourcePartition::from([("exec", ctx.connector())])
}
