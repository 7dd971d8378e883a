//! The suite of the testkit.

use linkspan_testkit::conformance::SourceSuite;

use crate::source::SqlSource;
use crate::tests::catalog::on;

#[test]
fn the_source_conforms() {
    SourceSuite::<SqlSource>::new(|folder| {
        let url = format!("sqlite:{}", folder.join("a.db").display());
        let rows: Vec<String> = (1..=48).map(|n| format!("({n}, 'row {n}')")).collect();
        let sql = format!(
            "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES {}",
            rows.join(",")
        );
        on(&url, async |connection| {
            connection.run(&sql).await.map(drop)
        })
        .unwrap();
        [
            ("connection.url", url),
            ("mode", "incrementing".to_owned()),
            ("table.include.list", "t".to_owned()),
            ("topic.prefix", "p-".to_owned()),
            ("poll.interval.ms", "20".to_owned()),
        ]
    })
    .run();
}
