//! The suite of a transform, judged: a sound one passes, and each broken one fails exactly the check that is there for it.

#![expect(clippy::panic, reason = "one of the broken transforms panics")]

use std::{fs::File, sync::Mutex};

use linkspan_sdk::prelude::*;
use linkspan_testkit::{
    TestRecord,
    conformance::{Check, TransformSuite, Verdict},
};

/// What is wrong with a transform.
mod flaw {
    pub(super) const NONE: u8 = 0;
    pub(super) const COUNTS: u8 = 1;
    pub(super) const PANICS_ON_BYTES: u8 = 2;
    pub(super) const TAKES_ALL: u8 = 3;
    pub(super) const LEAKS_FILES: u8 = 4;
    pub(super) const DROPS_ALL: u8 = 5;
    pub(super) const REFUSES_FOR_EVER: u8 = 6;
    pub(super) const IGNORES_RANGE: u8 = 7;
}

/// Splits.
#[derive(Options)]
struct SplitOptions {
    /// Most parts of a record; more are refused.
    #[option(default = "3", min = 1)]
    most: u64,
}

static LEAKED: Mutex<Vec<File>> = Mutex::new(Vec::new());

struct Split<const FLAW: u8> {
    options: SplitOptions,
    seen: u64,
    refused: bool,
}

impl<const FLAW: u8> Transform for Split<FLAW> {
    type Options = SplitOptions;

    async fn open(options: SplitOptions, _ctx: TransformContext) -> Result<Self> {
        if FLAW == flaw::LEAKS_FILES {
            let mut leaked = LEAKED.lock().expect("no test panics while it holds it");
            leaked.push(File::open("/proc/self/status")?);
        }
        Ok(Self {
            options,
            seen: 0,
            refused: false,
        })
    }

    async fn apply(&mut self, records: Records<'_>, out: &mut Applied) -> Result<()> {
        if FLAW == flaw::REFUSES_FOR_EVER && self.refused {
            return Err(Error::data_invalid("once is enough"));
        }
        // A first record of a batch that is counted makes the batch matter.
        let mut first = true;
        for record in records {
            self.seen += 1;
            let Some(value) = record.value().as_bytes() else {
                out.keep(&record)?;
                continue;
            };
            let text = match std::str::from_utf8(value) {
                Ok(text) => text,
                Err(_) if FLAW == flaw::PANICS_ON_BYTES => panic!("no text"),
                Err(_) => return Err(Error::data_invalid("no text")),
            };
            let parts: Vec<&str> = text.split(',').collect();
            if parts.len() as u64 > self.options.most && FLAW != flaw::TAKES_ALL {
                self.refused = true;
                return Err(Error::data_invalid("has too many parts"));
            }
            if FLAW == flaw::DROPS_ALL || (FLAW == flaw::COUNTS && !first) {
                continue;
            }
            first = false;
            for part in parts {
                out.like(&record).utf8(part)?;
            }
        }
        Ok(())
    }
}

fn check<const FLAW: u8>() -> Verdict {
    let records = ["a,b", "c", "d,e,f"].map(|value| TestRecord::new("t", value));
    let config = if FLAW == flaw::IGNORES_RANGE {
        "0"
    } else {
        "3"
    };
    TransformSuite::<Split<FLAW>>::new(move |_folder| [("most", config)], records)
        .rejecting(TestRecord::new("t", "1,2,3,4"))
        .check()
}

#[test]
fn a_sound_transform_passes_everything() {
    let verdict = check::<{ flaw::NONE }>();
    assert_eq!(verdict.failed, [], "{verdict}");
    assert_eq!(verdict.skipped, [], "{verdict}");
    assert_eq!(verdict.passed.len(), 7, "{verdict}");
}

#[test]
fn each_flaw_is_found_by_its_check() {
    for (verdict, expected) in [
        (check::<{ flaw::COUNTS }>(), Check::OneByOne),
        (check::<{ flaw::PANICS_ON_BYTES }>(), Check::Strangers),
        (check::<{ flaw::TAKES_ALL }>(), Check::Reject),
        (check::<{ flaw::LEAKS_FILES }>(), Check::Leak),
        (check::<{ flaw::DROPS_ALL }>(), Check::Run),
    ] {
        assert_eq!(verdict.failed_checks(), [expected], "{verdict}");
    }
    // What stays behind after a refusal shows in both checks that refuse.
    let verdict = check::<{ flaw::REFUSES_FOR_EVER }>();
    assert!(
        verdict.failed_checks().contains(&Check::Reject),
        "{verdict}"
    );
    let verdict = check::<{ flaw::IGNORES_RANGE }>();
    assert!(
        verdict.failed_checks().contains(&Check::Config),
        "{verdict}"
    );
}
