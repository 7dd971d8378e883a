//! What a living server refuses for now: temporary errors with their code and the host, and in the end every row once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::faults::{TABLE_WITHOUT_KEY, config, insist, people};
use super::*;
use crate::tests::servers::{Kind, skip_outside_ci};

const LIMIT: Duration = Duration::from_secs(30);

/// A trigger that does something to the first `times` rows that are inserted, in whichever transaction.
fn trouble(times: u32, what: &str) -> String {
    format!(
        "{TABLE_WITHOUT_KEY}; CREATE SEQUENCE tries; \
         CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('tries') <= {times} THEN {what}; END IF; RETURN NEW; END $$; \
         CREATE TRIGGER trouble BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION trouble()"
    )
}

/// One transaction that could not be serialized, and one whose session an administrator ends: there the server's last words may
/// be lost with the connection.
#[test]
fn a_transaction_that_is_to_be_tried_again_is() {
    let cases = [
        (
            "SQLSTATE 40001",
            "RAISE EXCEPTION 'not now' USING ERRCODE = '40001'",
        ),
        (
            "public.t",
            "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1)",
        ),
    ];
    for (said, what) in cases {
        let Some(server) = Server::start(Kind::Postgres, &[]) else {
            return;
        };
        let database = server.database();
        server.sql(&database, &trouble(2, what));
        let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
        sink.open().unwrap();
        sink.assign(&[("t", 0)]).unwrap();
        let (done, errors) = insist(&mut sink, &people(0, 50), LIMIT);
        done.unwrap();
        assert!(!errors.is_empty(), "{what}");
        for error in &errors {
            assert!(
                error.message().contains(said) && error.message().contains("127.0.0.1"),
                "{what}: {error}"
            );
        }
        assert_eq!(
            server.sql(
                &database,
                "SELECT count(*), count(DISTINCT id), (SELECT last_value FROM tries) > 50 FROM t"
            ),
            "50|50|t",
            "{what}"
        );
    }
}

/// Somebody holds a row for longer than the server lets a statement wait.
#[test]
fn a_lock_that_is_held_too_long_is_waited_for_again() {
    let Some(server) = Server::start(Kind::MariaDb, &["innodb-lock-wait-timeout=1"]) else {
        return;
    };
    let database = server.database();
    server.sql(
        &database,
        "CREATE TABLE t (id BIGINT PRIMARY KEY, name VARCHAR(20), n INTEGER); INSERT INTO t VALUES (1, 'x', 0)",
    );
    let upsert = [
        ("insert.mode", "upsert"),
        ("pk.mode", "record_value"),
        ("pk.fields", "id"),
    ];
    let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &upsert));
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    std::thread::scope(|scope| {
        let held = "START TRANSACTION; SELECT n FROM t WHERE id = 1 FOR UPDATE; INSERT INTO t VALUES (99, 'held', 0); SELECT SLEEP(4); COMMIT";
        let holder = scope.spawn(|| server.sql(&database, held));
        let begin = Instant::now();
        // An uncommitted row tells that the lock is there.
        while server.sql(
            &database,
            "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SELECT count(*) FROM t WHERE id = 99",
        ) != "1"
        {
            assert!(begin.elapsed() < LIMIT);
            std::thread::sleep(Duration::from_millis(20));
        }
        let (done, errors) = insist(&mut sink, &people(1, 3), LIMIT);
        done.unwrap();
        assert!(!errors.is_empty(), "the lock was not met");
        for error in &errors {
            assert!(
                error.message().contains("1205") && error.message().contains("127.0.0.1"),
                "{error}"
            );
        }
        holder.join().unwrap();
    });
    assert_eq!(
        server.sql(
            &database,
            "SELECT id, name, n FROM t WHERE id < 9 ORDER BY id"
        ),
        "1|a|1\n2|a|1\n3|a|1"
    );
}

/// A file system of a size, in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(path: PathBuf, mib: u32) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        if !mount(
            &path,
            &["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"],
        ) {
            skip_outside_ci(
                "a full disk under PostgreSQL",
                "needs root to mount a tmpfs",
            );
            return None;
        }
        Some(Self(path))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let done = Command::new("umount").arg("-l").arg(&self.0).status();
        if !done.is_ok_and(|status| status.success()) {
            println!("left behind: {}", self.0.display());
        }
    }
}

fn mount(path: &Path, arguments: &[&str]) -> bool {
    let done = Command::new("mount").args(arguments).arg(path).status();
    done.is_ok_and(|status| status.success())
}

#[test]
fn a_full_disk_over_there_is_temporary_and_nothing_is_lost() {
    let Some(server) = Server::start(Kind::Postgres, &[]) else {
        return;
    };
    let Some(disk) = SmallDisk::new(server.folder().join("small"), 4) else {
        return;
    };
    Server::give(Kind::Postgres, &disk.0);
    let database = server.database();
    server.sql(
        &database,
        &format!("CREATE TABLESPACE small LOCATION '{}'", disk.0.display()),
    );
    server.sql(
        &database,
        "CREATE TABLE t (id BIGINT, name TEXT, n INTEGER) TABLESPACE small; ALTER TABLE t ALTER COLUMN name SET STORAGE PLAIN",
    );
    let mut sink = TestHost::sink::<SqlSink>(config(&server, &database, &[]));
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    sink.put(&people(0, 10)).unwrap();
    let long = "x".repeat(4_000);
    let batch: Vec<TestRecord> = (10..2_010).map(|id| person(id, &long, 1)).collect();
    // So large a batch is written while the next one comes: the trouble is told with the next call.
    sink.put(&batch).unwrap();
    let error = sink.put(&[]).unwrap_err();
    assert!(error.is_temporary(), "{error}");
    for part in ["53100", "127.0.0.1", "disk"] {
        assert!(error.message().contains(part), "`{part}`: {error}");
    }
    assert!(
        !error.message().contains("xxxx"),
        "a value is shown: {error}"
    );
    assert!(mount(&disk.0, &["-o", "remount,size=64m"]));
    let (done, _) = insist(&mut sink, &batch, LIMIT);
    done.unwrap();
    assert_eq!(
        server.sql(
            &database,
            "SELECT count(*), count(DISTINCT id), max(id) FROM t"
        ),
        "2010|2010|2009"
    );
}
