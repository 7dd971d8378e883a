//! The partitions that a task reads, and how far it is with each.

use std::collections::BTreeMap;

use rdkafka::Offset;

use super::start::Key;

/// One partition that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Track {
    /// The next offset, `None` before the first record of a partition that is read from its beginning.
    next: Option<i64>,
    /// Where a job ends.
    end: Option<i64>,
    done: bool,
    /// The topic here.
    pub(crate) target: String,
}

impl Track {
    pub(crate) fn new(start: Offset, end: Option<i64>, target: String) -> Self {
        let next = match start {
            Offset::Offset(next) => Some(next),
            _ => None,
        };
        // Beyond the end is not done: the position is lost, and reading it says so.
        let done = end.is_some() && next == end;
        Self {
            next,
            end,
            done,
            target,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Tracks(BTreeMap<String, BTreeMap<i32, Track>>);

impl Tracks {
    pub(crate) fn insert(&mut self, (topic, partition): Key, track: Track) {
        self.0.entry(topic).or_default().insert(partition, track);
    }

    pub(crate) fn remove(&mut self, (topic, partition): &Key) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn contains(&self, (topic, partition): &Key) -> bool {
        self.get(topic, *partition).is_some()
    }

    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<&Track> {
        self.0.get(topic)?.get(&partition)
    }

    fn all(&self) -> impl Iterator<Item = (&str, i32, &Track)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions
                .iter()
                .map(|(partition, track)| (topic.as_str(), *partition, track))
        })
    }

    /// Returns whether a job has read everything of what it is reading.
    pub(crate) fn all_done(&self) -> bool {
        self.all().all(|(_, _, track)| track.done)
    }

    /// A record was read; returns whether it still belongs to the job.
    pub(crate) fn read(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let track = self
            .0
            .get_mut(topic)
            .and_then(|partitions| partitions.get_mut(&partition));
        let Some(track) = track else { return false };
        if track.end.is_some_and(|end| offset >= end) {
            track.done = true;
            return false;
        }
        let next = offset.saturating_add(1);
        track.next = Some(next);
        track.done |= track.end.is_some_and(|end| next >= end);
        true
    }

    /// A partition of this number was read to its end. Jobs read one topic at a time, so that the number is enough.
    pub(crate) fn reached_end(&mut self, partition: i32) {
        for partitions in self.0.values_mut() {
            if let Some(track) = partitions.get_mut(&partition) {
                track.done = true;
            }
        }
    }

    pub(crate) fn move_to(&mut self, (topic, partition): &Key, next: i64) {
        if let Some(track) = self
            .0
            .get_mut(topic)
            .and_then(|partitions| partitions.get_mut(partition))
        {
            track.next = Some(next);
        }
    }

    /// Returns the partitions with a position.
    pub(crate) fn positions(&self) -> Vec<(Key, i64)> {
        let known = self.all().filter_map(|(topic, partition, track)| {
            Some(((topic.to_owned(), partition), track.next?))
        });
        known.collect()
    }

    /// Returns where each partition goes on.
    pub(crate) fn places(&self) -> impl Iterator<Item = (Key, Offset)> {
        self.all().map(|(topic, partition, track)| {
            let at = track.next.map_or(Offset::Beginning, Offset::Offset);
            ((topic.to_owned(), partition), at)
        })
    }

    /// Returns a topic's positions for a message.
    pub(crate) fn positions_of(&self, topic: &str) -> Vec<String> {
        let of = self.all().filter(|(found, _, _)| *found == topic);
        of.map(|(_, partition, track)| {
            format!("partition {partition} offset {}", track.next.unwrap_or(0))
        })
        .collect()
    }

    pub(crate) fn any_topic(&self) -> Option<String> {
        self.0.keys().next().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(starts: &[(i32, i64, Option<i64>)]) -> Tracks {
        let mut tracks = Tracks::default();
        for (partition, next, end) in starts {
            tracks.insert(
                ("t".to_owned(), *partition),
                Track::new(Offset::Offset(*next), *end, "t".to_owned()),
            );
        }
        tracks
    }

    #[test]
    fn a_job_reads_up_to_its_end_and_not_beyond() {
        let mut tracks = tracks(&[(0, 0, Some(2)), (1, 5, Some(5))]);
        assert!(!tracks.all_done());
        assert!(tracks.read("t", 0, 0));
        assert!(!tracks.all_done());
        assert!(tracks.read("t", 0, 1));
        assert!(tracks.all_done());
        assert!(!tracks.read("t", 0, 2), "written after the job began");
        assert_eq!(
            tracks.positions(),
            [(("t".to_owned(), 0), 2), (("t".to_owned(), 1), 5)]
        );
    }

    #[test]
    fn the_last_records_may_be_marks_that_nobody_sees() {
        let mut tracks = tracks(&[(0, 0, Some(3))]);
        assert!(tracks.read("t", 0, 1));
        assert!(!tracks.all_done());
        tracks.reached_end(0);
        assert!(tracks.all_done());
    }

    #[test]
    fn a_position_beyond_the_end_is_not_done() {
        assert!(!tracks(&[(0, 9, Some(3))]).all_done());
    }

    #[test]
    fn records_of_a_partition_that_is_gone_are_left_out() {
        let mut tracks = tracks(&[(0, 0, None)]);
        tracks.remove(&("t".to_owned(), 0));
        assert!(!tracks.read("t", 0, 0));
        assert!(tracks.is_empty());
    }
}
