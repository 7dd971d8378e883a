//! How long the first read of a large segment takes after a start, with its index file and without, from a cold cache.
//!
//! `cargo run --release -p linkspan-log --example cold_read -- DIR`: makes a log of one segment of 256 MiB in `DIR/cold-read`,
//! then reads its last record five times each way. The segment's pages are dropped before each read (`posix_fadvise`), and the
//! read says how many bytes came from the disk (`/proc/self/io`), so that a cache that was not dropped shows.
#![expect(clippy::print_stdout, reason = "it is a program whose result is text")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use linkspan_log::{
    Append, Commit, DiskFs, LocalOptions, LogBackend as _, TopicSpec, open_local, open_read_only,
};
use linkspan_types::{Clock as _, Offset, PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

const BATCHES: u32 = 2560;
const RECORDS_PER_BATCH: u32 = 100;
const RECORD_BYTES: usize = 1024;
const ROUNDS: u32 = 5;

fn main() -> Result<()> {
    let dir = std::env::args().nth(1).context("usage: cold_read DIR")?;
    let dir = PathBuf::from(dir).join("cold-read");
    let name = TopicName::try_new("t")?;
    fill(&dir, &name)?;
    let index = find(&dir, "idx")?.context("the close wrote no index")?;
    let segment = find(&dir, "log")?.context("there is no segment")?;
    println!(
        "segment of {} MiB",
        std::fs::metadata(&segment)?.len() >> 20
    );
    let aside = index.with_extension("aside");
    for _ in 0..ROUNDS {
        let with = read_last(&dir, &name, &segment)?;
        std::fs::rename(&index, &aside)?;
        let without = read_last(&dir, &name, &segment)?;
        std::fs::rename(&aside, &index)?;
        println!("with index {}, without {}", with.text(), without.text());
    }
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

fn fill(dir: &Path, name: &TopicName) -> Result<()> {
    let options = LocalOptions {
        segment_bytes: 1 << 30,
        ..LocalOptions::new(dir)
    };
    let clock = Arc::new(SystemClock::default());
    let log = open_local(Arc::new(DiskFs), Arc::<SystemClock>::clone(&clock), options)?;
    let topic = log.create_topic(name, &TopicSpec::with_partitions(1))?;
    let producer = log.open_producer(&"fill".into())?;
    let value = vec![b'x'; RECORD_BYTES];
    for _ in 0..BATCHES {
        let mut builder = BatchBuilder::new(Compression::None);
        for _ in 0..RECORDS_PER_BATCH {
            builder.push_plain(clock.now_ms(), None, Some(&value))?;
        }
        let append = Append {
            topic: topic.id,
            partition: PartitionId(0),
            batch: builder.finish()?,
        };
        let commit = Commit {
            appends: vec![append],
            puts: Vec::new(),
        };
        producer.submit(commit)?.wait()?;
    }
    log.close()?;
    Ok(())
}

fn find(dir: &Path, extension: &str) -> Result<Option<PathBuf>> {
    for folder in std::fs::read_dir(dir.join("topics"))? {
        for file in std::fs::read_dir(folder?.path())? {
            let path = file?.path();
            if path.extension().is_some_and(|e| e == extension) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

struct Taken {
    time: Duration,
    bytes: u64,
}

impl Taken {
    fn text(&self) -> String {
        let ms = self.time.as_secs_f64() * 1000.0;
        format!("{ms:.2} ms ({} KiB from the disk)", self.bytes >> 10)
    }
}

fn read_last(dir: &Path, name: &TopicName, segment: &Path) -> Result<Taken> {
    let file = std::fs::File::open(segment)?;
    file.sync_all()?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    let clock = Arc::new(SystemClock::default());
    let log = open_read_only(Arc::new(DiskFs), Arc::<SystemClock>::clone(&clock), dir)?;
    let topic = log.topic(name)?.context("the topic is gone")?;
    let last = Offset(log.offsets(&topic.id, PartitionId(0))?.high_watermark.0 - 1);
    let (bytes, start) = (bytes_read()?, clock.monotonic());
    let fetched = log.fetch(&topic.id, PartitionId(0), last, 1)?;
    let taken = Taken {
        time: clock.monotonic() - start,
        bytes: bytes_read()? - bytes,
    };
    anyhow::ensure!(fetched.next.0 == last.0 + 1, "the last record was not read");
    Ok(taken)
}

/// Bytes that this process had the disk read.
fn bytes_read() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/self/io")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("read_bytes: "));
    Ok(line.context("no read_bytes in /proc/self/io")?.parse()?)
}
