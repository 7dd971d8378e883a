//! Reads a log: of a stopped data directory, or of a host, on this machine (the lock decides) or elsewhere.

use std::path::Path;
use std::sync::Arc;

use linkspan_log::{DiskFs, ReadOnly};
use linkspan_types::SystemClock;

use crate::args::At;
use crate::client::Host;
use crate::context;
use crate::exit::{Exit, Failure};

/// A log as a tool sees it.
pub(crate) enum Opened {
    /// No host holds it: read here, nothing is written.
    Stopped(Arc<ReadOnly>),
    /// A host holds it and answers.
    Running(Host),
}

/// Opens the log that is meant, for reading.
pub(crate) fn open(at: &At) -> Result<Opened, Failure> {
    if let Some(host) = context::elsewhere(at)? {
        return Ok(Opened::Running(host));
    }
    let data = &at.data();
    check_exists(data)?;
    let clock = Arc::new(SystemClock::default());
    match linkspan_log::open_read_only(Arc::new(DiskFs), clock, data) {
        Ok(log) => Ok(Opened::Stopped(log)),
        Err(linkspan_log::Error::Locked { .. }) => Ok(Opened::Running(Host::beside(data))),
        Err(error) => Err(error.into()),
    }
}

/// Fails when there is nothing at `data`.
pub(crate) fn check_exists(data: &Path) -> Result<(), Failure> {
    match data.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(
            Exit::Environment,
            "LS0703",
            format!("there is no data directory `{}`", data.display()),
        )
        .help("name the one of your run with --data; `linkspan run` prints it in its first line")),
        Err(error) => Err(Failure::new(
            Exit::Environment,
            "LS0704",
            format!("could not look at `{}`: {error}", data.display()),
        )),
    }
}
