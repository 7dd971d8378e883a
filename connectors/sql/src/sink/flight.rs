//! A transaction that is written while the next batch is made ready.
//!
//! ```text
//! task      gather 1 · launch 1 │ (host: fetch, convert) │ gather 2 · settle 1 · launch 2 │ … │ flush: settle n
//! runtime              └── BEGIN … COMMIT 1 ──────────────────────┘         └── BEGIN … COMMIT 2
//! ```
//! One transaction is under way at a time, in the order of the batches. The progress of a batch is told once it has settled, so the
//! host's position is behind the database's by at most one batch, as after a crash.

use std::sync::Arc;

use linkspan_sdk::prelude::*;
use tokio::task::JoinHandle;

use super::link::{Link, Unwritten};
use super::position::Advance;
use super::work::Parcel;
use crate::connect::{Connection, Connector};

/// How long the end of a task waits for a transaction; it is written or not, and the position says which.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// The connection, wherever it is.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) link: Option<Link>,
    flight: Option<Flight>,
}

/// A batch, and what became of it.
pub(super) type Arrived = (Parcel, Result<(), Unwritten>);

/// A batch under way, or arrived and not looked at yet.
#[derive(Debug)]
enum Flight {
    Flying(JoinHandle<Landed>),
    Landed(Box<Arrived>),
    /// The future that wrote it ended badly, and the batch with it.
    Crashed(String),
}

#[derive(Debug)]
struct Landed {
    link: Link,
    parcel: Parcel,
    outcome: Result<(), Unwritten>,
}

impl Line {
    /// Whether a batch is under way or not looked at yet.
    pub(super) const fn is_flying(&self) -> bool {
        self.flight.is_some()
    }

    /// Begins to write a batch in the background; the connection comes back when it lands.
    pub(super) fn launch(
        &mut self,
        server: &Arc<Connector>,
        mut link: Link,
        parcel: Parcel,
        advance: Option<Advance>,
    ) {
        let server = Arc::clone(server);
        let flying = tokio::spawn(async move {
            let outcome = link
                .transact(&server, &parcel.work, advance.as_ref(), true)
                .await;
            Landed {
                link,
                parcel,
                outcome,
            }
        });
        self.flight = Some(Flight::Flying(flying));
    }

    /// Waits until nothing is under way, without looking at what became of it.
    async fn land(&mut self) {
        let Some(Flight::Flying(flying)) = &mut self.flight else {
            return;
        };
        let landed = match flying.await {
            Ok(landed) => {
                self.link = Some(landed.link);
                Flight::Landed(Box::new((landed.parcel, landed.outcome)))
            }
            Err(error) => Flight::Crashed(error.to_string()),
        };
        self.flight = Some(landed);
    }

    /// Waits for what is under way, and hands it over with what became of it.
    ///
    /// # Errors
    /// The batch is lost with the future that wrote it: only a new task reads it again.
    pub(super) async fn settle(&mut self) -> Result<Option<Arrived>> {
        self.land().await;
        match self.flight.take() {
            Some(Flight::Landed(arrived)) => Ok(Some(*arrived)),
            Some(Flight::Crashed(how)) => Err(Error::internal(format!(
                "writing in the background ended: {how}"
            ))),
            Some(Flight::Flying(_)) | None => Ok(None),
        }
    }

    /// Returns the connection, once it is back.
    ///
    /// # Errors
    /// What was under way failed; [`Line::settle`] says how.
    pub(super) async fn connection(&mut self) -> Result<&mut Connection> {
        self.land().await;
        let gone = || Error::unavailable("what was written before did not arrive");
        match &self.flight {
            Some(Flight::Landed(arrived)) if arrived.1.is_err() => return Err(gone()),
            Some(Flight::Crashed(_)) => return Err(gone()),
            Some(Flight::Landed(_) | Flight::Flying(_)) | None => {}
        }
        self.link
            .as_mut()
            .map(|link| &mut link.connection)
            .ok_or_else(gone)
    }

    /// Gives the connection up; what is under way may still land.
    pub(super) async fn close(&mut self) {
        if tokio::time::timeout(CLOSE_WAIT, self.land()).await.is_err()
            && let Some(Flight::Flying(flying)) = &self.flight
        {
            flying.abort();
        }
        self.flight = None;
        if let Some(link) = self.link.take() {
            link.connection.close().await;
        }
    }
}
