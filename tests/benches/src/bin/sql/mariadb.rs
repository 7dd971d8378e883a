//! MariaDB: `LOAD DATA LOCAL INFILE`, bare sqlx statements with many rows, and the client's `SELECT`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::runtime::Runtime;

use crate::Options;
use crate::job::Host;
use crate::ours::Ours;
use crate::report::{Runs, line, timed};
use crate::rows::COLUMNS;
use crate::servers::{Kind, Server, USER, program};

/// Rows of one of the bare statements.
const ROWS_PER_STATEMENT: usize = 1_000;

pub(crate) fn bench(options: &Options, host: &Host, csv: &Path, runtime: &Runtime) -> Result<()> {
    // The tests save syncs and memory; figures need what a server does by default.
    let settings = [
        "innodb-flush-log-at-trx-commit=1",
        "innodb-buffer-pool-size=128M",
        "local-infile=1",
    ];
    let Some(server) = Server::start(Kind::MariaDb, &settings) else {
        return Ok(());
    };
    let database = server.database();
    let url = server.url(&database);
    let (mut load, mut bare, mut select) = (Runs::default(), Runs::default(), Runs::default());
    let mut ours = Ours::default();
    let text = fs::read_to_string(csv)?;
    let fresh = || -> Result<()> {
        let sql = format!("DROP TABLE IF EXISTS `rows`; CREATE TABLE `rows` ({COLUMNS})");
        server.sql(&database, &sql);
        Ok(())
    };
    let full = || -> Result<()> {
        let count = server.sql(&database, "SELECT count(*) FROM `rows`");
        ensure!(
            count == options.rows.to_string(),
            "{count} rows in the table"
        );
        Ok(())
    };
    for _ in 0..options.rounds {
        fresh()?;
        let sql = format!(
            "LOAD DATA LOCAL INFILE '{}' INTO TABLE `rows` CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' IGNORE 1 LINES",
            csv.display()
        );
        load.push_seconds(timed(client(&server, &database)?.args([
            "--local-infile=1",
            "-e",
            &sql,
        ]))?);
        full()?;
        fresh()?;
        bare.push_seconds(runtime.block_on(insert_many(&url, &text))?);
        full()?;
        ours.write(host, &url, &fresh, &full)?;
        select.push_seconds(timed(client(&server, &database)?.args([
            "--quick",
            "-e",
            "SELECT * FROM `rows`",
        ]))?);
        ours.read(host, &url, options.rows)?;
    }
    println!("MariaDB");
    line("LOAD DATA LOCAL INFILE", &load, options.rows, &[]);
    line(
        "bare sqlx, 1,000 rows a statement",
        &bare,
        options.rows,
        &[],
    );
    let beside = [("bare sqlx", &bare, 0.0), ("LOAD DATA", &load, 0.0)];
    ours.print_inserts(options.rows, &beside);
    ours.print_upserts(options.rows, &beside);
    line("mariadb --quick -e SELECT", &select, options.rows, &[]);
    ours.print_sources(options.rows, &[("SELECT", &select, 0.0)]);
    Ok(())
}

fn client(server: &Server, database: &str) -> Result<Command> {
    let mut command = Command::new(program("mariadb").context("mariadb not found")?);
    command.args([
        "--no-defaults",
        "-N",
        "-B",
        "-h",
        "127.0.0.1",
        "-u",
        USER,
        "--skip-ssl",
    ]);
    command.args(["-P", &server.port.to_string(), "-D", database]);
    Ok(command)
}

/// Prepared statements with many rows in one transaction; connection and COMMIT included.
async fn insert_many(url: &str, csv: &str) -> Result<f64> {
    let rows: Vec<Vec<&str>> = csv
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    let begin = Instant::now();
    let mut connection = MySqlConnection::connect(url).await?;
    let mut transaction = connection.begin().await?;
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let places = vec!["(?,?,?,?,?,?,?,?)"; chunk.len()].join(",");
        let sql = format!("INSERT INTO `rows` VALUES {places}");
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for cell in chunk.iter().flatten() {
            query = query.bind(*cell);
        }
        query.execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(begin.elapsed().as_secs_f64())
}
