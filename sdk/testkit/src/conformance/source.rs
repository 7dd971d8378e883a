//! The suite of a source.

use std::{
    fmt,
    marker::PhantomData,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use linkspan_sdk::{Error, ErrorKind, Poll, SourceTask};

use super::{
    check::{Check, STOP_LIMIT, Verdict},
    config, leak,
    oracle::{self, Lanes},
    probe::{self, Place, Probe},
    scratch::Scratch,
};
use crate::{Config, IntoConfig, Polled, SourceTest, TestHost, TestRecord};

/// Polls until a run that does not end is given up.
const POLLS_MAX: usize = 100_000;
/// How long a bounded run may have nothing before it counts as one without an end.
const QUIET_MAX: Duration = Duration::from_secs(10);
/// The longest that a source's wish to be left alone is heeded.
const PAUSE_MAX: Duration = Duration::from_millis(100);
/// Most ack points that are tried of one run; of more, as many are taken evenly, the first and the last among them.
const ACK_POINTS_MAX: usize = 60;
/// Batches in flight when the kill comes.
const IN_FLIGHT: usize = 3;
/// Batches that a slow host leaves without acknowledgement.
const LATE_ACKS: usize = 16;

type Setup = Arc<dyn Fn(&Path) -> Config + Send + Sync>;
type Identity = Arc<dyn Fn(&TestRecord) -> String + Send + Sync>;

/// Tries what the host relies on in a source.
pub struct SourceSuite<T> {
    plan: Plan<T>,
    limit: Duration,
}

struct Plan<T> {
    setup: Setup,
    identity: Identity,
    overshoot: usize,
    stop_limit: Duration,
    class: PhantomData<fn() -> T>,
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self {
            setup: Arc::clone(&self.setup),
            identity: Arc::clone(&self.identity),
            overshoot: self.overshoot,
            stop_limit: self.stop_limit,
            class: PhantomData,
        }
    }
}

impl<T> fmt::Debug for SourceSuite<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSuite")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<T: SourceTask> SourceSuite<T> {
    /// Prepares the suite. `setup` is called once for each scenario with an empty folder: it makes what the source reads, the same
    /// every time, and returns the configuration. A few dozen records are enough; with more than 60 batches not every ack point is
    /// tried.
    #[must_use]
    pub fn new<C: IntoConfig>(setup: impl Fn(&Path) -> C + Send + Sync + 'static) -> Self {
        Self {
            plan: Plan {
                setup: Arc::new(move |folder| setup(folder).into_config()),
                identity: Arc::new(identity),
                overshoot: 0,
                stop_limit: STOP_LIMIT,
                class: PhantomData,
            },
            limit: Duration::from_secs(60),
        }
    }

    /// Sets what makes two records the same; unless said otherwise topic, partition, key, value and headers.
    #[must_use]
    pub fn identity(
        mut self,
        identity: impl Fn(&TestRecord) -> String + Send + Sync + 'static,
    ) -> Self {
        self.plan.identity = Arc::new(identity);
        self
    }

    /// Sets how many records a batch may hold beyond what the host asked for, for a system that answers in pages; 0 unless said
    /// otherwise.
    #[must_use]
    pub const fn overshoot(mut self, records: usize) -> Self {
        self.plan.overshoot = records;
        self
    }

    /// Sets how long one check may take, and with it how long a hang lasts; 60 s unless said otherwise.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sets how long a stop and a close may take; [`STOP_LIMIT`](super::STOP_LIMIT) unless said otherwise.
    #[must_use]
    pub const fn stop_limit(mut self, limit: Duration) -> Self {
        self.plan.stop_limit = limit;
        self
    }

    /// Makes all checks.
    #[must_use]
    pub fn check(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let mut make = |check, body: fn(&Plan<T>) -> Result<Vec<String>, String>| {
            let plan = self.plan.clone();
            verdict.make(check, self.limit, move || {
                body(&plan).unwrap_or_else(|problem| vec![problem])
            })
        };
        make(Check::Config, Plan::config);
        if make(Check::Run, Plan::run) {
            make(Check::Resume, Plan::resume);
            make(Check::SlowHost, Plan::slow_host);
            make(Check::Panic, Plan::panic);
            make(Check::Leak, Plan::leak);
        } else {
            for check in [Check::Resume, Check::SlowHost, Check::Panic, Check::Leak] {
                verdict.skip(check, "it does not even run without trouble");
            }
        }
        let plan = self.plan.clone();
        verdict.make(Check::Stop, self.limit, move || {
            plan.stop().unwrap_or_else(|problem| vec![problem])
        });
        verdict
    }

    /// Makes all checks and returns the verdict.
    ///
    /// # Panics
    /// With the verdict as text, where a check failed.
    #[track_caller]
    pub fn run(&self) -> Verdict {
        let verdict = self.check();
        assert!(
            verdict.failed.is_empty(),
            "the source does not conform:\n{verdict}"
        );
        verdict
    }
}

fn identity(record: &TestRecord) -> String {
    let mut text = record.value.text();
    if record.key != crate::TestData::Null {
        text = format!("{} = {text}", record.key.text());
    }
    for (name, value) in &record.headers {
        text = format!("{text} [{name}: {}]", value.text());
    }
    text
}

fn failed(doing: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{doing}: {}", error.chain())
}

/// One source with the folder that it reads.
struct Scene<T> {
    source: SourceTest<Probe<T>>,
    folder: Scratch,
    identity: Identity,
}

impl<T: SourceTask> Plan<T> {
    fn scene(&self) -> Result<Scene<T>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        let config = (self.setup)(folder.path());
        Ok(Scene {
            source: TestHost::source::<Probe<T>>(config),
            folder,
            identity: Arc::clone(&self.identity),
        })
    }

    fn config(&self) -> Result<Vec<String>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        Ok(config::check::<T::Options>(&(self.setup)(folder.path())))
    }

    /// What a run without trouble yields, and the number of its batches, when it is asked for so many records at a time.
    fn baseline(&self, asked: u32) -> Result<(Lanes, usize), String> {
        let mut scene = self.scene()?;
        scene.source = scene.source.asking(asked, 1 << 20);
        scene.source.open().map_err(failed("open"))?;
        let mut lanes = Lanes::new();
        let batches = scene.finish(&mut lanes)?;
        scene.source.close().map_err(failed("close"))?;
        Ok((lanes, batches))
    }

    fn run(&self) -> Result<Vec<String>, String> {
        let (lanes, _) = self.baseline(1_000)?;
        if lanes.is_empty() {
            return Ok(vec![
                "the run yields no record: nothing can be tried on it".to_owned(),
            ]);
        }
        Ok(Vec::new())
    }

    fn resume(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        for asked in [1, 7] {
            let (sent, batches) = self.baseline(asked)?;
            for durable in ack_points(batches) {
                let arrived = self.killed_after(asked, durable)?;
                let faults = oracle::exactly_once(&sent, &arrived);
                problems.extend(faults.iter().map(|fault| {
                    format!("asked for {asked}, killed after batch {durable} of {batches}: {fault}")
                }));
            }
        }
        Ok(problems)
    }

    fn killed_after(&self, asked: u32, durable: usize) -> Result<Lanes, String> {
        let mut scene = self.scene()?;
        scene.source = scene.source.asking(asked, 1 << 20);
        scene.source.open().map_err(failed("open"))?;
        let mut lanes = Lanes::new();
        let mut batches = 0;
        while batches < durable {
            let polled = scene.source.poll().map_err(failed("poll"))?;
            batches += usize::from(polled.seq > 0);
            let ended = polled.poll == Poll::Exhausted;
            let pause = pause(&polled);
            scene.take(polled, &mut lanes)?;
            if ended {
                break;
            }
            thread::sleep(pause);
        }
        for _ in 0..IN_FLIGHT {
            let polled = scene.source.poll().map_err(failed("poll"))?;
            if polled.poll == Poll::Exhausted {
                break;
            }
        }
        scene.crash_and_open()?;
        scene.finish(&mut lanes)?;
        Ok(lanes)
    }

    fn slow_host(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let (sent, _) = self.baseline(1_000)?;
        for asked in [1, 3] {
            let mut scene = self.scene()?;
            scene.source = scene
                .source
                .asking(asked, 1 << 20)
                .waiting(Duration::from_millis(200));
            scene.source.open().map_err(failed("open"))?;
            let most = usize::try_from(asked)
                .unwrap_or(usize::MAX)
                .saturating_add(self.overshoot);
            let mut lanes = Lanes::new();
            let mut late: Vec<Polled> = Vec::new();
            let mut heard = Instant::now();
            for _ in 0..POLLS_MAX {
                let polled = scene.source.poll().map_err(failed("poll"))?;
                if polled.records.len() > most {
                    problems.push(format!(
                        "asked for {asked} records, it gave {}",
                        polled.records.len()
                    ));
                }
                let ended = polled.poll == Poll::Exhausted;
                let nothing = polled.records.is_empty();
                if !nothing {
                    heard = Instant::now();
                }
                let pause = pause(&polled);
                late.push(polled);
                // A source may wait for its acknowledgements; the host gives them when nothing else comes.
                if ended || nothing || late.len() > LATE_ACKS {
                    for polled in late.drain(..) {
                        scene.take(polled, &mut lanes)?;
                    }
                }
                if ended || heard.elapsed() > QUIET_MAX {
                    break;
                }
                thread::sleep(pause);
            }
            let faults = oracle::exactly_once(&sent, &lanes);
            problems.extend(
                faults
                    .iter()
                    .map(|fault| format!("asked for {asked}, acknowledged late: {fault}")),
            );
        }
        Ok(problems)
    }

    fn panic(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        for place in Place::SOURCE {
            let mut scene = self.scene()?;
            probe::panic_at(Some(place));
            let source = &mut scene.source;
            let answer = source
                .open()
                .and_then(|()| source.poll().map(drop))
                .and_then(|()| source.close());
            probe::panic_at(None);
            match answer {
                Err(error) if error.kind() == ErrorKind::Panicked => {}
                other => problems.push(format!("a panic in {place:?} came out as {other:?}")),
            }
            scene.crash();
            let mut lanes = Lanes::new();
            let again = scene
                .source
                .open()
                .map_err(failed("open"))
                .and_then(|()| scene.finish(&mut lanes));
            if let Err(problem) = again {
                problems.push(format!(
                    "after a panic in {place:?}, without its close: {problem}"
                ));
            }
        }
        Ok(problems)
    }

    fn leak(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        Ok(leak::check(|| {
            scene.source.open().map_err(failed("open"))?;
            scene.source.poll().map_err(failed("poll"))?;
            scene.source.close().map_err(failed("close"))
        }))
    }

    fn stop(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        scene.source = scene
            .source
            .bounded(false)
            .waiting(Duration::from_secs(3_600));
        let source = &mut scene.source;
        match source.open() {
            Err(error) if error.kind() == ErrorKind::ConfigInvalid => {
                return Ok(vec![format!(
                    "it cannot run without an end: {}",
                    error.chain()
                )]);
            }
            opened => opened.map_err(failed("open"))?,
        }
        let control = source.control().map_err(failed("control"))?;
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let asked = Instant::now();
            control.stop();
            asked
        });
        // It may have an end all the same; then there is nothing to interrupt.
        let mut ended = false;
        let answer = loop {
            match source.poll() {
                Ok(polled) if polled.poll == Poll::Exhausted => ended = true,
                Ok(polled) => source.commit(&polled).map_err(failed("commit"))?,
                Err(error) => break Some(error),
            }
            if ended {
                break None;
            }
        };
        let back = Instant::now();
        let asked = stopper
            .join()
            .map_err(|_| "the stopping thread panicked".to_owned())?;
        let mut problems = Vec::new();
        let took = back.saturating_duration_since(asked);
        if took > self.stop_limit {
            problems.push(format!("it polled on for {took:?} after the stop"));
        }
        if let Some(error) = answer.filter(|error| error.kind() != ErrorKind::Stopped) {
            problems.push(format!("a stop is no failure: {}", error.chain()));
        }
        let closing = Instant::now();
        source.close().map_err(failed("close"))?;
        if closing.elapsed() > self.stop_limit {
            problems.push(format!("it took {:?} to close", closing.elapsed()));
        }
        Ok(problems)
    }
}

impl<T: SourceTask> Scene<T> {
    /// Commits a batch and keeps its records.
    fn take(&mut self, polled: Polled, lanes: &mut Lanes) -> Result<(), String> {
        self.source.commit(&polled).map_err(failed("commit"))?;
        let folder = self.folder.path().display().to_string();
        for record in &polled.records {
            let source = record
                .source_partition
                .as_deref()
                .unwrap_or("no source partition");
            let partition = record
                .partition
                .map_or(String::new(), |partition| format!("-{partition}"));
            let lane = format!(
                "{}{partition} from {}",
                record.topic,
                source.replace(&folder, "FOLDER")
            );
            lanes
                .entry(lane)
                .or_default()
                .push((self.identity)(record).replace(&folder, "FOLDER"));
        }
        Ok(())
    }

    /// Polls and commits to the end; returns how many batches said something.
    fn finish(&mut self, lanes: &mut Lanes) -> Result<usize, String> {
        let mut batches = 0;
        let mut heard = Instant::now();
        for _ in 0..POLLS_MAX {
            let polled = self.source.poll().map_err(failed("poll"))?;
            batches += usize::from(polled.seq > 0);
            let ended = polled.poll == Poll::Exhausted;
            if !polled.records.is_empty() {
                heard = Instant::now();
            }
            let pause = pause(&polled);
            self.take(polled, lanes)?;
            if ended {
                return Ok(batches);
            }
            if heard.elapsed() > QUIET_MAX {
                return Err(format!(
                    "no end: it has had nothing for {QUIET_MAX:?}, and a bounded run never says that it is exhausted"
                ));
            }
            thread::sleep(pause);
        }
        Err(format!(
            "no end after {POLLS_MAX} polls: the setup must be one with an end"
        ))
    }

    fn crash(&mut self) {
        let source = &mut self.source;
        // What a crash answers is of no interest.
        probe::crash(|| drop(source.close()));
    }

    fn crash_and_open(&mut self) -> Result<(), String> {
        self.crash();
        self.source.open().map_err(failed("open after a crash"))
    }
}

/// How long the source wants to be left alone, within bounds.
fn pause(polled: &Polled) -> Duration {
    match polled.poll {
        Poll::Idle(delay) => delay.min(PAUSE_MAX),
        _ => Duration::ZERO,
    }
}

/// All places to kill at, the beginning among them.
fn ack_points(batches: usize) -> Vec<usize> {
    if batches < ACK_POINTS_MAX {
        return (0..=batches).collect();
    }
    (0..=ACK_POINTS_MAX)
        .map(|point| point * batches / ACK_POINTS_MAX)
        .collect()
}
