//! The suite of a sink, judged: sound ones pass, and each broken one fails exactly the check that is there for it.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use linkspan_sdk::prelude::*;
use linkspan_testkit::{
    TestRecord,
    conformance::{Check, SinkSuite, Verdict},
};

/// What is wrong with a sink.
mod flaw {
    pub(super) const NONE: u8 = 0;
    pub(super) const PROGRESS_TOO_FAR: u8 = 1;
    pub(super) const PROGRESS_BACK: u8 = 2;
    pub(super) const PROGRESS_OF_BUFFER: u8 = 3;
    pub(super) const FORGETS_AT_REVOKE: u8 = 4;
    pub(super) const SEEKS_BEYOND: u8 = 5;
    pub(super) const SKIPS_BAD: u8 = 6;
    pub(super) const BLOCKS: u8 = 7;
    pub(super) const LOCKS_UNTIL_CLOSE: u8 = 8;
    pub(super) const LEAKS_FILES: u8 = 9;
    pub(super) const LOSES_SMALL: u8 = 10;
    pub(super) const HIDES_TROUBLE: u8 = 11;
    pub(super) const PERMANENT_TROUBLE: u8 = 12;
    pub(super) const SKIPS_REDELIVERED: u8 = 13;
    pub(super) const WRITES_NOTHING: u8 = 14;
}

/// Keeps lines in a file.
#[derive(Options)]
struct KeepOptions {
    /// File that the lines are appended to.
    path: PathBuf,
}

static HELD: AtomicBool = AtomicBool::new(false);
static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());

struct Keep<const FLAW: u8> {
    path: PathBuf,
    small: u32,
    empty: u32,
    waiting: Vec<u8>,
    puts: u32,
}

fn lines(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("out")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

impl<const FLAW: u8> SinkTask for Keep<FLAW> {
    type Options = KeepOptions;

    async fn open(options: KeepOptions, _ctx: SinkContext) -> Result<Self> {
        if FLAW == flaw::LOCKS_UNTIL_CLOSE && HELD.swap(true, Ordering::SeqCst) {
            return Err(Error::conflict("somebody holds it"));
        }
        if FLAW == flaw::LEAKS_FILES {
            LEAKED
                .lock()
                .expect("no test panics while it holds it")
                .push(File::open("/proc/self/status")?);
        }
        Ok(Self {
            path: options.path,
            small: 0,
            empty: 0,
            waiting: Vec::new(),
            puts: 0,
        })
    }

    async fn assigned(&mut self, partitions: &[Assigned]) -> Result<Seeks> {
        let mut seeks = Seeks::none();
        for partition in partitions {
            if FLAW == flaw::SEEKS_BEYOND && partition.stored {
                seeks.to(partition.topic_partition(), partition.next + 1_000);
            }
        }
        Ok(seeks)
    }

    async fn put(&mut self, records: Records<'_>, report: &mut Report) -> Result<Progress> {
        let mut done = records.progress();
        // An idle host puts nothing again and again; no other check does.
        if FLAW == flaw::BLOCKS && self.empty > 3 {
            thread::sleep(Duration::from_millis(700));
        }
        let trouble = self.path.with_extension("trouble").try_exists()?;
        if trouble && FLAW == flaw::PERMANENT_TROUBLE {
            return Err(Error::unavailable("no line").permanent());
        }
        if trouble && FLAW != flaw::HIDES_TROUBLE {
            return Err(Error::unavailable("no line").temporary());
        }
        self.puts += 1;
        let count = records.len();
        self.small += u32::from(count == 2);
        self.empty = if count == 0 { self.empty + 1 } else { 0 };
        let lossy = (FLAW == flaw::LOSES_SMALL && self.small == 3)
            || FLAW == flaw::WRITES_NOTHING
            || (trouble && FLAW == flaw::HIDES_TROUBLE);
        // The first batch of a later instance is taken for one that was there before.
        let again = FLAW == flaw::SKIPS_REDELIVERED && self.puts == 1 && self.path.try_exists()?;
        let mut text = Vec::new();
        for record in records {
            if record.value().as_bytes() == Some(b"bad") {
                if FLAW != flaw::SKIPS_BAD {
                    report.reject(&record, Error::data_invalid("it is bad"));
                }
                continue;
            }
            text.extend_from_slice(record.value().as_bytes().unwrap_or_default());
            text.push(b'\n');
        }
        if lossy || again {
            text.clear();
        }
        match FLAW {
            flaw::PROGRESS_OF_BUFFER | flaw::FORGETS_AT_REVOKE => {
                self.waiting.extend_from_slice(&text)
            }
            _ => OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?
                .write_all(&text)?,
        }
        if FLAW == flaw::FORGETS_AT_REVOKE {
            done = Progress::none();
        }
        for (partition, next) in done
            .iter()
            .map(|(at, next, _)| (at.clone(), next))
            .collect::<Vec<_>>()
        {
            match FLAW {
                flaw::PROGRESS_TOO_FAR if self.puts == 3 => drop(done.set(partition, next + 2, "")),
                flaw::PROGRESS_BACK if self.puts == 3 => drop(done.set(partition, 0, "")),
                _ => {}
            }
        }
        Ok(done)
    }

    async fn flush(&mut self) -> Result<Progress> {
        if FLAW == flaw::PROGRESS_OF_BUFFER {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?
                .write_all(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(Progress::none())
    }

    async fn close(&mut self) -> Result<()> {
        HELD.store(false, Ordering::SeqCst);
        Ok(())
    }
}

fn suite<const FLAW: u8>() -> SinkSuite<Keep<FLAW>> {
    SinkSuite::new(|folder: &Path| [("path".to_owned(), folder.join("out").display().to_string())])
        .outside(lines)
        .rejecting(TestRecord::new("t", "bad"))
        .trouble(|folder, on| {
            let sign = folder.join("out.trouble");
            if on {
                fs::write(sign, "").expect("the scene's folder is ours")
            } else {
                fs::remove_file(sign).expect("the scene's folder is ours")
            }
        })
        .stop_limit(Duration::from_millis(400))
}

/// Exactly this check fails, and says this.
#[track_caller]
fn fails<const FLAW: u8>(check: Check, said: &str) {
    let verdict: Verdict = suite::<FLAW>().check();
    assert_eq!(verdict.failed_checks(), [check], "{verdict}");
    assert!(verdict.to_string().contains(said), "{verdict}");
}

#[test]
fn a_sound_sink_passes_every_check() {
    let verdict = suite::<{ flaw::NONE }>().check();
    assert!(
        verdict.failed.is_empty() && verdict.skipped.is_empty(),
        "{verdict}"
    );
    assert_eq!(verdict.passed.len(), 12, "{verdict}");
}

#[test]
fn a_sink_at_least_once_is_not_exactly_once() {
    let verdict = suite::<{ flaw::NONE }>().exactly_once().check();
    assert_eq!(verdict.failed_checks(), [Check::Redelivery], "{verdict}");
    assert!(verdict.to_string().contains("too often"), "{verdict}");
}

#[test]
fn a_sink_that_keeps_no_position_may_not_say_so() {
    let verdict = suite::<{ flaw::NONE }>().keeps_position().check();
    assert_eq!(verdict.failed_checks(), [Check::Seeks], "{verdict}");
    assert!(
        verdict
            .to_string()
            .contains("the host forgot its positions"),
        "{verdict}"
    );
}

#[test]
fn progress_beyond_what_was_put_is_found() {
    let verdict = suite::<{ flaw::PROGRESS_TOO_FAR }>().check();
    assert!(
        verdict.failed_checks().contains(&Check::Progress),
        "{verdict}"
    );
    assert!(
        verdict
            .to_string()
            .contains("only records below 4 were put"),
        "{verdict}"
    );
}

#[test]
fn progress_that_goes_back_is_found() {
    let verdict = suite::<{ flaw::PROGRESS_BACK }>().check();
    assert!(
        verdict.failed_checks().contains(&Check::Progress),
        "{verdict}"
    );
    assert!(verdict.to_string().contains("went back from"), "{verdict}");
}

#[test]
fn progress_of_what_is_only_buffered_loses_at_a_crash() {
    let verdict = suite::<{ flaw::PROGRESS_OF_BUFFER }>().check();
    assert!(
        verdict.failed_checks().contains(&Check::Resume),
        "{verdict}"
    );
    assert!(
        verdict
            .to_string()
            .contains("killed after put 1: conformance-0: lost"),
        "{verdict}"
    );
}

#[test]
fn a_sink_that_never_finishes_what_it_buffers_is_found() {
    let verdict = suite::<{ flaw::FORGETS_AT_REVOKE }>().check();
    assert_eq!(
        verdict.failed_checks().first(),
        Some(&Check::Run),
        "{verdict}"
    );
}

#[test]
fn a_sink_that_writes_nothing_is_found_at_once() {
    let verdict = suite::<{ flaw::WRITES_NOTHING }>().check();
    assert_eq!(verdict.failed_checks(), [Check::Run], "{verdict}");
    assert_eq!(verdict.skipped.len(), 9, "{verdict}");
}

#[test]
fn a_seek_beyond_the_log_is_found() {
    fails::<{ flaw::SEEKS_BEYOND }>(
        Check::Seeks,
        "a seek of conformance-0 to 1005, the log ends at 24",
    );
}

#[test]
fn a_bad_record_that_is_not_named_is_found() {
    fails::<{ flaw::SKIPS_BAD }>(Check::Reject, "refused are []");
}

#[test]
fn a_sink_that_blocks_does_not_stop() {
    fails::<{ flaw::BLOCKS }>(Check::Stop, "still in `put`");
}

#[test]
fn a_sink_that_frees_only_at_close_does_not_come_back() {
    let verdict = suite::<{ flaw::LOCKS_UNTIL_CLOSE }>().check();
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
fn a_sink_that_leaks_is_found() {
    fails::<{ flaw::LEAKS_FILES }>(Check::Leak, "file descriptors more");
    LEAKED
        .lock()
        .expect("no test panics while it holds it")
        .clear();
}

#[test]
fn a_sink_that_minds_small_batches_is_found() {
    fails::<{ flaw::LOSES_SMALL }>(Check::SlowHost, "lost 1 ×");
}

#[test]
fn trouble_must_be_a_temporary_error() {
    fails::<{ flaw::HIDES_TROUBLE }>(Check::Redelivery, "say that all is well");
    fails::<{ flaw::PERMANENT_TROUBLE }>(Check::Redelivery, "this one is permanent");
}

#[test]
fn a_sink_that_takes_new_records_for_old_ones_loses() {
    fails::<{ flaw::SKIPS_REDELIVERED }>(Check::Resume, "lost 1 ×");
}
