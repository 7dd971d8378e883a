//! A child program: started without a shell, in a process group of its own, its output read by threads.
//!
//! ```text
//! stdout ─► thread ─► bounded channel of lines ─► task        stderr ─► thread ─► the connector's log, so many lines a second
//! ```

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use tokio::sync::mpsc;

use crate::settings::Settings;

/// Lines that wait for the task.
const LINES_MAX: usize = 1024;
/// How long what an ended program has said may take into the log; a grandchild may hold the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a program that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What a program printed.
#[derive(Debug)]
pub(crate) enum Output {
    Line(Vec<u8>),
    /// A line longer than allowed, of which this is the beginning.
    TooLong(Vec<u8>),
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<Output>,
    readers: Vec<JoinHandle<()>>,
    name: String,
    stop_timeout: Duration,
    status: Option<ExitStatus>,
    last_words: Arc<Mutex<String>>,
}

impl Child {
    /// Starts a program with further arguments.
    pub(crate) fn start(
        settings: &Settings,
        more: &[String],
        takes_input: bool,
        ctx: &TaskContext,
    ) -> Result<Self> {
        let mut command = Command::new(settings.name());
        command
            .args(settings.command.iter().skip(1))
            .args(more)
            .envs(&settings.env)
            .stdin(if takes_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A stop reaches what the program starts, too.
            .process_group(0);
        if let Some(folder) = &settings.cwd {
            command.current_dir(folder);
        }
        let mut process = command.spawn().map_err(|error| {
            Error::from(error).context(format!("start the program `{}`", settings.name()))
        })?;
        let (sender, lines) = mpsc::channel(LINES_MAX);
        let mut readers = Vec::new();
        let last_words = Arc::default();
        if let Some(stdout) = process.stdout.take() {
            let max = settings.line_bytes_max;
            readers.push(spawn("exec-stdout", move || {
                read_lines(stdout, max, &sender)
            })?);
        }
        if let Some(stderr) = process.stderr.take() {
            let (span, per_second) = (ctx.span(), settings.stderr_lines);
            let last_words = Arc::clone(&last_words);
            readers.push(spawn("exec-stderr", move || {
                let _entered = span.enter();
                log_lines(stderr, per_second, &last_words);
            })?);
        }
        Ok(Self {
            stdin: process.stdin.take(),
            process,
            lines,
            readers,
            name: settings.name().to_owned(),
            stop_timeout: settings.stop_timeout,
            status: None,
            last_words,
        })
    }

    /// Waits for what the program prints next; `None` when it has closed its output.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Option<Output> {
        self.lines.recv().await
    }

    /// Returns what the program has printed already.
    pub(crate) fn try_next(&mut self) -> Option<Output> {
        self.lines.try_recv().ok()
    }

    /// Says whether the program has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.ended()?.is_some())
    }

    /// Says whether all the program printed was taken.
    pub(crate) fn is_drained(&self) -> bool {
        self.lines.is_closed() && self.lines.is_empty()
    }

    /// Gives the program bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Tells the program that there is no more input.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Returns how the program ended, waiting for it; after the time to stop it is killed.
    pub(crate) fn wait(&mut self, stopped: impl Fn() -> bool) -> Result<Option<i32>> {
        let since = Instant::now();
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status.code());
            }
            if stopped() || since.elapsed() >= self.stop_timeout {
                self.stop();
            }
            std::thread::park_timeout(LOOK);
        }
    }

    /// Says how the program ended, in words.
    pub(crate) fn ending(&self) -> String {
        let name = &self.name;
        match self.status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => format!("`{name}` ended with exit code {code}"),
            Some((None, Some(signal))) => format!("`{name}` was ended by signal {signal}"),
            _ => format!("`{name}` has not ended"),
        }
    }

    /// Says how the program failed, with what it wrote to stderr last: nobody should have to look for the log.
    pub(crate) fn failure(mut self) -> String {
        let ending = self.ending();
        self.stop();
        let words = self.last_words.lock();
        match words.unwrap_or_else(PoisonError::into_inner).as_str() {
            "" => format!("{ending} and wrote nothing to stderr"),
            words => format!("{ending}; its last words on stderr: {words}"),
        }
    }

    fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self
                .process
                .try_wait()
                .map_err(|error| Error::from(error).context("wait for the program"))?;
        }
        Ok(self.status)
    }

    /// Ends the program and all it started: SIGTERM, and SIGKILL when that does not help in time.
    pub(crate) fn stop(&mut self) {
        self.stdin = None;
        // A program that waits for room in its output gets its end.
        self.lines.close();
        let group = rustix::process::Pid::from_child(&self.process);
        let since = Instant::now();
        let mut signal = rustix::process::Signal::TERM;
        loop {
            match self.ended() {
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => break,
            }
            if let Err(error) = rustix::process::kill_process_group(group, signal) {
                tracing::debug!(%error, "no process took the signal");
            }
            let patience = Instant::now();
            while patience.elapsed() < LOOK * 10 && matches!(self.ended(), Ok(None)) {
                std::thread::park_timeout(LOOK);
            }
            if since.elapsed() >= self.stop_timeout {
                signal = rustix::process::Signal::KILL;
            }
        }
        // Its last words are on their way into the log.
        let ended = Instant::now();
        while ended.elapsed() < LAST_WORDS
            && self.readers.iter().any(|reader| !reader.is_finished())
        {
            std::thread::park_timeout(LOOK);
        }
        for reader in self.readers.drain(..) {
            // What a grandchild keeps open would keep the thread; it ends with the pipe.
            if reader.is_finished() && reader.join().is_err() {
                tracing::debug!("a thread that read the program's output panicked");
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|error| Error::from(error).context("start a thread"))
}

/// Cuts lines and hands them over, until the pipe ends or nobody wants them.
fn read_lines(stdout: impl Read, max: usize, lines: &mpsc::Sender<Output>) {
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    loop {
        let mut line = Vec::new();
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        // A pipe that cannot be read is at its end.
        if !matches!(reader.by_ref().take(limit).read_until(b'\n', &mut line), Ok(n) if n > 0) {
            return;
        }
        let output = if line.last() == Some(&b'\n') {
            line.pop();
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            Output::Line(line)
        } else if line.len() > max {
            if !pass_line(&mut reader) {
                return;
            }
            line.truncate(1 << 16);
            Output::TooLong(line)
        } else {
            Output::Line(line)
        };
        if lines.blocking_send(output).is_err() {
            return;
        }
    }
}

/// Passes the rest of a line.
fn pass_line(reader: &mut impl BufRead) -> bool {
    loop {
        let Ok(bytes) = reader.fill_buf() else {
            return false;
        };
        if bytes.is_empty() {
            return true;
        }
        let (used, done) = match memchr::memchr(b'\n', bytes) {
            Some(at) => (at + 1, true),
            None => (bytes.len(), false),
        };
        reader.consume(used);
        if done {
            return true;
        }
    }
}

/// Keeps the end of what a program wrote to stderr, for the error that tells its end.
fn keep(words: &Mutex<String>, line: &str) {
    /// Some lines of a usual length.
    const KEPT_BYTES: usize = 500;
    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
    if !words.is_empty() {
        words.push('\n');
    }
    words.push_str(line);
    if words.len() > KEPT_BYTES {
        let mut cut = words.len() - KEPT_BYTES;
        while !words.is_char_boundary(cut) {
            cut += 1;
        }
        words.drain(..cut);
    }
}

/// Logs what a program says on its stderr, so many lines a second.
fn log_lines(stderr: impl Read, per_second: u32, last_words: &Mutex<String>) {
    /// More of a line is not logged.
    const SHOWN_BYTES: u64 = 4096;
    let mut reader = BufReader::new(stderr);
    let (mut since, mut logged, mut passed) = (Instant::now(), 0_u32, 0_u64);
    loop {
        let mut line = Vec::new();
        // A pipe that cannot be read is at its end.
        let read = reader
            .by_ref()
            .take(SHOWN_BYTES)
            .read_until(b'\n', &mut line);
        if !matches!(read, Ok(n) if n > 0) {
            break;
        }
        if line.last() != Some(&b'\n') && !pass_line(&mut reader) {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if !text.is_empty() {
            keep(last_words, text);
        }
        if since.elapsed() >= Duration::from_secs(1) {
            since = Instant::now();
            logged = 0;
            if passed > 0 {
                tracing::warn!(
                    lines = passed,
                    "stderr lines were not logged (`stderr.lines`)"
                );
                passed = 0;
            }
        }
        if logged >= per_second {
            passed += 1;
            continue;
        }
        logged += 1;
        tracing::info!(target: "stderr", "{text}");
    }
    if passed > 0 {
        tracing::warn!(
            lines = passed,
            "stderr lines were not logged (`stderr.lines`)"
        );
    }
}
