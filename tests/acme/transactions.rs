//! Transactions of sources into the log: `transaction.boundary`, over kills. Names in brackets are those of Kafka Connect's own
//! integration tests.

use std::time::Duration;

use serde_json::Value;

use crate::hosted::{Hosted, rogue};
use crate::support::{eventually, linkspan, run, start};

const TRANSACTIONS: u64 = 16;
const KILLS: u32 = 6;

/// Numbers of all transactions, of which every second one is void.
fn expected(void_ones: bool) -> Vec<String> {
    let (mut a, mut b, mut next) = (1, 1, 0);
    let mut lines = Vec::new();
    for transaction in 0..TRANSACTIONS {
        let numbers = next..next + a;
        if void_ones || transaction % 2 == 1 {
            lines.extend(numbers.map(|number| format!("{transaction} {number}")));
        }
        next += a;
        (a, b) = (b, a + b);
    }
    lines
}

fn ledger(boundary: &str) -> Hosted {
    Hosted::new(&format!(
        "connectors:\n  ledger: {{ connector: rogue-ledger, topic: ledger, transactions: {TRANSACTIONS}, {boundary} }}\n  \
         kept: {{ connector: blackhole-sink, topics: [ledger] }}\n"
    ))
}

fn stored(host: &Hosted) -> Vec<String> {
    let data = host.scratch.path("linkspan-data");
    let ran = run(linkspan(&[
        "consume", "ledger", "--from", "earliest", "--exit", "-o", "json", "--data",
    ])
    .arg(data))
    .expect_code(0);
    let value = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["value"].as_str().unwrap().to_owned()
    };
    ran.stdout.lines().map(value).collect()
}

/// (X2, X3, X4) Every boundary: killed again and again, then to the end; every number once, in order, and with `connector` those
/// of void transactions never.
#[test]
fn a_source_writes_its_transactions_as_a_whole_or_not_at_all() {
    let plugins = rogue();
    for (boundary, void_ones) in [
        ("transaction.boundary: poll", true),
        (
            "transaction.boundary: interval, transaction.boundary.interval.ms: 20",
            true,
        ),
        ("transaction.boundary: connector", false),
    ] {
        let host = ledger(boundary);
        let job = || {
            let mut command = linkspan(&["run", "--once", "--plugin-path"]);
            command.arg(&plugins).arg(host.scratch.path("p.yaml"));
            command
        };
        for kill in 0..KILLS {
            let (stdout, stderr) = (host.scratch.path("stdout"), host.scratch.path("stderr"));
            let mut child = start(&mut job(), &stdout, &stderr);
            let moment = Duration::from_millis(60 + 25 * u64::from(kill));
            let begun = std::time::Instant::now();
            eventually(moment, || begun.elapsed() >= moment);
            // It may have ended by itself.
            drop(child.kill());
            child.wait().unwrap();
        }
        run(&mut job()).expect_code(0);
        assert_eq!(stored(&host), expected(void_ones), "{boundary}");
    }
}

#[test]
fn a_class_that_defines_no_transactions_cannot_be_asked_for_them() {
    let plugins = rogue();
    let host = Hosted::new(
        "connectors:\n  in: { connector: rogue-source, topic: t, at: nowhere, transaction.boundary: connector }\n",
    );
    let mut command = linkspan(&["run", "--once", "--plugin-path"]);
    run(command.arg(&plugins).arg(host.scratch.path("p.yaml")))
        .expect_code(2)
        .says(&["does not define transactions"]);
}
