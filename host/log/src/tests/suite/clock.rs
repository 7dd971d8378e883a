//! The wall clock jumps: nothing of the log's safety hangs on it.

use std::sync::Arc;

use linkspan_types::ManualClock;

use super::oracle::Model;
use super::script::{self, Runner};
use super::{Random, Row};
use crate::tests::support::tiny;
use crate::{MemFs, open_local};

const DAY_MS: i64 = 86_400_000;

#[test]
fn a_clock_that_jumps_by_days_changes_nothing() {
    let mut row = Row::new("wall clock jumps by days, both ways");
    for seed in 0..20 {
        let (mut random, mut model, mut fs) = (Random(seed), Model::default(), MemFs::new());
        let clock = Arc::new(ManualClock::at(1_700_000_000_000));
        let mut result = Ok(());
        for _ in 0..3 {
            let jumps: Arc<dyn linkspan_types::Clock> = Arc::<ManualClock>::clone(&clock);
            let log = open_local(Arc::new(fs.clone()), jumps, tiny()).unwrap();
            result = result.and_then(|()| model.check(&*log));
            let mut runner = Runner::new(&log).unwrap();
            for _ in 0..15 {
                let days = i64::try_from(random.below(7)).unwrap() - 3;
                clock.jump_to(1_700_000_000_000 + days * DAY_MS);
                let op = script::random(random.below(1 << 40), &model.expected(), &mut random);
                runner.step(&op, &mut model).unwrap();
            }
            runner.run(&[], &mut model).unwrap();
            let after = fs.crash(seed);
            drop(log);
            fs = after;
        }
        let log = open_local(
            Arc::new(fs.clone()),
            Arc::<ManualClock>::clone(&clock) as _,
            tiny(),
        )
        .unwrap();
        result = result.and_then(|()| model.check(&*log));
        row.case(|| format!("seed {seed}"), result);
        row.control(model.with_a_lost_commit().check(&*log).is_err());
    }
    row.finish(100);
}
