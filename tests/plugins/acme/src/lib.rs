//! A plugin as a third party writes it: outside linkspan's repository, with one line in `[dependencies]`.
//!
//! `acme-count` is a source that counts, `acme-keep` is a sink that keeps what it gets as lines of a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use linkspan_sdk::prelude::*;

#[derive(Options)]
struct CountOptions {
    /// Topic to fill.
    topic: TopicName,
    /// The numbers are 0 up to, and without, this one.
    #[option(default = "100")]
    count: u64,
}

struct Count {
    options: CountOptions,
    next: u64,
}

impl SourceTask for Count {
    type Options = CountOptions;

    async fn open(options: CountOptions, ctx: SourceContext) -> Result<Self> {
        Ok(Self {
            next: ctx.offset("count").u64("next")?.unwrap_or(0),
            options,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if self.next >= self.options.count {
            return Ok(Poll::Exhausted);
        }
        while self.next < self.options.count && !out.is_full() {
            out.to(&self.options.topic).json(&self.next)?;
            self.next += 1;
        }
        out.offset("count", [("next", self.next)]);
        Ok(Poll::More)
    }
}

#[derive(Options)]
struct KeepOptions {
    /// File that the lines are appended to.
    path: PathBuf,
}

struct Keep {
    file: File,
}

impl SinkTask for Keep {
    type Options = KeepOptions;

    async fn open(options: KeepOptions, _ctx: SinkContext) -> Result<Self> {
        Ok(Self {
            file: OpenOptions::new()
                .create(true)
                .append(true)
                .open(options.path)?,
        })
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        let done = records.progress();
        for record in records {
            self.file
                .write_all(record.value().as_bytes().unwrap_or_default())?;
            self.file.write_all(b"\n")?;
        }
        self.file.sync_data()?;
        Ok(done)
    }
}

export_plugin! { sources: [Count as "acme-count"], sinks: [Keep as "acme-keep"] }
