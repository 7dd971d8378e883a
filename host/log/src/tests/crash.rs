//! Power loss at every call, and at random ones, against the list of what was acknowledged.
//!
//! The script runs single-threaded commits through a log with tiny files, so that rolling, flushing, checkpoints and
//! recycling all happen; the file system loses power at a given call, or the process dies after some commits. What the
//! next life finds must be a prefix of what was submitted that contains all that was acknowledged, each commit whole.
//!
//! `LINKSPAN_CRASH_SEEDS` sets how many random histories are tried (default 300).

use std::collections::BTreeMap;

use linkspan_types::TopicName;

use super::support::{append, open_mem, producer, put, tiny, topic};
use crate::conformance::{block_on, read_all};
use crate::{Commit, Durability, LocalOptions, LogBackend, MemFs, Opened, Store};

const PARTITIONS: i32 = 3;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

/// One commit of the script: texts per partition, and the counter that travels with them.
#[derive(Clone, Debug)]
struct Step {
    number: u64,
    texts: Vec<(i32, String)>,
}

impl Step {
    fn random(number: u64, random: &mut Random) -> Self {
        let n = 1 + random.below(4);
        let texts = (0..n)
            .map(|index| {
                let partition = i32::try_from(random.below(3)).unwrap();
                let size = if random.below(8) == 0 {
                    9000
                } else {
                    random.below(300)
                };
                (
                    partition,
                    format!(
                        "{number}.{index}{}",
                        "x".repeat(usize::try_from(size).unwrap())
                    ),
                )
            })
            .collect();
        Self { number, texts }
    }
}

/// Everything submitted, in order, and how many of these were acknowledged.
#[derive(Clone, Debug, Default)]
struct Model {
    submitted: Vec<Step>,
    acknowledged: usize,
}

impl Model {
    /// What the partitions hold after the first `n` commits.
    fn contents(&self, n: usize) -> BTreeMap<i32, Vec<String>> {
        let mut contents: BTreeMap<i32, Vec<String>> =
            (0..PARTITIONS).map(|p| (p, Vec::new())).collect();
        for (partition, text) in self.submitted[..n].iter().flat_map(|step| &step.texts) {
            contents.get_mut(partition).unwrap().push(text.clone());
        }
        contents
    }
}

/// Commits until the power goes or the script ends; returns whether all went well.
fn write(
    log: &dyn LogBackend,
    model: &mut Model,
    steps: u64,
    random: &mut Random,
) -> Result<(), crate::Error> {
    let name = TopicName::try_new("t").unwrap();
    let topic = match log.topic(&name)? {
        Some(topic) => topic,
        None => log.create_topic(&name, &crate::TopicSpec::with_partitions(PARTITIONS))?,
    };
    let producer = log.open_producer(&"test".into())?;
    let mut tickets = std::collections::VecDeque::new();
    for _ in 0..steps {
        let number = model.submitted.len() as u64 + 1;
        let step = Step::random(number, random);
        let appends = step
            .texts
            .iter()
            .map(|(p, text)| append(&topic, *p, &[text]))
            .collect();
        let puts = vec![
            put("count", &number.to_string()),
            put(&format!("k{}", number % 7), &number.to_string()),
        ];
        let ticket = producer.submit(Commit { appends, puts })?;
        model.submitted.push(step);
        tickets.push_back(ticket);
        while tickets.len() > usize::try_from(random.below(4)).unwrap() {
            tickets.pop_front().unwrap().wait()?;
            model.acknowledged += 1;
        }
        if random.below(40) == 0 {
            std::thread::sleep(std::time::Duration::from_millis(6));
        }
    }
    for ticket in tickets {
        ticket.wait()?;
        model.acknowledged += 1;
    }
    Ok(())
}

/// Compares a log with the model, and lets the model forget what was lost; `Err` says what is wrong.
fn check(log: &dyn LogBackend, model: &mut Model) -> Result<(), String> {
    let name = TopicName::try_new("t").unwrap();
    let count: usize = log
        .get(Store::SourceOffsets, b"count")
        .unwrap()
        .map_or(0, |value| String::from_utf8_lossy(&value).parse().unwrap());
    if count < model.acknowledged || count > model.submitted.len() {
        return Err(format!(
            "{} acknowledged, {} submitted, {count} found",
            model.acknowledged,
            model.submitted.len()
        ));
    }
    let Some(topic) = log.topic(&name).unwrap() else {
        return if count == 0 {
            Ok(())
        } else {
            Err("the topic is gone".into())
        };
    };
    for (partition, expected) in model.contents(count) {
        let found =
            read_all(log, &topic.id, partition).map_err(|e| format!("read {partition}: {e:?}"))?;
        let expected: Vec<(i64, String)> = (0..).zip(expected).collect();
        if found != expected {
            let short = |list: &[(i64, String)]| -> Vec<String> {
                list.iter()
                    .map(|(o, t)| format!("{o}:{}", t.trim_end_matches('x')))
                    .collect()
            };
            return Err(format!(
                "partition {partition} holds {:?}, expected {:?}",
                short(&found),
                short(&expected)
            ));
        }
    }
    for key in 0..7 {
        let last = model.submitted[..count]
            .iter()
            .rev()
            .find(|step| step.number % 7 == key)
            .map(|step| step.number);
        let found = log
            .get(Store::SourceOffsets, format!("k{key}").as_bytes())
            .unwrap();
        let found = found.map(|value| String::from_utf8_lossy(&value).parse::<u64>().unwrap());
        if found != last {
            return Err(format!("key {key} is {found:?}, expected {last:?}"));
        }
    }
    model.submitted.truncate(count);
    model.acknowledged = count;
    Ok(())
}

/// Lives one life on `fs` until call `crash_at` (0 = all of it), and returns what a restart finds.
fn live(
    fs: &MemFs,
    options: &LocalOptions,
    model: &mut Model,
    steps: u64,
    crash_at: u64,
    random: &mut Random,
) -> MemFs {
    if crash_at > 0 {
        fs.crash_at(fs.calls() + crash_at);
    }
    if let Ok(log) = open_mem(fs, options.clone()) {
        match check(&*log, model) {
            Ok(()) => {}
            // The power went while it was read.
            Err(what) if crash_at > 0 && what.starts_with("read ") => return fs.crash(random.0),
            Err(what) => panic!("before a crash at call {crash_at}: {what}"),
        }
        let result = write(&*log, model, steps, random);
        assert!(crash_at > 0 || result.is_ok(), "{result:?}");
        let survivors = fs.crash(random.0);
        drop(log);
        return survivors;
    }
    fs.crash(random.0)
}

fn reopen(fs: &MemFs, options: &LocalOptions, model: &mut Model) -> Result<(), String> {
    // A stopped directory reads the same without being changed.
    if let Ok(log) = crate::open_read_only(
        std::sync::Arc::new(fs.clone()),
        std::sync::Arc::new(linkspan_types::SystemClock::default()),
        super::support::dir(),
    ) {
        check(&*log, &mut model.clone()).map_err(|what| format!("read-only: {what}"))?;
    }
    let log = open_mem(fs, options.clone())
        .map_err(|e| format!("open: {}", linkspan_types::error_chain(&e)))?;
    check(&*log, model)
}

#[test]
fn power_loss_at_every_call_loses_nothing_acknowledged() {
    let options = tiny();
    let total = {
        let fs = MemFs::new();
        let _ = live(&fs, &options, &mut Model::default(), 25, 0, &mut Random(1));
        fs.calls()
    };
    assert!(total > 100, "the script makes only {total} calls");
    for crash_at in 1..=total {
        let (mut model, mut random) = (Model::default(), Random(1));
        let fs = MemFs::new();
        let after = live(&fs, &options, &mut model, 25, crash_at, &mut random);
        reopen(&after, &options, &mut model)
            .unwrap_or_else(|what| panic!("crash at call {crash_at} of {total}: {what}"));
    }
}

#[test]
fn random_lives_and_crashes_lose_nothing_acknowledged() {
    let seeds = std::env::var("LINKSPAN_CRASH_SEEDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300);
    let mut resumed = 0;
    for seed in 0..seeds {
        let (mut model, mut random) = (Model::default(), Random(seed * 7919 + 3));
        let options = tiny();
        let mut fs = MemFs::new();
        // Several lives, some of which crash while they recover.
        for _ in 0..3 {
            let crash_at = if random.below(5) == 0 {
                1 + random.below(12)
            } else {
                1 + random.below(400)
            };
            fs = live(&fs, &options, &mut model, 60, crash_at, &mut random);
        }
        let result = reopen(&fs, &options, &mut model);
        result.unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        let log = open_mem(&fs, options).unwrap();
        resumed += u64::from(matches!(log.opened(), Opened::Resumed { .. }));
        check(&*log, &mut model).unwrap();
    }
    assert!(
        resumed > seeds / 2,
        "only {resumed} of {seeds} lives left a log"
    );
}

#[test]
fn negative_control_without_sync_acknowledged_data_is_lost_and_noticed() {
    let mut noticed = 0;
    for seed in 0..40 {
        let (mut model, mut random) = (Model::default(), Random(seed));
        let fs = MemFs::new();
        let log = open_mem(&fs, tiny()).unwrap();
        topic(&*log, "t", PARTITIONS);
        fs.lie_about_sync();
        write(&*log, &mut model, 30, &mut random).unwrap();
        let after = fs.crash(seed);
        drop(log);
        noticed += u64::from(reopen(&after, &tiny(), &mut model).is_err());
    }
    assert!(
        noticed > 20,
        "only {noticed} of 40 crashes without sync were noticed"
    );
}

#[test]
fn negative_control_durability_os_shortens_the_log_but_keeps_commits_whole() {
    let mut shortened = 0;
    for seed in 0..60 {
        let (mut model, mut random) = (Model::default(), Random(seed));
        let options = LocalOptions {
            durability: Durability::Os,
            ..tiny()
        };
        let fs = MemFs::new();
        let log = open_mem(&fs, options.clone()).unwrap();
        topic(&*log, "t", PARTITIONS);
        write(&*log, &mut model, 30, &mut random).unwrap();
        let after = fs.crash(seed);
        drop(log);
        let acknowledged = std::mem::take(&mut model.acknowledged);
        reopen(&after, &options, &mut model).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        shortened += u64::from(model.acknowledged < acknowledged);
    }
    assert!(
        shortened > 10,
        "only {shortened} of 60 crashes shortened the log"
    );
}

#[test]
fn an_unclean_open_starts_a_leader_epoch_and_a_clean_one_does_not() {
    let fs = MemFs::new();
    let log = open_mem(&fs, tiny()).unwrap();
    assert_eq!((log.opened(), log.leader_epoch().0), (&Opened::New, 0));
    let made = topic(&*log, "t", 1);
    producer(&*log)
        .submit(super::support::commit(&made, 0, &["a"]))
        .unwrap()
        .wait()
        .unwrap();
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    assert!(matches!(
        log.opened(),
        Opened::Resumed { unclean: false, .. }
    ));
    assert_eq!(log.leader_epoch().0, 0);
    producer(&*log)
        .submit(super::support::commit(&made, 0, &["b"]))
        .unwrap()
        .wait()
        .unwrap();
    let fs = fs.crash(1);
    drop(log);
    let log = open_mem(&fs, tiny()).unwrap();
    assert!(
        matches!(
            log.opened(),
            Opened::Resumed {
                unclean: true,
                replayed: 1..,
                torn: None
            }
        ),
        "{:?}",
        log.opened()
    );
    assert_eq!(log.leader_epoch().0, 1);
    producer(&*log)
        .submit(super::support::commit(&made, 0, &["c"]))
        .unwrap()
        .wait()
        .unwrap();
    let check =
        |epoch: i32, next: i64| log.check_position(&made.id, 0.into(), epoch.into(), next.into());
    check(0, 2).unwrap();
    check(1, 3).unwrap();
    assert!(matches!(
        check(0, 3),
        Err(crate::Error::UnknownPosition { .. })
    ));
    // Still so when the table comes from a snapshot.
    log.close().unwrap();
    let log = open_mem(&fs, tiny()).unwrap();
    let check =
        |epoch: i32, next: i64| log.check_position(&made.id, 0.into(), epoch.into(), next.into());
    check(1, 3).unwrap();
    assert!(matches!(
        check(0, 3),
        Err(crate::Error::UnknownPosition { .. })
    ));
    let ticket = producer(&*log)
        .submit(super::support::commit(&made, 0, &["d"]))
        .unwrap();
    assert_eq!(
        block_on(ticket, std::time::Duration::from_secs(5))
            .unwrap()
            .unwrap()
            .base_offsets[0]
            .0,
        3
    );
}
