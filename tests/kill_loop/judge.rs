//! The verdict: is every line there once, and is each partition in order?

use std::collections::HashMap;

/// Compares the output with the lines that were read and with the records of the log.
///
/// `lines` is how many were written; line `n` is [`line`]`(n)`. `records` is (partition, line number) in offset order.
pub(crate) fn verdict(lines: u32, output: &str, records: &[(i32, u32)]) -> Result<(), String> {
    let mut partition_of = HashMap::new();
    let mut last_in_log: HashMap<i32, u32> = HashMap::new();
    for &(partition, number) in records {
        if partition_of.insert(number, partition).is_some() {
            return Err(format!("line {number} is in the log twice"));
        }
        if last_in_log
            .insert(partition, number)
            .is_some_and(|last| last > number)
        {
            return Err(format!(
                "partition {partition} of the log: line {number} comes after a later one"
            ));
        }
    }
    if partition_of.len() != lines as usize {
        return Err(format!(
            "{} of {lines} lines are in the log",
            partition_of.len()
        ));
    }

    if !output.is_empty() && !output.ends_with('\n') {
        return Err("the output ends within a line".to_owned());
    }
    let mut seen = vec![false; lines as usize];
    let mut last_in_output: HashMap<i32, u32> = HashMap::new();
    for (at, text) in output.lines().enumerate() {
        let number = number(text)
            .ok_or_else(|| format!("output line {at} is none of the input: `{text}`"))?;
        let partition = *partition_of
            .get(&number)
            .ok_or_else(|| format!("line {number} is not in the log"))?;
        if std::mem::replace(&mut seen[number as usize], true) {
            return Err(format!("line {number} is in the output twice"));
        }
        if last_in_output
            .insert(partition, number)
            .is_some_and(|last| last > number)
        {
            return Err(format!(
                "partition {partition}: line {number} was written after a later one"
            ));
        }
    }
    match seen.iter().filter(|seen| !**seen).count() {
        0 => Ok(()),
        lost => Err(format!("{lost} of {lines} lines are not in the output")),
    }
}

/// Line `number`: its number, then filler that depends on it, 100 bytes with the line end.
pub(crate) fn line(number: u32) -> String {
    let filler = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let head = format!("{number:010} {filler:016x} ");
    format!("{head}{:.<width$}\n", "", width = 99 - head.len())
}

/// The number of a line, if it is one of ours to the last byte.
pub(crate) fn number(text: &str) -> Option<u32> {
    let number = text.split(' ').next()?.parse().ok()?;
    (line(number).trim_end() == text).then_some(number)
}

#[test]
fn the_judge_sees_every_kind_of_damage() {
    let records: Vec<(i32, u32)> = (0..8)
        .map(|number| (i32::from(number >= 4), number))
        .collect();
    let check = |numbers: &[u32], records: &[(i32, u32)]| {
        verdict(
            8,
            &numbers
                .iter()
                .map(|number| line(*number))
                .collect::<String>(),
            records,
        )
        .err()
        .unwrap_or_default()
    };
    assert_eq!(check(&[0, 4, 1, 5, 2, 6, 3, 7], &records), "");
    assert_eq!(
        check(&[0, 1, 2, 3, 3, 4, 5, 6, 7], &records),
        "line 3 is in the output twice"
    );
    assert_eq!(
        check(&[0, 1, 3, 4, 5, 6, 7], &records),
        "1 of 8 lines are not in the output"
    );
    assert_eq!(
        check(&[0, 2, 1, 3, 4, 5, 6, 7], &records),
        "partition 0: line 1 was written after a later one"
    );
    assert_eq!(check(&[], &records[..7]), "7 of 8 lines are in the log");
    let doubled: Vec<(i32, u32)> = records.iter().copied().chain([(1, 7)]).collect();
    assert_eq!(check(&[], &doubled), "line 7 is in the log twice");
    let torn = format!("{}{}", line(0), line(1).split_at(50).0);
    assert_eq!(
        verdict(8, &torn, &records).unwrap_err(),
        "the output ends within a line"
    );
    let mixed = format!("{}{}\n", line(0).split_at(50).0, line(1).split_at(49).0);
    assert!(
        verdict(8, &mixed, &records)
            .unwrap_err()
            .contains("is none of the input")
    );
}
