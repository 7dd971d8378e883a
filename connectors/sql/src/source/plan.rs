//! Who reads what: tables among tasks, and ranges of big tables where tasks are left over.
//!
//! The connector lists the tables once and writes each task's share into `task.work`. A table that is split lies on a grid:
//! ranges of a fixed length of its numbers, whose bounds do not move when rows come; range `k` belongs to task `k` modulo
//! the number of tasks, and what is behind the last range, the tail, to one task that follows it. Every range has an offset
//! of its own, so another number of tasks, or one alone, goes on where each range stands.

use std::collections::BTreeMap;

use linkspan_sdk::prelude::*;
use linkspan_sdk::tracing;
use serde_json::{Map, Value as Json};

use super::columns::{self, From};
use super::follow::{self, Unit};
use super::options::{Mode, SqlSourceOptions};
use super::query::{Order, Select};
use super::shape::numbering;
use super::state::{jdbc_query_partition, query_partition, table_partition};
use super::tables::{self, Table};
use crate::connect::{Connection, Connector};
use crate::errors::SqlError;

/// A table is not cut into more ranges than this: each has an offset.
const RANGES_MAX: i64 = 2_000;

/// What one task reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Work {
    pub(crate) tables: Vec<Share>,
    /// All tables that the options mean, to notice when they change.
    pub(crate) all: Vec<String>,
}

/// A table, or one task's part of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    pub(crate) table: Table,
    #[serde(default)]
    pub(crate) grid: Option<Grid>,
}

/// The ranges of a table that is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grid {
    /// Numbers of one range.
    pub(crate) size: i64,
    /// The first range; it has all smaller numbers too.
    pub(crate) first: i64,
    /// The range behind the last one: there the tail begins.
    pub(crate) end: i64,
    /// This task and how many there are.
    pub(crate) task: i64,
    pub(crate) tasks: i64,
    /// Whether the tail is this task's.
    pub(crate) tail: bool,
}

impl Grid {
    const fn owns(&self, range: i64) -> bool {
        range.rem_euclid(self.tasks) == self.task
    }
}

/// Splits the work among at most `max` tasks.
pub(crate) async fn split(options: &SqlSourceOptions, max: u32) -> Result<Vec<Work>> {
    if options.query_text().is_some() {
        return Ok(vec![Work::default()]);
    }
    let connector = Connector::new(&options.connection, "plan")?;
    connector.log_params();
    let failed = |error: SqlError| error.into_error(&connector.at());
    let mut connection = connector.connect().await.map_err(failed)?;
    let planned = plan(&mut connection, options, i64::from(max.max(1))).await;
    connection.close().await;
    let (tables, others, grids) = planned.map_err(failed)?;
    if tables.is_empty() {
        return Err(no_tables(&connector, options, others));
    }
    Ok(deal(&tables, &grids, max.max(1)))
}

/// The tables, how many others there are, and the grids of those to be split.
type Plan = (Vec<Table>, usize, BTreeMap<Table, (i64, i64)>);

async fn plan(
    connection: &mut Connection,
    options: &SqlSourceOptions,
    max: i64,
) -> Result<Plan, SqlError> {
    let (tables, others) = tables::list(connection, options).await?;
    let mut grids = BTreeMap::new();
    let may_split =
        matches!(options.mode, Mode::Bulk | Mode::Incrementing) && options.lookback_rows == 0;
    if may_split && i64::try_from(tables.len()).is_ok_and(|count| count < max) {
        for table in &tables {
            if let Some(grid) = grid_of(connection, options, table).await? {
                grids.insert(table.clone(), grid);
            }
        }
    }
    Ok((tables, others, grids))
}

/// Returns first range and end of a table that is worth splitting.
async fn grid_of(
    connection: &mut Connection,
    options: &SqlSourceOptions,
    table: &Table,
) -> Result<Option<(i64, i64)>, SqlError> {
    let from = From::Table(table.clone());
    let found = columns::read(connection, &from, false).await?;
    let named = options
        .columns_for(&table.names())
        .0
        .filter(|_| options.mode == Mode::Incrementing);
    let named = named.and_then(|name| {
        let column = found
            .iter()
            .find(|column| options.means(&name, &column.name))?;
        (column.is_whole_number() && !column.nullable).then(|| column.name.clone())
    });
    let Some(id) = named.or_else(|| numbering(&found)) else {
        return Ok(None);
    };
    let order = Order {
        id: Some(id),
        ..Order::default()
    };
    let select = Select {
        dialect: connection.dialect(),
        from: &from,
        columns: &[],
        order: &order,
        suffix: "",
    };
    let (Some(least), Some(greatest)) = follow::extent(connection, &select).await? else {
        return Ok(None);
    };
    let size = options.table_split_size;
    let (first, end) = (least.div_euclid(size), greatest.div_euclid(size));
    let ranges = i128::from(end) - i128::from(first);
    Ok((2..=i128::from(RANGES_MAX))
        .contains(&ranges)
        .then_some((first, end)))
}

/// Gives tables to tasks in turn; one that is split goes to all of them.
fn deal(tables: &[Table], grids: &BTreeMap<Table, (i64, i64)>, max: u32) -> Vec<Work> {
    let whole = tables.len() - grids.len();
    let count = if grids.is_empty() {
        whole.min(max as usize)
    } else {
        max as usize
    }
    .max(1);
    let all: Vec<String> = tables.iter().map(Table::qualified).collect();
    let mut works = vec![
        Work {
            tables: Vec::new(),
            all,
        };
        count
    ];
    // Size is part of the grid only from here on: it is the options'.
    for (number, table) in tables.iter().enumerate() {
        let mine = number % count;
        for (task, work) in works.iter_mut().enumerate() {
            let grid = grids.get(table).map(|(first, end)| Grid {
                size: 0,
                first: *first,
                end: *end,
                task: i64::try_from(task).unwrap_or(0),
                tasks: i64::try_from(count).unwrap_or(1),
                tail: task == mine,
            });
            if grid.is_some() || task == mine {
                work.tables.push(Share {
                    table: table.clone(),
                    grid,
                });
            }
        }
    }
    works
}

fn no_tables(connector: &Connector, options: &SqlSourceOptions, others: usize) -> Error {
    let patterns = if options.include.is_empty() {
        String::new()
    } else {
        format!(
            " matches `table.include.list` ({})",
            options.include.join(", ")
        )
    };
    Error::not_found(format!(
        "{}: no table{patterns}, of {others} that the user may see and `table.types` ({}) allows; a pattern matches the whole name, \
         as `orders` or `public\\.orders`, in the letters that the database has",
        connector.shown,
        options.table_types.join(", ")
    ))
}

/// An offset that is stored for a part of a table.
#[derive(Debug, Clone)]
struct Stored {
    partition: SourcePartition,
    from: Option<i64>,
    to: Option<i64>,
    offset: Map<String, Json>,
}

/// Returns what a task follows of a table.
pub(crate) fn units(
    ctx: &SourceContext,
    options: &SqlSourceOptions,
    share: &Share,
) -> Result<Vec<Unit>> {
    let table = share.table.qualified();
    let whole = Unit {
        from: From::Table(share.table.clone()),
        topic: share
            .table
            .topic(&options.topic_prefix, &options.topic_format),
        partition: None,
        from_id: None,
        to_id: None,
        replaces: Vec::new(),
        offset: None,
    };
    let grid = share.grid.map(|grid| Grid {
        size: options.table_split_size,
        ..grid
    });
    if options.mode == Mode::Bulk {
        return Ok(match grid {
            Some(grid) => cut(&grid)
                .into_iter()
                .map(|(from_id, to_id)| Unit {
                    from_id,
                    to_id,
                    ..whole.clone()
                })
                .collect(),
            None => vec![whole],
        });
    }
    let mut ranges = Vec::new();
    let mut classic = None;
    for (partition, view) in ctx.offsets([("protocol", "1"), ("table", table.as_str())])? {
        // The prefix matches longer names too.
        if partition.get_str("table") != Some(&table) {
            continue;
        }
        let Some(offset) = view.raw()?.cloned() else {
            continue;
        };
        let bound = |key: &str| partition.get(key).and_then(Json::as_i64);
        if partition.get("from").is_some() || partition.get("to").is_some() {
            ranges.push(Stored {
                from: bound("from"),
                to: bound("to"),
                partition,
                offset,
            });
        } else {
            classic = Some(offset);
        }
    }
    Ok(arrange(&table, &whole, grid, classic, ranges))
}

/// The ranges of a grid that are a task's.
fn cut(grid: &Grid) -> Vec<(Option<i64>, Option<i64>)> {
    let ranges = (grid.first..grid.end)
        .filter(|range| grid.owns(*range))
        .map(|range| {
            let from = (range > grid.first).then(|| range * grid.size);
            (from, Some((range + 1) * grid.size))
        });
    let tail = grid.tail.then(|| (Some(grid.end * grid.size), None));
    ranges.chain(tail).collect()
}

/// Puts what is stored and what is planned together. Every task of a table comes to the same ranges, and takes its own.
fn arrange(
    table: &str,
    whole: &Unit,
    grid: Option<Grid>,
    classic: Option<Map<String, Json>>,
    stored: Vec<Stored>,
) -> Vec<Unit> {
    let classic_unit = |offset: Option<Map<String, Json>>, replaces: Vec<SourcePartition>| Unit {
        partition: Some(table_partition(table, None, None, false)),
        offset,
        replaces,
        ..whole.clone()
    };
    let leads = grid.is_none_or(|grid| grid.tail);
    // Read as a whole before: only one can go on from there.
    if classic.is_some() || (grid.is_none() && stored.is_empty()) {
        return if leads {
            vec![classic_unit(classic, Vec::new())]
        } else {
            Vec::new()
        };
    }
    let grid = stored_grid(grid, &stored);
    let find = |from: Option<i64>, to: Option<i64>| {
        stored.iter().find(|one| one.from == from && one.to == to)
    };
    let is_done = |one: &Stored| {
        one.offset
            .get("done")
            .and_then(Json::as_bool)
            .unwrap_or(false)
    };
    let tail_from = Some(grid.end.saturating_mul(grid.size));
    let all_done = cut(&Grid {
        task: 0,
        tasks: 1,
        tail: false,
        ..grid
    })
    .into_iter()
    .all(|(from, to)| find(from, to).is_some_and(is_done));
    if all_done && let Some(tail) = find(tail_from, None) {
        // The tail is the whole table now.
        let replaces = stored.iter().map(|one| one.partition.clone()).collect();
        return if leads {
            vec![classic_unit(Some(tail.offset.clone()), replaces)]
        } else {
            Vec::new()
        };
    }
    let mut units = Vec::new();
    for (from_id, to_id) in cut(&grid) {
        let known = find(from_id, to_id);
        if known.is_some_and(is_done) {
            continue;
        }
        units.push(Unit {
            partition: Some(table_partition(table, from_id, to_id, true)),
            from_id,
            to_id,
            offset: known.map(|one| one.offset.clone()),
            ..whole.clone()
        });
    }
    units
}

/// The grid that offsets lie on stays, whatever was planned since: rows came, another number of tasks, another size.
fn stored_grid(planned: Option<Grid>, stored: &[Stored]) -> Grid {
    let mut grid = planned.unwrap_or(Grid {
        size: 1,
        first: 0,
        end: 0,
        task: 0,
        tasks: 1,
        tail: true,
    });
    let sized = stored.iter().find_map(|one| Some((one.from?, one.to?)));
    let head = stored
        .iter()
        .find(|one| one.from.is_none())
        .and_then(|one| one.to);
    let tail = stored
        .iter()
        .find(|one| one.to.is_none())
        .and_then(|one| one.from);
    if let Some(size) = sized.map(|(from, to)| to - from).filter(|size| *size > 0) {
        if size != grid.size && planned.is_some() {
            tracing::info!(
                "`table.split.size` is {} for a table that is being read in ranges of {size}; it keeps those",
                grid.size
            );
        }
        let planned_first = grid.first.saturating_mul(grid.size);
        let planned_end = grid.end.saturating_mul(grid.size);
        grid.first = planned_first.div_euclid(size);
        grid.end = planned_end.div_euclid(size).max(grid.first + 1);
        grid.size = size;
    } else if let (Some(head), Some(tail), None) = (head, tail, planned) {
        // Nothing but the ends is stored: one range between them, whatever its length was.
        grid.size = (tail - head).max(1);
    }
    if let Some(head) = head {
        grid.first = head.div_euclid(grid.size) - 1;
    } else if let (None, Some(least)) = (planned, stored.iter().filter_map(|one| one.from).min()) {
        grid.first = least.div_euclid(grid.size) - 1;
    }
    if let Some(tail) = tail {
        grid.end = tail.div_euclid(grid.size);
    } else if let Some(greatest) = stored.iter().filter_map(|one| one.to).max() {
        grid.end = grid.end.max(greatest.div_euclid(grid.size));
    }
    grid
}

/// Returns what a task follows of a query.
pub(crate) fn query_unit(
    ctx: &SourceContext,
    options: &SqlSourceOptions,
    query: &str,
) -> Result<Unit> {
    let mut unit = Unit {
        from: From::Query(query.to_owned()),
        topic: options.topic_prefix.clone(),
        partition: None,
        from_id: None,
        to_id: None,
        replaces: Vec::new(),
        offset: None,
    };
    if options.mode != Mode::Bulk {
        let partition = query_partition(query);
        let jdbc = jdbc_query_partition();
        unit.offset = ctx.offset(&partition).raw()?.cloned();
        if unit.offset.is_none()
            && let Some(offset) = ctx.offset(&jdbc).raw()?
        {
            tracing::info!("the query goes on from the JDBC connector's offset");
            unit.offset = Some(offset.clone());
            unit.replaces.push(jdbc);
        }
        unit.partition = Some(partition);
    }
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Table {
        Table {
            database: None,
            schema: None,
            name: name.to_owned(),
        }
    }

    fn whole() -> Unit {
        Unit {
            from: From::Table(table("t")),
            topic: "t".to_owned(),
            partition: None,
            from_id: None,
            to_id: None,
            replaces: Vec::new(),
            offset: None,
        }
    }

    fn stored(from: Option<i64>, to: Option<i64>, offset: &str) -> Stored {
        Stored {
            partition: table_partition("t", from, to, true),
            from,
            to,
            offset: serde_json::from_str(offset).unwrap(),
        }
    }

    fn grid(first: i64, end: i64, task: i64, tasks: i64) -> Option<Grid> {
        Some(Grid {
            size: 100,
            first,
            end,
            task,
            tasks,
            tail: task == 0,
        })
    }

    type Bounds = (Option<i64>, Option<i64>);

    fn check(
        tasks: i64,
        planned: impl Fn(i64) -> Option<Grid>,
        kept: &[Stored],
        expected: &[Bounds],
    ) {
        let mut found: Vec<Bounds> = (0..tasks)
            .flat_map(|task| arrange("t", &whole(), planned(task), None, kept.to_vec()))
            .map(|unit| (unit.from_id, unit.to_id))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn tables_go_to_tasks_in_turn() {
        let tables: Vec<Table> = (0..5).map(|n| table(&n.to_string())).collect();
        let works = deal(&tables, &BTreeMap::new(), 2);
        let names = |work: &Work| {
            work.tables
                .iter()
                .map(|share| share.table.name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            works.iter().map(names).collect::<Vec<_>>(),
            [vec!["0", "2", "4"], vec!["1", "3"]]
        );
        assert_eq!(deal(&tables, &BTreeMap::new(), 9).len(), 5);
        let split = deal(&tables[..1], &[(table("0"), (0, 7))].into(), 3);
        assert_eq!(split.len(), 3);
        assert_eq!(
            split
                .iter()
                .filter(|work| work.tables[0].grid.unwrap().tail)
                .count(),
            1
        );
    }

    #[test]
    fn a_grid_covers_every_number_once() {
        check(
            3,
            |task| grid(-1, 3, task, 3),
            &[],
            &[
                (None, Some(0)),
                (Some(0), Some(100)),
                (Some(100), Some(200)),
                (Some(200), Some(300)),
                (Some(300), None),
            ],
        );
    }

    #[test]
    fn ranges_that_are_stored_stay_when_tasks_rows_or_sizes_change() {
        let kept = [
            stored(None, Some(100), r#"{"incrementing":99,"done":true}"#),
            stored(Some(100), Some(200), r#"{"incrementing":150}"#),
            stored(Some(300), None, r#"{"incrementing":320}"#),
        ];
        let rest = [
            (Some(100), Some(200)),
            (Some(200), Some(300)),
            (Some(300), None),
        ];
        // More rows came, and another number of tasks.
        check(2, |task| grid(0, 9, task, 2), &kept, &rest);
        // One task alone.
        check(1, |_| None, &kept, &rest);
        let units = arrange("t", &whole(), None, None, kept.to_vec());
        assert_eq!(units[0].offset.as_ref().unwrap()["incrementing"], 150);
        // Another size.
        let other = |task| {
            Some(Grid {
                size: 50,
                ..grid(0, 18, task, 2)?
            })
        };
        check(2, other, &kept, &rest);
    }

    #[test]
    fn a_table_that_is_read_becomes_one_again() {
        let kept = [
            stored(None, Some(100), r#"{"done":true}"#),
            stored(Some(100), Some(200), r#"{"done":true}"#),
            stored(Some(200), None, r#"{"incrementing":320}"#),
        ];
        let units: Vec<Unit> = (0..2)
            .flat_map(|task| arrange("t", &whole(), grid(0, 9, task, 2), None, kept.to_vec()))
            .collect();
        assert_eq!(units.len(), 1);
        assert_eq!(units[0].replaces.len(), 3);
        assert_eq!(
            units[0].partition.as_ref().unwrap().as_json(),
            r#"{"protocol":"1","table":"t"}"#
        );
        // One that the JDBC connector read is not split.
        let classic = serde_json::from_str(r#"{"incrementing":7}"#).ok();
        let counts = [0, 1].map(|task| {
            arrange(
                "t",
                &whole(),
                grid(0, 9, task, 2),
                classic.clone(),
                Vec::new(),
            )
            .len()
        });
        assert_eq!(counts, [1, 0]);
    }
}
