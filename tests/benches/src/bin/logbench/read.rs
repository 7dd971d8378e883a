//! Reading: from memory, from the page cache, and record by record. Time is this thread's processor time.

use anyhow::{Result, ensure};
use linkspan_log::{LocalOptions, LogBackend as _};
use linkspan_types::{Offset, PartitionId};
use linkspan_wire::{BatchBuilder, Batches, Compression};

use crate::Args;
use crate::sides::{LogSide, build};
use crate::table::{Cpu, float, median, row};

/// Stays within the tail cache of 64 MiB.
const DATA_BYTES: u64 = 48 << 20;
const READ_BYTES: usize = 256 << 10;

pub(crate) fn table(args: &Args) -> Result<()> {
    iterate(args)?;
    for (record_bytes, records) in [(1024, 100), (100, 100)] {
        fetch(args, record_bytes, records)?;
    }
    Ok(())
}

fn iterate(args: &Args) -> Result<()> {
    let mut builder = BatchBuilder::new(Compression::None);
    let batch = build(100, 160, &mut builder, &[b'v'; 100])?;
    let bytes = batch.repeat(64);
    let mut scratch = Vec::new();
    let mut rates = Vec::new();
    for _ in 0..args.rounds {
        let begin = Cpu::now()?;
        let mut n = 0_u64;
        let mut sum = 0_usize;
        while begin.seconds()? < 0.05 {
            for batch in Batches::verified(&bytes) {
                for record in batch?.records(&mut scratch)? {
                    let record = record?;
                    sum += record.value.map_or(0, <[u8]>::len);
                    n += 1;
                }
            }
        }
        ensure!(sum as u64 == n * 100, "records of another size");
        rates.push(float(n) / begin.seconds()? / 1e6);
    }
    let rate = median(&mut rates);
    row(
        "record iteration, 100 B x 160, checksum too",
        &format!("{rate:.0} M rec/s on one core"),
        ">= 40 M rec/s",
        rate >= 40.0,
    );
    Ok(())
}

fn fetch(args: &Args, record_bytes: usize, records: usize) -> Result<()> {
    let dir = args.dir.join("read");
    let cached = LogSide::open(&dir.join("tail"), record_bytes)?;
    let mut options = LocalOptions::new(dir.join("segments"));
    options.tail_cache_bytes = 1 << 20;
    let stored = LogSide::open_with(options, record_bytes)?;
    for side in [&cached, &stored] {
        fill(side, record_bytes, records)?;
    }
    let path = std::fs::read_dir(dir.join("segments/topics"))?
        .next()
        .transpose()?
        .map(|entry| entry.path().join("00000000000000000000.log"))
        .unwrap_or_default();
    let file = std::fs::File::open(path)?;
    let (mut tail, mut page_cache, mut bare) = (vec![], vec![], vec![]);
    for _ in 0..args.rounds {
        bare.push(pread(&file)?);
        tail.push(read_all(&cached)?);
        page_cache.push(read_all(&stored)?);
    }
    let (tail, page_cache, bare) = (
        median(&mut tail),
        median(&mut page_cache),
        median(&mut bare),
    );
    for (what, rate) in [("tail cache", tail), ("page cache", page_cache)] {
        row(
            &format!("fetch from the {what}, {record_bytes} B x {records}"),
            &format!(
                "{rate:.0} MB/s = {:.2} of pread 256 KiB ({bare:.0} MB/s)",
                rate / bare
            ),
            ">= 0.6",
            rate >= 0.6 * bare,
        );
    }
    for side in [cached, stored] {
        side.log.close()?;
    }
    Ok(std::fs::remove_dir_all(dir)?)
}

fn fill(side: &LogSide, record_bytes: usize, records: usize) -> Result<()> {
    let producer = side.log.open_producer(&"fill".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    let mut written = 0;
    let mut last = None;
    while written < DATA_BYTES {
        let batch = build(
            record_bytes,
            records,
            &mut builder,
            &vec![b'v'; record_bytes],
        )?;
        written += batch.len() as u64;
        let append = linkspan_log::Append {
            topic: side.topic.id,
            partition: PartitionId(0),
            batch,
        };
        last = Some(producer.submit(linkspan_log::Commit {
            appends: vec![append],
            puts: Vec::new(),
        })?);
    }
    if let Some(ticket) = last {
        ticket.wait()?;
    }
    Ok(side.log.checkpoint()?)
}

/// Returns MB/s.
fn read_all(side: &LogSide) -> Result<f64> {
    let begin = Cpu::now()?;
    let (mut next, mut bytes, mut touched) = (Offset(0), 0_u64, 0_u64);
    loop {
        let read = side
            .log
            .fetch(&side.topic.id, PartitionId(0), next, READ_BYTES)?;
        if read.bytes.is_empty() {
            break;
        }
        bytes += read.bytes.len() as u64;
        touched += u64::from(read.bytes.get(read.bytes.len() / 2).copied().unwrap_or(0));
        next = read.next;
    }
    ensure!(
        bytes >= DATA_BYTES / 2 && touched > 0,
        "only {bytes} bytes were read"
    );
    Ok(float(bytes) / begin.seconds()? / 1e6)
}

fn pread(file: &std::fs::File) -> Result<f64> {
    use std::os::unix::fs::FileExt as _;
    let mut buf = vec![0; READ_BYTES];
    let begin = Cpu::now()?;
    let mut bytes = 0_u64;
    loop {
        let n = file.read_at(&mut buf, bytes)?;
        if n == 0 {
            break;
        }
        bytes += n as u64;
    }
    Ok(float(bytes) / begin.seconds()? / 1e6)
}
