//! When a topic is compacted, and what compaction keeps.

use linkspan_types::Clock;
use linkspan_types::topic_settings::TopicSettings;

use crate::segment::Segment;

/// A topic's settings for compaction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Policy {
    /// `min.cleanable.dirty.ratio`: compact when more than this part of the closed segments is dirty.
    pub(crate) dirty_ratio_min: f64,
    /// `min.compaction.lag.ms`: younger records stay.
    pub(crate) lag_min_ms: i64,
    /// `max.compaction.lag.ms`: older ones are compacted whatever the ratio is.
    pub(crate) lag_max_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays after its first compaction.
    pub(crate) delete_retention_ms: i64,
}

/// What of a partition may be compacted now: the closed segments up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// How many segments, from the first one on.
    pub(crate) n_segments: usize,
    /// Where the dirty part begins.
    pub(crate) first_dirty: i64,
    /// Where it ends (exclusive).
    pub(crate) end: i64,
}

impl Policy {
    /// Takes what matters here out of a topic's settings.
    pub(crate) fn of(settings: &TopicSettings) -> Self {
        Self {
            dirty_ratio_min: settings.min_cleanable_dirty_ratio,
            lag_min_ms: settings.min_compaction_lag_ms,
            lag_max_ms: settings.max_compaction_lag_ms,
            delete_retention_ms: settings.delete_retention_ms,
        }
    }

    /// Finds out what may be compacted. `first_timestamp` tells the time of the first batch of a segment.
    pub(crate) fn range(
        &self,
        segments: &[Segment],
        cleaned_to: i64,
        clock: &dyn Clock,
        first_timestamp: impl Fn(&Segment) -> Option<i64>,
    ) -> Option<Range> {
        // The last segment is the active one.
        let closed = segments.split_last().map(|(_, closed)| closed)?;
        let first_dirty = cleaned_to.max(closed.first()?.base);
        let now = clock.now_ms();
        let is_dirty = |segment: &&Segment| segment.next > first_dirty;
        let too_young = |segment: &Segment| {
            self.lag_min_ms > 0 && segment.max_timestamp > now.saturating_sub(self.lag_min_ms)
        };
        let n_segments = closed
            .iter()
            .position(|segment| is_dirty(&segment) && too_young(segment))
            .unwrap_or(closed.len());
        let range = closed.get(..n_segments)?;
        let end = range.last()?.next;
        let total: u64 = range.iter().map(|segment| segment.len).sum();
        let dirty: u64 = range.iter().filter(is_dirty).map(|s| s.len).sum();
        if dirty == 0 {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a ratio needs no more")]
        let ratio = dirty as f64 / total as f64;
        let overdue = || {
            let oldest = range.iter().filter(is_dirty).find_map(&first_timestamp);
            self.lag_max_ms < i64::MAX
                && oldest.is_some_and(|oldest| oldest < now.saturating_sub(self.lag_max_ms))
        };
        (ratio > self.dirty_ratio_min || overdue()).then_some(Range {
            n_segments,
            first_dirty,
            end,
        })
    }
}
