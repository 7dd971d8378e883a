//! A group's offsets in Kafka: they follow what is durable here, and are told again until Kafka has them.
//!
//! A commit can be lost to a rebalance or a coordinator that moves, and a partition can change hands between the moment its
//! records are durable and the next commit. So nothing here is forgotten when it is sent: a partition's offset is due for as
//! long as Kafka has not acknowledged it, and whoever gets a partition begins with the position that is stored here.

use std::collections::{BTreeMap, VecDeque};

use linkspan_sdk::prelude::*;

use super::start::Key;

/// How often offsets are committed.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer is waited for before the offsets are sent again.
const ANSWER_WAIT: Duration = Duration::from_secs(10);

/// What Kafka is to know of the partitions that are this task's.
#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Batches that were handed out and are not known to be durable.
    handed_out: VecDeque<(Seq, Vec<(Key, i64)>)>,
    /// The durable position of each partition.
    durable: BTreeMap<Key, i64>,
    /// What Kafka has acknowledged.
    acknowledged: BTreeMap<Key, i64>,
    next: Option<tokio::time::Instant>,
    /// Until when an answer is waited for.
    waiting: Option<tokio::time::Instant>,
}

impl Commits {
    /// A partition is this task's; `stored` is its durable position, if it has one.
    pub(super) fn assigned(&mut self, key: &Key, stored: Option<i64>) {
        self.revoked(key);
        if let Some(next) = stored {
            self.durable.insert(key.clone(), next);
        }
    }

    /// A partition is not this task's any more.
    pub(super) fn revoked(&mut self, key: &Key) {
        self.durable.remove(key);
        self.acknowledged.remove(key);
        for (_, positions) in &mut self.handed_out {
            positions.retain(|(of, _)| of != key);
        }
    }

    /// Positions go out with a batch.
    pub(super) fn handed_out(&mut self, seq: Seq, positions: Vec<(Key, i64)>) {
        if !positions.is_empty() {
            self.handed_out.push_back((seq, positions));
        }
    }

    /// Everything up to this batch is durable.
    pub(super) fn settled(&mut self, durable: Seq) {
        while self
            .handed_out
            .front()
            .is_some_and(|(seq, _)| *seq <= durable)
        {
            let first = self.handed_out.pop_front();
            self.durable
                .extend(first.into_iter().flat_map(|(_, positions)| positions));
        }
    }

    /// Returns what has to be sent now, if it is time for it.
    pub(super) fn due(&mut self, now: tokio::time::Instant) -> Vec<(Key, i64)> {
        if self.next.is_some_and(|next| now < next) || self.waiting.is_some_and(|end| now < end) {
            return Vec::new();
        }
        self.next = Some(now + EVERY);
        let open = self.open();
        self.waiting = (!open.is_empty()).then(|| now + ANSWER_WAIT);
        open
    }

    /// Returns what Kafka has not acknowledged.
    pub(super) fn open(&self) -> Vec<(Key, i64)> {
        let differs = |(key, next): &(&Key, &i64)| self.acknowledged.get(*key) != Some(*next);
        let open = self.durable.iter().filter(differs);
        open.map(|(key, next)| (key.clone(), *next)).collect()
    }

    /// Kafka answered: it has these offsets. Without any, what was sent is due again.
    pub(super) fn answered(&mut self, taken: impl IntoIterator<Item = (Key, i64)>) {
        self.waiting = None;
        for (key, next) in taken {
            if self.durable.contains_key(&key) {
                self.acknowledged.insert(key, next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(partition: i32) -> Key {
        ("t".to_owned(), partition)
    }

    #[test]
    fn a_commit_that_failed_is_sent_again_though_nothing_new_arrives() {
        let mut commits = Commits::default();
        commits.assigned(&key(0), None);
        commits.handed_out(Seq(1), vec![(key(0), 200)]);
        let begin = tokio::time::Instant::now();
        assert_eq!(commits.due(begin), [], "not durable yet");
        commits.settled(Seq(1));
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(commits.due(at(1)), [(key(0), 200)]);
        assert_eq!(commits.due(at(2)), [], "under way");
        commits.answered([]);
        assert_eq!(commits.due(at(3)), [(key(0), 200)]);
        // Also where no answer comes at all.
        assert_eq!(commits.due(at(12)), []);
        assert_eq!(commits.due(at(13)), [(key(0), 200)]);
        commits.answered([(key(0), 200)]);
        assert_eq!(commits.due(at(15)), []);
    }

    #[test]
    fn the_next_owner_commits_what_is_stored() {
        let mut commits = Commits::default();
        commits.assigned(&key(0), Some(200));
        assert_eq!(commits.open(), [(key(0), 200)]);
        commits.answered([(key(0), 200)]);
        assert_eq!(commits.open(), []);
        // Given away and back: another may have committed meanwhile.
        commits.revoked(&key(0));
        assert_eq!(commits.open(), []);
        commits.assigned(&key(0), Some(150));
        assert_eq!(commits.open(), [(key(0), 150)]);
    }

    #[test]
    fn what_was_read_before_a_partition_left_is_not_committed_after_it() {
        let mut commits = Commits::default();
        commits.assigned(&key(0), None);
        commits.assigned(&key(1), None);
        commits.handed_out(Seq(1), vec![(key(0), 5), (key(1), 6)]);
        commits.revoked(&key(0));
        commits.settled(Seq(1));
        assert_eq!(commits.open(), [(key(1), 6)]);
        // An answer that comes late changes nothing.
        commits.answered([(key(0), 5)]);
        commits.assigned(&key(0), Some(5));
        assert_eq!(commits.open(), [(key(0), 5), (key(1), 6)]);
    }
}
