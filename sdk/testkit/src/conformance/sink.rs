//! The suite of a sink.

use std::{
    fmt,
    marker::PhantomData,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use linkspan_sdk::{ErrorKind, SinkTask};

use super::{
    check::{Check, STOP_LIMIT, Verdict},
    config, leak,
    oracle::{self, Fault, Lanes},
    probe::{self, Place},
    scratch::Scratch,
    sink_drive::{Drive, TOPIC, failed},
};
use crate::{Config, IntoConfig, TestHost, TestRecord};

/// Partitions of the topic.
const PARTITIONS: i32 = 2;
/// Records of each partition.
const RECORDS: i64 = 24;
/// Puts after which a sink that never gets to the end is given up.
const PUTS_MAX: u32 = 1_000;
/// Records of each partition in one batch, where nothing else is tried.
const BATCH: usize = 5;

type Setup = Arc<dyn Fn(&Path) -> Config + Send + Sync>;
type Outside = Arc<dyn Fn(&Path) -> Vec<String> + Send + Sync>;
type Make = Arc<dyn Fn(i32, i64) -> TestRecord + Send + Sync>;
/// The body of a check: what is wrong, or what kept it from being made.
type Body<T> = fn(&Plan<T>) -> Result<Vec<String>, String>;
type Trouble = Arc<dyn Fn(&Path, bool) + Send + Sync>;

/// Tries what the host relies on in a sink.
pub struct SinkSuite<T> {
    plan: Plan<T>,
    limit: Duration,
}

struct Plan<T> {
    setup: Setup,
    outside: Option<Outside>,
    make: Make,
    bad: Option<TestRecord>,
    trouble: Option<Trouble>,
    exactly_once: bool,
    keeps_position: bool,
    stop_limit: Duration,
    class: PhantomData<fn() -> T>,
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self {
            setup: Arc::clone(&self.setup),
            outside: self.outside.clone(),
            make: Arc::clone(&self.make),
            bad: self.bad.clone(),
            trouble: self.trouble.clone(),
            exactly_once: self.exactly_once,
            keeps_position: self.keeps_position,
            stop_limit: self.stop_limit,
            class: PhantomData,
        }
    }
}

impl<T> fmt::Debug for SinkSuite<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkSuite")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<T: SinkTask> SinkSuite<T> {
    /// Prepares the suite. `setup` is called once for each scenario with an empty folder: it makes what the sink writes to and returns
    /// the configuration.
    #[must_use]
    pub fn new<C: IntoConfig>(setup: impl Fn(&Path) -> C + Send + Sync + 'static) -> Self {
        Self {
            plan: Plan {
                setup: Arc::new(move |folder| setup(folder).into_config()),
                outside: None,
                make: Arc::new(|partition, offset| {
                    TestRecord::new(TOPIC, format!("p{partition} record {offset:04}"))
                        .partition(partition)
                }),
                bad: None,
                trouble: None,
                exactly_once: false,
                keeps_position: false,
                stop_limit: STOP_LIMIT,
                class: PhantomData,
            },
            limit: Duration::from_secs(60),
        }
    }

    /// Sets how what is outside is read back: the texts of all records in the order in which they lie there, as
    /// [`TestData::text`](crate::TestData::text) gives the value that was put. Without it loss and repeats are seen in the progress only.
    #[must_use]
    pub fn outside(mut self, read: impl Fn(&Path) -> Vec<String> + Send + Sync + 'static) -> Self {
        self.plan.outside = Some(Arc::new(read));
        self
    }

    /// Sets the record of a partition and an offset. Values must differ; topic and partition are set by the suite.
    #[must_use]
    pub fn records(
        mut self,
        make: impl Fn(i32, i64) -> TestRecord + Send + Sync + 'static,
    ) -> Self {
        self.plan.make = Arc::new(move |partition, offset| {
            let record = make(partition, offset);
            TestRecord {
                topic: TOPIC.to_owned(),
                partition: Some(partition),
                ..record
            }
        });
        self
    }

    /// Sets a record that the sink must refuse.
    #[must_use]
    pub fn rejecting(mut self, bad: TestRecord) -> Self {
        self.plan.bad = Some(TestRecord {
            topic: TOPIC.to_owned(),
            partition: Some(0),
            ..bad
        });
        self
    }

    /// Sets how the system outside gets into trouble (`true`) and out of it again (`false`): meanwhile `put` or `flush` must answer
    /// with a temporary error.
    #[must_use]
    pub fn trouble(mut self, trouble: impl Fn(&Path, bool) + Send + Sync + 'static) -> Self {
        self.plan.trouble = Some(Arc::new(trouble));
        self
    }

    /// Says that nothing is ever outside twice. Unless said, what had no committed progress may be repeated.
    #[must_use]
    pub const fn exactly_once(mut self) -> Self {
        self.plan.exactly_once = true;
        self
    }

    /// Says that the sink keeps its position outside and seeks to it, whatever the host knows.
    #[must_use]
    pub const fn keeps_position(mut self) -> Self {
        self.plan.keeps_position = true;
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
        self.make(&mut verdict, Check::Config, Plan::config);
        let runs = self.make(&mut verdict, Check::Run, Plan::run);
        let checks: [(Check, Body<T>); 8] = [
            (Check::Progress, Plan::progress),
            (Check::Resume, Plan::resume),
            (Check::Redelivery, Plan::redelivery),
            (Check::Revoke, Plan::revoke),
            (Check::Seeks, Plan::seeks),
            (Check::SlowHost, Plan::slow_host),
            (Check::Panic, Plan::panic),
            (Check::Leak, Plan::leak),
        ];
        for (check, body) in checks {
            if runs {
                self.make(&mut verdict, check, body);
            } else {
                verdict.skip(check, "it does not even run without trouble");
            }
        }
        match (&self.plan.bad, runs) {
            (Some(_), true) => {
                self.make(&mut verdict, Check::Reject, Plan::reject);
            }
            (None, _) => verdict.skip(
                Check::Reject,
                "the setup names no record that must be refused (`rejecting`)",
            ),
            (Some(_), false) => verdict.skip(Check::Reject, "it does not even run without trouble"),
        }
        self.make(&mut verdict, Check::Stop, Plan::stop);
        verdict
    }

    fn make(&self, verdict: &mut Verdict, check: Check, body: Body<T>) -> bool {
        let plan = self.plan.clone();
        verdict.make(check, self.limit, move || {
            body(&plan).unwrap_or_else(|problem| vec![problem])
        })
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
            "the sink does not conform:\n{verdict}"
        );
        verdict
    }
}

/// One sink with the folder that it may write to.
struct Scene<T> {
    drive: Drive<T>,
    folder: Scratch,
}

impl<T: SinkTask> Plan<T> {
    fn scene(&self) -> Result<Scene<T>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        let config = (self.setup)(folder.path());
        let log = (0..PARTITIONS)
            .map(|partition| {
                (0..RECORDS)
                    .map(|offset| (self.make)(partition, offset))
                    .collect()
            })
            .collect();
        Ok(Scene {
            drive: Drive::new(TestHost::sink(config), log),
            folder,
        })
    }

    /// Compares what is outside with what lies in the log.
    fn compare(&self, scene: &Scene<T>, repeats: bool) -> Vec<Fault> {
        let Some(outside) = &self.outside else {
            return Vec::new();
        };
        let mut sent = Lanes::new();
        for (partition, records) in scene.drive.log.iter().enumerate() {
            let texts = records.iter().map(|record| record.value.text()).collect();
            sent.insert(format!("{TOPIC}-{partition}"), texts);
        }
        let mut arrived = Lanes::new();
        for text in outside(scene.folder.path()) {
            let lane = sent
                .iter()
                .find(|(_, texts)| texts.contains(&text))
                .map(|(lane, _)| lane.clone());
            arrived
                .entry(lane.unwrap_or_else(|| "nowhere".to_owned()))
                .or_default()
                .push(text);
        }
        if repeats && !self.exactly_once {
            oracle::at_least_once(&sent, &arrived)
        } else {
            oracle::exactly_once(&sent, &arrived)
        }
    }

    fn config(&self) -> Result<Vec<String>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        Ok(config::check::<T::Options>(&(self.setup)(folder.path())))
    }

    fn run(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        scene.drive.open()?;
        scene.drive.finish(BATCH)?;
        scene.drive.sink.close().map_err(failed("close"))?;
        Ok(told("", &self.compare(&scene, false)))
    }

    fn progress(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        for batch in [1, 3, 1, 7] {
            drive.feed(batch)?;
            drive.feed(0)?;
        }
        drive.finish(BATCH)?;
        let mut problems = drive.unfinished();
        drive.feed(0)?;
        problems.extend(drive.progress_faults.iter().cloned());
        drive.sink.close().map_err(failed("close"))?;
        Ok(problems)
    }

    fn resume(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let points = usize::try_from(RECORDS).unwrap_or(0).div_ceil(BATCH);
        for point in 0..=points {
            let mut scene = self.scene()?;
            scene.drive.open()?;
            for _ in 0..point {
                scene.drive.feed(BATCH)?;
            }
            scene.drive.crash();
            scene.drive.open()?;
            scene.drive.finish(BATCH)?;
            scene.drive.sink.close().map_err(failed("close"))?;
            problems.extend(told(
                &format!("killed after put {point}: "),
                &self.compare(&scene, true),
            ));
        }
        Ok(problems)
    }

    fn redelivery(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        scene.drive.open()?;
        for put in 0.. {
            if put > PUTS_MAX {
                return Ok(vec![format!(
                    "after {PUTS_MAX} puts there is still something left: its progress goes back"
                )]);
            }
            let batch: Vec<TestRecord> = scene
                .drive
                .partitions()
                .flat_map(|at| scene.drive.batch(at, BATCH))
                .collect();
            if batch.is_empty() {
                break;
            }
            if put % 2 == 0 {
                scene
                    .drive
                    .sink
                    .put_unanswered(&batch)
                    .map_err(failed("put"))?;
                scene.drive.crash();
                scene.drive.open()?;
            }
            scene.drive.feed(BATCH)?;
            // A sink that buffers tells its progress at a flush at the latest.
            scene.drive.flush()?;
        }
        scene.drive.flush()?;
        scene.drive.sink.close().map_err(failed("close"))?;
        let mut problems = told(
            "the answers of puts were lost: ",
            &self.compare(&scene, true),
        );
        if self.trouble.is_some() {
            problems.extend(self.in_trouble()?);
        }
        Ok(problems)
    }

    /// The same batch to the same instance after a temporary error.
    fn in_trouble(&self) -> Result<Vec<String>, String> {
        let Some(trouble) = &self.trouble else {
            return Ok(Vec::new());
        };
        let mut problems = Vec::new();
        let mut scene = self.scene()?;
        scene.drive.open()?;
        scene.drive.feed(BATCH)?;
        trouble(scene.folder.path(), true);
        let batch: Vec<TestRecord> = scene
            .drive
            .partitions()
            .flat_map(|at| scene.drive.batch(at, BATCH))
            .collect();
        let answer = scene
            .drive
            .sink
            .put_unanswered(&batch)
            .and_then(|_| scene.drive.sink.flush());
        match answer {
            Err(error) if error.is_temporary() => {}
            Err(error) => problems.push(format!(
                "trouble that passes is a temporary error, this one is permanent: {}",
                error.chain()
            )),
            Ok(_) => problems.push(
                "the system outside was in trouble, and put and flush say that all is well"
                    .to_owned(),
            ),
        }
        trouble(scene.folder.path(), false);
        scene.drive.finish(BATCH)?;
        scene.drive.sink.close().map_err(failed("close"))?;
        problems.extend(told(
            "after a temporary error: ",
            &self.compare(&scene, true),
        ));
        Ok(problems)
    }

    fn revoke(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        drive.feed(BATCH)?;
        drive.revoke(0)?;
        drive.feed(BATCH)?;
        drive.assign(&[0])?;
        drive.feed(BATCH)?;
        drive.revoke(1)?;
        drive.revoke(0)?;
        drive.assign(&[0, 1])?;
        drive.finish(BATCH)?;
        drive.sink.close().map_err(failed("close"))?;
        Ok(told("", &self.compare(&scene, false)))
    }

    fn seeks(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        drive.feed(BATCH)?;
        drive.flush()?;
        let mut problems = Vec::new();
        if self.keeps_position {
            let stood: Vec<i64> = drive.partitions().map(|at| drive.next(at)).collect();
            drive.sink.close().map_err(failed("close"))?;
            for partition in 0..PARTITIONS {
                drive.sink.forget(TOPIC, partition);
            }
            drive.open()?;
            let found: Vec<i64> = drive.partitions().map(|at| drive.next(at)).collect();
            if found != stood {
                problems.push(format!("the host forgot its positions: the sink seeks to {found:?}, it stood at {stood:?}"));
            }
        } else {
            drive.crash();
            drive.open()?;
        }
        problems.extend(drive.seek_faults.iter().cloned());
        Ok(problems)
    }

    fn slow_host(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        for _ in 0..RECORDS / 2 {
            drive.feed(1)?;
            drive.feed(0)?;
            drive.feed(0)?;
        }
        drive.finish(usize::MAX)?;
        drive.feed(0)?;
        drive.sink.close().map_err(failed("close"))?;
        Ok(told("", &self.compare(&scene, false)))
    }

    fn panic(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        for place in Place::SINK {
            let mut scene = self.scene()?;
            probe::panic_at(Some(place));
            let sink = &mut scene.drive.sink;
            let first = (self.make)(0, 0);
            let answer = sink
                .open()
                .and_then(|()| sink.assign(&[(TOPIC, 0)]).map(drop))
                .and_then(|()| sink.put(&[first]).map(drop))
                .and_then(|()| sink.revoke(&[(TOPIC, 0)]).map(drop))
                .and_then(|()| sink.close());
            probe::panic_at(None);
            match answer {
                Err(error) if error.kind() == ErrorKind::Panicked => {}
                other => problems.push(format!("a panic in {place:?} came out as {other:?}")),
            }
            scene.drive.crash();
            let again = scene.drive.open().and_then(|()| scene.drive.finish(BATCH));
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
        let drive = &mut scene.drive;
        Ok(leak::check(|| {
            drive.open()?;
            drive.feed(1)?;
            drive.flush()?;
            drive.sink.close().map_err(failed("close"))
        }))
    }

    fn reject(&self) -> Result<Vec<String>, String> {
        let Some(bad) = self.bad.clone() else {
            return Ok(Vec::new());
        };
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        let (good, last) = ((self.make)(0, 0), (self.make)(0, 1));
        let put = drive
            .sink
            .put(&[good.clone(), bad, last.clone()])
            .map_err(failed("put with a bad record"))?;
        let flushed = drive.sink.flush().map_err(failed("flush"))?;
        let mut problems = Vec::new();
        let named: Vec<(&str, i32, i64)> = put
            .rejected
            .iter()
            .map(|one| (one.topic.as_str(), one.partition, one.offset))
            .collect();
        if named != [(TOPIC, 0, 1)] {
            problems.push(format!(
                "the second record of {TOPIC}-0 is bad, refused are {named:?}"
            ));
        }
        if put.rejected.iter().any(|one| one.error.message.is_empty()) {
            problems.push("a refusal says no reason".to_owned());
        }
        let at = (TOPIC.to_owned(), 0);
        let next = flushed
            .progress
            .get(&at)
            .or_else(|| put.progress.get(&at))
            .map(|(next, _)| *next);
        if next != Some(3) {
            problems.push(format!(
                "a refused record counts as done: progress should be 3, it is {next:?}"
            ));
        }
        drive.sink.close().map_err(failed("close"))?;
        if let Some(outside) = &self.outside {
            let (found, expected) = (
                outside(scene.folder.path()),
                [good.value.text(), last.value.text()],
            );
            if found != expected {
                problems.push(format!(
                    "outside should be {expected:?}, there is {found:?}"
                ));
            }
        }
        Ok(problems)
    }

    fn stop(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let drive = &mut scene.drive;
        drive.open()?;
        let control = drive.sink.control().map_err(failed("control"))?;
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let asked = Instant::now();
            control.stop();
            asked
        });
        let mut problems = Vec::new();
        // The host puts until it has heard of the stop itself; what is in `put` then is let to its end.
        while !stopper.is_finished() {
            if let Err(problem) = drive.feed(1) {
                if !problem.contains("stop") {
                    problems.push(format!("a stop is no failure: {problem}"));
                }
                break;
            }
        }
        let back = Instant::now();
        let asked = stopper
            .join()
            .map_err(|_| "the stopping thread panicked".to_owned())?;
        let took = back.saturating_duration_since(asked);
        if took > self.stop_limit {
            problems.push(format!("it was still in `put` {took:?} after the stop"));
        }
        let closing = Instant::now();
        drive.flush()?;
        drive.sink.close().map_err(failed("close"))?;
        if closing.elapsed() > self.stop_limit {
            problems.push(format!(
                "it took {:?} to flush and close",
                closing.elapsed()
            ));
        }
        Ok(problems)
    }
}

fn told(before: &str, faults: &[Fault]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| format!("{before}{fault}"))
        .collect()
}
