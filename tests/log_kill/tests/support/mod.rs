//! Starting `logload`, hearing what it says, and opening what it left behind.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use linkspan_log::{DiskFs, LogBackend as _, open_local, open_read_only};
use linkspan_log_kill::{Judge, Line, Verdict, small_options};
use linkspan_types::SystemClock;
use tempfile::TempDir;

/// How long a process may take to do what a test waits for; generous, because machines are shared.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// A folder on a real disk, deleted at the end.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("log-kill-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .unwrap()
}

/// Reads a number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

/// `logload run DIR`.
pub(crate) fn logload(dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("run").arg(dir).args(more);
    command
}

pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_logload")
}

/// A process that speaks.
pub(crate) struct Running {
    child: Child,
    heard: Arc<Mutex<Vec<Line>>>,
    hearing: Option<JoinHandle<()>>,
    errors: Option<JoinHandle<String>>,
}

/// What a process left behind.
pub(crate) struct Left {
    pub(crate) status: ExitStatus,
    pub(crate) lines: Vec<Line>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let heard: Arc<Mutex<Vec<Line>>> = Arc::default();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let of_thread = Arc::clone(&heard);
        let hearing = std::thread::spawn(move || {
            let mut text = String::new();
            // A read error can only come with the end of the process.
            while out.read_line(&mut text).is_ok_and(|n| n > 0) {
                of_thread.lock().unwrap().extend(Line::parse(&text));
                text.clear();
            }
        });
        let mut err = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut err, &mut bytes).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Self {
            child,
            heard,
            hearing: Some(hearing),
            errors: Some(errors),
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Looks whether something was said.
    pub(crate) fn said(&self, what: impl FnMut(&Line) -> bool) -> bool {
        self.heard.lock().unwrap().iter().any(what)
    }

    /// Returns how many lines of a kind were said.
    pub(crate) fn count(&self, what: impl FnMut(&&Line) -> bool) -> usize {
        self.heard.lock().unwrap().iter().filter(what).count()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the process has said something, or has ended; false when neither happens in time.
    pub(crate) fn wait_for(&mut self, mut what: impl FnMut(&Line) -> bool) -> bool {
        eventually(LIMIT, || self.said(&mut what) || self.has_ended())
    }

    /// Kills it and takes what it said.
    pub(crate) fn kill(mut self) -> Left {
        self.child.kill().unwrap();
        self.left()
    }

    /// Waits for its end; kills it and fails the test when it hangs.
    #[track_caller]
    pub(crate) fn finish(mut self, limit: Duration) -> Left {
        if !eventually(limit, || self.has_ended()) {
            self.child.kill().unwrap();
            let left = self.left();
            panic!(
                "the process did not end in {limit:?}\n{}\nlast lines: {:?}",
                left.stderr,
                left.lines.iter().rev().take(3).collect::<Vec<_>>()
            );
        }
        self.left()
    }

    fn left(&mut self) -> Left {
        let status = self.child.wait().unwrap();
        self.hearing.take().unwrap().join().unwrap();
        let stderr = self.errors.take().unwrap().join().unwrap();
        Left {
            status,
            lines: std::mem::take(&mut self.heard.lock().unwrap()),
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.hearing.is_some() {
            // The test failed already: only the process must not stay behind.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Recovers the log as the next process would, judges, and closes it.
pub(crate) fn judge(judge: &mut Judge, dir: &Path) -> Result<Verdict> {
    let log = open_local(
        Arc::new(DiskFs),
        Arc::new(SystemClock::default()),
        small_options(dir),
    )?;
    let verdict = judge.look(&*log)?;
    log.close()?;
    Ok(verdict)
}

/// Judges without writing anything: the next process finds the directory as it was left.
pub(crate) fn judge_read_only(judge: &mut Judge, dir: &Path) -> Result<Verdict> {
    let log = open_read_only(Arc::new(DiskFs), Arc::new(SystemClock::default()), dir)?;
    judge.look(&*log)
}

/// Looks until the condition holds (true) or the limit has passed (false).
pub(crate) fn eventually(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if begin.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Notes that a test could not do its work here: seen in the output and counted by `tests/run`.
pub(crate) fn skip(what: &str, why: &str) {
    println!("SKIPPED {what}: {why}");
    if let Some(path) = env::var_os("LINKSPAN_TEST_SKIPS") {
        let mut file: File = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        file.write_all(format!("{what}: {why}\n").as_bytes())
            .unwrap();
    }
}

/// Finds a program on the path.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

/// A small generator of random numbers (SplitMix64), so that a seed repeats the moments.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
