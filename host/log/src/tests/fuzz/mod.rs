//! Every decoder of the log on bytes that somebody has spoilt: none panics, none asks for memory that the input cannot justify.
//!
//! ```text
//!  seed (golden segment, file of a real log) ► mutate ► seal the checksum again, mostly ► decode under a counting allocator
//! ```
//!
//! With a wrong checksum a decoder would see nothing but its first line, so three of four inputs get a right one. Each
//! target prints a row (`cargo test -p linkspan-log fuzz -- --nocapture | grep 'fuzz |'`): executions, how many inputs were
//! still good, and the most memory in relation to the input. `LINKSPAN_FUZZ_EXECUTIONS` sets the executions of each target
//! (default 20000) and `LINKSPAN_FUZZ_SEED` where the random numbers begin.

mod allocator;
mod mutate;
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Instant;

use linkspan_wire::Batches;

use crate::checkpoint::{self, SlotState};
use crate::fs::{Fs, Open};
use crate::journal::file::{self, HeaderState};
use crate::journal::frame::{self, u32_at, u64_at};
use crate::journal::search;
use crate::segment::index_file;
use crate::tests::suite::Random;
use crate::{MemFs, snapshot};

/// The generation of all frames here.
const GENERATION: [u8; 16] = [7; 16];
/// Batches may unpack to this.
const UNPACKED_BYTES_MAX: usize = 64 * 1024;

/// What memory an input of some length may cost.
#[derive(Clone, Copy)]
struct Allowance {
    per_byte: usize,
    fixed: usize,
}

type Seal = fn(&mut Vec<u8>);

struct Target<'a> {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    seal: Seal,
    /// Decodes, and returns whether the input was good.
    decode: &'a dyn Fn(&[u8]) -> bool,
    allowance: Allowance,
}

/// What a run came to.
#[derive(Debug, Default)]
struct Outcome {
    executions: u64,
    good: u64,
    panics: Vec<Vec<u8>>,
    /// Length of the input, bytes held, more than allowed.
    greedy: Vec<(usize, usize)>,
    peak: usize,
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Target<'_> {
    fn run(&self, executions: u64) -> Outcome {
        let mut random = Random(number("LINKSPAN_FUZZ_SEED", 1) << 32);
        let mut outcome = Outcome::default();
        let pick = |random: &mut Random| {
            &self.seeds[usize::try_from(random.below(self.seeds.len() as u64)).unwrap()]
        };
        for _ in 0..executions {
            let mut input = pick(&mut random).clone();
            mutate::mutate(&mut input, pick(&mut random), &mut random);
            if random.below(4) > 0 {
                (self.seal)(&mut input);
            }
            let run = || catch_unwind(AssertUnwindSafe(|| (self.decode)(&input)));
            let (result, peak) = allocator::peak_of(run);
            outcome.executions += 1;
            outcome.peak = outcome.peak.max(peak);
            let Allowance { per_byte, fixed } = self.allowance;
            if peak > input.len() * per_byte + fixed {
                outcome.greedy.push((input.len(), peak));
            }
            match result {
                Ok(good) => outcome.good += u64::from(good),
                Err(_) => outcome.panics.push(input),
            }
        }
        outcome
    }

    /// Runs as often as asked for; nothing may be wrong, and some inputs must still be good.
    fn check(&self) {
        let began = Instant::now();
        assert!(!self.seeds.is_empty(), "{}: no seeds", self.name);
        for seed in &self.seeds {
            let mut sealed = seed.clone();
            (self.seal)(&mut sealed);
            assert_eq!(
                (self.decode)(&sealed),
                (self.decode)(seed),
                "{}: sealing changes a seed",
                self.name
            );
        }
        let outcome = self.run(number("LINKSPAN_FUZZ_EXECUTIONS", 20_000));
        println!(
            "fuzz | {:<14} | {:>8} executions | {:>7} still good | {:>9} bytes held at most | {:>6.1} s",
            self.name,
            outcome.executions,
            outcome.good,
            outcome.peak,
            began.elapsed().as_secs_f64()
        );
        assert!(
            outcome.panics.is_empty(),
            "{}: {} panics, first on {:02x?}",
            self.name,
            outcome.panics.len(),
            outcome.panics[0]
        );
        assert!(
            outcome.greedy.is_empty(),
            "{}: {} inputs cost too much (bytes, held): {:?}",
            self.name,
            outcome.greedy.len(),
            &outcome.greedy[..outcome.greedy.len().min(5)]
        );
        assert!(
            outcome.good * 100 > outcome.executions,
            "{}: only {} of {} got behind the checksum",
            self.name,
            outcome.good,
            outcome.executions
        );
    }
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

fn seal_frame(bytes: &mut [u8], seed: u32) {
    let len = u32_at(bytes, 4).and_then(|len| usize::try_from(len).ok());
    if let Some(covered) = len.and_then(|len| bytes.get(frame::CRC_FROM..len)) {
        let crc = crc32c::crc32c_append(seed, covered);
        frame::set_crc(bytes, 0, crc);
    }
}

/// Puts a checksum of everything before it at `at`.
fn seal_at(bytes: &mut [u8], from: usize, at: usize) {
    if let Some(covered) = bytes.get(from..at) {
        let crc = crc32c::crc32c(covered);
        put(bytes, at, &crc.to_le_bytes());
    }
}

fn in_a_file(bytes: &[u8]) -> (MemFs, &'static Path) {
    let (fs, path) = (MemFs::new(), Path::new("/d/f"));
    fs.create_dir(Path::new("/d")).unwrap();
    fs.open(path, Open::Create).unwrap();
    fs.set_contents(path, bytes.to_vec());
    (fs, path)
}

#[test]
fn frames() {
    let seed = frame::seed(&GENERATION);
    Target {
        name: "frames",
        seeds: seeds::frames(&seeds::log(), seed),
        seal: |bytes| seal_frame(bytes, frame::seed(&GENERATION)),
        decode: &|bytes| {
            let (mut at, mut good) = (0, false);
            while let Some((start, frame)) = search::search(bytes, at, seed) {
                good |= frame.entries().is_ok();
                at = start + frame.len.max(1);
            }
            good
        },
        allowance: Allowance {
            per_byte: 16,
            fixed: 4096,
        },
    }
    .check();
}

#[test]
fn batches() {
    Target {
        name: "batches",
        seeds: seeds::batches(),
        seal: |bytes| {
            let len = bytes.len();
            // One batch more or less: the length field says where the first ends.
            let end = bytes.get(8..12).and_then(|field| field.try_into().ok());
            let end = end.map(i32::from_be_bytes).map(|n| i64::from(n) + 12);
            let end = end.and_then(|end| usize::try_from(end).ok()).unwrap_or(len);
            if let Some(covered) = bytes.get(21..end.min(len)) {
                let crc = crc32c::crc32c(covered);
                put(bytes, 17, &crc.to_be_bytes());
            }
        },
        decode: &|bytes| {
            let mut scratch = Vec::new();
            let mut good = false;
            for batch in Batches::new(bytes).flatten() {
                let sound = batch.verify_crc().is_ok();
                let Ok(records) = batch.records_bounded(&mut scratch, UNPACKED_BYTES_MAX) else {
                    continue;
                };
                let all: usize = records
                    .map_while(Result::ok)
                    .map(|record| record.headers.count())
                    .sum();
                good |= sound && all < usize::MAX;
            }
            good
        },
        // lz4 and zstd ask for windows and blocks of their own, gzip for its tables.
        allowance: Allowance {
            per_byte: 8,
            fixed: 4 * UNPACKED_BYTES_MAX,
        },
    }
    .check();
}

#[test]
fn checkpoint_slots() {
    let log = seeds::log();
    let slots = ["ckpt.a", "ckpt.b"].map(|name| {
        let path = crate::tests::support::dir().join(name);
        log.contents(&path).unwrap()
    });
    Target {
        name: "checkpoint",
        seeds: slots.to_vec(),
        seal: |bytes| seal_at(bytes, 0, 124),
        decode: &|bytes| {
            let (fs, path) = in_a_file(bytes);
            matches!(checkpoint::read_slot(&fs, path), Ok(SlotState::Good(_)))
        },
        allowance: Allowance {
            per_byte: 4,
            fixed: 16 * 1024,
        },
    }
    .check();
}

#[test]
fn snapshots() {
    Target {
        name: "snapshots",
        seeds: seeds::files(&seeds::log(), "snap"),
        seal: |bytes| {
            let mut at = 16;
            while let Some(len) = u32_at(bytes, at + 4).and_then(|len| usize::try_from(len).ok()) {
                let Some(end) = (at + 12).checked_add(len).filter(|end| *end <= bytes.len()) else {
                    break;
                };
                let head = crc32c::crc32c(&bytes[at..at + 8]);
                let crc = crc32c::crc32c_append(head, &bytes[at + 12..end]);
                put(bytes, at + 8, &crc.to_le_bytes());
                at = end;
            }
        },
        decode: &|bytes| {
            let (fs, path) = in_a_file(bytes);
            let seq = u64_at(bytes, 8).unwrap_or_default();
            let base = bytes.get(6).is_some_and(|flags| flags & 1 == 1);
            snapshot::read(&fs, path, seq, base).is_ok()
        },
        allowance: Allowance {
            per_byte: 32,
            fixed: 16 * 1024,
        },
    }
    .check();
}

#[test]
fn journal_headers() {
    let headers = seeds::files(&seeds::log(), "wal").into_iter();
    Target {
        name: "journal header",
        seeds: headers.map(|bytes| bytes[..4096].to_vec()).collect(),
        seal: |bytes| {
            seal_at(bytes, 0, 56);
            seal_at(bytes, 2048, 2048 + 56);
        },
        decode: &|bytes| {
            let (fs, path) = in_a_file(bytes);
            let file = fs.open(path, Open::Read).unwrap();
            matches!(file::read_header(&*file), Ok(HeaderState::Good(_)))
        },
        allowance: Allowance {
            per_byte: 4,
            fixed: 16 * 1024,
        },
    }
    .check();
}

#[test]
fn index_files() {
    Target {
        name: "index",
        seeds: seeds::files(&seeds::log(), "idx"),
        seal: |bytes| {
            let at = bytes.len().saturating_sub(4);
            seal_at(bytes, 0, at);
        },
        decode: &index_file::decodes_for_test,
        allowance: Allowance {
            per_byte: 8,
            fixed: 4096,
        },
    }
    .check();
}

/// A count is no reason to take memory.
#[test]
fn a_frame_with_many_entries_and_no_bytes_costs_nothing() {
    let seed = frame::seed(&GENERATION);
    let mut bytes = Vec::new();
    frame::put_header(&mut bytes, 32, u16::MAX, 1, 0);
    seal_frame(&mut bytes, seed);
    let read = || frame::Frame::read(&bytes, seed).unwrap().entries().is_ok();
    let (good, peak) = allocator::peak_of(read);
    assert!(!good && peak < 1024, "{peak} bytes");
}

/// Found by the target above.
#[test]
fn an_index_that_ends_at_the_smallest_offset_is_no_index() {
    let good = seeds::files(&seeds::log(), "idx");
    assert!(good.len() > 1);
    for mut bytes in good {
        assert!(index_file::decodes_for_test(&bytes));
        put(&mut bytes, 40, &i64::MIN.to_le_bytes());
        let at = bytes.len() - 4;
        seal_at(&mut bytes, 0, at);
        assert!(!index_file::decodes_for_test(&bytes));
    }
}

/// The controls: a decoder that believes a length, and one that indexes, must both be noticed.
#[test]
fn careless_decoders_are_noticed() {
    let believes = |bytes: &[u8]| {
        let n = u32_at(bytes, 4).unwrap_or_default();
        let room: Vec<u8> = Vec::with_capacity(usize::try_from(n.min(1 << 26)).unwrap());
        room.capacity() > 0
    };
    let indexes = |bytes: &[u8]| bytes[usize::from(bytes.first().copied().unwrap_or(0))] == 0;
    let target = |decode| Target {
        name: "careless",
        seeds: vec![vec![1; 64]],
        seal: |_| {},
        decode,
        allowance: Allowance {
            per_byte: 16,
            fixed: 4096,
        },
    };
    assert!(target(&believes).run(2000).greedy.len() > 20);
    assert!(target(&indexes).run(2000).panics.len() > 20);
}
