//! What is settled: up to which place no transaction can bring rows any more.
//!
//! A transaction takes a number or a timestamp, and commits later than one that took a greater one. A reader that remembers
//! only the greatest loses the first. So a place counts as settled only when every transaction that could still bring rows
//! before it has ended; rows behind it are handed over at once, and remembered (`seen`) until they are settled.
//!
//! - PostgreSQL is asked: each transaction that writes holds a lock on its own number, which everybody may see in `pg_locks`.
//!   A place is settled when all that were open after it had been read are gone. (The `xmax` of a snapshot would not do: it
//!   is one more than the latest transaction that *ended*, so the newest open one is not below it.) For timestamps the start
//!   of the oldest transaction counts too: it may write `now()`, which is the time of its start. A standby does not see the
//!   locks of its primary; there the snapshot decides, and ten seconds.
//! - SQLite has one writer at a time, which takes its numbers under the lock: nothing commits late.
//! - MySQL does not say; `lookback.ms` is waited for.

use sqlx::Row as _;

use crate::connect::Connection;
use crate::errors::SqlError;

/// How long a place waits on a standby, where nobody says which transactions are open.
const STANDBY_LOOKBACK_MICROS: i64 = 10_000_000;

/// What a server says about now, in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Horizon {
    /// The server's clock, an instant.
    pub(crate) now: i64,
    /// The numbers of open transactions that write; `None` where the server does not say.
    open: Option<Vec<i64>>,
    /// When the oldest open transaction of others began, as far as the user may know.
    oldest: Option<i64>,
    /// What is waited for at least.
    wait_micros: i64,
}

/// A place that waits to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    through: i64,
    open: Vec<i64>,
    at: i64,
}

/// How long is waited, beyond what the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lookback {
    pub(crate) micros: i64,
    /// Numbers below the greatest that never count as settled.
    pub(crate) rows: i64,
}

/// Up to where rows are settled; grows only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    All,
    Through(i64),
}

impl Settled {
    pub(crate) const fn covers(self, at: i64) -> bool {
        match self {
            Self::All => true,
            Self::Through(through) => at <= through,
        }
    }
}

/// Follows what is settled from round to round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settling {
    pending: Option<Pending>,
    through: i64,
}

impl Settling {
    pub(crate) const fn new() -> Self {
        Self {
            pending: None,
            through: i64::MIN,
        }
    }

    /// Returns what waits, for an offset: the next job goes on waiting for it instead of starting over.
    pub(crate) fn to_json(&self) -> Option<serde_json::Value> {
        let Pending { through, open, at } = self.pending.as_ref()?;
        Some(serde_json::json!({"through": through, "at": at, "open": open}))
    }

    /// Reads the same; what is none of ours waits for nothing.
    pub(crate) fn from_json(json: &serde_json::Value) -> Self {
        let number = |key: &str| json.get(key).and_then(serde_json::Value::as_i64);
        let open = json.get("open").and_then(serde_json::Value::as_array);
        let open = open.into_iter().flatten();
        Self {
            pending: number("through")
                .zip(number("at"))
                .map(|(through, at)| Pending {
                    through,
                    at,
                    open: open.filter_map(serde_json::Value::as_i64).collect(),
                }),
            through: i64::MIN,
        }
    }

    /// Takes what the server says before a round. `read_through` is the greatest place that was there before it said so.
    pub(crate) fn round(
        &mut self,
        horizon: &Horizon,
        read_through: Option<i64>,
        lookback: Lookback,
    ) -> Settled {
        if horizon.open.is_none() && horizon.wait_micros == 0 && lookback == Lookback::default() {
            return Settled::All;
        }
        let open = horizon.open.as_deref().unwrap_or_default();
        let wait = lookback.micros.max(horizon.wait_micros);
        let is_settled = |pending: &Pending| {
            let ended = pending.open.iter().all(|number| !open.contains(number));
            ended && horizon.now.saturating_sub(pending.at) >= wait
        };
        if let Some(pending) = self.pending.take_if(|pending| is_settled(pending)) {
            self.through = self.through.max(pending.through);
        }
        if let Some(through) = read_through {
            let candidate = Pending {
                through,
                open: open.to_vec(),
                at: horizon.now,
            };
            if open.is_empty() && wait == 0 {
                self.through = self.through.max(through);
                self.pending = None;
            } else if self.pending.is_none() && through > self.through {
                self.pending = Some(candidate);
            }
        }
        let kept_back = match read_through {
            Some(through) if lookback.rows > 0 => through.saturating_sub(lookback.rows),
            _ => i64::MAX,
        };
        Settled::Through(self.through.min(kept_back))
    }
}

impl Horizon {
    /// Asks the server. `timestamps` says whether the age of transactions matters.
    pub(crate) async fn read(
        connection: &mut Connection,
        timestamps: bool,
    ) -> Result<Self, SqlError> {
        let dialect = connection.dialect();
        let failed = |error: sqlx::Error| SqlError::new(dialect, &error);
        match connection {
            Connection::Postgres(c) => {
                let row = sqlx::query(
                    "SELECT pg_is_in_recovery(), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, \
                     (SELECT coalesce(array_agg(l.transactionid::text::bigint), '{}') FROM pg_catalog.pg_locks l \
                     LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                     WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted \
                     AND (a.pid IS NULL OR a.datname = current_database()))",
                )
                .fetch_one(&mut **c)
                .await
                .map_err(failed)?;
                let standby: bool = row.try_get(0).map_err(failed)?;
                let open: Vec<i64> = row.try_get(2).map_err(failed)?;
                let mut horizon = Self {
                    now: row.try_get(1).map_err(failed)?,
                    open: Some(open),
                    oldest: None,
                    wait_micros: if standby { STANDBY_LOOKBACK_MICROS } else { 0 },
                };
                if timestamps {
                    horizon.oldest = sqlx::query_scalar(
                        "SELECT (extract(epoch FROM min(xact_start)) * 1000000)::bigint FROM pg_catalog.pg_stat_activity \
                         WHERE pid <> pg_backend_pid() AND datname = current_database()",
                    )
                    .fetch_one(&mut **c)
                    .await
                    .map_err(failed)?;
                }
                Ok(horizon)
            }
            Connection::MySql(c) => {
                let now =
                    sqlx::query_scalar("SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)")
                        .fetch_one(&mut **c)
                        .await
                        .map_err(failed)?;
                Ok(Self {
                    now,
                    ..Self::default()
                })
            }
            Connection::Sqlite(c) => {
                let millis: i64 = sqlx::query_scalar(
                    "SELECT CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)",
                )
                .fetch_one(&mut **c)
                .await
                .map_err(failed)?;
                Ok(Self {
                    now: millis.saturating_mul(1000),
                    ..Self::default()
                })
            }
        }
    }

    /// Returns what stays open whatever is settled: timestamps from the start of the oldest transaction on.
    pub(crate) const fn open_from(&self) -> Option<i64> {
        self.oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_LOOKBACK: Lookback = Lookback { micros: 0, rows: 0 };

    fn postgres(now: i64, open: &[i64]) -> Horizon {
        Horizon {
            now,
            open: Some(open.to_vec()),
            ..Horizon::default()
        }
    }

    #[test]
    fn without_open_transactions_all_that_was_there_is_settled() {
        let mut settling = Settling::new();
        assert_eq!(
            settling.round(&postgres(0, &[]), Some(100), NO_LOOKBACK),
            Settled::Through(100)
        );
    }

    #[test]
    fn a_place_waits_for_those_that_were_open_after_it() {
        let mut settling = Settling::new();
        assert_eq!(
            settling.round(&postgres(0, &[48]), Some(100), NO_LOOKBACK),
            Settled::Through(i64::MIN)
        );
        assert_eq!(
            settling.round(&postgres(1, &[48, 55]), Some(120), NO_LOOKBACK),
            Settled::Through(i64::MIN)
        );
        // 48 has ended; 55, which is open, came after 100 was there.
        assert_eq!(
            settling.round(&postgres(2, &[55]), Some(130), NO_LOOKBACK),
            Settled::Through(100)
        );
        assert_eq!(
            settling.round(&postgres(3, &[61]), Some(140), NO_LOOKBACK),
            Settled::Through(130)
        );
        assert_eq!(
            settling.round(&postgres(4, &[]), Some(140), NO_LOOKBACK),
            Settled::Through(140)
        );
    }

    #[test]
    fn without_a_horizon_time_or_numbers_decide() {
        let mut settling = Settling::new();
        let at = |now| Horizon {
            now,
            ..Horizon::default()
        };
        assert_eq!(settling.round(&at(0), Some(9), NO_LOOKBACK), Settled::All);
        let time = Lookback {
            micros: 10,
            rows: 0,
        };
        assert_eq!(
            settling.round(&at(0), Some(9), time),
            Settled::Through(i64::MIN)
        );
        assert_eq!(
            settling.round(&at(9), Some(20), time),
            Settled::Through(i64::MIN)
        );
        assert_eq!(settling.round(&at(10), Some(30), time), Settled::Through(9));
        assert_eq!(
            settling.round(&at(20), Some(30), time),
            Settled::Through(30)
        );
        let rows = Lookback { micros: 0, rows: 5 };
        assert_eq!(
            Settling::new().round(&at(0), Some(9), rows),
            Settled::Through(4)
        );
        assert_eq!(
            Settling::new().round(&at(0), None, rows),
            Settled::Through(i64::MIN)
        );
    }
}
