//! The rows of one `put`, sorted by table and shape, reduced to the last word on each key.
//!
//! ```text
//! upsert(k) delete(k) upsert(k)   →  the deletion and the last row: deletions run first, so the row is a fresh one
//! upsert(k, a b) upsert(k, b)     →  one row with a from the first and b from the second
//! insert(k) delete(k)             →  two phases: nothing is reduced where every insert counts
//! ```
//!
//! # Invariants
//! - INV-Q1: within a phase a key has at most one deletion and at most one live row, unless rows are only inserted.
//! - INV-Q2: phases run in order; within one, deletions run before rows.

use std::collections::HashMap;

use super::rows::{Form, Rows};
use crate::dialect::Dialect;

/// What goes into one table.
#[derive(Debug)]
pub(super) struct TableBatch {
    dialect: Dialect,
    /// The columns of the key, by their place in the table.
    key: Vec<usize>,
    /// Which key columns compare without case on the server.
    folds: Vec<bool>,
    /// Rows replace each other by key; otherwise each is inserted.
    reduces: bool,
    pub(super) phases: Vec<Phase>,
}

/// A step: first the deletions, then the rows.
#[derive(Debug)]
pub(super) struct Phase {
    /// The table is emptied before anything else, because of this record.
    pub(super) truncate: Option<usize>,
    pub(super) deletes: Rows,
    pub(super) groups: Vec<Group>,
    keys: HashMap<Vec<u8>, Last>,
}

/// Rows with the same columns.
#[derive(Debug)]
pub(super) struct Group {
    /// By their place in the table, in the order of the cells.
    pub(super) columns: Vec<usize>,
    pub(super) rows: Rows,
}

/// The last word on a key.
#[derive(Debug, Default, Clone, Copy)]
struct Last {
    deleted: bool,
    put: Option<(usize, usize)>,
}

impl TableBatch {
    pub(super) fn new(dialect: Dialect, key: Vec<usize>, folds: Vec<bool>, reduces: bool) -> Self {
        Self {
            dialect,
            key,
            folds,
            reduces,
            phases: Vec::new(),
        }
    }

    /// Returns the bytes of all encoded rows.
    pub(super) fn byte_len(&self) -> usize {
        let of_phase = |phase: &Phase| {
            let groups: usize = phase.groups.iter().map(|group| group.rows.byte_len()).sum();
            groups + phase.deletes.byte_len()
        };
        self.phases.iter().map(of_phase).sum()
    }

    /// Whether some rows can go by COPY only.
    pub(super) fn is_binary(&self) -> bool {
        let mut groups = self.phases.iter().flat_map(|phase| &phase.groups);
        groups.any(|group| matches!(group.rows.form(), Form::Binary(_)))
    }

    /// The phase that rows go into now.
    fn phase(&mut self) -> Option<&mut Phase> {
        if self.phases.is_empty() {
            self.begin(None);
        }
        self.phases.last_mut()
    }

    fn begin(&mut self, truncate: Option<usize>) {
        self.phases.push(Phase {
            truncate,
            deletes: Rows::new(self.key.len(), Form::of(self.dialect)),
            groups: Vec::new(),
            keys: HashMap::new(),
        });
    }

    /// Empties the table: what was to be written before does not matter any more.
    pub(super) fn truncate(&mut self, record: usize) {
        self.phases.clear();
        self.begin(Some(record));
    }

    /// Adds a row whose cells `encode` appends in the order of `columns`, in this form. Only what is not tracked may be binary.
    pub(super) fn put<E>(
        &mut self,
        columns: &[usize],
        form: &Form,
        record: usize,
        tracks: bool,
        encode: impl FnOnce(&mut Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.phases.is_empty() {
            self.begin(None);
        }
        let Self {
            dialect,
            key,
            folds,
            reduces,
            phases,
        } = self;
        let dialect = *dialect;
        let Some(phase) = phases.last_mut() else {
            return Ok(());
        };
        let group = phase.group(columns, form);
        let Some(Group { rows, .. }) = phase.groups.get_mut(group) else {
            return Ok(());
        };
        let before = rows.byte_len();
        rows.begin_row();
        if let Err(error) = encode(rows) {
            rows.undo(before);
            return Err(error);
        }
        let row = rows.end_row(record);
        if !tracks || key.is_empty() {
            return Ok(());
        }
        let bytes = phase.key_of(group, row, key, folds);
        let last = phase.keys.entry(bytes).or_default();
        let earlier = last.put.replace((group, row));
        let Some(earlier) = earlier.filter(|_| *reduces) else {
            return Ok(());
        };
        let last = *last;
        if let Some(merged) = phase.merge(earlier, (group, row), record, dialect) {
            let bytes = phase.key_of(merged.0, merged.1, key, folds);
            phase.keys.insert(
                bytes,
                Last {
                    put: Some(merged),
                    ..last
                },
            );
        }
        Ok(())
    }

    /// Deletes the row of a key whose cells `encode` appends.
    pub(super) fn delete<E>(
        &mut self,
        record: usize,
        encode: impl FnOnce(&mut Rows) -> Result<(), E>,
    ) -> Result<(), E> {
        let (reduces, folds, width) = (self.reduces, self.folds.clone(), self.key.len());
        let mut key = Rows::new(width, Form::of(self.dialect));
        encode(&mut key)?;
        let row = key.end_row(record);
        let bytes = key_bytes((0..width).map(|at| key.cell(row, at)), &folds);
        let inserted = self
            .phase()
            .and_then(|phase| phase.keys.get(&bytes))
            .is_some_and(|last| last.put.is_some());
        if inserted && !reduces {
            // Every insert counts: what comes after it has to run after it.
            self.begin(None);
        }
        let Some(phase) = self.phase() else {
            return Ok(());
        };
        let last = phase.keys.entry(bytes).or_default();
        let already = std::mem::replace(&mut last.deleted, true);
        if let Some((group, row)) = last.put.take()
            && let Some(group) = phase.groups.get_mut(group)
        {
            group.rows.kill(row);
        }
        if !already {
            for at in 0..width {
                phase.deletes.buffer().extend_from_slice(key.cell(row, at));
                phase.deletes.end_cell(at + 1 == width);
            }
            phase.deletes.end_row(record);
        }
        Ok(())
    }
}

impl Phase {
    fn group(&mut self, columns: &[usize], form: &Form) -> usize {
        // Records of one shape follow each other: the last group is nearly always the one.
        if let Some(found) = self
            .groups
            .iter()
            .rposition(|group| group.columns == columns && group.rows.form() == form)
        {
            return found;
        }
        self.groups.push(Group {
            columns: columns.to_vec(),
            rows: Rows::new(columns.len(), form.clone()),
        });
        self.groups.len() - 1
    }

    fn key_of(&self, group: usize, row: usize, key: &[usize], folds: &[bool]) -> Vec<u8> {
        let Some(group) = self.groups.get(group) else {
            return Vec::new();
        };
        let cells = key.iter().map(|column| {
            let at = group.columns.iter().position(|known| known == column);
            at.map_or(&b""[..], |at| group.rows.cell(row, at))
        });
        key_bytes(cells, folds)
    }

    /// The later of two rows of a key stands for both; where it lacks columns of the earlier one, a third row is made of them.
    fn merge(
        &mut self,
        earlier: (usize, usize),
        later: (usize, usize),
        record: usize,
        dialect: Dialect,
    ) -> Option<(usize, usize)> {
        let (old, new) = (self.groups.get(earlier.0)?, self.groups.get(later.0)?);
        let mut columns = new.columns.clone();
        columns.extend(
            old.columns
                .iter()
                .filter(|column| !new.columns.contains(column)),
        );
        if columns.len() == new.columns.len() {
            self.groups.get_mut(earlier.0)?.rows.kill(earlier.1);
            return None;
        }
        let mut cells = Vec::with_capacity(columns.len());
        for column in &columns {
            let in_new = new.columns.iter().position(|known| known == column);
            let cell = match in_new {
                Some(at) => new.rows.cell(later.1, at),
                None => old.rows.cell(
                    earlier.1,
                    old.columns.iter().position(|known| known == column)?,
                ),
            };
            cells.push(cell.to_vec());
        }
        self.groups.get_mut(earlier.0)?.rows.kill(earlier.1);
        self.groups.get_mut(later.0)?.rows.kill(later.1);
        let union = self.group(&columns, &Form::of(dialect));
        let rows = &mut self.groups.get_mut(union)?.rows;
        let last = cells.len() - 1;
        for (at, cell) in cells.iter().enumerate() {
            rows.buffer().extend_from_slice(cell);
            rows.end_cell(at == last);
        }
        Some((union, rows.end_row(record)))
    }
}

/// The cells of a key, each with its length before it.
fn key_bytes<'c>(cells: impl Iterator<Item = &'c [u8]>, folds: &[bool]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, cell) in cells.enumerate() {
        // The server will say that these are the same, so we do.
        if folds.get(at) == Some(&true)
            && let Ok(text) = std::str::from_utf8(cell)
        {
            let text = text.to_lowercase();
            let text = text.trim_end_matches(' ');
            bytes.extend_from_slice(&text.len().to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
            continue;
        }
        bytes.extend_from_slice(&cell.len().to_le_bytes());
        bytes.extend_from_slice(cell);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Columns: 0 key, 1 a, 2 b. `k=1,a=x` puts, `-1` deletes, `!` empties the table.
    fn run(reduces: bool, operations: &[&str]) -> String {
        let mut batch = TableBatch::new(Dialect::Postgres, vec![0], vec![false], reduces);
        for (record, operation) in operations.iter().enumerate() {
            let append = |rows: &mut Rows, cells: &[&str]| {
                for (at, cell) in cells.iter().enumerate() {
                    rows.buffer().extend_from_slice(cell.as_bytes());
                    rows.end_cell(at + 1 == cells.len());
                }
                Ok::<(), Infallible>(())
            };
            if *operation == "!" {
                batch.truncate(record);
            } else if let Some(key) = operation.strip_prefix('-') {
                batch.delete(record, |rows| append(rows, &[key])).unwrap();
            } else {
                let parts: Vec<_> = operation
                    .split(',')
                    .map(|part| part.split_once('=').unwrap())
                    .collect();
                let columns: Vec<usize> = parts
                    .iter()
                    .map(|(name, _)| {
                        ["k", "a", "b"]
                            .iter()
                            .position(|known| known == name)
                            .unwrap()
                    })
                    .collect();
                let cells: Vec<_> = parts.iter().map(|(_, cell)| *cell).collect();
                batch
                    .put(&columns, &Form::Text, record, true, |rows| {
                        append(rows, &cells)
                    })
                    .unwrap();
            }
        }
        let mut said = Vec::new();
        for phase in &batch.phases {
            if phase.truncate.is_some() {
                said.push("!".to_owned());
            }
            for line in phase
                .deletes
                .lines(0..phase.deletes.len())
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty())
            {
                said.push(format!("-{}", String::from_utf8_lossy(line)));
            }
            for group in &phase.groups {
                for row in group.rows.live(0..group.rows.len()) {
                    let cells: Vec<_> = group
                        .columns
                        .iter()
                        .enumerate()
                        .map(|(at, column)| {
                            format!(
                                "{}={}",
                                ["k", "a", "b"][*column],
                                String::from_utf8_lossy(group.rows.cell(row, at))
                            )
                        })
                        .collect();
                    said.push(cells.join(","));
                }
            }
            said.push("|".to_owned());
        }
        said.pop();
        said.join(" ")
    }

    #[test]
    fn the_last_word_on_a_key_counts() {
        let check = |operations: &[&str], expected: &str| {
            assert_eq!(run(true, operations), expected, "{operations:?}")
        };
        check(&["k=1,a=x", "k=2,a=y", "k=1,a=z"], "k=2,a=y k=1,a=z");
        check(&["k=1,a=x", "-1"], "-1");
        check(&["k=1,a=x", "-1", "k=1,a=y"], "-1 k=1,a=y");
        check(&["-1", "-1"], "-1");
        check(&["k=1,a=x,b=y", "k=1,b=z"], "k=1,b=z,a=x");
        check(&["k=1,b=z", "k=1,a=x,b=y"], "k=1,a=x,b=y");
        check(&["k=1,a=x,b=y", "k=1,b=z", "k=1,b=q"], "k=1,b=q,a=x");
        check(&["k=1,a=x", "-1", "k=1,b=y"], "-1 k=1,b=y");
        check(&["k=1,a=x", "!", "k=1,a=y", "-2"], "! -2 k=1,a=y");
    }

    #[test]
    fn where_every_insert_counts_order_is_kept_by_phases() {
        let check = |operations: &[&str], expected: &str| {
            assert_eq!(run(false, operations), expected, "{operations:?}")
        };
        check(&["k=1,a=x", "k=1,a=y"], "k=1,a=x k=1,a=y");
        check(&["k=1,a=x", "-1", "k=1,a=y"], "k=1,a=x | -1 k=1,a=y");
        check(&["-1", "k=1,a=y"], "-1 k=1,a=y");
        check(&["k=1,a=x", "-2", "-1"], "-2 k=1,a=x | -1");
    }

    /// Every sequence of up to five operations on two keys ends as it would one by one.
    #[test]
    fn reduction_is_the_same_as_one_by_one() {
        let operations = ["k=1,a=p", "k=1,b=q", "k=1,a=r,b=s", "-1", "k=2,a=t"];
        let mut sequence = [0; 5];
        loop {
            let chosen: Vec<&str> = sequence.iter().map(|&n| operations[n]).collect();
            assert_eq!(apply(&[run(true, &chosen)]), apply(&chosen), "{chosen:?}");
            let Some(at) = sequence.iter().position(|&n| n + 1 < operations.len()) else {
                break;
            };
            sequence[at] += 1;
            sequence[..at].fill(0);
        }
    }

    fn apply<S: AsRef<str>>(
        operations: &[S],
    ) -> std::collections::BTreeMap<String, (String, String)> {
        let mut table = std::collections::BTreeMap::new();
        for operation in operations
            .iter()
            .flat_map(|text| text.as_ref().split(' '))
            .filter(|text| !text.is_empty() && *text != "|")
        {
            if let Some(key) = operation.strip_prefix('-') {
                table.remove(key);
                continue;
            }
            let get = |name: &str| {
                operation
                    .split(',')
                    .find_map(|part| part.strip_prefix(&format!("{name}=")))
                    .map(str::to_owned)
            };
            let row: &mut (String, String) = table.entry(get("k").unwrap()).or_default();
            if let Some(a) = get("a") {
                row.0 = a;
            }
            if let Some(b) = get("b") {
                row.1 = b;
            }
        }
        table
    }
}
