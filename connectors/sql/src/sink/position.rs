//! The position of exactly-once: a row for each partition, changed in the transaction that writes the partition's rows.
//!
//! ```text
//! _linkspan_offsets
//! | connector | topic | part | topic_id | leader_epoch | next_offset | fence | updated_at |     key: connector, topic, part
//! ```
//! Written and read by this module only. `topic_id` is the topic's UUID: a topic made again is another one. `leader_epoch` is that of
//! the last record written. `fence` is the generation of the connector: a lower one writes no more.
//!
//! # Invariants
//! - INV-Q3: a transaction that writes rows moves each of its partitions from exactly the offset where the last one left it, under
//!   its own fence; otherwise it is rolled back.
//! - INV-Q4: a position that does not belong to this log is refused, never skipped: rows would be missing or there twice.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;

use crate::connect::{Connection, Connector};
use crate::dialect::{Dialect, TableName};
use crate::errors::{Class, SqlError};
use crate::types::Bound;

/// The positions of the assigned partitions.
#[derive(Debug)]
pub(super) struct Positions {
    table: TableName,
    quoted: String,
    connector: String,
    of: BTreeMap<TopicPartition, Position>,
}

/// Where one partition stands in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    topic_id: String,
    leader_epoch: i32,
    next: i64,
    fence: i64,
}

/// How often partitions are taken over before a deadlock is the host's to retry.
const BUSY_ATTEMPTS: u64 = 10;

/// Where to read from, and what is in the database now.
type TakenOver = (Seeks, Vec<(TopicPartition, Position)>);

/// Why partitions could not be taken over.
#[derive(Debug)]
enum Taken {
    Server(SqlError),
    /// A position that does not belong to this log.
    Foreign(Error),
}

impl From<SqlError> for Taken {
    fn from(error: SqlError) -> Self {
        Self::Server(error)
    }
}

/// What to do with a partition that is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Decision {
    /// Make a row at the host's offset.
    Insert,
    /// The database knows better.
    Follow,
    /// A person set the offset: the row follows.
    Obey,
}

impl Positions {
    pub(super) fn new(table: TableName, dialect: Dialect, connector: &str) -> Self {
        Self {
            quoted: table.quoted(dialect),
            table,
            connector: connector.to_owned(),
            of: BTreeMap::new(),
        }
    }

    /// What is committed beside offsets, so that an offset that somebody set by hand shows.
    fn marker(&self) -> String {
        serde_json::json!({ "offsets.table": self.table.to_string() }).to_string()
    }

    /// Returns progress with the marker.
    pub(super) fn mark(&self, progress: Progress) -> Progress {
        progress.with_metadata(&self.marker())
    }

    /// Makes the table if need be.
    pub(super) async fn prepare(&self, connection: &mut Connection) -> Result<(), SqlError> {
        // Not each time: who may only write rows may not make tables.
        let there = crate::catalog::table(connection, &self.table).await?;
        if there.is_some() {
            return Ok(());
        }
        let (text, time, tail) = match connection.dialect() {
            Dialect::Postgres => ("TEXT", "TIMESTAMPTZ NOT NULL DEFAULT now()", ""),
            Dialect::MySql => (
                "VARCHAR(249) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP",
                " ENGINE=InnoDB",
            ),
            Dialect::Sqlite => ("TEXT", "TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP", ""),
        };
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (connector {text} NOT NULL, topic {text} NOT NULL, part INTEGER NOT NULL, topic_id VARCHAR(36) NOT NULL, \
             leader_epoch INTEGER NOT NULL, next_offset BIGINT NOT NULL, fence BIGINT NOT NULL, updated_at {time}, PRIMARY KEY (connector, topic, part)){tail}",
            self.quoted
        );
        match connection.run(&sql).await {
            Ok(_) => Ok(()),
            // Another task may have made it meanwhile.
            Err(error) => match crate::catalog::table(connection, &self.table).await? {
                Some(_) => Ok(()),
                None => Err(error),
            },
        }
    }

    /// Takes partitions over: compares the rows with what the host says, fences older generations, and says where to read from.
    pub(super) async fn take_over(
        &mut self,
        connection: &mut Connection,
        connector: &Connector,
        assigned: &[Assigned],
    ) -> Result<Seeks> {
        let mut attempts = 0;
        let (seeks, positions) = loop {
            match self.take_once(connection, connector, assigned).await {
                Ok(taken) => break taken,
                // Tasks that begin together get in each other's way on an empty table; one of them goes again.
                Err(Taken::Server(error))
                    if error.class == Class::Busy && attempts < BUSY_ATTEMPTS =>
                {
                    attempts += 1;
                    tokio::time::sleep(Duration::from_millis(20 * attempts)).await;
                }
                Err(Taken::Server(error)) => {
                    return Err(error.into_error(&connector.at().table(&self.table)));
                }
                Err(Taken::Foreign(error)) => return Err(error),
            }
        };
        self.of.extend(positions);
        Ok(seeks)
    }

    async fn take_once(
        &self,
        connection: &mut Connection,
        connector: &Connector,
        assigned: &[Assigned],
    ) -> Result<TakenOver, Taken> {
        connection.begin().await?;
        let taken = self.take_all(connection, connector, assigned).await;
        let ended = match taken {
            Ok(_) => connection.commit().await,
            Err(_) => connection.rollback().await,
        };
        let taken = taken?;
        ended?;
        Ok(taken)
    }

    async fn take_all(
        &self,
        connection: &mut Connection,
        connector: &Connector,
        assigned: &[Assigned],
    ) -> Result<TakenOver, Taken> {
        let (mut seeks, mut taken) = (Seeks::none(), Vec::new());
        for one in assigned {
            let partition = one.topic_partition();
            let fence = i64::try_from(one.fence_epoch).unwrap_or(i64::MAX);
            let row = self.read(connection, &partition).await?;
            let decision = self
                .decide(one, fence, row.as_ref())
                .map_err(|why| Taken::Foreign(self.foreign(connector, one, &why)))?;
            let position = match (decision, row) {
                (Decision::Follow, Some(row)) => Position { fence, ..row },
                (Decision::Insert | Decision::Obey | Decision::Follow, _) => Position {
                    topic_id: one.topic_id.clone(),
                    leader_epoch: one.leader_epoch,
                    next: one.next,
                    fence,
                },
            };
            self.write(connection, &partition, &position).await?;
            if position.next == one.next {
                if !one.stored || one.metadata != self.marker() {
                    seeks.commit(partition.clone(), one.next, self.marker());
                }
            } else {
                tracing::info!(%partition, host = one.next, database = position.next, "going on where the database stands");
                seeks.position(
                    partition.clone(),
                    position.next,
                    position.leader_epoch,
                    self.marker(),
                );
            }
            taken.push((partition, position));
        }
        Ok((seeks, taken))
    }

    /// Compares a row with what the host says; the error says why it cannot be trusted.
    fn decide(
        &self,
        one: &Assigned,
        fence: i64,
        row: Option<&Position>,
    ) -> Result<Decision, String> {
        let ours = one.stored && one.metadata == self.marker();
        let Some(row) = row else {
            if ours && one.next > 0 {
                return Err(format!(
                    "this connector wrote up to offset {} and left a row there, which is gone: the database is another one or was restored",
                    one.next
                ));
            }
            return Ok(Decision::Insert);
        };
        if row.topic_id != one.topic_id {
            return Err(format!(
                "the row is about another topic of that name (id {}, this one has {}): the topic or the data directory was made again",
                row.topic_id, one.topic_id
            ));
        }
        if row.fence > fence {
            return Err(format!(
                "the row was written by generation {} of the connector, and this is generation {fence}: another host runs it, or the data \
                 directory was restored",
                row.fence
            ));
        }
        if ours {
            return Ok(Decision::Follow);
        }
        // No position of ours at the host although a row exists: somebody set or reset it. A generation that is not newer cannot have been
        // started after that.
        if !one.stored && row.fence == fence && row.next != one.next {
            return Ok(Decision::Follow);
        }
        if row.next != one.next {
            tracing::warn!(
                topic = %one.topic, partition = one.partition, database = row.next, host = one.next,
                "the offsets of this connector were set by hand; the position in the database follows"
            );
        }
        Ok(Decision::Obey)
    }

    fn foreign(&self, connector: &Connector, one: &Assigned, why: &str) -> Error {
        let dialect = connector.dialect();
        Error::conflict(format!(
            "{}: table `{}`: the position of `{}` partition {} cannot be trusted: {why}. Rows would be missing or there twice. If the table may \
             get all records of the topic from the beginning: DELETE FROM {} WHERE connector = {} AND topic = {} AND part = {}; then \
             `linkspan offsets reset {}`. If not, bring back the data directory or database that belongs to the other, or give the connector \
             another name",
            connector.shown,
            self.table,
            one.topic,
            one.partition,
            self.quoted,
            dialect.literal(&self.connector),
            dialect.literal(one.topic.as_str()),
            one.partition,
            self.connector,
        ))
    }

    async fn read(
        &self,
        connection: &mut Connection,
        partition: &TopicPartition,
    ) -> Result<Option<Position>, SqlError> {
        let dialect = connection.dialect();
        let text = match dialect {
            Dialect::MySql => "CHAR",
            Dialect::Postgres | Dialect::Sqlite => "TEXT",
        };
        // Locked until the end of the transaction where rows can be: a zombie's last transaction ends before this answers.
        let lock = if dialect == Dialect::Sqlite {
            ""
        } else {
            " FOR UPDATE"
        };
        let sql = format!(
            "SELECT CAST(topic_id AS {text}), CAST(leader_epoch AS {text}), CAST(next_offset AS {text}), CAST(fence AS {text}) FROM {} \
             WHERE connector = {} AND topic = {} AND part = {}{lock}",
            self.quoted,
            dialect.placeholder(1),
            dialect.placeholder(2),
            dialect.placeholder(3),
        );
        let rows = connection
            .rows(&sql, self.key(partition).into_iter())
            .await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        let position = Position {
            topic_id: next(),
            leader_epoch: next().parse().unwrap_or(-1),
            next: next().parse().unwrap_or(0),
            fence: next().parse().unwrap_or(i64::MAX),
        };
        Ok(Some(position))
    }

    fn key<'s>(&'s self, partition: &'s TopicPartition) -> [Bound<'s>; 3] {
        [
            Bound::Text(&self.connector),
            Bound::Text(partition.topic.as_str()),
            Bound::Int(i64::from(partition.partition)),
        ]
    }

    async fn write(
        &self,
        connection: &mut Connection,
        partition: &TopicPartition,
        position: &Position,
    ) -> Result<(), SqlError> {
        let dialect = connection.dialect();
        let places: Vec<String> = (1..=7).map(|n| dialect.placeholder(n)).collect();
        let tail = match dialect {
            Dialect::MySql => {
                "ON DUPLICATE KEY UPDATE topic_id = VALUES(topic_id), leader_epoch = VALUES(leader_epoch), next_offset = VALUES(next_offset), \
                 fence = VALUES(fence), updated_at = CURRENT_TIMESTAMP"
            }
            Dialect::Postgres | Dialect::Sqlite => {
                "ON CONFLICT (connector, topic, part) DO UPDATE SET topic_id = excluded.topic_id, leader_epoch = excluded.leader_epoch, \
                 next_offset = excluded.next_offset, fence = excluded.fence, updated_at = CURRENT_TIMESTAMP"
            }
        };
        let sql = format!(
            "INSERT INTO {} (connector, topic, part, topic_id, leader_epoch, next_offset, fence) VALUES ({}) {tail}",
            self.quoted,
            places.join(", ")
        );
        let values = [
            Bound::Text(&position.topic_id),
            Bound::Int(i64::from(position.leader_epoch)),
            Bound::Int(position.next),
            Bound::Int(position.fence),
        ];
        connection
            .execute(&sql, self.key(partition).into_iter().chain(values))
            .await
            .map(drop)
    }

    /// Returns from which offset on records of a partition are not in the database yet; `None` where it is not assigned.
    fn next(&self, partition: &TopicPartition) -> Option<i64> {
        self.of.get(partition).map(|position| position.next)
    }

    /// Returns what tells which records are in the database already.
    pub(super) const fn written<'p, 'r>(positions: Option<&'p Self>) -> Written<'p, 'r> {
        Written {
            positions,
            last: None,
        }
    }

    /// Whether all partitions of these moves are assigned.
    pub(super) fn holds(&self, moves: &[(TopicPartition, i64, i32)]) -> bool {
        moves
            .iter()
            .all(|(partition, ..)| self.of.contains_key(partition))
    }

    /// Whether the records of these moves are in the database.
    pub(super) fn is_behind(&self, moves: &[(TopicPartition, i64, i32)]) -> bool {
        moves
            .iter()
            .all(|(partition, next, _)| self.next(partition).is_some_and(|known| known >= *next))
    }

    /// Returns how rows are moved within the transaction that writes the records of these moves.
    pub(super) fn advance(&self, moves: &[(TopicPartition, i64, i32)]) -> Advance {
        let steps = moves.iter().filter_map(|(partition, next, epoch)| {
            let position = self.of.get(partition)?;
            (position.next < *next).then(|| Step {
                partition: partition.clone(),
                next: *next,
                leader_epoch: *epoch,
                from: position.next,
                fence: position.fence,
            })
        });
        Advance {
            quoted: self.quoted.clone(),
            connector: self.connector.clone(),
            steps: steps.collect(),
        }
    }

    /// Takes note of a transaction that is committed.
    pub(super) fn advanced(&mut self, moves: &[(TopicPartition, i64, i32)]) {
        for (partition, next, epoch) in moves {
            if let Some(position) = self
                .of
                .get_mut(partition)
                .filter(|position| position.next < *next)
            {
                position.next = *next;
                position.leader_epoch = *epoch;
            }
        }
    }

    /// Reads the rows again, after a connection broke: the last transaction may have been committed although no answer came.
    pub(super) async fn read_again(&mut self, connection: &mut Connection) -> Result<(), SqlError> {
        let partitions: Vec<TopicPartition> = self.of.keys().cloned().collect();
        for partition in partitions {
            let row = self.read(connection, &partition).await?;
            let Some(position) = self.of.get_mut(&partition) else {
                continue;
            };
            match row {
                Some(row) if row.fence == position.fence && row.topic_id == position.topic_id => {
                    *position = row
                }
                _ => {
                    return Err(SqlError::plain(
                        connection.dialect(),
                        Class::Fenced,
                        format!(
                            "the position of {partition} was changed by somebody else while the database could not be reached"
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn give_up(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            self.of.remove(partition);
        }
    }
}

/// Tells which records are in the database already; remembers the partition, since records come partition by partition.
#[derive(Debug)]
pub(super) struct Written<'p, 'r> {
    positions: Option<&'p Positions>,
    last: Option<(&'r str, i32, Option<i64>)>,
}

impl<'r> Written<'_, 'r> {
    pub(super) fn has(&mut self, record: &Record<'r>) -> bool {
        let Some(positions) = self.positions else {
            return false;
        };
        let (topic, partition) = (record.original_topic(), record.partition());
        let next = match self.last {
            Some((known, of, next)) if of == partition && known == topic => next,
            _ => {
                let next = positions.next(&record.topic_partition());
                self.last = Some((topic, partition, next));
                next
            }
        };
        next.is_some_and(|next| record.offset() < next)
    }
}

/// Positions as they move within one transaction.
#[derive(Debug)]
pub(super) struct Advance {
    quoted: String,
    connector: String,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    partition: TopicPartition,
    next: i64,
    leader_epoch: i32,
    /// Where the last transaction left it.
    from: i64,
    fence: i64,
}

impl Advance {
    /// Moves the rows.
    ///
    /// An error of class `Fenced` says that somebody else moved one meanwhile.
    pub(super) async fn run(&self, connection: &mut Connection) -> Result<(), SqlError> {
        let dialect = connection.dialect();
        let p = |n| dialect.placeholder(n);
        let sql = format!(
            "UPDATE {} SET next_offset = {}, leader_epoch = {}, updated_at = CURRENT_TIMESTAMP WHERE connector = {} AND topic = {} AND part = {} \
             AND fence = {} AND next_offset = {}",
            self.quoted,
            p(1),
            p(2),
            p(3),
            p(4),
            p(5),
            p(6),
            p(7),
        );
        for step in &self.steps {
            let values = [
                Bound::Int(step.next),
                Bound::Int(i64::from(step.leader_epoch)),
                Bound::Text(&self.connector),
                Bound::Text(step.partition.topic.as_str()),
                Bound::Int(i64::from(step.partition.partition)),
                Bound::Int(step.fence),
                Bound::Int(step.from),
            ];
            let changed = connection.execute(&sql, values.into_iter()).await?;
            if changed != 1 {
                return Err(SqlError::plain(
                    dialect,
                    Class::Fenced,
                    format!(
                        "the position of `{}` partition {} is not the one that this task left there (offset {}, generation {}): another task writes \
                         for this connector",
                        step.partition.topic, step.partition.partition, step.from, step.fence
                    ),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assigned(next: i64, stored: bool, metadata: &str, fence: u64) -> Assigned {
        let json = serde_json::json!([{
            "topic": "t", "topic_id": "id", "partition": 0, "leader_epoch": 1, "next": next, "metadata": metadata, "fence_epoch": fence, "stored": stored,
        }]);
        Assigned::from_json(&json.to_string()).unwrap().remove(0)
    }

    #[test]
    fn rows_are_compared_with_what_the_host_says() {
        let positions = Positions::new(TableName::new(None, "o"), Dialect::Postgres, "c");
        let ours = positions.marker();
        let row = |next: i64, fence: i64, id: &str| Position {
            topic_id: id.to_owned(),
            leader_epoch: 1,
            next,
            fence,
        };
        let check = |one: &Assigned, row: Option<&Position>, expected: Result<Decision, &str>| {
            let found = positions.decide(one, i64::try_from(one.fence_epoch).unwrap(), row);
            match (&found, &expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
                _ => panic!("{one:?} {row:?}: {found:?}, expected {expected:?}"),
            }
        };
        check(&assigned(0, false, "", 1), None, Ok(Decision::Insert));
        check(&assigned(7, true, "", 1), None, Ok(Decision::Insert));
        check(&assigned(7, true, &ours, 1), None, Err("which is gone"));
        check(
            &assigned(7, true, &ours, 2),
            Some(&row(9, 1, "id")),
            Ok(Decision::Follow),
        );
        check(
            &assigned(9, true, &ours, 2),
            Some(&row(7, 1, "id")),
            Ok(Decision::Follow),
        );
        check(
            &assigned(0, true, "", 2),
            Some(&row(7, 1, "id")),
            Ok(Decision::Obey),
        );
        check(
            &assigned(0, false, "", 2),
            Some(&row(7, 1, "id")),
            Ok(Decision::Obey),
        );
        check(
            &assigned(0, false, "", 1),
            Some(&row(7, 1, "id")),
            Ok(Decision::Follow),
        );
        check(
            &assigned(0, false, "", 1),
            Some(&row(7, 1, "other")),
            Err("another topic of that name"),
        );
        check(
            &assigned(7, true, &ours, 1),
            Some(&row(7, 2, "id")),
            Err("generation 2"),
        );
    }
}
