//! Whether the log takes commits: what each thread is short of, poison, closing.
//!
//! Two things may run out and come back: disk space, and file descriptors. A thread that needs one and cannot get it says so
//! here, waits, and tries again; while any thread is short, commits are refused and reads go on. Each thread has a flag of its
//! own, which only its own success clears: that one thread found room says nothing about what another one needs.
//!
//! Commits that were taken in before the shortage was noticed wait for at most `LocalOptions::space_wait`, counted from its
//! beginning; then they are refused too. Nothing of them was written. So every ticket has an answer in bounded time.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use linkspan_types::error_chain;

use crate::backend::Health;
use crate::error::{Error, Result};
use crate::options::LocalOptions;

/// Who may be short of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// The thread that prepares journal files.
    JournalFiles,
    /// The thread that writes segments.
    Segments,
    /// The thread that takes checkpoints.
    Checkpoints,
}

const NEEDS: usize = 3;

#[derive(Clone, Debug)]
struct Shortage {
    why: String,
    /// Descriptors, not space.
    files: bool,
}

#[derive(Debug, Default)]
struct State {
    short: [Option<Shortage>; NEEDS],
    short_since: Option<Instant>,
    poisoned: Option<String>,
    closing: bool,
    closed: bool,
}

/// Whether the log takes commits.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    state: Mutex<State>,
    /// Set with `state`, to be asked without a lock.
    trouble: AtomicI32,
}

const TROUBLE_SHORT: i32 = 1;
const TROUBLE_DEAD: i32 = 2;

impl Condition {
    /// Fails when the log was closed or has stopped.
    pub(crate) fn check_alive(&self) -> Result<()> {
        if self.trouble.load(Ordering::Acquire) < TROUBLE_DEAD {
            return Ok(());
        }
        match &self.lock().poisoned {
            Some(why) => Err(Error::Poisoned { why: why.clone() }),
            None => Err(Error::Closed),
        }
    }

    /// Fails when the log does not take commits.
    pub(crate) fn check_writable(&self, options: &LocalOptions) -> Result<()> {
        self.check_alive()?;
        self.lock().shortage(options).map_or(Ok(()), Err)
    }

    /// Fails when there is no point in waiting for space any longer: the log is being closed, or `space_wait` is over.
    pub(crate) fn check_worth_waiting(&self, options: &LocalOptions) -> Result<()> {
        self.check_alive()?;
        let state = self.lock();
        let long = state
            .short_since
            .is_some_and(|since| since.elapsed() >= options.space_wait);
        if state.closing || long {
            return state.shortage(options).map_or(Ok(()), Err);
        }
        Ok(())
    }

    /// Fails once the log is being closed.
    pub(crate) fn check_not_closing(&self) -> Result<()> {
        self.check_alive()?;
        if self.lock().closing {
            return Err(Error::Closed);
        }
        Ok(())
    }

    /// Begins to close; returns whether that is news.
    pub(crate) fn mark_closing(&self) -> bool {
        !std::mem::replace(&mut self.lock().closing, true)
    }

    /// Whether any thread is short of something.
    pub(crate) fn is_short(&self) -> bool {
        self.trouble.load(Ordering::Acquire) == TROUBLE_SHORT
    }

    /// What the log is short of, as an error.
    pub(crate) fn shortage(&self, options: &LocalOptions) -> Option<Error> {
        self.lock().shortage(options)
    }

    /// Whether this thread is short of something.
    pub(crate) fn lacks(&self, who: Needs) -> bool {
        self.is_short()
            && self
                .lock()
                .short
                .get(who as usize)
                .is_some_and(Option::is_some)
    }

    pub(crate) fn health(&self) -> Health {
        let state = self.lock();
        if let Some(why) = &state.poisoned {
            return Health::Poisoned { why: why.clone() };
        }
        match state.first_shortage() {
            Some(Shortage { why, files: true }) => Health::OutOfFiles { why: why.clone() },
            Some(Shortage { why, files: false }) => Health::DiskFull { why: why.clone() },
            None => Health::Ok,
        }
    }

    /// A thread could not get what it needs: commits are refused until it has.
    pub(crate) fn short(&self, who: Needs, error: &Error) {
        let mut state = self.lock();
        if state.first_shortage().is_none() {
            tracing::error!(error = %error_chain(error), "no disk space or no file descriptor left: commits are refused until there is");
            state.short_since = Some(Instant::now());
        }
        let shortage = Shortage {
            why: error_chain(error),
            files: error.is_no_files(),
        };
        if let Some(flag) = state.short.get_mut(who as usize) {
            *flag = Some(shortage);
        }
        self.set_trouble(&state);
    }

    /// A thread got what it needs, by an operation that needed it.
    pub(crate) fn enough(&self, who: Needs) {
        if !self.lacks(who) {
            return;
        }
        let mut state = self.lock();
        if let Some(flag) = state.short.get_mut(who as usize) {
            *flag = None;
        }
        if state.first_shortage().is_none() {
            state.short_since = None;
            tracing::info!("commits are taken again");
        }
        self.set_trouble(&state);
    }

    /// Stops the log for good; returns whether that is news.
    pub(crate) fn poison(&self, error: &Error) -> bool {
        let mut state = self.lock();
        if state.poisoned.is_some() || (state.closed && matches!(error, Error::Closed)) {
            return false;
        }
        let why = match error {
            Error::Poisoned { why } => why.clone(),
            other => error_chain(other),
        };
        tracing::error!(error = %why, "the log stopped after a failed write; restart to recover");
        state.poisoned = Some(why);
        self.set_trouble(&state);
        true
    }

    /// Marks the log closed.
    pub(crate) fn mark_closed(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.set_trouble(&state);
    }

    fn set_trouble(&self, state: &State) {
        let trouble = if state.closed || state.poisoned.is_some() {
            TROUBLE_DEAD
        } else if state.first_shortage().is_some() {
            TROUBLE_SHORT
        } else {
            0
        };
        self.trouble.store(trouble, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn first_shortage(&self) -> Option<&Shortage> {
        self.short.iter().flatten().next()
    }

    fn shortage(&self, options: &LocalOptions) -> Option<Error> {
        let dir = options.dir.clone();
        self.first_shortage().map(|shortage| match shortage.files {
            true => Error::OutOfFiles { dir },
            false => Error::DiskFull { dir },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use super::*;

    fn full() -> Error {
        Error::io(
            "write",
            Path::new("/d/x"),
            io::ErrorKind::StorageFull.into(),
        )
    }

    fn no_files() -> Error {
        Error::io(
            "open",
            Path::new("/d/x"),
            io::Error::from_raw_os_error(libc::EMFILE),
        )
    }

    #[test]
    fn one_threads_success_does_not_clear_anothers_shortage() {
        let (condition, options) = (Condition::default(), LocalOptions::new("/d"));
        condition.short(Needs::JournalFiles, &full());
        condition.short(Needs::Segments, &full());
        condition.enough(Needs::Segments);
        condition.enough(Needs::Checkpoints);
        assert!(matches!(condition.health(), Health::DiskFull { .. }));
        assert!(matches!(
            condition.check_writable(&options),
            Err(Error::DiskFull { .. })
        ));
        assert!(condition.lacks(Needs::JournalFiles) && !condition.lacks(Needs::Segments));
        condition.enough(Needs::JournalFiles);
        assert_eq!(condition.health(), Health::Ok);
        condition.check_writable(&options).unwrap();
    }

    #[test]
    fn a_missing_descriptor_is_told_from_a_full_disk_and_says_what_to_raise() {
        let (condition, options) = (Condition::default(), LocalOptions::new("/d"));
        condition.short(Needs::Segments, &no_files());
        assert!(matches!(condition.health(), Health::OutOfFiles { .. }));
        let error = condition.check_writable(&options).unwrap_err();
        assert!(error.is_temporary(), "{error:?}");
        assert!(error.to_string().contains("ulimit -n"), "{error}");
    }

    #[test]
    fn waiting_for_space_ends_after_its_time_or_when_the_log_is_closed() {
        let patient = LocalOptions::new("/d");
        let hasty = LocalOptions {
            space_wait: Duration::ZERO,
            ..LocalOptions::new("/d")
        };
        let condition = Condition::default();
        condition.check_worth_waiting(&hasty).unwrap();
        condition.short(Needs::Checkpoints, &full());
        condition.check_worth_waiting(&patient).unwrap();
        condition.check_worth_waiting(&hasty).unwrap_err();
        condition.mark_closing();
        condition.check_worth_waiting(&patient).unwrap_err();
    }
}
