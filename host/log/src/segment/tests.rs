//! Offsets with holes, as compaction leaves them: accepted where they may be, and never out of order.

use std::path::Path;
use std::sync::Arc;

use super::read::{Outcome, read_batches};
use super::{IndexEntry, Place, walk_batches};
use crate::conformance::batch;
use crate::fs::{File, Fs, MemFs, Open};

/// Writes batches with these base offsets; each has as many records as its number says.
fn file(batches: &[(i64, usize)]) -> (Arc<dyn File>, u64) {
    let fs = MemFs::new();
    fs.create_dir(Path::new("/d")).unwrap();
    let file = fs.open(Path::new("/d/s"), Open::Create).unwrap();
    let mut len = 0;
    for (base, n) in batches {
        let mut bytes = batch(1000, &vec!["x"; *n]);
        linkspan_wire::set_base_offset_and_epoch(&mut bytes, *base, 0).unwrap();
        file.write_at(&[std::io::IoSlice::new(&bytes)], len)
            .unwrap();
        len += bytes.len() as u64;
    }
    (file, len)
}

fn place(len: u64, generation: u32) -> Place {
    Place {
        base: 0,
        next: 12,
        len,
        generation,
        unswapped: false,
        from: IndexEntry::start(0),
        indexed: true,
        doubtful: false,
        epochs: vec![(0, 0)],
    }
}

/// Returns the first base offset that a read from `from` finds, and where it goes on.
fn check(batches: &[(i64, usize)], generation: u32, from: i64) -> Result<Option<(i64, i64)>, ()> {
    let (file, len) = file(batches);
    let place = place(len, generation);
    match read_batches(&*file, Path::new("/s"), &place, from, 1 << 20, true) {
        Ok(Outcome::Found(read)) => {
            let header = linkspan_wire::BatchHeader::read(&read.bytes).unwrap();
            Ok(Some((header.base_offset, read.next)))
        }
        Ok(Outcome::Nothing) => Ok(None),
        Ok(Outcome::WouldWait) => panic!("it may wait"),
        Err(_) => Err(()),
    }
}

#[test]
fn a_read_from_a_hole_goes_on_with_the_next_record() {
    let holes = [(2, 1), (5, 2), (9, 2)];
    for (from, expected) in [(0, 2), (2, 2), (3, 5), (6, 5), (7, 9), (10, 9)] {
        assert_eq!(
            check(&holes, 3, from),
            Ok(Some((expected, 11))),
            "from {from}"
        );
    }
    assert_eq!(check(&holes, 3, 11), Ok(None));
}

#[test]
fn holes_are_damage_in_a_segment_that_compaction_did_not_write() {
    assert_eq!(check(&[(0, 2), (2, 3), (5, 7)], 0, 0), Ok(Some((0, 12))));
    assert_eq!(check(&[(0, 2), (3, 3)], 0, 0), Err(()));
    assert_eq!(check(&[(1, 2)], 0, 0), Err(()));
}

#[test]
fn offsets_never_descend_nor_leave_the_segment() {
    for batches in [
        &[(5, 2), (2, 1)][..],
        &[(5, 2), (6, 1)],
        &[(5, 2), (5, 2)],
        &[(11, 2)],
        &[(-1, 2)],
    ] {
        assert_eq!(check(batches, 1, 0), Err(()), "{batches:?}");
        let (file, len) = file(batches);
        let walked = walk_batches(&*file, Path::new("/s"), &place(len, 1), |_, _| Ok(()));
        assert!(walked.is_err(), "{batches:?}");
    }
}
