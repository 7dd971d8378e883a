//! The one check of a transfer: records are the numbers from 0 on, and each must be there once, each partition in order.

use std::collections::BTreeMap;

use crate::client::Row;

/// Compares what a reader of committed records finds with the numbers below `count`.
pub(crate) fn verdict(rows: &[Row], count: u32) -> Result<(), String> {
    let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
    let mut last: BTreeMap<i32, u32> = BTreeMap::new();
    let mut disorder = None;
    for row in rows {
        let text = row.text();
        let number: u32 = text
            .parse()
            .map_err(|_| format!("a foreign record: {text}"))?;
        *seen.entry(number).or_default() += 1;
        let before = last.insert(row.partition, number);
        if before.is_some_and(|before| before >= number) {
            disorder.get_or_insert(number);
        }
    }
    let doubled = seen.values().filter(|times| **times > 1).count();
    let lost = (0..count)
        .filter(|number| !seen.contains_key(number))
        .count();
    match (doubled, lost, disorder) {
        (0, 0, None) => Ok(()),
        (doubled, lost, disorder) => Err(format!(
            "{doubled} doubled, {lost} lost, first out of order {disorder:?}"
        )),
    }
}

/// Records of numbers, spread over partitions.
pub(crate) fn numbers(range: std::ops::Range<u32>, partitions: i32) -> Vec<Row> {
    range
        .map(|number| {
            let partition = i32::try_from(number).unwrap() % partitions;
            Row::of(&number.to_string()).at(partition, 0)
        })
        .collect()
}
