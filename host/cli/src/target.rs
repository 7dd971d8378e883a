//! Performs an operation where the log is: in a running host, on this machine or elsewhere, or here on a stopped directory.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use linkspan_log::{DiskFs, LocalOptions, LogBackend, open_local, open_read_only};
use linkspan_rest::{Operation, Refusal};
use linkspan_types::SystemClock;
use serde_json::Value;

use crate::args::At;
use crate::client::{self, Host};
use crate::context;
use crate::exit::{Exit, Failure};
use crate::open::check_exists;

/// A log that this process has opened, or the host that has it.
pub(crate) enum Place {
    /// No host holds it.
    Here(Arc<dyn LogBackend>),
    /// A host holds it and answers.
    Host(Host, tokio::runtime::Runtime),
}

/// Finds out where the log is that is meant; opens it here if it is on this machine and nobody holds it.
pub(crate) fn place(at: &At, write: bool) -> Result<Place, Failure> {
    if let Some(host) = context::elsewhere(at)? {
        return Ok(Place::Host(host, client::runtime()?));
    }
    let data = &at.data();
    check_exists(data)?;
    let clock = Arc::new(SystemClock::default());
    let opened = if write && data.join("format").try_exists().unwrap_or(false) {
        open_local(Arc::new(DiskFs), clock, LocalOptions::new(data))
            .map(|log| log as Arc<dyn LogBackend>)
    } else {
        // It also says what is wrong with a folder that is no data directory.
        open_read_only(Arc::new(DiskFs), clock, data).map(|log| log as Arc<dyn LogBackend>)
    };
    match opened {
        Ok(log) => Ok(Place::Here(log)),
        Err(linkspan_log::Error::Locked { .. }) => {
            Ok(Place::Host(Host::beside(data), client::runtime()?))
        }
        Err(error) => Err(error.into()),
    }
}

impl Place {
    /// Performs one operation.
    pub(crate) fn perform(&self, operation: Operation) -> Result<Value, Failure> {
        match self {
            Self::Here(log) => operation.perform(&**log).map_err(Failure::from),
            Self::Host(host, runtime) => {
                let (method, path, body) = operation.request();
                runtime.block_on(host.call(method, &path, body))
            }
        }
    }

    /// Closes a log that was opened here.
    pub(crate) fn close(self) -> Result<(), Failure> {
        match self {
            Self::Here(log) => Ok(log.close()?),
            Self::Host(..) => Ok(()),
        }
    }
}

/// Opens, performs one operation, closes.
pub(crate) fn perform(at: &At, operation: Operation) -> Result<Value, Failure> {
    let place = place(at, operation.writes())?;
    let answer = place.perform(operation)?;
    place.close()?;
    Ok(answer)
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let exit = exit_of(refusal.error_code, refusal.code);
        let failure = Self::new(exit, refusal.code, refusal.message);
        match refusal.help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

/// The exit code of a refusal.
pub(crate) fn exit_of(status: u16, code: &str) -> Exit {
    match status {
        _ if code.starts_with("LS07") || matches!(code, "LS0511" | "LS0519" | "LS0617") => {
            Exit::Environment
        }
        400..500 => Exit::Invalid,
        _ => Exit::Runtime,
    }
}

/// Asks on a terminal before something is deleted; without one `--yes` is needed.
pub(crate) fn confirm(yes: bool, what: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let refused = |why: &str| {
        Failure::new(Exit::Invalid, "LS0221", format!("{what}: {why}"))
            .help("add --yes to do it without being asked")
    };
    if !std::io::stdin().is_terminal() {
        return Err(refused("this cannot be undone, and nobody can be asked"));
    }
    let mut err = std::io::stderr().lock();
    // A terminal that cannot be written to gets no answer either.
    drop(write!(err, "{what}? This cannot be undone. [y/N] "));
    drop(err.flush());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(refused("not confirmed"))
    }
}
