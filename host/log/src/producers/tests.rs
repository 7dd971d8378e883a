//! The window of one producer.

use super::*;

fn claim(epoch: i16, first_sequence: i32, count: i32) -> Claim {
    Claim {
        id: 1,
        epoch,
        first_sequence,
        last_sequence: first_sequence.wrapping_add(count - 1) & i32::MAX,
        last_offset_delta: count - 1,
        timestamp_ms: 0,
    }
}

#[test]
fn only_what_follows_is_new_and_five_batches_are_remembered() {
    let mut producers = Producers::default();
    for n in 0..6 {
        let claim = claim(0, n * 2, 2);
        producers.note(&claim, i64::from(n * 2));
        // What a snapshot knew is noted again by a replay.
        producers.note(&claim, i64::from(n * 2));
    }
    let entry = producers.get(1).unwrap();
    for (case, expected) in [
        (claim(0, 12, 1), Verdict::New),
        (claim(0, 10, 2), Verdict::Duplicate(10)),
        (claim(0, 2, 2), Verdict::Duplicate(2)),
        (claim(0, 0, 2), Verdict::OutOfOrder { expected: 12 }),
        (claim(0, 10, 1), Verdict::OutOfOrder { expected: 12 }),
        (claim(0, 13, 1), Verdict::OutOfOrder { expected: 12 }),
        (claim(1, 0, 1), Verdict::New),
        (claim(1, 12, 1), Verdict::OutOfOrder { expected: 0 }),
        (claim(-1, 12, 1), Verdict::Fenced { current: 0 }),
    ] {
        assert_eq!(entry.judge(&case), expected, "{case:?}");
    }
    producers.keep_last_batches();
    let entry = producers.get(1).unwrap();
    assert_eq!(entry.judge(&claim(0, 10, 2)), Verdict::Duplicate(10));
    assert_eq!(
        entry.judge(&claim(0, 8, 2)),
        Verdict::OutOfOrder { expected: 12 }
    );
}

#[test]
fn sequences_wrap_to_zero_and_epochs_forget() {
    let mut producers = Producers::default();
    producers.note(&claim(0, i32::MAX - 1, 2), 0);
    assert_eq!(
        producers.get(1).unwrap().judge(&claim(0, 0, 2)),
        Verdict::New
    );
    producers.note(&claim(7, 0, 3), 2);
    let entry = producers.get(1).unwrap();
    assert_eq!((entry.epoch, entry.last_sequence()), (7, 2));
    assert_eq!(entry.judge(&claim(0, 0, 2)), Verdict::Fenced { current: 7 });
}

#[test]
fn the_number_of_producers_is_bounded() {
    let mut producers = Producers::default();
    for id in 0..=i64::try_from(PRODUCERS_MAX).unwrap() {
        producers.note(
            &Claim {
                id,
                ..claim(0, 0, 1)
            },
            id,
        );
    }
    assert_eq!(producers.iter().count(), PRODUCERS_MAX);
    assert!(producers.get(0).is_none() && producers.get(1).is_some());
}
