//! Ten thousand partitions: how long a start takes, what an idle log holds in memory, how many files it keeps open.
//!
//! Each measurement is a process of its own (this program with `child …`), so that nothing is warm but the page cache.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use linkspan_log::{
    Append, Commit, DiskFs, Local, LocalOptions, LogBackend as _, Opened, TopicSpec, open_local,
};
use linkspan_types::{PartitionId, SystemClock, TopicName};
use linkspan_wire::{BatchBuilder, Compression};

use crate::Args;
use crate::sides::build;
use crate::table::{float, median, row, say};

const PARTITIONS: i32 = 10_000;
const SEGMENTS: usize = 3;
const JOURNAL_BYTES: u64 = 1 << 30;
/// Partitions of one commit while the directory is made.
const STEP: i32 = 500;

pub(crate) fn table(args: &Args) -> Result<()> {
    let dir = args.dir.join("restart");
    let begin = Instant::now();
    make(&dir)?;
    say(&format!(
        "{PARTITIONS} partitions x {SEGMENTS} segments, made in {:.1} s",
        begin.elapsed().as_secs_f64()
    ));
    let (mut clean, mut memory, mut files) = (vec![], vec![], vec![]);
    for _ in 0..args.rounds.min(7) {
        let opened = open_in_child(&dir)?;
        ensure!(opened.how == "clean", "the start was {}", opened.how);
        clean.push(opened.millis);
        memory.push(opened.kib);
        files.push(opened.files);
    }
    let took = median(&mut clean);
    row(
        "start with 10 k partitions x 3, clean",
        &format!("{took:.0} ms"),
        "<= 1 s",
        took <= 1000.0,
    );
    let each = median(&mut memory) / f64::from(PARTITIONS);
    row(
        "idle, 10 k partitions",
        &format!(
            "{each:.2} KiB RSS each ({:.1} MiB in all), {:.0} open files",
            median(&mut memory) / 1024.0,
            median(&mut files)
        ),
        "<= 4 KiB each",
        each <= 4.0,
    );
    let (mut unclean, mut replayed) = (vec![], 0);
    for _ in 0..if args.long { 3 } else { 1 } {
        fill_and_kill(&dir)?;
        let opened = open_in_child(&dir)?;
        ensure!(opened.how == "unclean", "the start was {}", opened.how);
        unclean.push(opened.millis);
        replayed = opened.replayed;
    }
    let took = median(&mut unclean);
    row(
        "start after kill -9, journal of 1 GiB (cached)",
        &format!("{took:.0} ms, {replayed} commits replayed"),
        "<= 3 s",
        took <= 3000.0,
    );
    Ok(std::fs::remove_dir_all(dir)?)
}

/// The program's other life: `child open DIR` or `child fill DIR`.
pub(crate) fn child(args: &[String]) -> Result<()> {
    match args {
        [what, dir] if what == "open" => open_and_tell(Path::new(dir)),
        [what, dir] if what == "fill" => fill(Path::new(dir)),
        _ => bail!("child open DIR | child fill DIR"),
    }
}

fn open(options: LocalOptions) -> Result<Arc<Local>> {
    Ok(open_local(
        Arc::new(DiskFs),
        Arc::new(SystemClock::default()),
        options,
    )?)
}

fn options(dir: &Path) -> LocalOptions {
    let mut options = LocalOptions::new(dir);
    options.journal_bytes_max = JOURNAL_BYTES + (256 << 20);
    options
}

fn make(dir: &Path) -> Result<()> {
    let mut options = options(dir);
    // Every batch is larger: each gets a segment of its own.
    options.segment_bytes = 1000;
    let log = open(options)?;
    let topic = log.create_topic(
        &TopicName::try_new("wide")?,
        &TopicSpec::with_partitions(PARTITIONS),
    )?;
    let producer = log.open_producer(&"make".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    for _ in 0..SEGMENTS {
        for first in (0..PARTITIONS).step_by(usize::try_from(STEP)?) {
            let appends: Result<Vec<Append>> = (first..first + STEP)
                .map(|partition| {
                    Ok(Append {
                        topic: topic.id,
                        partition: PartitionId(partition),
                        batch: build(1024, 1, &mut builder, &[b'v'; 1024])?,
                    })
                })
                .collect();
            producer
                .submit(Commit {
                    appends: appends?,
                    puts: Vec::new(),
                })?
                .wait()?;
        }
    }
    Ok(log.close()?)
}

struct OpenedChild {
    how: String,
    replayed: u64,
    millis: f64,
    kib: f64,
    files: f64,
}

fn open_in_child(dir: &Path) -> Result<OpenedChild> {
    let output = Command::new(std::env::current_exe()?)
        .args(["child", "open"])
        .arg(dir)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the child failed");
    let text = String::from_utf8(output.stdout)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let [how, replayed, millis, kib, files] = words.as_slice() else {
        bail!("the child said `{text}`");
    };
    Ok(OpenedChild {
        how: (*how).to_owned(),
        replayed: replayed.parse()?,
        millis: millis.parse()?,
        kib: kib.parse()?,
        files: files.parse()?,
    })
}

fn open_and_tell(dir: &Path) -> Result<()> {
    let before = rss_kib()?;
    let begin = Instant::now();
    let log = open(options(dir))?;
    let took = begin.elapsed();
    // Threads settle; nothing else happens in an idle log.
    std::thread::sleep(Duration::from_millis(300));
    let kib = rss_kib()? - before;
    let files = std::fs::read_dir("/proc/self/fd")?.count();
    let (how, replayed) = match log.opened() {
        Opened::New => ("new", 0),
        Opened::Resumed {
            unclean, replayed, ..
        } => (if *unclean { "unclean" } else { "clean" }, *replayed),
    };
    say(&format!(
        "{how} {replayed} {:.3} {kib} {files}",
        took.as_secs_f64() * 1e3
    ));
    Ok(log.close()?)
}

fn rss_kib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("no VmRSS")?
        .parse()?;
    Ok(float(kib))
}

fn fill_and_kill(dir: &Path) -> Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(["child", "fill"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().context("no pipe")?);
    out.read_line(&mut line)?;
    child.kill()?;
    child.wait()?;
    ensure!(line.trim() == "full", "the child said `{line}`");
    Ok(())
}

/// Fills the journal without a checkpoint, says so, and waits to be killed.
fn fill(dir: &Path) -> Result<()> {
    let mut options = options(dir);
    options.checkpoint_bytes = u64::MAX;
    options.checkpoint_interval = Duration::from_secs(3600);
    let log = open(options)?;
    let topic = log
        .topic(&TopicName::try_new("wide")?)?
        .context("no topic")?;
    let producer = log.open_producer(&"fill".into())?;
    let mut builder = BatchBuilder::new(Compression::None);
    let (mut written, mut partition, mut last) = (0, 0, None);
    while written < JOURNAL_BYTES {
        partition = (partition + 1) % 100;
        let batch = build(1024, 100, &mut builder, &[b'v'; 1024])?;
        written += batch.len() as u64;
        let append = Append {
            topic: topic.id,
            partition: PartitionId(partition),
            batch,
        };
        last = Some(producer.submit(Commit {
            appends: vec![append],
            puts: Vec::new(),
        })?);
    }
    if let Some(ticket) = last {
        ticket.wait()?;
    }
    say("full");
    std::io::stdout().flush()?;
    loop {
        std::thread::park();
    }
}
