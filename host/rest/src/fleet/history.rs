//! The last hour of each connector, in steps of ten seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::row::Row;

/// The time between two points.
const STEP: Duration = Duration::from_secs(10);
/// Points that are kept: an hour.
const POINTS_MAX: usize = 360;

/// A connector at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    t_ms: i64,
    records_per_s: f64,
    bytes_per_s: f64,
    lag_records: Option<u64>,
    lag_seconds: Option<f64>,
    dlq: u64,
    health: &'static str,
}

/// The points of one connector.
#[derive(Debug, Default)]
pub(super) struct History {
    at: Option<Instant>,
    points: VecDeque<Point>,
}

impl History {
    /// Takes a point, if the last one is old enough.
    pub(super) fn add(&mut self, at: Instant, t_ms: i64, row: &Row) {
        if self.at.is_some_and(|last| at.duration_since(last) < STEP) {
            return;
        }
        self.at = Some(at);
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back(Point {
            t_ms,
            records_per_s: row.rate.records_per_s,
            bytes_per_s: row.rate.bytes_per_s,
            lag_records: row.lag.map(|lag| lag.records),
            lag_seconds: row.lag.and_then(|lag| lag.seconds),
            dlq: row.dlq,
            health: row.health,
        });
    }

    pub(super) fn points(&self) -> Vec<Point> {
        self.points.iter().cloned().collect()
    }
}
