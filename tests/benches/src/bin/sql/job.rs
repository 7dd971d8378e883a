//! The host: the rows into its log once, then a sink or a source alone, again and again.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::rows::CSV_TYPES;
use crate::{Options, report::Measured};

/// How often the peak of memory is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A host with the rows in topic `rows`, of four partitions.
pub(crate) struct Host {
    binary: PathBuf,
    folder: PathBuf,
    /// A connector that has run already finds nothing new: each job has a name of its own.
    jobs: Cell<u32>,
}

impl Host {
    pub(crate) fn new(options: &Options, folder: &Path, csv: &Path) -> Result<Self> {
        let host = Self {
            binary: options.binary.clone(),
            folder: folder.to_owned(),
            jobs: Cell::new(0),
        };
        let yaml = format!(
            "topics: {{ rows: {{ partitions: 4 }} }}\nconnectors:\n  load: {{ connector: file-source, path: {}, format: csv, csv.types: {CSV_TYPES}, topic: rows, \
             batch.records: 1000 }}\n",
            csv.display()
        );
        host.run(&yaml, "data")?;
        Ok(host)
    }

    /// Topic `rows` into table `rows`; options as YAML lines of a flow map.
    pub(crate) fn sink(&self, url: &str, tasks: u32, options: &str) -> Result<Measured> {
        let yaml = format!(
            "topics: {{ rows: {{ partitions: 4 }} }}\nconnectors:\n  out-{}: {{ connector: sql-sink, connection.url: '{url}', topics: [rows], tasks.max: {tasks}, {options} }}\n",
            self.next()
        );
        self.run(&yaml, "data")
    }

    /// Table `rows` into a new topic of a new log.
    pub(crate) fn source(&self, url: &str, tasks: u32, rows: u32) -> Result<Measured> {
        let number = self.next();
        // A table is read in ranges when its numbers span more than twice the size.
        let split = (rows / 8).max(1);
        let yaml = format!(
            "topics: {{ from-rows: {{ partitions: 4 }} }}\nconnectors:\n  in-{number}: {{ connector: sql-source, connection.url: '{url}', mode: incrementing, \
             incrementing.column.name: id, table.include.list: [rows], topic.prefix: from-, table.split.size: {split}, lookback.ms: 0ms, tasks.max: {tasks} }}\n"
        );
        let data = format!("data-{number}");
        let measured = self.run(&yaml, &data);
        fs::remove_dir_all(self.folder.join(data))?;
        let measured = measured?;
        if measured.records != u64::from(rows) {
            bail!("the source read {} of {rows} rows", measured.records);
        }
        Ok(measured)
    }

    fn next(&self) -> u32 {
        self.jobs.set(self.jobs.get() + 1);
        self.jobs.get()
    }

    fn run(&self, yaml: &str, data: &str) -> Result<Measured> {
        let path = self.folder.join("job.yaml");
        fs::write(&path, yaml)?;
        let (said, told) = (self.folder.join("stderr"), self.folder.join("stdout"));
        let begin = Instant::now();
        let mut child = Command::new(&self.binary)
            .args(["run", "--once", "-o", "json", "--data"])
            .arg(self.folder.join(data))
            .arg(&path)
            .stdout(fs::File::create(&told)?)
            .stderr(fs::File::create(&said)?)
            .stdin(Stdio::null())
            .spawn()?;
        let mut peak_kib = 0;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            peak_kib = peak_kib.max(high_water(child.id()));
            std::thread::sleep(LOOK_AGAIN);
        };
        let seconds = begin.elapsed().as_secs_f64();
        let told = fs::read_to_string(&told)?;
        if !status.success() {
            bail!("{yaml}ended with {status}:\n{}", fs::read_to_string(&said)?);
        }
        Ok(Measured {
            seconds,
            peak_kib,
            records: records(&told),
        })
    }
}

/// The number of records in the summary, of its only connector.
fn records(summary: &str) -> u64 {
    let behind = summary.rsplit("\"records\":").next().unwrap_or_default();
    let digits: String = behind
        .trim_start()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

fn high_water(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
