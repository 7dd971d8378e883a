//! Which records go into which request, and which requests wait for each other.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use linkspan_sdk::prelude::*;

use super::options::{HttpSinkOptions, OnNullValue, Order};
use super::request::{Maker, Target};

/// Records that go into one request, by their index in the batch.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) indexes: Vec<usize>,
    pub(super) target: Target,
    pub(super) bodies: Vec<Vec<u8>>,
    pub(super) batched: bool,
}

/// Requests that are sent one after the other.
pub(super) type Lane = Vec<Unit>;

/// What a record needs no request for.
#[derive(Debug)]
pub(super) enum Settled {
    Skipped,
    Refused(Error),
}

/// Plans the requests of the records whose `open` is true; tells `settle` of those that need none.
pub(super) fn plan(
    options: &HttpSinkOptions,
    maker: &Maker,
    records: &[Record<'_>],
    open: impl Fn(usize) -> bool,
    mut settle: impl FnMut(usize, Settled),
) -> Vec<Lane> {
    // Keyed by the lane's number, so that lanes begin in the order of their first record's partition.
    let mut lanes: BTreeMap<u64, Lane> = BTreeMap::new();
    let mut loose: Vec<Lane> = Vec::new();
    for (index, record) in records.iter().enumerate().filter(|(index, _)| open(*index)) {
        if record.value().is_null() && options.on_null_value != OnNullValue::Delete {
            settle(
                index,
                match options.on_null_value {
                    OnNullValue::Skip | OnNullValue::Delete => Settled::Skipped,
                    OnNullValue::Fail => Settled::Refused(Error::data_invalid(
                        "the record has no value, and `on.null.value` is `fail`",
                    )),
                },
            );
            continue;
        }
        let batched = options.batching_enabled && !maker.is_delete(record);
        let made = maker
            .target(record)
            .and_then(|target| Ok((target, maker.body(record, batched)?)));
        let (target, body) = match made {
            Ok(made) => made,
            Err(error) => {
                settle(index, Settled::Refused(error));
                continue;
            }
        };
        let lane = lane_of(options, record);
        if options.order == Order::None && !batched {
            // Each request is a lane of its own; those of batches follow below.
            loose.push(vec![Unit {
                indexes: vec![index],
                target,
                bodies: vec![body],
                batched,
            }]);
            continue;
        }
        let units = lanes.entry(lane).or_default();
        match units
            .last_mut()
            .filter(|unit| batched && fits(options, records, unit, record, &target, body.len()))
        {
            Some(unit) => {
                unit.indexes.push(index);
                unit.bodies.push(body);
            }
            None => units.push(Unit {
                indexes: vec![index],
                target,
                bodies: vec![body],
                batched,
            }),
        }
    }
    if options.order == Order::None {
        loose.extend(lanes.into_values().flatten().map(|unit| vec![unit]));
        // The oldest first, so that what is committed follows closely.
        loose.sort_by_key(|lane| lane.first().and_then(|unit| unit.indexes.first().copied()));
        return loose;
    }
    lanes.into_values().collect()
}

fn fits(
    options: &HttpSinkOptions,
    records: &[Record<'_>],
    unit: &Unit,
    record: &Record<'_>,
    target: &Target,
    bytes: usize,
) -> bool {
    // One partition, so that first and last offset name the batch.
    let same_place = unit
        .indexes
        .first()
        .and_then(|first| records.get(*first))
        .is_some_and(|first| {
            first.partition() == record.partition()
                && first.original_topic() == record.original_topic()
        });
    let filled: usize = unit.bodies.iter().map(Vec::len).sum();
    unit.batched
        && same_place
        && unit.target == *target
        && u32::try_from(unit.indexes.len()).is_ok_and(|count| count < options.batch_max_size)
        && filled + bytes <= options.batch_max_bytes.as_usize()
}

fn lane_of(options: &HttpSinkOptions, record: &Record<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match (options.order, record.key().data()) {
        (Order::Key, key) if !record.key().is_null() => {
            // A hash of the bytes as they stand there: equal keys of one topic are written the same way.
            format!("{key:?}").hash(&mut hasher);
            // As many lanes as requests at a time are enough, and make fuller batches.
            return hasher.finish() % u64::from(options.max_in_flight);
        }
        _ => {
            record.original_topic().hash(&mut hasher);
            record.partition().hash(&mut hasher);
        }
    }
    hasher.finish() >> 1
}
