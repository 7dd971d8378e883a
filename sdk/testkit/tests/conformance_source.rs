//! The suite of a source, judged: a sound one passes, and each broken one fails exactly the check that is there for it.

use std::{
    fs::File,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use linkspan_sdk::prelude::*;
use linkspan_testkit::conformance::{Check, SourceSuite, Verdict};

/// What is wrong with a source.
mod flaw {
    pub(super) const NONE: u8 = 0;
    pub(super) const STARTS_AGAIN: u8 = 1;
    pub(super) const OFFSET_AHEAD: u8 = 2;
    pub(super) const RESUMES_SHUFFLED: u8 = 3;
    pub(super) const BLOCKS: u8 = 4;
    pub(super) const FREES_AT_CLOSE_ONLY: u8 = 5;
    pub(super) const GIVES_TOO_MUCH: u8 = 6;
    pub(super) const DROPS_WITHOUT_ACK: u8 = 7;
    pub(super) const LEAKS_FILES: u8 = 8;
    pub(super) const LEAKS_THREADS: u8 = 9;
    pub(super) const LEAKS_MEMORY: u8 = 10;
    pub(super) const YIELDS_NOTHING: u8 = 11;
    pub(super) const NEVER_ENDS: u8 = 12;
    pub(super) const FAILS_AT_STOP: u8 = 13;
}

/// Counts.
#[derive(Options)]
struct CountOptions {
    /// Topic to fill.
    topic: TopicName,
    /// Where it ends; without an end in a run without one.
    #[option(default = "25", min = 1, alias = "limit")]
    count: u64,
}

static HELD: AtomicBool = AtomicBool::new(false);
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());

struct Count<const FLAW: u8> {
    options: CountOptions,
    next: u64,
    resumed: u64,
    ctx: SourceContext,
    last: Seq,
}

impl<const FLAW: u8> SourceTask for Count<FLAW> {
    type Options = CountOptions;

    async fn open(options: CountOptions, ctx: SourceContext) -> Result<Self> {
        match FLAW {
            flaw::FREES_AT_CLOSE_ONLY if HELD.swap(true, Ordering::SeqCst) => {
                return Err(Error::conflict("somebody holds it"));
            }
            flaw::LEAKS_FILES => LEAKED
                .lock()
                .expect("no test panics while it holds it")
                .push(File::open("/proc/self/status")?),
            flaw::LEAKS_THREADS => drop(thread::spawn(|| thread::sleep(Duration::from_secs(60)))),
            flaw::LEAKS_MEMORY => drop(Box::leak(vec![1_u8; 1 << 20].into_boxed_slice())),
            _ => {}
        }
        let stored = ctx.offset("count").u64("next")?.unwrap_or(0);
        let next = if FLAW == flaw::STARTS_AGAIN {
            0
        } else {
            stored
        };
        Ok(Self {
            options,
            next,
            resumed: stored,
            ctx,
            last: Seq(0),
        })
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        let end = if FLAW == flaw::YIELDS_NOTHING {
            0
        } else {
            self.options.count
        };
        if FLAW == flaw::NEVER_ENDS && self.next >= end {
            return Ok(Poll::More);
        }
        if self.next >= end {
            if !self.ctx.bounded() {
                if FLAW == flaw::BLOCKS {
                    thread::sleep(Duration::from_millis(1_500));
                }
                if FLAW == flaw::FAILS_AT_STOP {
                    return Err(Error::unavailable("the line is gone"));
                }
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            return Ok(Poll::Exhausted);
        }
        let acked = self.ctx.durable().get() >= self.last;
        if FLAW == flaw::DROPS_WITHOUT_ACK && self.last.0 > 2 && !acked {
            self.next += 1;
        }
        while self.next < end && (!out.is_full() || FLAW == flaw::GIVES_TOO_MUCH) {
            let number = match (FLAW, self.next) {
                (flaw::RESUMES_SHUFFLED, next) if self.resumed > 0 && next == end - 1 => end - 2,
                (flaw::RESUMES_SHUFFLED, next) if self.resumed > 0 && next == end - 2 => end - 1,
                (_, next) => next,
            };
            out.to(&self.options.topic).json(&number)?;
            self.next += 1;
        }
        self.last = out.seq();
        let ahead = u64::from(FLAW == flaw::OFFSET_AHEAD && self.next < end);
        out.offset("count", [("next", self.next + ahead)]);
        Ok(Poll::More)
    }

    async fn close(&mut self) -> Result<()> {
        if FLAW == flaw::FREES_AT_CLOSE_ONLY {
            HELD.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn suite<const FLAW: u8>() -> Verdict {
    SourceSuite::<Count<FLAW>>::new(|_folder| [("topic", "t")])
        .stop_limit(Duration::from_millis(1_000))
        .check()
}

/// Exactly this check fails, and says this.
#[track_caller]
fn fails<const FLAW: u8>(check: Check, said: &str) {
    let verdict = suite::<FLAW>();
    assert_eq!(verdict.failed_checks(), [check], "{verdict}");
    assert!(verdict.to_string().contains(said), "{verdict}");
}

#[test]
fn a_sound_source_passes_every_check() {
    let verdict = suite::<{ flaw::NONE }>();
    assert!(
        verdict.failed.is_empty() && verdict.skipped.is_empty(),
        "{verdict}"
    );
    assert_eq!(verdict.passed.len(), 7, "{verdict}");
}

#[test]
fn a_source_that_forgets_its_offsets_repeats() {
    fails::<{ flaw::STARTS_AGAIN }>(Check::Resume, "too often `0`");
}

#[test]
fn a_source_whose_offset_is_ahead_loses() {
    fails::<{ flaw::OFFSET_AHEAD }>(Check::Resume, "lost 1 ×");
}

#[test]
fn a_source_that_changes_its_order_is_found() {
    fails::<{ flaw::RESUMES_SHUFFLED }>(Check::Resume, "`24` came where `23` was due");
}

#[test]
fn a_source_that_blocks_does_not_stop() {
    fails::<{ flaw::BLOCKS }>(Check::Stop, "after the stop");
}

#[test]
fn a_source_that_fails_when_it_should_wait_is_found() {
    fails::<{ flaw::FAILS_AT_STOP }>(Check::Stop, "a stop is no failure: the line is gone");
}

#[test]
fn a_source_that_frees_only_at_close_does_not_come_back() {
    let verdict = suite::<{ flaw::FREES_AT_CLOSE_ONLY }>();
    // A crash is one more way to be without `close`.
    assert!(verdict.failed_checks().contains(&Check::Panic), "{verdict}");
    assert!(
        verdict
            .to_string()
            .contains("without its close: open: somebody holds it"),
        "{verdict}"
    );
}

#[test]
fn a_source_that_gives_more_than_was_asked_for_is_found() {
    fails::<{ flaw::GIVES_TOO_MUCH }>(Check::SlowHost, "asked for 1 records, it gave 25");
}

#[test]
fn a_source_that_drops_what_is_acknowledged_late_is_found() {
    fails::<{ flaw::DROPS_WITHOUT_ACK }>(Check::SlowHost, "acknowledged late: t from");
}

#[test]
fn a_source_without_records_or_end_cannot_be_tried() {
    let verdict = suite::<{ flaw::YIELDS_NOTHING }>();
    assert_eq!(verdict.failed_checks(), [Check::Run], "{verdict}");
    assert_eq!(verdict.skipped.len(), 4, "{verdict}");
    let verdict =
        SourceSuite::<Count<{ flaw::NEVER_ENDS }>>::new(|_folder| [("topic", "t")]).check();
    assert_eq!(verdict.failed_checks(), [Check::Run], "{verdict}");
    assert!(verdict.to_string().contains("no end after"), "{verdict}");
}

#[test]
fn what_a_source_leaves_behind_is_counted() {
    fails::<{ flaw::LEAKS_FILES }>(Check::Leak, "file descriptors more");
    LEAKED
        .lock()
        .expect("no test panics while it holds it")
        .clear();
    fails::<{ flaw::LEAKS_THREADS }>(Check::Leak, "threads more");
    fails::<{ flaw::LEAKS_MEMORY }>(Check::Leak, "bytes of memory more");
}

/// Options that break each rule; all else is sound.
struct BadOptions<const FLAW: u8>(CountOptions);

impl<const FLAW: u8> Options for BadOptions<FLAW> {
    fn definitions() -> Vec<OptionDef> {
        let mut options = CountOptions::definitions();
        let count = options.last_mut().expect("there are two");
        match FLAW {
            1 => count.default = Some("0".to_owned()),
            2 => count.docs.clear(),
            3 => count.min = Some("5".to_owned()),
            4 => count.aliases.push("most".to_owned()),
            5 => count.required = true,
            6 => {
                let twice = count.clone();
                options.push(twice);
            }
            _ => {}
        }
        options
    }

    fn read(reader: &mut linkspan_sdk::options::Reader<'_>) -> Option<Self> {
        CountOptions::read(reader).map(Self)
    }
}

struct Tick<const FLAW: u8>(Count<{ flaw::NONE }>);

impl<const FLAW: u8> SourceTask for Tick<FLAW> {
    type Options = BadOptions<FLAW>;

    async fn open(options: BadOptions<FLAW>, ctx: SourceContext) -> Result<Self> {
        Ok(Self(Count::open(options.0, ctx).await?))
    }

    async fn poll(&mut self, out: &mut BatchBuilder) -> Result<Poll> {
        self.0.poll(out).await
    }
}

#[test]
fn options_that_do_not_hold_are_named() {
    fn options<const FLAW: u8>(said: &str) {
        let verdict = SourceSuite::<Tick<FLAW>>::new(|_folder| [("topic", "t")]).check();
        assert_eq!(verdict.failed_checks(), [Check::Config], "{verdict}");
        assert!(verdict.to_string().contains(said), "{said}\n{verdict}");
    }
    options::<1>("`count` says that its default is `0`, and refuses it");
    options::<2>("`count` has no documentation");
    options::<3>("`count` takes `4`");
    options::<4>("does not answer to `most`");
    options::<5>("`count` is required, and may be missing");
    options::<6>("`count` is declared twice");
}
