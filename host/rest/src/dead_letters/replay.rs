//! Writing records of dead letters back: as they were, or mended by steps; each at most once to each topic.

use std::collections::{BTreeMap, BTreeSet};

use linkspan_log::{Append, Commit, KvPut, LogBackend, Store, Topic};
use linkspan_types::PartitionId;
use linkspan_types::topic_settings::TopicSettings;
use serde_json::{Value, json};

use super::{Letter, Letters, READ_BYTES, each, headers};
use crate::produce::{self, NewRecord};
use crate::records::ViewValue;
use crate::refusal::Refusal;
use crate::topics;
use crate::view::Steps;

/// Records of one commit.
const REPLAY_RECORDS: usize = 500;
/// Letters that a preview shows before and after its steps.
const SAMPLES_MAX: usize = 5;

/// Writes records of letters back, through the steps where there are some.
pub(crate) fn replay(
    log: &dyn LogBackend,
    name: &str,
    which: &Letters,
    steps: Option<&mut (dyn Steps + 'static)>,
) -> Result<Value, Refusal> {
    which.check()?;
    if steps.is_none() && !which.transforms.is_empty() {
        let message = "steps are opened by a running host; this data directory has none";
        return Err(Refusal::new(409, "LS0615", message).help("start `linkspan run` and try again"));
    }
    let topic = topics::find(log, name)?;
    let mut replay = Replay {
        log,
        topic: &topic,
        which,
        steps,
        done: Done::default(),
    };
    for partition in (0..topic.partitions).map(PartitionId) {
        replay.partition(partition)?;
    }
    let done = replay.done;
    let targets: Vec<Value> = done
        .written
        .iter()
        .map(|(topic, records)| json!({ "topic": topic, "records": records }))
        .collect();
    Ok(json!({
        "topic": topic.name.as_str(), "preview": which.preview, "replayed": targets,
        "before": done.before, "unknown": done.homeless, "filtered": done.filtered, "samples": done.samples,
    }))
}

/// What a replay did, or would do.
#[derive(Default)]
struct Done {
    /// Records by target.
    written: BTreeMap<String, u64>,
    /// Letters that an earlier replay wrote.
    before: u64,
    /// Letters that do not say where they come from.
    homeless: u64,
    /// Letters that the steps dropped.
    filtered: u64,
    /// Of a preview with steps: the first letters before and after.
    samples: Vec<Value>,
}

struct Replay<'a> {
    log: &'a dyn LogBackend,
    topic: &'a Topic,
    which: &'a Letters,
    steps: Option<&'a mut (dyn Steps + 'static)>,
    done: Done,
}

impl Replay<'_> {
    fn partition(&mut self, partition: PartitionId) -> Result<(), Refusal> {
        let (log, topic, which) = (self.log, self.topic, self.which);
        let start = log.offsets(&topic.id, partition)?.log_start;
        // By target: all letters of one commit go to one topic.
        let mut batches: BTreeMap<String, Vec<Letter>> = BTreeMap::new();
        each(log, topic, partition, start, READ_BYTES, |letter| {
            if !which.wants(&letter) {
                return Ok(true);
            }
            let home = || letter.home().map(str::to_owned);
            let Some(target) = which.to.clone().or_else(home) else {
                self.done.homeless += 1;
                return Ok(true);
            };
            if target == topic.name.as_str() {
                return Err(Refusal::argument(format!(
                    "topic `{target}` holds the letters themselves; name another one with --to"
                )));
            }
            let batch = batches.entry(target.clone()).or_default();
            batch.push(letter);
            if batch.len() >= REPLAY_RECORDS {
                let full = std::mem::take(batch);
                self.write(partition, &target, full)?;
            }
            Ok(true)
        })?;
        for (target, batch) in batches {
            self.write(partition, &target, batch)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        partition: PartitionId,
        target: &str,
        letters: Vec<Letter>,
    ) -> Result<(), Refusal> {
        let to = topics::find(self.log, target)?;
        let mut key = b"replayed/".to_vec();
        key.extend_from_slice(&self.topic.id.0);
        key.extend_from_slice(&partition.0.to_be_bytes());
        key.extend_from_slice(target.as_bytes());
        let mut known = self.known(&key)?;
        let mut records = Vec::with_capacity(letters.len());
        for letter in letters {
            if !known.insert(letter.offset) {
                self.done.before += 1;
                continue;
            }
            // Back to the partition it came from, so that it stays with its key.
            let home = letter
                .told("partition")
                .filter(|_| self.which.to.is_none())
                .and_then(|text| text.parse().ok())
                .filter(|number| (0..to.partitions).contains(number));
            let was = letter.record.key.clone();
            for record in self.mended(target, letter)? {
                records.push(NewRecord {
                    partition: home.filter(|_| record.key == was),
                    ..record
                });
            }
        }
        if records.is_empty() {
            return Ok(());
        }
        let written = records.len() as u64;
        if !self.which.preview {
            self.commit(&to, &records, (key, &known))?;
        }
        *self.done.written.entry(target.to_owned()).or_default() += written;
        Ok(())
    }

    /// The offsets of letters that were replayed before.
    fn known(&self, key: &[u8]) -> Result<BTreeSet<i64>, Refusal> {
        let Some(stored) = self.log.get(Store::Meta, key)? else {
            return Ok(BTreeSet::new());
        };
        serde_json::from_slice(&stored).map_err(|error| {
            let name = &self.topic.name;
            let message = format!("what was replayed of `{name}` is not readable: {error}");
            Refusal::new(500, "LS0513", message)
        })
    }

    /// The record of a letter as it is to be written; none where the steps drop it.
    fn mended(&mut self, target: &str, letter: Letter) -> Result<Vec<NewRecord>, Refusal> {
        let Some(steps) = &mut self.steps else {
            return Ok(vec![letter.record]);
        };
        let place = format!("letter {}:{}", letter.partition, letter.offset);
        let before = letter.record;
        let made = steps
            .apply(target, (letter.partition, letter.offset), &before)
            .map_err(|refusal| Refusal {
                message: format!("{place}: {}", refusal.message),
                ..refusal
            })?;
        let mut records = Vec::with_capacity(made.len());
        for (topic, record) in made {
            if topic != target {
                return Err(Refusal::argument(format!(
                    "{place}: a step sends the record to `{topic}`, a replay writes to `{target}`"
                ))
                .help("leave out steps that change the topic, and give the topic to replay to"));
            }
            records.push(record);
        }
        self.done.filtered += u64::from(records.is_empty());
        if self.which.preview && self.done.samples.len() < SAMPLES_MAX {
            let after: Vec<Value> = records.iter().map(shown).collect();
            self.done.samples.push(json!({
                "partition": letter.partition, "offset": letter.offset, "before": shown(&before), "after": after,
            }));
        }
        Ok(records)
    }

    fn commit(
        &mut self,
        to: &Topic,
        records: &[NewRecord],
        (key, known): (Vec<u8>, &BTreeSet<i64>),
    ) -> Result<(), Refusal> {
        let settings = TopicSettings::parse(&to.settings).unwrap_or_default();
        let mut commit = Commit::default();
        for (partition, batch) in produce::batches(to, &settings, records)? {
            commit.appends.push(Append {
                topic: to.id,
                partition,
                batch,
            });
        }
        if let Some(steps) = &mut self.steps {
            commit.puts.extend(steps.schemas());
        }
        commit.puts.push(KvPut {
            store: Store::Meta,
            key: key.into(),
            // Numbers always serialize.
            value: Some(serde_json::to_vec(known).unwrap_or_default().into()),
        });
        produce::producer(self.log)?
            .submit(commit)
            .and_then(linkspan_log::Ticket::wait)?;
        Ok(())
    }
}

/// A record for people.
fn shown(record: &NewRecord) -> Value {
    json!({
        "key": ViewValue::of(record.key.as_deref()), "value": ViewValue::of(record.value.as_deref()),
        "headers": headers(record),
    })
}
