//! Panics in the entry point that the option `at` names; everywhere else it behaves.

use std::time::Duration;

use linkspan_sdk::prelude::*;

#[derive(Options)]
struct SourceOptions {
    /// Topic to fill.
    topic: TopicName,
    /// Entry point that panics.
    at: String,
}

struct RogueSource {
    options: SourceOptions,
    sent: bool,
}

impl SourceTask for RogueSource {
    type Options = SourceOptions;

    async fn open(options: SourceOptions, _ctx: SourceContext) -> Result<Self> {
        panic_at(&options.at, "open");
        Ok(Self {
            options,
            sent: false,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        panic_at(&self.options.at, "poll");
        if !self.sent {
            out.to(&self.options.topic).utf8("one")?;
            self.sent = true;
        }
        Ok(Poll::Idle(Duration::from_millis(50)))
    }

    async fn close(&mut self) -> Result<()> {
        panic_at(&self.options.at, "close");
        Ok(())
    }
}

struct RogueSourceConnector;

impl SourceConnector for RogueSourceConnector {
    type Options = SourceOptions;

    async fn task_configs(options: &SourceOptions, _max: u32) -> Result<Vec<TaskConfig>> {
        panic_at(&options.at, "task_configs");
        Ok(vec![TaskConfig::new()])
    }

    fn validate(options: &SourceOptions) -> Vec<ConfigProblem> {
        panic_at(&options.at, "validate");
        Vec::new()
    }
}

#[derive(Options)]
struct SinkOptions {
    /// Entry point that panics.
    at: String,
}

struct RogueSink {
    options: SinkOptions,
}

impl SinkTask for RogueSink {
    type Options = SinkOptions;

    async fn open(options: SinkOptions, _ctx: SinkContext) -> Result<Self> {
        panic_at(&options.at, "open");
        Ok(Self { options })
    }

    async fn assigned(&mut self, _partitions: &[Assigned]) -> Result<Seeks> {
        panic_at(&self.options.at, "assigned");
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        panic_at(&self.options.at, "put");
        Ok(records.progress())
    }

    async fn flush(&mut self) -> Result<Progress> {
        panic_at(&self.options.at, "flush");
        Ok(Progress::none())
    }

    async fn revoked(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        panic_at(&self.options.at, "revoked");
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        panic_at(&self.options.at, "close");
        Ok(())
    }
}

fn panic_at(wanted: &str, here: &str) {
    assert!(wanted != here, "rogue in {here}");
}

export_plugin! {
    sources: [RogueSource as "rogue-source" { connector: RogueSourceConnector }],
    sinks: [RogueSink as "rogue-sink"],
}
