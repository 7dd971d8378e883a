//! `sql-sink` and `sql-source` beside the databases' own tools and bare sqlx, in the same run, on private servers.
//!
//! ```text
//! sql BINARY [--rows N] [--rounds N] [--only postgres|mariadb|sqlite] [--peer connect-jdbc.sh]
//! sql --rows N --write-peer-rows FILE          only writes the rows as the peer wants them
//! ```
//! The rows have eight columns and a primary key, about 100 bytes. They go into the log once; each measured job is a whole process,
//! `run --once` with a sink (log → table) or a source (table → log) alone, start, durable positions and summary included. What stands
//! beside it is a whole process too, or a connection of this program; each round runs all of them in turns, and every table is counted
//! afterwards. Medians are printed, the ratio to what stands beside, and the host's peak memory.
//!
//! `--peer` names a script that is run as `SCRIPT ROWS HOST:PORT/DB USER TASKS MODE` against the same PostgreSQL and prints
//! `… steady N rows/s …`: the Debezium JDBC sink, whose broker must be running. Its steady rate leaves its start-up out; ours does not.
//!
//! Servers are started as the tests start them; data goes to the disk as the servers do it by default.

#![expect(clippy::print_stdout, reason = "the figures are the program's output")]

mod job;
mod mariadb;
mod ours;
mod peer;
mod postgres;
mod report;
mod rows;
#[path = "../../../../../connectors/sql/src/tests/servers.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each user of the shared module uses its part of it"
)]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a module of tests: what fails ends the program"
)]
mod servers;
mod sqlite;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What is asked for.
struct Options {
    binary: PathBuf,
    rows: u32,
    rounds: usize,
    only: Option<String>,
    peer: Option<PathBuf>,
}

/// Numbers of tasks that are measured.
const TASKS: [u32; 2] = [1, 4];

fn main() -> Result<()> {
    let mut binary = None;
    let (mut rows, mut rounds) = (500_000, 5);
    let (mut only, mut peer, mut peer_rows) = (None, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if !arg.starts_with("--") {
            binary = Some(fs::canonicalize(&arg).with_context(|| arg.clone())?);
            continue;
        }
        let value = args
            .next()
            .with_context(|| format!("{arg} needs a value"))?;
        match arg.as_str() {
            "--rows" => rows = value.parse()?,
            "--rounds" => rounds = value.parse()?,
            "--only" => only = Some(value),
            "--peer" => peer = Some(fs::canonicalize(&value).with_context(|| value.clone())?),
            "--write-peer-rows" => peer_rows = Some(PathBuf::from(value)),
            _ => bail!("unknown flag {arg}"),
        }
    }
    if let Some(path) = peer_rows {
        return rows::write_peer(&path, rows);
    }
    let options = Options {
        binary: binary.context(
            "usage: sql BINARY [--rows N] [--rounds N] [--only DATABASE] [--peer SCRIPT]",
        )?,
        rows,
        rounds,
        only,
        peer,
    };
    let folder = tempfile::Builder::new().prefix("linkspan-sql-").tempdir()?;
    // Servers run as users of their own, and read what lies here.
    fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    bench(&options, folder.path())
}

fn bench(options: &Options, folder: &std::path::Path) -> Result<()> {
    let csv = folder.join("rows.csv");
    rows::write_csv(&csv, options.rows)?;
    let host = job::Host::new(options, folder, &csv)?;
    println!(
        "{} rows of 8 columns, {} bytes each as CSV; {} rounds, medians; whole processes",
        options.rows,
        fs::metadata(&csv)?.len() / u64::from(options.rows).max(1),
        options.rounds
    );
    let wanted = |name: &str| options.only.as_deref().is_none_or(|only| only == name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if wanted("postgres") {
        postgres::bench(options, &host, &csv, &runtime)?;
    }
    if wanted("mariadb") {
        mariadb::bench(options, &host, &csv, &runtime)?;
    }
    if wanted("sqlite") {
        sqlite::bench(options, &host, &csv)?;
    }
    Ok(())
}
