//! SQLite: `sqlite3 .import` and its `SELECT`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::Options;
use crate::job::Host;
use crate::ours::Ours;
use crate::report::{Runs, line, timed};
use crate::rows::COLUMNS;
use crate::servers::program;

pub(crate) fn bench(options: &Options, host: &Host, csv: &Path) -> Result<()> {
    let sqlite3 = program("sqlite3").context("sqlite3 not found")?;
    let file = csv.with_extension("db");
    let url = format!("sqlite:{}", file.display());
    let (mut import, mut select) = (Runs::default(), Runs::default());
    let mut ours = Ours::default();
    let shell = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(&sqlite3).arg(&file).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let fresh = || -> Result<()> {
        for end in ["", "-wal", "-shm"] {
            let path = format!("{}{end}", file.display());
            if Path::new(&path).try_exists()? {
                fs::remove_file(path)?;
            }
        }
        // As the sink has it: both sides sync alike.
        shell(&[
            "PRAGMA journal_mode = WAL",
            &format!("CREATE TABLE rows ({COLUMNS})"),
        ])
        .map(drop)
    };
    let full = || -> Result<()> {
        let count = shell(&["SELECT count(*) FROM rows"])?;
        ensure!(
            count == options.rows.to_string(),
            "{count} rows in the table"
        );
        Ok(())
    };
    for _ in 0..options.rounds {
        fresh()?;
        let command = format!(".import --csv --skip 1 {} rows", csv.display());
        import.push_seconds(timed(Command::new(&sqlite3).arg(&file).arg(&command))?);
        full()?;
        ours.write(host, &url, &fresh, &full)?;
        select.push_seconds(timed(
            Command::new(&sqlite3)
                .args(["-csv"])
                .arg(&file)
                .arg("SELECT * FROM rows"),
        )?);
        ours.read(host, &url, options.rows)?;
    }
    println!("SQLite (one writer at a time)");
    line("sqlite3 .import --csv", &import, options.rows, &[]);
    ours.print_inserts(options.rows, &[(".import", &import, 0.0)]);
    ours.print_upserts(options.rows, &[(".import", &import, 0.0)]);
    line("sqlite3 -csv SELECT", &select, options.rows, &[]);
    ours.print_sources(options.rows, &[("SELECT", &select, 0.0)]);
    Ok(())
}
