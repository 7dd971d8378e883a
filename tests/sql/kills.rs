//! Rows go file → log → a table **without** a unique key while the process is killed with SIGKILL again and again.
//!
//! In the end the rows of the table are those of the file, each as often as there: every row is in the file twice, so that a set would
//! not do. Kills fall when the table has got a random share of what it lacks. How often the database stood ahead of the host's own
//! note is printed: there only the position row saved the rows. The control switches that row off and lets the host forget its
//! note; the same check must then find doubled rows. A data directory that is deleted in between is refused, not loaded again
//! in silence.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::place::Place;
use crate::servers;
use crate::support::{Random, Scratch, eventually, linkspan, run, skip, start};

/// Rows that each round adds: some MiB, several transactions. An optimised program is through 4,000 before it can be killed.
const ROWS_PER_ROUND: u32 = if cfg!(debug_assertions) {
    4_000
} else {
    20_000
};
/// Attempts for each kill that must land in a transfer.
const ATTEMPTS_PER_KILL: u32 = 4;
/// How long a round may take to reach its moment.
const ROUND_LIMIT: Duration = Duration::from_secs(120);

fn rounds() -> u32 {
    env::var("KILL_ROUNDS").map_or(3, |text| text.parse().unwrap())
}

fn random() -> Random {
    let seed = env::var("KILL_SEED").map_or_else(
        |_| u64::from(std::process::id()),
        |text| text.parse().unwrap(),
    );
    println!("KILL_SEED={seed}");
    Random(seed)
}

/// Row `at` of the file; rows 2n and 2n+1 are the same.
fn row(at: u32) -> String {
    let n = at / 2;
    let filler = u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{n},{filler:016x}{:.<584}", "")
}

struct Transfer {
    place: Place,
    scratch: Scratch,
    yaml: PathBuf,
    rows: u32,
    kills: u32,
    /// Starts that found the database ahead of the host's own note.
    ahead: u32,
    /// The control: neither the position row nor the host's note.
    forgetful: bool,
}

impl Transfer {
    fn new(place: Place, forgetful: bool) -> Self {
        let delivery = if forgetful {
            "at_least_once"
        } else {
            "exactly_once"
        };
        let scratch = Scratch::new();
        place.sql("DROP TABLE IF EXISTS letters");
        place.sql("CREATE TABLE letters (n BIGINT, pad VARCHAR(600))");
        // Not unique: to see fast how far the rows are, also where there are a million.
        place.sql("CREATE INDEX letters_n ON letters (n)");
        let yaml = scratch.write(
            "pipeline.yaml",
            format!(
                "topics:\n  letters: {{ partitions: 4 }}\nconnectors:\n  in:\n    connector: file-source\n    path: in.csv\n    format: csv\n    \
                 csv.types: {{ n: int64 }}\n    topic: letters\n    batch.records: 300\n  out:\n    connector: sql-sink\n    \
                 connection.url: {}\n    topics: [letters]\n    delivery: {delivery}\n",
                place.url()
            ),
        );
        scratch.write("in.csv", "n,pad\n");
        Self {
            place,
            scratch,
            yaml,
            rows: 0,
            kills: 0,
            ahead: 0,
            forgetful,
        }
    }

    fn add_rows(&mut self, more: u32) {
        let text: String = (self.rows..self.rows + more)
            .map(|at| row(at) + "\n")
            .collect();
        let path = self.scratch.path("in.csv");
        let mut input: File = OpenOptions::new().append(true).open(path).unwrap();
        input.write_all(text.as_bytes()).unwrap();
        self.rows += more;
    }

    /// Adds rows, starts, kills; again and again. Returns how many kills landed in a transfer.
    fn kill_again_and_again(&mut self, rounds: u32, random: &mut Random) -> u32 {
        let mut landed = 0;
        while landed < rounds && self.kills < rounds * ATTEMPTS_PER_KILL {
            self.add_rows(ROWS_PER_ROUND);
            landed += u32::from(self.kill_one(random));
        }
        landed
    }

    /// Starts a job and kills it when a random share of the missing rows is there. True: it was at work.
    fn kill_one(&mut self, random: &mut Random) -> bool {
        let (before, wanted) = (self.place.reached(), u64::from(self.rows));
        let threshold = before + random.below(wanted.saturating_sub(before).max(1) * 3 / 4);
        let mut command = linkspan(&["run", "--once"]);
        if self.forgetful {
            command.env("LINKSPAN_TEST_SKIP_POSITION", "1");
        }
        let mut job = start(
            command.arg(&self.yaml),
            &self.scratch.path("stdout"),
            &self.scratch.path("stderr"),
        );
        let reached = eventually(ROUND_LIMIT, || {
            self.place.reached() > threshold || job.try_wait().unwrap().is_some()
        });
        assert!(
            reached,
            "no progress in {ROUND_LIMIT:?}:\n{}",
            self.scratch.read("stderr")
        );
        let ended = job.try_wait().unwrap();
        job.kill().unwrap();
        let status = job.wait().unwrap();
        if let Some(ended) = ended {
            assert!(
                ended.success(),
                "the job failed by itself:\n{}",
                self.scratch.read("stderr")
            );
        }
        self.kills += 1;
        let said = self.scratch.read("stderr");
        self.ahead += u32::from(said.contains("going on where the database stands"));
        status.code().is_none()
    }

    /// Runs to the end, twice: the second run finds nothing new.
    fn finish(&self) {
        for _ in 0..2 {
            run(linkspan(&["run", "--once"]).arg(&self.yaml)).expect_code(0);
        }
    }

    /// Compares the rows of the table with those of the file.
    fn verdict(&self) -> Result<(), String> {
        let mut found: Vec<String> = self
            .place
            .sql("SELECT n, pad FROM letters")
            .lines()
            .map(|line| line.replacen('|', ",", 1))
            .collect();
        let mut wanted: Vec<String> = (0..self.rows).map(row).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        if found == wanted {
            return Ok(());
        }
        Err(format!(
            "{} rows in the table, {} in the file",
            found.len(),
            wanted.len()
        ))
    }
}

/// Kills, the verdict, and what happens when either side is exchanged afterwards.
fn kill_loop(place: Place) {
    let name = place.name();
    let mut transfer = Transfer::new(place, false);
    let landed = transfer.kill_again_and_again(rounds(), &mut random());
    transfer.finish();
    let outcome = transfer.verdict();
    println!(
        "{name}: {landed} of {} kills landed in the transfer of {} rows into a table without a key, {} times only the position row knew: {outcome:?}",
        transfer.kills, transfer.rows, transfer.ahead
    );
    assert_eq!(outcome, Ok(()), "{name}");
    assert!(
        landed >= rounds(),
        "{name}: only {landed} of {} kills landed",
        transfer.kills
    );
    refuses_another_history(&transfer);
}

/// A data directory that is deleted, and a database that lost its positions, are refused with the remedy; no row is written.
fn refuses_another_history(transfer: &Transfer) {
    let again = || run(linkspan(&["run", "--once", "--timeout", "60s"]).arg(&transfer.yaml));
    let data = transfer.scratch.path("linkspan-data");
    let kept = transfer.scratch.path("kept");
    fs::rename(&data, &kept).unwrap();
    again().expect_code(1).says(&[
        "cannot be trusted",
        "the data directory was made again",
        "DELETE FROM",
        "linkspan offsets reset out",
    ]);
    assert_eq!(transfer.verdict(), Ok(()), "nothing was loaded again");

    fs::remove_dir_all(&data).unwrap();
    fs::rename(&kept, &data).unwrap();
    again().expect_code(0);
    assert_eq!(
        transfer.verdict(),
        Ok(()),
        "with its own directory it goes on"
    );
}

/// With the position row switched off the same kills must double rows, or the check proves nothing.
fn control(place: Place) {
    let name = place.name();
    let mut transfer = Transfer::new(place, true);
    let landed = transfer.kill_again_and_again(2, &mut random());
    transfer.finish();
    let outcome = transfer.verdict();
    println!("{name}, without the position row: {landed} kills landed: {outcome:?}");
    assert!(
        outcome.is_err() && transfer.place.count("letters") > u64::from(transfer.rows),
        "{name}: the check would not notice a lost position row"
    );
}

fn sqlite(scratch: &Scratch) -> Option<Place> {
    if servers::program("sqlite3").is_none() {
        servers::skip_outside_ci("kill loop into SQLite", "sqlite3 not found");
        return None;
    }
    Some(Place::File(scratch.path("target.db")))
}

#[test]
fn kills_into_postgres_lose_and_double_nothing() {
    if let Some(server) = servers::postgres() {
        kill_loop(Place::on(server));
    }
}

#[test]
fn kills_into_mariadb_lose_and_double_nothing() {
    if let Some(server) = servers::mariadb() {
        kill_loop(Place::on(server));
    }
}

#[test]
fn kills_into_sqlite_lose_and_double_nothing() {
    let scratch = Scratch::new();
    if let Some(place) = sqlite(&scratch) {
        kill_loop(place);
    }
}

#[test]
fn kills_double_rows_without_the_position_row() {
    if !cfg!(debug_assertions) {
        return skip(
            "negative control of the SQL kill loop",
            "the switch exists in debug builds only",
        );
    }
    let scratch = Scratch::new();
    for place in Place::all(&scratch) {
        control(place);
    }
}
