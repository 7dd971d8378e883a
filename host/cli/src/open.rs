//! Reads a data directory that a host may or may not hold: the lock decides which way.

use std::path::Path;
use std::sync::Arc;

use linkspan_log::{DiskFs, ReadOnly};
use linkspan_types::SystemClock;

use crate::exit::{Exit, Failure};

/// A data directory as a tool sees it.
pub(crate) enum Opened {
    /// No host holds it: read here, nothing is written.
    Stopped(Arc<ReadOnly>),
    /// A host holds it and answers on its socket.
    Running,
}

/// Opens `data` for reading.
pub(crate) fn open(data: &Path) -> Result<Opened, Failure> {
    check_exists(data)?;
    let clock = Arc::new(SystemClock::default());
    match linkspan_log::open_read_only(Arc::new(DiskFs), clock, data) {
        Ok(log) => Ok(Opened::Stopped(log)),
        Err(linkspan_log::Error::Locked { .. }) => Ok(Opened::Running),
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
