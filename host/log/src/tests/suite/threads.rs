//! Several producers at a time, and the power goes at every call.
//!
//! Each producer writes to partitions that others write to as well. What must hold afterwards, for each producer: what was
//! acknowledged is there at the offsets that its ticket named, what was not is there as a whole or not at all, in order, once.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::Row;
use crate::conformance::read_all;
use crate::tests::support::{append, open_mem, put, tiny, topic};
use crate::{Commit, LogBackend, MemFs, Store};

const PRODUCERS: usize = 3;
const COMMITS: u64 = 12;

/// What one producer knows.
#[derive(Clone, Debug, Default)]
struct Known {
    submitted: u64,
    /// Number of the commit, and the offsets of its two records.
    acknowledged: Vec<(u64, [i64; 2])>,
}

fn text(producer: usize, number: u64, part: u8) -> String {
    format!(
        "{producer}.{number}.{part}{}",
        "x".repeat(usize::try_from(number % 5).unwrap() * 200)
    )
}

fn run(log: &dyn LogBackend, known: &Mutex<Vec<Known>>) {
    let made = topic(log, "t", 2);
    std::thread::scope(|scope| {
        for index in 0..PRODUCERS {
            let made = &made;
            scope.spawn(move || {
                let Ok(producer) = log.open_producer(&format!("p{index}").into()) else {
                    return;
                };
                let mut tickets = std::collections::VecDeque::new();
                for number in 1..=COMMITS {
                    let commit = Commit {
                        appends: vec![
                            append(made, 0, &[&text(index, number, 0)]),
                            append(made, 1, &[&text(index, number, 1)]),
                        ],
                        puts: vec![put(&format!("p{index}"), &number.to_string())],
                    };
                    known.lock().unwrap()[index].submitted = number;
                    let Ok(ticket) = producer.submit(commit) else {
                        return;
                    };
                    tickets.push_back((number, ticket));
                    while tickets.len() > usize::from(number < COMMITS) * 2 {
                        let Some((number, ticket)) = tickets.pop_front() else {
                            break;
                        };
                        let Ok(committed) = ticket.wait() else { return };
                        let offsets = [committed.base_offsets[0].0, committed.base_offsets[1].0];
                        known.lock().unwrap()[index]
                            .acknowledged
                            .push((number, offsets));
                    }
                }
            });
        }
    });
}

fn check(log: &dyn LogBackend, known: &[Known]) -> Result<(), String> {
    let name = linkspan_types::TopicName::try_new("t").unwrap();
    let Some(made) = log.topic(&name).unwrap() else {
        return match known.iter().all(|known| known.acknowledged.is_empty()) {
            true => Ok(()),
            false => Err("the topic is gone".into()),
        };
    };
    let mut parts: Vec<BTreeMap<i64, String>> = Vec::new();
    for partition in 0..2 {
        let found = read_all(log, &made.id, partition).map_err(|e| format!("read: {e:?}"))?;
        let n = found.len();
        let map: BTreeMap<i64, String> = found.into_iter().collect();
        if map.len() != n || map.keys().copied().ne(0..i64::try_from(n).unwrap()) {
            return Err(format!(
                "partition {partition} has offsets {:?}",
                map.keys()
            ));
        }
        parts.push(map);
    }
    for (index, known) in known.iter().enumerate() {
        let key = format!("p{index}");
        let value = log.get(Store::SourceOffsets, key.as_bytes()).unwrap();
        let count: u64 = value.map_or(0, |v| String::from_utf8_lossy(&v).parse().unwrap());
        let acknowledged = known.acknowledged.last().map_or(0, |(number, _)| *number);
        if count < acknowledged || count > known.submitted {
            return Err(format!(
                "producer {index}: {acknowledged} acknowledged, {count} found, {} submitted",
                known.submitted
            ));
        }
        for (part, map) in (0_u8..).zip(&parts) {
            let own = |text: &&String| text.starts_with(&format!("{index}."));
            let found: Vec<&String> = map.values().filter(own).collect();
            let expected: Vec<String> = (1..=count)
                .map(|number| text(index, number, part))
                .collect();
            if !found.iter().copied().eq(&expected) {
                return Err(format!(
                    "producer {index}, partition {part}: {} records, {count} commits",
                    found.len()
                ));
            }
            for (number, offsets) in &known.acknowledged {
                let offset = offsets[usize::from(part)];
                if map.get(&offset) != Some(&text(index, *number, part)) {
                    return Err(format!(
                        "producer {index}: commit {number} is not at its offset {offset}"
                    ));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn power_loss_at_every_call_with_several_producers() {
    let mut row = Row::new("power loss at every call, 3 producers");
    let calls = {
        let fs = MemFs::new();
        let log = open_mem(&fs, tiny()).unwrap();
        run(&*log, &Mutex::new(vec![Known::default(); PRODUCERS]));
        fs.calls()
    };
    let mut grouped = 0;
    for crash_at in 1..=calls {
        let (fs, known) = (MemFs::new(), Mutex::new(vec![Known::default(); PRODUCERS]));
        let log = open_mem(&fs, tiny());
        let Ok(log) = log else { continue };
        // The topic must exist before the producers begin.
        topic(&*log, "t", 2);
        fs.crash_at(fs.calls() + crash_at);
        run(&*log, &known);
        let stat = log.stat().unwrap();
        grouped += u64::from(stat.groups < stat.commits);
        let after = fs.crash(crash_at);
        drop(log);
        let known = known.into_inner().unwrap();
        let opened = open_mem(&after, tiny()).map_err(|e| format!("open: {e:?}"));
        let result = opened.and_then(|log| check(&*log, &known));
        row.case(|| format!("call {crash_at} of {calls}"), result);
        let mut wrong = known.clone();
        let Some((_, offsets)) = wrong[0].acknowledged.last_mut() else {
            continue;
        };
        // A ticket that named another offset must be noticed.
        offsets[0] += 1;
        row.control(open_mem(&after, tiny()).is_ok_and(|log| check(&*log, &wrong).is_err()));
    }
    row.note = format!("{grouped} with commits that shared a sync");
    row.finish(100);
}
