//! Good bytes to begin with: golden segments, and the files of a log on which everything was done once.

use std::path::{Path, PathBuf};

use linkspan_wire::{BatchBuilder, Compression};

use crate::MemFs;
use crate::journal::file::DATA_START;
use crate::journal::frame::{self, Frame};
use crate::tests::suite::upkeep_files;

/// No seed is longer.
const SEED_BYTES_MAX: usize = 16 * 1024;

/// The files of a killed log, by extension.
pub(super) fn files(fs: &MemFs, extension: &str) -> Vec<Vec<u8>> {
    fs.files()
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .map(|path| fs.contents(path).unwrap())
        .collect()
}

pub(super) fn log() -> MemFs {
    upkeep_files()
}

/// Frames of the journal, sealed for `seed`.
pub(super) fn frames(fs: &MemFs, seed: u32) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for bytes in files(fs, "wal") {
        let own = frame::seed(bytes[16..32].try_into().unwrap());
        let mut at = usize::try_from(DATA_START).unwrap();
        while let Some((start, frame)) = crate::journal::search::search(&bytes, at, own) {
            at = start + frame.len;
            let mut frame = bytes[start..at].to_vec();
            super::seal_frame(&mut frame, seed);
            assert!(Frame::read(&frame, seed).is_some());
            found.push(frame);
        }
    }
    found
}

/// Golden segments, good and bad, and a batch of each codec.
pub(super) fn batches() -> Vec<Vec<u8>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/log/segments");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(golden)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    paths.sort();
    let mut found: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .filter(|bytes| bytes.len() <= SEED_BYTES_MAX)
        .collect();
    assert!(found.len() > 100, "{} golden segments", found.len());
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let mut builder = BatchBuilder::new(codec);
        for n in 0..20_u8 {
            let value = [n; 100];
            let headers = [("h", Some(&value[..3]))];
            let pushed = builder.push(i64::from(n), Some(&[n]), Some(&value), headers);
            pushed.unwrap();
        }
        found.push(builder.finish().unwrap());
    }
    found
}
