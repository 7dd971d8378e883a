//! The connection or the server ends exactly inside COMMIT: nobody but the position row knows what became of the transaction.
//!
//! A relay stands between sink and server. When the sink sends COMMIT it drops the statement, or the server's answer to it, or kills
//! the server once the statement is on its way. SQLite has no connection to cut: there the process is killed, in the black-box tests.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use linkspan_testkit::SinkTest;

use super::faults::{TABLE_WITHOUT_KEY, config, insist, people};
use super::*;
use crate::tests::servers::Kind;

pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// What happens to the next COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The server never gets it: nothing is committed.
    Statement,
    /// It is committed, and the answer is lost.
    Answer,
    /// The server is killed while it works on it; either may be true.
    Server { pid: u32 },
}

/// A relay to a server.
pub(super) struct Relay {
    port: u16,
    next: Arc<Mutex<Option<Cut>>>,
    cuts: Arc<AtomicU32>,
}

impl Relay {
    pub(super) fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let relay = Self {
            port: listener.local_addr().unwrap().port(),
            next: Arc::default(),
            cuts: Arc::default(),
        };
        let (next, cuts) = (Arc::clone(&relay.next), Arc::clone(&relay.cuts));
        // It ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, next, cuts) = (client.unwrap(), Arc::clone(&next), Arc::clone(&cuts));
                // A server that is down: the client sees its connection closed.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) {
                    thread::spawn(move || relay_one(client, server, &next, &cuts));
                }
            }
        });
        relay
    }

    pub(super) fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    pub(super) fn cuts(&self) -> u32 {
        self.cuts.load(Ordering::SeqCst)
    }
}

fn relay_one(client: TcpStream, server: TcpStream, next: &Mutex<Option<Cut>>, cuts: &AtomicU32) {
    let muted = Arc::new(AtomicBool::new(false));
    let answers = {
        let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let muted = Arc::clone(&muted);
        thread::spawn(move || {
            let mut bytes = [0; 64 << 10];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if muted.load(Ordering::SeqCst) || to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            // Where it is cut, the end comes when the server is dead: before, a new connection would be told that COMMIT arrived.
            if !muted.load(Ordering::SeqCst) {
                close(&from, &to);
            }
        })
    };
    let (mut from, mut to) = (client, server);
    let mut bytes = [0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let cut = if is_commit(&bytes[..count]) {
            next.lock().unwrap().take()
        } else {
            None
        };
        match cut {
            None => {
                if to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            Some(Cut::Statement) => {
                cuts.fetch_add(1, Ordering::SeqCst);
                break;
            }
            Some(cut @ (Cut::Answer | Cut::Server { .. })) => {
                cuts.fetch_add(1, Ordering::SeqCst);
                muted.store(true, Ordering::SeqCst);
                to.write_all(&bytes[..count]).unwrap();
                if let Cut::Server { pid } = cut {
                    let kill = std::process::Command::new("kill")
                        .args(["-s", "KILL", &pid.to_string()])
                        .status();
                    assert!(kill.unwrap().success());
                }
                // The other thread ends when the answer, or the end of the connection, has come.
                answers.join().unwrap();
                close(&from, &to);
                return;
            }
        }
    }
    close(&from, &to);
    answers.join().unwrap();
}

/// Both protocols send the statement as text at the end of a message; PostgreSQL ends it with a zero.
fn is_commit(bytes: &[u8]) -> bool {
    bytes
        .strip_suffix(b"\0")
        .unwrap_or(bytes)
        .ends_with(b"COMMIT")
}

fn close(one: &TcpStream, other: &TcpStream) {
    for stream in [one, other] {
        // Closed already, most likely.
        let _closed = stream.shutdown(Shutdown::Both);
    }
}

pub(super) fn sink_through(
    relay: &Relay,
    server: &Server,
    database: &str,
    delivery: &str,
) -> SinkTest<SqlSink> {
    let mut config = config(server, database, &[("delivery", delivery)]);
    let url = server
        .url(database)
        .replace(&format!(":{}/", server.port), &format!(":{}/", relay.port));
    config.insert("connection.url".to_owned(), url);
    let mut sink = TestHost::sink::<SqlSink>(config);
    sink.open().unwrap();
    sink.assign(&[("t", 0)]).unwrap();
    sink
}

pub(super) fn in_table(server: &Server, database: &str) -> String {
    server.sql(database, "SELECT count(*), count(DISTINCT id) FROM t")
}

#[test]
fn a_cut_inside_commit_loses_and_doubles_nothing() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(server) = Server::start(kind, &[]) else {
            continue;
        };
        // Without the position row the lost answer doubles its batch: the check can see it.
        for (delivery, cut, expected) in [
            ("exactly_once", Cut::Statement, "60|60"),
            ("exactly_once", Cut::Answer, "60|60"),
            ("at_least_once", Cut::Statement, "60|60"),
            ("at_least_once", Cut::Answer, "80|60"),
        ] {
            let database = server.database();
            server.sql(&database, TABLE_WITHOUT_KEY);
            let relay = Relay::to(server.port);
            let mut sink = sink_through(&relay, &server, &database, delivery);
            sink.put(&people(0, 20)).unwrap();
            relay.cut_next(cut);
            let (done, _) = insist(&mut sink, &people(20, 20), LIMIT);
            done.unwrap();
            assert_eq!(relay.cuts(), 1, "{kind:?} {cut:?}: COMMIT was seen and cut");
            sink.put(&people(40, 20)).unwrap();
            assert_eq!(
                in_table(&server, &database),
                expected,
                "{kind:?} {delivery} {cut:?}"
            );
        }
    }
}

#[test]
fn a_server_that_is_killed_inside_commit_has_every_row_once() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let Some(mut server) = Server::start(kind, &[]) else {
            continue;
        };
        let database = server.database();
        server.sql(&database, TABLE_WITHOUT_KEY);
        let relay = Relay::to(server.port);
        let mut sink = sink_through(&relay, &server, &database, "exactly_once");
        sink.put(&people(0, 20)).unwrap();
        let mut sent = 20;
        for round in 1..4 {
            relay.cut_next(Cut::Server { pid: server.pid() });
            let (batch, error) = loop {
                let batch = people(sent, 20);
                sent += 20;
                match sink.put(&batch) {
                    Err(error) => break (batch, error),
                    // Its bytes came in two pieces, and the relay did not see it.
                    Ok(_) => assert!(
                        i64::from(relay.cuts()) < round,
                        "COMMIT had no answer, and yet it was told as done"
                    ),
                }
            };
            assert!(error.is_temporary(), "{error}");
            server.kill();
            server.start_again();
            let (done, _) = insist(&mut sink, &batch, LIMIT);
            done.unwrap();
            assert_eq!(i64::from(relay.cuts()), round);
        }
        sink.put(&people(sent, 20)).unwrap();
        let expected = format!("{0}|{0}", sent + 20);
        assert_eq!(in_table(&server, &database), expected, "{kind:?}");
    }
}
