//! PostgreSQL: `psql \copy`, bare sqlx COPY, and `\copy … to`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::runtime::Runtime;

use crate::job::Host;
use crate::ours::Ours;
use crate::report::{Runs, line, timed};
use crate::rows::{COLUMNS, write_peer};
use crate::servers::{Kind, Server, USER, program};
use crate::{Options, TASKS, peer};

/// Bytes that bare COPY hands to the socket at once: the same as the sink's.
const CHUNK: usize = 128 << 10;

pub(crate) fn bench(options: &Options, host: &Host, csv: &Path, runtime: &Runtime) -> Result<()> {
    let Some(server) = Server::start(Kind::Postgres, &[]) else {
        return Ok(());
    };
    let database = server.database();
    let url = server.url(&database);
    let mut psql_copy = Runs::default();
    let (mut bare_insert, mut bare_upsert, mut psql_to) =
        (Runs::default(), Runs::default(), Runs::default());
    let mut ours = Ours::default();
    let text = fs::read(csv)?;
    let fresh = || -> Result<()> {
        let sql = format!("DROP TABLE IF EXISTS rows; CREATE TABLE rows ({COLUMNS})");
        server.sql(&database, &sql);
        // A checkpoint of what the one before has left would be paid by the next.
        server.sql(&database, "CHECKPOINT");
        Ok(())
    };
    let full = || -> Result<()> {
        let count = server.sql(&database, "SELECT count(*) FROM rows");
        ensure!(
            count == options.rows.to_string(),
            "{count} rows in the table"
        );
        Ok(())
    };
    for _ in 0..options.rounds {
        fresh()?;
        let copy = format!(
            "\\copy rows from '{}' with (format csv, header)",
            csv.display()
        );
        psql_copy.push_seconds(timed(psql(&server, &database)?.args(["-c", &copy]))?);
        full()?;
        fresh()?;
        bare_insert.push_seconds(runtime.block_on(copy_in(&url, &text, false))?);
        full()?;
        fresh()?;
        bare_upsert.push_seconds(runtime.block_on(copy_in(&url, &text, true))?);
        full()?;
        ours.write(host, &url, &fresh, &full)?;
        // As a server does by itself within a minute.
        server.sql(&database, "VACUUM ANALYZE rows");
        server.sql(&database, "CHECKPOINT");
        let out = csv.with_extension("out");
        let copy = format!("\\copy rows to '{}' with (format csv)", out.display());
        psql_to.push_seconds(timed(psql(&server, &database)?.args(["-c", &copy]))?);
        // What it left to the kernel is not to be written while ours is measured.
        fs::File::open(&out)?.sync_all()?;
        ours.read(host, &url, options.rows)?;
    }
    println!("PostgreSQL");
    line("psql \\copy from", &psql_copy, options.rows, &[]);
    line("bare sqlx COPY", &bare_insert, options.rows, &[]);
    line("bare sqlx COPY + upsert", &bare_upsert, options.rows, &[]);
    let beside = [
        ("bare COPY", &bare_insert, 0.85),
        ("\\copy", &psql_copy, 0.0),
    ];
    ours.print_inserts(options.rows, &beside);
    let beside = [
        ("bare COPY + upsert", &bare_upsert, 0.85),
        ("\\copy", &psql_copy, 0.5),
    ];
    ours.print_upserts(options.rows, &beside);
    line("psql \\copy to", &psql_to, options.rows, &[]);
    ours.print_sources(options.rows, &[("\\copy to", &psql_to, 0.5)]);
    if let Some(script) = &options.peer {
        let file = csv.with_extension("kjson");
        write_peer(&file, options.rows)?;
        for (mode, ours) in [("insert", &ours.inserts), ("upsert", &ours.upserts)] {
            for (tasks, runs) in TASKS.iter().zip(ours) {
                let (rate, said) = peer::run(script, &file, &server, *tasks, mode)?;
                let our_rate = f64::from(options.rows) / runs.seconds();
                println!(
                    "  Debezium JDBC sink {mode}, {tasks} tasks   {rate:>10.0} rows/s steady; ours is {:.1} x (budget 5); {said}",
                    our_rate / rate
                );
            }
        }
    }
    Ok(())
}

fn psql(server: &Server, database: &str) -> Result<Command> {
    let mut command = Command::new(program("psql").context("psql not found")?);
    command.args([
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-h",
        "127.0.0.1",
        "-U",
        USER,
    ]);
    command.args(["-p", &server.port.to_string(), "-d", database]);
    Ok(command)
}

/// COPY straight into the table, or into a temporary table and from there by one statement; connection and COMMIT included.
async fn copy_in(url: &str, csv: &[u8], upserts: bool) -> Result<f64> {
    let begin = Instant::now();
    let mut connection = PgConnection::connect(url).await?;
    let mut transaction = connection.begin().await?;
    let target = if upserts { "stage" } else { "rows" };
    if upserts {
        let sql = "CREATE TEMP TABLE stage ON COMMIT DROP AS SELECT * FROM rows WITH NO DATA";
        sqlx::raw_sql(sql).execute(&mut *transaction).await?;
    }
    let sql = format!("COPY {target} FROM STDIN WITH (FORMAT csv, HEADER)");
    let mut copy = transaction.copy_in_raw(&sql).await?;
    for chunk in csv.chunks(CHUNK) {
        copy.send(chunk).await?;
    }
    copy.finish().await?;
    if upserts {
        let names = [
            "name", "city", "quantity", "price", "weight", "code", "note",
        ];
        let set: Vec<String> = names
            .iter()
            .map(|name| format!("{name} = EXCLUDED.{name}"))
            .collect();
        let sql = format!(
            "INSERT INTO rows SELECT * FROM stage ON CONFLICT (id) DO UPDATE SET {}",
            set.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(begin.elapsed().as_secs_f64())
}
