//! `generator-source`: a task makes its share of the records and remembers the next number.

use std::io::Write as _;
use std::time::Instant;

use linkspan_sdk::prelude::*;

use crate::options::{GeneratorOptions, ValueSchema};
use crate::payload::{NUMBERS_PER_TASK, Payloads, mix};
use crate::range::{allowed, due, share};

/// Most records of a batch, however many the host would take.
const BATCH_RECORDS_MAX: u32 = 100_000;

/// The longest a slow generator sleeps between two looks at the clock.
const IDLE_MAX: Duration = Duration::from_secs(1);

/// `generator-source` as a whole: tells each task how many share the work.
#[derive(Debug)]
pub(crate) struct GeneratorConnector;

impl SourceConnector for GeneratorConnector {
    type Options = GeneratorOptions;

    async fn task_configs(_options: &GeneratorOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let tasks = max.max(1);
        Ok((0..tasks)
            .map(|_| TaskConfig::from([("generator.tasks".to_owned(), tasks.to_string())]))
            .collect())
    }
}

/// A task of `generator-source`.
#[derive(Debug)]
pub(crate) struct Generator {
    options: GeneratorOptions,
    partition: SourcePartition,
    /// The task's first number.
    base: u64,
    /// The next record of this task, counted from 0.
    next: u64,
    /// Where this task ends.
    end: Option<u64>,
    payloads: Payloads,
    key: Vec<u8>,
    schema: Option<RowSchema>,
    started: Instant,
    /// `next` when the task started: the rate counts from there.
    resumed_at: u64,
}

impl SourceTask for Generator {
    type Options = GeneratorOptions;

    async fn open(options: GeneratorOptions, ctx: SourceContext) -> Result<Self> {
        if ctx.bounded() && options.count == 0 {
            return Err(Error::config_invalid(
                "`count` is 0: the generator never ends, which a `--once` job cannot wait for; set `count`",
            ));
        }
        let task = u64::from(ctx.task_index());
        let partition = SourcePartition::from(format!("generator-{task}"));
        let next = ctx.offset(&partition).u64("next")?.unwrap_or(0);
        let end = (options.count > 0).then(|| share(options.count, task, u64::from(options.tasks)));
        let schema = if options.schema == ValueSchema::Row {
            Some(ctx.register_schema(row_schema())?)
        } else {
            None
        };
        Ok(Self {
            partition,
            base: task * NUMBERS_PER_TASK,
            next,
            end,
            payloads: Payloads::new(options.seed, options.size.as_usize()),
            key: Vec::new(),
            schema,
            started: Instant::now(),
            resumed_at: next,
            options,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let end = self.end.unwrap_or(NUMBERS_PER_TASK);
        let until = if self.options.rate == 0 {
            end
        } else {
            end.min(
                self.resumed_at
                    .saturating_add(allowed(self.options.rate, self.started.elapsed())),
            )
        };
        // The position moves only with the batch: after a failed one the same records are made again.
        let mut next = self.next;
        while next < until && !out.is_full() && out.len() < BATCH_RECORDS_MAX {
            self.make(next, out)?;
            next += 1;
        }
        if next > self.next {
            self.next = next;
            out.offset(&self.partition, [("next", next)]);
        }
        if self.next >= end {
            return Ok(Poll::Exhausted);
        }
        if self.next < until {
            return Ok(Poll::More);
        }
        let wait = due(self.options.rate, self.next - self.resumed_at)
            .saturating_sub(self.started.elapsed());
        Ok(Poll::Idle(wait.clamp(Duration::from_millis(1), IDLE_MAX)))
    }
}

impl Generator {
    #[inline]
    fn make(&mut self, n: u64, out: &mut BatchBuilder) -> Result<()> {
        let number = self.base + n;
        let mut record = out.to(&self.options.topic);
        if self.options.partition >= 0 {
            record = record.partition(self.options.partition);
        }
        if self.options.keys > 0 {
            self.key.clear();
            // The key looks random and is the same whenever the number is made again.
            write!(
                self.key,
                "key-{}",
                mix(number ^ self.options.seed) % self.options.keys
            )?;
            record = record.key(utf8(&self.key)?);
        }
        match &self.schema {
            Some(schema) => {
                let sequence = i64::try_from(number)?;
                let Data::Utf8(filler) = utf8(self.payloads.filler(number))? else {
                    return Ok(());
                };
                record.row(schema, |row| {
                    row.int64(0, sequence)?.string(1, filler)?;
                    Ok(())
                })
            }
            None => record.value_data(utf8(self.payloads.payload(number))?),
        }
    }
}

/// The payload is ASCII by construction; it is checked all the same, which costs less than a copy.
#[inline]
fn utf8(bytes: &[u8]) -> Result<Data<'_>> {
    Ok(Data::Utf8(std::str::from_utf8(bytes)?))
}

fn row_schema() -> Schema {
    SchemaBuilder::structure()
        .name("linkspan.Generated")
        .field("sequence", SchemaBuilder::int64().build())
        .field("payload", SchemaBuilder::string().build())
        .build()
}
