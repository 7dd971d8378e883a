//! The suite of a transform.

use std::{fmt, marker::PhantomData, path::Path, sync::Arc, time::Duration};

use linkspan_sdk::{Error, ErrorKind, Transform};

use super::{
    check::{Check, Verdict},
    config, leak,
    probe::{self, Place, Probe},
    scratch::Scratch,
};
use crate::{Config, IntoConfig, Made, TestData, TestHost, TestRecord, TransformTest};

type Setup = Arc<dyn Fn(&Path) -> Config + Send + Sync>;

/// Tries what the host relies on in a transform or a predicate.
pub struct TransformSuite<T> {
    plan: Plan<T>,
    limit: Duration,
}

struct Plan<T> {
    setup: Setup,
    records: Vec<TestRecord>,
    rejected: Option<TestRecord>,
    class: PhantomData<fn() -> T>,
}

impl<T> Clone for Plan<T> {
    fn clone(&self) -> Self {
        Self {
            setup: Arc::clone(&self.setup),
            records: self.records.clone(),
            rejected: self.rejected.clone(),
            class: PhantomData,
        }
    }
}

impl<T> fmt::Debug for TransformSuite<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformSuite")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<T: Transform> TransformSuite<T> {
    /// Prepares the suite. `setup` returns the configuration, `records` are some that the transform takes; at least one of them
    /// must come out in some form.
    #[must_use]
    pub fn new<C: IntoConfig>(
        setup: impl Fn(&Path) -> C + Send + Sync + 'static,
        records: impl IntoIterator<Item = TestRecord>,
    ) -> Self {
        Self {
            plan: Plan {
                setup: Arc::new(move |folder| setup(folder).into_config()),
                records: records.into_iter().collect(),
                rejected: None,
                class: PhantomData,
            },
            limit: Duration::from_secs(60),
        }
    }

    /// Names a record that the transform must refuse.
    #[must_use]
    pub fn rejecting(mut self, record: TestRecord) -> Self {
        self.plan.rejected = Some(record);
        self
    }

    /// Sets how long one check may take, and with it how long a hang lasts; 60 s unless said otherwise.
    #[must_use]
    pub const fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
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
            make(Check::OneByOne, Plan::one_by_one);
            make(Check::Strangers, Plan::strangers);
            make(Check::Panic, Plan::panic);
            make(Check::Leak, Plan::leak);
            if self.plan.rejected.is_some() {
                make(Check::Reject, Plan::reject);
            } else {
                verdict.skip(
                    Check::Reject,
                    "the setup names no record that must be refused",
                );
            }
        } else {
            for check in [
                Check::OneByOne,
                Check::Strangers,
                Check::Panic,
                Check::Leak,
                Check::Reject,
            ] {
                verdict.skip(check, "it does not even run without trouble");
            }
        }
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
            "the transform does not conform:\n{verdict}"
        );
        verdict
    }
}

fn failed(doing: &'static str) -> impl Fn(Error) -> String {
    move |error| format!("{doing}: {}", error.chain())
}

/// One step with its folder.
struct Scene<T> {
    step: TransformTest<Probe<T>>,
    _folder: Scratch,
}

impl<T: Transform> Plan<T> {
    fn scene(&self) -> Result<Scene<T>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        let mut step = TestHost::transform::<Probe<T>>((self.setup)(folder.path()));
        step.open().map_err(failed("open"))?;
        Ok(Scene {
            step,
            _folder: folder,
        })
    }

    fn config(&self) -> Result<Vec<String>, String> {
        let folder = Scratch::new().map_err(|error| format!("no folder: {error}"))?;
        Ok(config::check::<T::Options>(&(self.setup)(folder.path())))
    }

    fn run(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        let made = scene
            .step
            .apply(&self.records)
            .map_err(failed("apply"))?
            .len();
        scene.step.close().map_err(failed("close"))?;
        if made == 0 {
            return Ok(vec![
                "nothing comes out: nothing can be tried on it".to_owned(),
            ]);
        }
        Ok(Vec::new())
    }

    /// What comes of the records, each sent alone to one step.
    fn alone(&self) -> Result<Vec<Made>, String> {
        let mut scene = self.scene()?;
        let mut all = Vec::new();
        for (from, record) in self.records.iter().enumerate() {
            let made = scene.step.apply(std::slice::from_ref(record));
            let made = made.map_err(failed("apply of one record"))?;
            all.extend(made.into_iter().map(|one| Made { from, ..one }));
        }
        Ok(all)
    }

    fn one_by_one(&self) -> Result<Vec<String>, String> {
        let together = self.scene()?.step.apply(&self.records);
        let together = together.map_err(failed("apply"))?;
        let (alone, again) = (self.alone()?, self.alone()?);
        let mut problems = Vec::new();
        // The host sends one at a time; what a step makes of a record may not hang on its neighbours in the batch.
        if together != alone {
            problems.push(format!(
                "of {} records in one batch it makes {}, of each alone {}, or others",
                self.records.len(),
                together.len(),
                alone.len()
            ));
        }
        if alone != again {
            problems.push(
                "a second step with the same options makes something else of the same records"
                    .to_owned(),
            );
        }
        Ok(problems)
    }

    /// Records that no setup has thought of: taken, dropped or refused, but never a defect.
    fn strangers(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let strangers = [
            ("a tombstone", TestData::Null),
            ("an empty value", TestData::Bytes(Vec::new())),
            (
                "bytes that are no text",
                TestData::Bytes(vec![0xff, 0x00, 0xfe]),
            ),
            ("a text that is no JSON", TestData::Utf8("{\"a\":".into())),
            ("a JSON array", TestData::Json("[1,null,{}]".into())),
            ("a large value", TestData::Bytes(vec![b'x'; 64 << 10])),
        ];
        let mut scene = self.scene()?;
        for (what, value) in strangers {
            for key in [TestData::Null, value.clone()] {
                let record = TestRecord {
                    topic: "strangers".to_owned(),
                    key,
                    value: value.clone(),
                    ..TestRecord::default()
                };
                let answer = scene.step.apply(std::slice::from_ref(&record));
                let Err(error) = answer else { continue };
                let of_record = error.kind() == ErrorKind::DataInvalid
                    || error.kind() == ErrorKind::Unsupported;
                if !of_record {
                    problems.push(format!(
                        "{what} came out as {}: {}",
                        error.kind(),
                        error.chain()
                    ));
                    scene = self.scene()?;
                }
            }
        }
        // What went wrong with a stranger is not the next record's matter.
        let after = scene.step.apply(&self.records);
        let fresh = self.scene()?.step.apply(&self.records);
        if let (Err(error), Ok(_)) = (after, fresh) {
            problems.push(format!(
                "after records that it does not take: {}",
                error.chain()
            ));
        }
        Ok(problems)
    }

    fn reject(&self) -> Result<Vec<String>, String> {
        let Some(rejected) = &self.rejected else {
            return Ok(Vec::new());
        };
        let mut scene = self.scene()?;
        let mut problems = Vec::new();
        match scene.step.apply(std::slice::from_ref(rejected)) {
            Ok(made) => problems.push(format!(
                "the record that it must refuse became {} records",
                made.len()
            )),
            Err(error) if error.kind() == ErrorKind::DataInvalid && !error.is_temporary() => {}
            Err(error) => problems.push(format!(
                "a record is refused by a permanent error of kind data_invalid, this is {}: {}",
                error.kind(),
                error.chain()
            )),
        }
        let after = scene.step.apply(&self.records);
        let after = after.map_err(failed("apply after a refused record"))?;
        let fresh = self.scene()?.step.apply(&self.records);
        if after != fresh.map_err(failed("apply"))? {
            problems
                .push("after a refused record it makes something else of the others".to_owned());
        }
        Ok(problems)
    }

    fn panic(&self) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        for place in Place::TRANSFORM {
            let mut scene = self.scene()?;
            scene.step.close().map_err(failed("close"))?;
            probe::panic_at(Some(place));
            let step = &mut scene.step;
            let answer = step
                .open()
                .and_then(|()| step.apply(&self.records).map(drop))
                .and_then(|()| step.close());
            probe::panic_at(None);
            match answer {
                Err(error) if error.kind() == ErrorKind::Panicked => {}
                other => problems.push(format!("a panic in {place:?} came out as {other:?}")),
            }
            // What a crash answers is of no interest.
            probe::crash(|| drop(scene.step.close()));
            let again = scene.step.open();
            let again = again.and_then(|()| scene.step.apply(&self.records));
            if let Err(error) = again {
                problems.push(format!(
                    "after a panic in {place:?}, without its close: {}",
                    error.chain()
                ));
            }
        }
        Ok(problems)
    }

    fn leak(&self) -> Result<Vec<String>, String> {
        let mut scene = self.scene()?;
        scene.step.close().map_err(failed("close"))?;
        Ok(leak::check(|| {
            scene.step.open().map_err(failed("open"))?;
            scene.step.apply(&self.records).map_err(failed("apply"))?;
            scene.step.close().map_err(failed("close"))
        }))
    }
}
