//! Encoded rows of one shape: the same columns of one table, cell behind cell.

use std::ops::Range;
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::types::Binary;

/// Rows with the same columns.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    /// Where each cell ends, row after row.
    ends: Vec<usize>,
    rows: Vec<Row>,
    width: usize,
    dead: usize,
    form: Form,
}

/// How cells are encoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// Tagged values to bind.
    #[default]
    Bound,
    /// COPY text: a tab stands between two cells, a line end behind the last.
    Text,
    /// COPY's binary form, with that of each cell.
    Binary(Arc<[Binary]>),
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// The record it comes from, by its place in the batch.
    record: usize,
    alive: bool,
}

impl Form {
    /// The form that takes every value.
    pub(super) const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Postgres => Self::Text,
            Dialect::MySql | Dialect::Sqlite => Self::Bound,
        }
    }
}

impl Rows {
    pub(super) fn new(width: usize, form: Form) -> Self {
        Self {
            width,
            form,
            ..Self::default()
        }
    }

    pub(super) const fn form(&self) -> &Form {
        &self.form
    }

    /// Begins a row, before its first cell.
    pub(super) fn begin_row(&mut self) {
        if let Form::Binary(_) = self.form {
            let width = i16::try_from(self.width).unwrap_or(i16::MAX);
            self.bytes.extend_from_slice(&width.to_be_bytes());
        }
    }

    /// Returns the buffer to append a row's cells to; each ends with [`Rows::end_cell`], the row with [`Rows::end_row`].
    pub(super) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a cell. PostgreSQL's COPY wants a tab behind it, or a line end behind the last.
    pub(super) fn end_cell(&mut self, last: bool) {
        self.ends.push(self.bytes.len());
        if self.form == Form::Text {
            self.bytes.push(if last { b'\n' } else { b'\t' });
        }
    }

    pub(super) fn end_row(&mut self, record: usize) -> usize {
        self.rows.push(Row {
            record,
            alive: true,
        });
        self.rows.len() - 1
    }

    /// Takes back the cells of a row that was not ended.
    pub(super) fn undo(&mut self, bytes: usize) {
        self.bytes.truncate(bytes);
        self.ends.truncate(self.rows.len() * self.width);
    }

    pub(super) const fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) const fn alive(&self) -> usize {
        self.rows.len() - self.dead
    }

    pub(super) fn is_alive(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.alive)
    }

    pub(super) fn kill(&mut self, row: usize) {
        if let Some(row) = self.rows.get_mut(row).filter(|row| row.alive) {
            row.alive = false;
            self.dead += 1;
        }
    }

    pub(super) fn record(&self, row: usize) -> usize {
        self.rows.get(row).map_or(0, |row| row.record)
    }

    /// Returns the rows of a range that are alive.
    pub(super) fn live(&self, range: Range<usize>) -> impl Iterator<Item = usize> {
        range.filter(|&row| self.is_alive(row))
    }

    /// Returns a cell's bytes.
    pub(super) fn cell(&self, row: usize, column: usize) -> &[u8] {
        let at = row * self.width + column;
        let end = self.ends.get(at).copied().unwrap_or(0);
        self.bytes.get(self.start(at)..end).unwrap_or_default()
    }

    /// Where a cell of COPY text or to bind begins: behind the one before it, and behind its delimiter. The first of a binary row has
    /// the row's head before it.
    fn start(&self, at: usize) -> usize {
        match at.checked_sub(1).and_then(|before| self.ends.get(before)) {
            Some(&end) => end + usize::from(self.form == Form::Text),
            None => 0,
        }
    }

    /// Returns the rows of a range as COPY takes them; without copying where all rows are alive.
    pub(super) fn lines(&self, range: Range<usize>) -> std::borrow::Cow<'_, [u8]> {
        let all = |range: &Range<usize>| {
            let from = self.start(range.start * self.width);
            let to = self.start(range.end * self.width);
            self.bytes.get(from..to).unwrap_or_default()
        };
        if self.dead == 0 {
            return std::borrow::Cow::Borrowed(all(&range));
        }
        let mut lines = Vec::new();
        for row in self.live(range) {
            lines.extend_from_slice(all(&(row..row + 1)));
        }
        std::borrow::Cow::Owned(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cells_and_lines() {
        let mut rows = Rows::new(2, Form::Text);
        for (n, cells) in [["a", "b"], ["", "c"], ["d", "\\N"]]
            .into_iter()
            .enumerate()
        {
            for (at, cell) in cells.into_iter().enumerate() {
                rows.buffer().extend_from_slice(cell.as_bytes());
                rows.end_cell(at == 1);
            }
            rows.end_row(n * 10);
        }
        assert_eq!(rows.lines(0..3).as_ref(), b"a\tb\n\tc\nd\t\\N\n");
        assert_eq!(rows.lines(1..2).as_ref(), b"\tc\n");
        assert_eq!(
            (rows.cell(1, 0), rows.cell(1, 1), rows.cell(2, 1)),
            (&b""[..], &b"c"[..], &b"\\N"[..])
        );
        rows.kill(1);
        rows.kill(1);
        assert_eq!(rows.lines(0..3).as_ref(), b"a\tb\nd\t\\N\n");
        assert_eq!(
            (
                rows.alive(),
                rows.live(0..3).collect::<Vec<_>>(),
                rows.record(2)
            ),
            (2, vec![0, 2], 20)
        );
        rows.buffer().extend_from_slice(b"half");
        rows.end_cell(false);
        rows.undo(12);
        assert_eq!(rows.lines(0..3).as_ref(), b"a\tb\nd\t\\N\n");
    }
}
