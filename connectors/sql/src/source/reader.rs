//! Rows as a stream of bytes with a bound: a background future reads the connection, the task decodes.
//!
//! ```text
//! server ─► future on the plugin's runtime ─ chunks, at most CHUNKS_AHEAD ─► task's thread ─► records
//!                 owns the connection, gives it back with the end
//! ```
//! A row is PostgreSQL's tuple of `COPY … (FORMAT binary)`, whichever database it is from: a count of fields (16 bits), then
//! for each its length (32 bits, -1 for null) and its bytes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use linkspan_sdk::prelude::*;
use sqlx::mysql::MySqlRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Column as _, Decode, Row as _, TypeInfo as _, ValueRef as _};
use tokio::sync::mpsc;

use crate::connect::{Connection, Connector, Session};
use crate::dialect::Dialect;
use crate::errors::{Class, SqlError};
use crate::types::read::{TAG_BLOB, TAG_INTEGER, TAG_REAL, TAG_TEXT};

/// Chunks that wait for the task.
const CHUNKS_AHEAD: usize = 3;
/// What `COPY` sends before the first row.
const COPY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The header, its flags and the length of its extension.
const COPY_HEADER_LEN: usize = 19;

/// What the background future sends.
enum Message {
    Rows(Vec<u8>),
    End(Connection),
    Failed(SqlError),
}

/// The rows of one statement.
#[derive(Debug)]
pub(crate) struct RowStream {
    receiver: mpsc::Receiver<Message>,
    rows: Vec<u8>,
    at: usize,
}

/// What `next` found.
pub(crate) enum Next {
    /// A row; its fields are in the caller's buffer.
    Row,
    /// Nothing is here yet.
    Waiting,
    End(Connection),
}

/// How a statement is read.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) connector: Arc<Connector>,
    pub(crate) session: Session,
    /// Longest wait for the next row.
    pub(crate) timeout: Duration,
    /// Bytes of one chunk.
    pub(crate) chunk_bytes: usize,
}

impl RowStream {
    /// Starts a statement. The connection comes back with the end; a stream that is dropped before closes it.
    pub(crate) fn start(
        ctx: &SourceContext,
        reading: Reading,
        connection: Connection,
        sql: String,
    ) -> Result<Self> {
        let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
        ctx.spawn(async move {
            let message = match read(&reading, connection, &sql, &sender).await {
                Ok(Some(connection)) => Message::End(connection),
                Ok(None) => return,
                Err(error) => Message::Failed(error),
            };
            // Nobody waits for it where the task stopped meanwhile.
            drop(sender.send(message).await);
        })?;
        Ok(Self {
            receiver,
            rows: Vec::new(),
            at: 0,
        })
    }

    /// Takes the next row; its fields are ranges in what [`RowStream::field`] reads. With `wait` it waits for one.
    pub(crate) async fn next(
        &mut self,
        fields: &mut Vec<Option<Range<usize>>>,
        wait: bool,
    ) -> Result<Next, SqlError> {
        loop {
            match split(&self.rows, self.at, fields) {
                Split::Row(end) => {
                    self.at = end;
                    return Ok(Next::Row);
                }
                Split::Incomplete => {}
                Split::Broken => {
                    return Err(protocol("a row does not have the form it should have"));
                }
            }
            let message = if wait {
                self.receiver.recv().await
            } else {
                match self.receiver.try_recv() {
                    Ok(message) => Some(message),
                    Err(mpsc::error::TryRecvError::Empty) => return Ok(Next::Waiting),
                    Err(mpsc::error::TryRecvError::Disconnected) => None,
                }
            };
            match message {
                Some(Message::Rows(rows)) => self.take(rows),
                Some(Message::End(connection)) if self.at == self.rows.len() => {
                    return Ok(Next::End(connection));
                }
                Some(Message::End(_)) => return Err(protocol("the rows end within a row")),
                Some(Message::Failed(error)) => return Err(error),
                None => return Err(protocol("the reader of the connection has ended")),
            }
        }
    }

    /// Returns the bytes of a field.
    pub(crate) fn field(&self, range: &Option<Range<usize>>) -> Option<&[u8]> {
        range.clone().and_then(|range| self.rows.get(range))
    }

    fn take(&mut self, rows: Vec<u8>) {
        if self.at == self.rows.len() {
            self.rows = rows;
        } else {
            // A row may be cut between two chunks.
            self.rows.drain(..self.at);
            self.rows.extend_from_slice(&rows);
        }
        self.at = 0;
    }
}

/// A row that cannot be taken apart.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadRow(String);

impl BadRow {
    fn new(message: impl std::fmt::Display) -> Self {
        Self(message.to_string())
    }
}

fn protocol(message: &str) -> SqlError {
    SqlError::plain(Dialect::Postgres, Class::Protocol, message)
}

/// What stands at a place of a chunk.
enum Split {
    /// A row up to here.
    Row(usize),
    Incomplete,
    Broken,
}

fn split(rows: &[u8], start: usize, fields: &mut Vec<Option<Range<usize>>>) -> Split {
    fields.clear();
    let Some((count, _)) = rows.get(start..).and_then(<[u8]>::split_first_chunk::<2>) else {
        return Split::Incomplete;
    };
    let Ok(count) = usize::try_from(i16::from_be_bytes(*count)) else {
        return Split::Broken;
    };
    let mut at = start + 2;
    for _ in 0..count {
        let Some((length, _)) = rows.get(at..).and_then(<[u8]>::split_first_chunk::<4>) else {
            return Split::Incomplete;
        };
        at += 4;
        match i32::from_be_bytes(*length) {
            -1 => fields.push(None),
            length => {
                let Ok(length) = usize::try_from(length) else {
                    return Split::Broken;
                };
                if rows.len() - at < length {
                    return Split::Incomplete;
                }
                fields.push(Some(at..at + length));
                at += length;
            }
        }
    }
    Split::Row(at)
}

type Sender = mpsc::Sender<Message>;

/// Reads to the end; `None` where nobody listens any more.
async fn read(
    reading: &Reading,
    mut connection: Connection,
    sql: &str,
    sender: &Sender,
) -> Result<Option<Connection>, SqlError> {
    let dialect = connection.dialect();
    let failed = move |error: sqlx::Error| SqlError::new(dialect, &error);
    let done = match &mut connection {
        Connection::Postgres(c) => {
            let open = async { c.copy_out_raw(sql).await.map_err(failed) };
            let stream = reading.waited(open).await?;
            let mut header = false;
            drain(
                reading,
                stream,
                |message, chunk| copy_message(&message, &mut header, chunk),
                sender,
            )
            .await?
        }
        Connection::MySql(c) => {
            let stream = sqlx::query(AssertSqlSafe(sql))
                .persistent(false)
                .fetch(&mut **c);
            drain(reading, stream, |row, chunk| mysql_row(&row, chunk), sender).await?
        }
        Connection::Sqlite(c) => {
            let stream = sqlx::query(AssertSqlSafe(sql))
                .persistent(false)
                .fetch(&mut **c);
            drain(
                reading,
                stream,
                |row, chunk| sqlite_row(&row, chunk),
                sender,
            )
            .await?
        }
    };
    Ok(done.then_some(connection))
}

impl Reading {
    /// Waits for an answer, looked after as `connection.watch` says and not longer than the statement may take.
    async fn waited<T>(
        &self,
        work: impl Future<Output = Result<T, SqlError>>,
    ) -> Result<T, SqlError> {
        let watched = self.connector.watched(self.session, work);
        match tokio::time::timeout(self.timeout, watched).await {
            Ok(done) => done,
            Err(_) => Err(SqlError::plain(
                self.connector.dialect(),
                Class::Unavailable,
                format!(
                    "no row came for {:?} (`statement.timeout.ms`)",
                    self.timeout
                ),
            )),
        }
    }
}

/// Sends what a stream brings, in chunks; false where nobody listens any more.
async fn drain<T>(
    reading: &Reading,
    mut stream: impl Stream<Item = Result<T, sqlx::Error>> + Unpin,
    mut write: impl FnMut(T, &mut Vec<u8>) -> std::result::Result<(), BadRow>,
    sender: &Sender,
) -> Result<bool, SqlError> {
    let dialect = reading.connector.dialect();
    let mut chunk = Vec::with_capacity(reading.chunk_bytes);
    loop {
        let next = match stream.next().now_or_never() {
            Some(next) => next,
            None => {
                // What is here goes out before waiting.
                if !chunk.is_empty() && !send(sender, &mut chunk, reading.chunk_bytes).await {
                    return Ok(false);
                }
                reading.waited(async { Ok(stream.next().await) }).await?
            }
        };
        match next {
            Some(Ok(item)) => write(item, &mut chunk)
                .map_err(|bad| SqlError::plain(dialect, Class::BadText, bad.to_string()))?,
            Some(Err(error)) => return Err(SqlError::new(dialect, &error)),
            None => break,
        }
        if chunk.len() >= reading.chunk_bytes
            && !send(sender, &mut chunk, reading.chunk_bytes).await
        {
            return Ok(false);
        }
    }
    Ok(chunk.is_empty() || send(sender, &mut chunk, 0).await)
}

async fn send(sender: &Sender, chunk: &mut Vec<u8>, capacity: usize) -> bool {
    let rows = std::mem::replace(chunk, Vec::with_capacity(capacity));
    sender.send(Message::Rows(rows)).await.is_ok()
}

/// Appends rows without what stands around them: the header in front, -1 at the end.
fn copy_message(message: &[u8], header: &mut bool, chunk: &mut Vec<u8>) -> Result<(), BadRow> {
    let mut rest = message;
    if !*header {
        let extension = rest
            .get(15..COPY_HEADER_LEN)
            .and_then(|length| length.try_into().ok())
            .map(u32::from_be_bytes)
            .and_then(|length| usize::try_from(length).ok());
        let (true, Some(extension)) = (rest.starts_with(COPY_HEADER), extension) else {
            return Err(BadRow::new(
                "the rows do not begin with the header of `COPY`",
            ));
        };
        rest = rest.get(COPY_HEADER_LEN + extension..).unwrap_or_default();
        *header = true;
    }
    if rest != (-1_i16).to_be_bytes() {
        chunk.extend_from_slice(rest);
    }
    Ok(())
}

fn begin_row(count: usize, chunk: &mut Vec<u8>) -> Result<(), BadRow> {
    let count =
        i16::try_from(count).map_err(|_| BadRow::new("a row has more than 32,767 columns"))?;
    chunk.extend_from_slice(&count.to_be_bytes());
    Ok(())
}

fn push_field(parts: &[&[u8]], chunk: &mut Vec<u8>) -> Result<(), BadRow> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = i32::try_from(length).map_err(|_| BadRow::new("a value is larger than 2 GiB"))?;
    chunk.extend_from_slice(&length.to_be_bytes());
    parts.iter().for_each(|part| chunk.extend_from_slice(part));
    Ok(())
}

const NULL: [u8; 4] = (-1_i32).to_be_bytes();

fn mysql_row(row: &MySqlRow, chunk: &mut Vec<u8>) -> Result<(), BadRow> {
    let count = row.len();
    begin_row(count, chunk)?;
    for at in 0..count {
        let value = row.try_get_raw(at).map_err(BadRow::new)?;
        // `is_null` takes a zero date for null; the bytes tell them apart.
        match <&[u8] as Decode<'_, sqlx::MySql>>::decode(value) {
            Ok(bytes) => push_field(&[bytes], chunk)?,
            Err(_) => chunk.extend_from_slice(&NULL),
        }
    }
    Ok(())
}

fn sqlite_row(row: &SqliteRow, chunk: &mut Vec<u8>) -> Result<(), BadRow> {
    let decoded = |column: usize| {
        let name = row
            .columns()
            .get(column)
            .map_or("?", |column| column.name());
        BadRow::new(format!("column `{name}` holds text that is not UTF-8"))
    };
    let count = row.len();
    begin_row(count, chunk)?;
    for at in 0..count {
        let value = row.try_get_raw(at).map_err(BadRow::new)?;
        if value.is_null() {
            chunk.extend_from_slice(&NULL);
            continue;
        }
        let class = value.type_info();
        match class.name() {
            "INTEGER" => {
                let number =
                    <i64 as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(|_| decoded(at))?;
                push_field(&[&[TAG_INTEGER], &number.to_le_bytes()], chunk)?;
            }
            "REAL" => {
                let number =
                    <f64 as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(|_| decoded(at))?;
                push_field(&[&[TAG_REAL], &number.to_le_bytes()], chunk)?;
            }
            "BLOB" => {
                let bytes =
                    <&[u8] as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(|_| decoded(at))?;
                push_field(&[&[TAG_BLOB], bytes], chunk)?;
            }
            _ => {
                let text =
                    <&str as Decode<'_, sqlx::Sqlite>>::decode(value).map_err(|_| decoded(at))?;
                push_field(&[&[TAG_TEXT], text.as_bytes()], chunk)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_chunks_cut_anywhere() {
        let mut rows = Vec::new();
        for n in 0..3_u8 {
            begin_row(3, &mut rows).unwrap();
            push_field(&[&[n], b"x"], &mut rows).unwrap();
            rows.extend_from_slice(&NULL);
            push_field(&[], &mut rows).unwrap();
        }
        for cut in 0..rows.len() {
            let (_sender, receiver) = mpsc::channel(1);
            let mut stream = RowStream {
                receiver,
                rows: rows[..cut].to_vec(),
                at: 0,
            };
            let mut fields = Vec::new();
            let mut found = Vec::new();
            let mut rest = Some(rows[cut..].to_vec());
            loop {
                match split(&stream.rows, stream.at, &mut fields) {
                    Split::Row(end) => {
                        stream.at = end;
                        found.push(stream.field(&fields[0]).unwrap().to_vec());
                        assert_eq!(
                            (stream.field(&fields[1]), stream.field(&fields[2])),
                            (None, Some(&b""[..]))
                        );
                    }
                    Split::Incomplete => match rest.take() {
                        Some(rows) => stream.take(rows),
                        None => break,
                    },
                    Split::Broken => panic!("cut at {cut}"),
                }
            }
            assert_eq!(found, [b"\0x", b"\x01x", b"\x02x"], "cut at {cut}");
        }
    }

    #[test]
    fn the_frame_of_copy_is_taken_off() {
        let mut header = false;
        let mut chunk = Vec::new();
        let mut first = COPY_HEADER.to_vec();
        first.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 9, 9, 0, 0]);
        copy_message(&first, &mut header, &mut chunk).unwrap();
        copy_message(&[0, 0], &mut header, &mut chunk).unwrap();
        copy_message(&[255, 255], &mut header, &mut chunk).unwrap();
        assert_eq!(chunk, [0, 0, 0, 0]);
        assert!(copy_message(b"something else entirely", &mut false, &mut chunk).is_err());
    }
}
