//! Misbehaves in the entry point that the option `at` names: panics, hangs until a file appears, or takes its time. Everywhere
//! else it behaves. `rogue-parts` divides its work as a file says, and notices when that file changes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use linkspan_sdk::prelude::*;

/// How it misbehaves.
#[derive(Clone)]
struct Mood {
    at: String,
    mood: String,
    until: Option<PathBuf>,
}

impl Mood {
    /// Reaches an entry point.
    fn reach(&self, here: &str) {
        if self.at != here {
            return;
        }
        match self.mood.as_str() {
            "hang" => {
                // Blocks its thread, deaf to every stop.
                while self.until.as_ref().is_none_or(|file| !file.is_file()) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            "slow" => std::thread::sleep(Duration::from_secs(2)),
            "spin" => {
                let end = Instant::now() + Duration::from_millis(20);
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
            _ => panic!("rogue in {here}"),
        }
    }
}

#[derive(Options)]
struct SourceOptions {
    /// Topic to fill.
    topic: TopicName,
    /// Entry point that misbehaves.
    at: String,
    /// panic, hang, slow or spin.
    #[option(default = "panic")]
    mood: String,
    /// With `hang`: it ends once this file is there.
    until: Option<String>,
    /// Time between two records.
    #[option(default = "50ms")]
    every: Duration,
}

impl SourceOptions {
    fn mood(&self) -> Mood {
        Mood {
            at: self.at.clone(),
            mood: self.mood.clone(),
            until: self.until.clone().map(PathBuf::from),
        }
    }
}

struct RogueSource {
    options: SourceOptions,
    mood: Mood,
    sent: bool,
}

impl SourceTask for RogueSource {
    type Options = SourceOptions;

    async fn open(options: SourceOptions, _ctx: SourceContext) -> Result<Self> {
        let mood = options.mood();
        mood.reach("open");
        Ok(Self {
            options,
            mood,
            sent: false,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.mood.reach("poll");
        if self.mood.at == "wait" && self.sent {
            // As one that waits for somebody to send something.
            std::future::pending::<()>().await;
        }
        if !self.sent {
            out.to(&self.options.topic).utf8("one")?;
            self.sent = true;
        }
        Ok(Poll::Idle(self.options.every))
    }

    async fn close(&mut self) -> Result<()> {
        self.mood.reach("close");
        Ok(())
    }
}

struct RogueSourceConnector;

impl SourceConnector for RogueSourceConnector {
    type Options = SourceOptions;

    async fn task_configs(options: &SourceOptions, _max: u32) -> Result<Vec<TaskConfig>> {
        options.mood().reach("task_configs");
        Ok(vec![TaskConfig::new()])
    }

    fn validate(options: &SourceOptions) -> Vec<ConfigProblem> {
        options.mood().reach("validate");
        Vec::new()
    }
}

#[derive(Options)]
struct SinkOptions {
    /// Entry point that misbehaves.
    at: String,
    /// panic, hang, slow or spin.
    #[option(default = "panic")]
    mood: String,
    /// With `hang`: it ends once this file is there.
    until: Option<String>,
}

struct RogueSink {
    mood: Mood,
}

impl SinkTask for RogueSink {
    type Options = SinkOptions;

    async fn open(options: SinkOptions, _ctx: SinkContext) -> Result<Self> {
        let mood = Mood {
            at: options.at,
            mood: options.mood,
            until: options.until.map(PathBuf::from),
        };
        mood.reach("open");
        Ok(Self { mood })
    }

    async fn assigned(&mut self, _partitions: &[Assigned]) -> Result<Seeks> {
        self.mood.reach("assigned");
        Ok(Seeks::none())
    }

    async fn put(&mut self, records: Records<'_>, _report: &mut Report) -> Result<Progress> {
        self.mood.reach("put");
        Ok(records.progress())
    }

    async fn flush(&mut self) -> Result<Progress> {
        self.mood.reach("flush");
        Ok(Progress::none())
    }

    async fn revoked(&mut self, _partitions: &[TopicPartition]) -> Result<()> {
        self.mood.reach("revoked");
        Ok(())
    }

    async fn close(&mut self) -> Result<()> {
        self.mood.reach("close");
        Ok(())
    }
}

/// Divides its work as a file says.
#[derive(Options)]
struct PartsOptions {
    /// Topic to fill.
    topic: TopicName,
    /// One task for each line, up to `tasks.max`; `too many` makes as many as there are lines; `not now` is a temporary error.
    parts: String,
    /// Set for each task.
    part: Option<String>,
}

struct Parts {
    options: PartsOptions,
    ctx: SourceContext,
    seen: Option<SystemTime>,
    said: bool,
}

fn written(path: &str) -> Option<SystemTime> {
    Path::new(path).metadata().ok()?.modified().ok()
}

impl SourceTask for Parts {
    type Options = PartsOptions;

    async fn open(options: PartsOptions, ctx: SourceContext) -> Result<Self> {
        let seen = written(&options.parts);
        Ok(Self {
            options,
            ctx,
            seen,
            said: false,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if !std::mem::replace(&mut self.said, true) {
            let part = self.options.part.clone().unwrap_or_default();
            out.to(&self.options.topic).utf8(&part)?;
        }
        let now = written(&self.options.parts);
        if now != self.seen {
            self.seen = now;
            self.ctx.request_reconfiguration()?;
        }
        Ok(Poll::Idle(Duration::from_millis(50)))
    }
}

struct PartsConnector;

impl SourceConnector for PartsConnector {
    type Options = PartsOptions;

    async fn task_configs(options: &PartsOptions, max: u32) -> Result<Vec<TaskConfig>> {
        let text = std::fs::read_to_string(&options.parts)?;
        if text.trim() == "not now" {
            return Err(Error::new(ErrorKind::Unavailable, "the parts are being counted").temporary());
        }
        let many = text.starts_with("too many");
        let lines = text.lines().filter(|line| *line != "too many");
        let configs = lines.map(|line| TaskConfig::from([("part".to_owned(), line.to_owned())]));
        Ok(if many {
            configs.collect()
        } else {
            configs.take(max as usize).collect()
        })
    }
}

/// Numbers in transactions of Fibonacci's sizes, of which every second one is void.
#[derive(Options)]
struct LedgerOptions {
    /// Topic to fill.
    topic: TopicName,
    /// How many transactions.
    transactions: u64,
}

struct Ledger {
    options: LedgerOptions,
    next: u64,
    transaction: u64,
    left: u64,
}

/// Numbers of one poll.
const AT_ONCE: u64 = 7;

fn fibonacci(n: u64) -> u64 {
    (0..n).fold((1, 1), |(a, b), _| (b, a + b)).0
}

impl SourceTask for Ledger {
    type Options = LedgerOptions;

    async fn open(options: LedgerOptions, ctx: SourceContext) -> Result<Self> {
        let offset = ctx.offset("ledger");
        let transaction = offset.u64("transaction")?.unwrap_or(0);
        let left = offset.u64("left")?.unwrap_or_else(|| fibonacci(transaction));
        Ok(Self {
            options,
            next: offset.u64("next")?.unwrap_or(0),
            transaction,
            left,
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        if self.transaction >= self.options.transactions {
            return Ok(Poll::Exhausted);
        }
        let n = self.left.min(AT_ONCE);
        for number in self.next..self.next + n {
            out.to(&self.options.topic).utf8(&format!("{} {number}", self.transaction))?;
        }
        self.next += n;
        self.left -= n;
        if self.left > 0 {
            out.transaction_goes_on();
        } else {
            if self.transaction % 2 == 0 {
                out.abort_transaction();
            }
            self.transaction += 1;
            self.left = fibonacci(self.transaction);
        }
        out.offset(
            "ledger",
            [
                ("next", self.next),
                ("transaction", self.transaction),
                ("left", self.left),
            ],
        );
        Ok(Poll::More)
    }
}

#[derive(Options)]
struct SplitOptions {
    /// What stands between two parts.
    #[option(default = ",")]
    by: String,
    /// Most parts of a record; more are refused.
    #[option(default = "100", min = 1)]
    most: u64,
}

/// Makes a record of each part of a text; `panic` panics, no text at all is kept, an empty one is dropped.
struct Split(SplitOptions);

impl Transform for Split {
    type Options = SplitOptions;

    async fn open(options: SplitOptions, _ctx: TransformContext) -> Result<Self> {
        Ok(Self(options))
    }

    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
        for record in records {
            let Some(value) = record.value().as_bytes() else {
                out.keep(&record)?;
                continue;
            };
            let text = String::from_utf8_lossy(value).into_owned();
            assert!(text != "panic", "rogue in apply");
            let parts: Vec<&str> = text.split(&self.0.by).filter(|part| !part.is_empty()).collect();
            if parts.len() as u64 > self.0.most {
                return Err(Error::data_invalid("has too many parts"));
            }
            for part in parts {
                out.like(&record).utf8(part)?;
            }
        }
        Ok(())
    }
}

/// A predicate: keeps what it holds for, records with a comma.
struct HasComma;

impl Transform for HasComma {
    type Options = ();

    async fn open(_options: (), _ctx: TransformContext) -> Result<Self> {
        Ok(Self)
    }

    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
        for record in records {
            if record.value().as_bytes().is_some_and(|value| value.contains(&b',')) {
                out.keep(&record)?;
            }
        }
        Ok(())
    }
}

export_plugin! {
    sources: [
        RogueSource as "rogue-source" { connector: RogueSourceConnector },
        RogueSource as "rogue-fenced" { connector: RogueSourceConnector, features: ["fenced"] },
        Parts as "rogue-parts" { connector: PartsConnector },
        Ledger as "rogue-ledger" { features: ["transactions"] },
    ],
    sinks: [RogueSink as "rogue-sink"],
    transforms: [
        Split as "rogue-split",
        HasComma as "rogue-has-comma" { features: ["predicate"] },
    ],
}
