//! Every type of each database, read from the real server.

use std::collections::BTreeMap;

use super::{Database, job};
use crate::dialect::Dialect;

/// Reads the one row of table `t`; column → JSON text of its value.
fn row(db: &Database, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let config = [&[("mode", "bulk"), ("table.include.list", "t")], more].concat();
    let records = job(&mut db.source(&config));
    assert_eq!(records.len(), 1);
    let json: serde_json::Value = serde_json::from_str(&records[0].value.text()).unwrap();
    json.as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.to_string()))
        .collect()
}

fn check(db: &Database, more: &[(&str, &str)], expected: &[(&str, &str)]) {
    let found = row(db, more);
    for (column, value) in expected {
        assert_eq!(
            found.get(*column).map(String::as_str),
            Some(*value),
            "column `{column}` {more:?}"
        );
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of all types")]
fn postgres_types() {
    let Some(db) = Database::new(Dialect::Postgres) else {
        return;
    };
    db.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN price AS numeric(12,2) NOT NULL; CREATE TYPE pair AS (a int, b text); \
         CREATE TABLE t (b bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8, n numeric(12,2), big numeric, nan numeric, p price, \
         s text, vc varchar(9), ch char(3), by bytea, d date, ti time, tz timetz, ts timestamp, tstz timestamptz, forever timestamptz, iv interval, \
         u uuid, j json, jb jsonb, x xml, e mood, ai int[], at text[], an numeric(6,1)[], ae mood[], empty int[], bit3 bit(3), bit1 bit(1), vb varbit(9), m money, \
         inet inet, mac macaddr, r int4range, c pair, ts_v tsvector, nothing text); \
         INSERT INTO t VALUES (true, -2, 2147483647, 9223372036854775807, 4294967295, 1.5, 'NaN', 12345.6, \
         123456789012345678901234567890123456789012345678901234567890.123456789, 'NaN', 7, '똠방각하', 'v', 'c', '\\x0102', '2013-01-31', '05:15:00.123456', \
         '05:15:00+09', '2013-01-01 05:15:00.123456', '2013-01-01 05:15:00+09', 'infinity', '1 year 2 months 3 days 04:05:06.7', \
         '11111111-2222-3333-4444-555555555555', '{\"a\": 1}', '{\"a\":1}', '<a/>', 'ok', '{1,NULL,3}', '{\"x,y\",z}', '{1.5}', '{sad}', '{}', B'101', B'1', B'110000001', 12.34, \
         '10.0.0.1/8', '08:00:2b:01:02:03', '[1,5)', '(1,x)', 'a b', NULL)",
    );
    check(
        &db,
        &[],
        &[
            ("b", "true"),
            ("i2", "-2"),
            ("i4", "2147483647"),
            ("i8", "9223372036854775807"),
            ("o", "4294967295"),
            ("f4", "1.5"),
            ("f8", "\"NaN\""),
            ("n", "\"12345.60\""),
            ("nan", "null"),
            ("p", "\"7.00\""),
            ("s", "\"똠방각하\""),
            ("ch", "\"c  \""),
            ("by", "\"AQI=\""),
            ("d", "\"2013-01-31\""),
            ("ti", "18900123456"),
            ("tz", "\"05:15:00+09:00\""),
            ("ts", "1357017300123456"),
            ("tstz", "\"2012-12-31T20:15:00.000000Z\""),
            ("forever", "null"),
            ("iv", "\"P1Y2M3DT4H5M6.7S\""),
            ("u", "\"11111111-2222-3333-4444-555555555555\""),
            ("j", r#""{\"a\": 1}""#),
            ("jb", r#""{\"a\": 1}""#),
            ("x", "\"<a/>\""),
            ("e", "\"ok\""),
            ("ai", "[1,null,3]"),
            ("at", "[\"x,y\",\"z\"]"),
            ("an", "[\"1.5\"]"),
            ("ae", "[\"sad\"]"),
            ("empty", "[]"),
            ("bit3", "\"BQ==\""),
            ("bit1", "true"),
            ("vb", "\"gQE=\""),
            ("m", "\"12.34\""),
            ("inet", "\"10.0.0.1/8\""),
            ("mac", "\"08:00:2b:01:02:03\""),
            ("r", "\"[1,5)\""),
            ("c", "\"(1,x)\""),
            ("ts_v", "\"'a' 'b'\""),
            ("nothing", "null"),
        ],
    );
    let digits = "\"123456789012345678901234567890123456789012345678901234567890.123456789\"";
    check(
        &db,
        &[("numeric.mapping", "string")],
        &[("big", digits), ("nan", "\"NaN\""), ("n", "\"12345.60\"")],
    );
    check(
        &db,
        &[("numeric.mapping", "best_fit")],
        &[("n", "12345.6"), ("i8", "9223372036854775807")],
    );
    check(
        &db,
        &[("db.timezone", "Asia/Seoul")],
        &[("ts", "\"2012-12-31T20:15:00.123456Z\"")],
    );
    check(
        &db,
        &[("timestamp.granularity", "iso_string")],
        &[
            ("ts", "\"2013-01-01T05:15:00.123456\""),
            ("tstz", "\"2012-12-31T20:15:00Z\""),
            ("forever", "\"infinity\""),
            ("ti", "\"05:15:00.123456\""),
        ],
    );
    check(
        &db,
        &[
            ("timestamp.granularity", "connect_logical"),
            ("db.timezone", "UTC"),
        ],
        &[
            ("ts", "\"2013-01-01T05:15:00.123Z\""),
            ("ti", "\"05:15:00.123\""),
        ],
    );
}

#[test]
fn mariadb_types() {
    let Some(db) = Database::new(Dialect::MySql) else {
        return;
    };
    db.sql(
        "SET sql_mode = ''; CREATE TABLE t (b1 tinyint(1), t1 tinyint, tu tinyint unsigned, s smallint, su smallint unsigned, m mediumint, mu mediumint unsigned, \
         i int, iu int unsigned, bi bigint, bu bigint unsigned, d decimal(20,4), big decimal(65,30), f float, db double, ch char(5), vc varchar(20), tx longtext, \
         bn binary(3), bl blob, bt bit(9), bt1 bit(1), da date, zero date NOT NULL, part date, ti time(6), neg time, dt datetime(6), ts timestamp(6) NULL, y year, \
         e enum('a','it''s'), st set('x','y','z'), u uuid, js json, lat varchar(10) CHARACTER SET latin1, g point, n int NULL); \
         SET time_zone = '+09:00'; \
         INSERT INTO t VALUES (1, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615, \
         1234567890.5, 12345678901234567890123456789012345.123456789012345678901234567890, 1.5, 2.25, 'ch', '똠', 'text', 'ab', x'0102', b'100000011', b'1', '2013-01-31', '0000-00-00', \
         '2013-00-00', '05:15:00.123456', '-838:59:59', '2013-01-01 05:15:00.123456', '2013-01-01 05:15:00.5', 2013, 'it''s', 'x,z', \
         '11111111-2222-3333-4444-555555555555', '{\"a\": 1}', 'é', ST_GeomFromText('POINT(1 2)'), NULL)",
    );
    check(
        &db,
        &[],
        &[
            ("b1", "1"),
            ("t1", "-128"),
            ("tu", "255"),
            ("su", "65535"),
            ("mu", "16777215"),
            ("i", "-2147483648"),
            ("iu", "4294967295"),
            ("bi", "-9223372036854775808"),
            ("bu", "\"18446744073709551615\""),
            ("d", "\"1234567890.5000\""),
            (
                "big",
                "\"12345678901234567890123456789012345.123456789012345678901234567890\"",
            ),
            ("f", "1.5"),
            ("db", "2.25"),
            ("vc", "\"똠\""),
            ("bn", "\"YWIA\""),
            ("bl", "\"AQI=\""),
            ("bt", "\"AwE=\""),
            ("bt1", "true"),
            ("da", "\"2013-01-31\""),
            ("zero", "null"),
            ("part", "null"),
            ("ti", "18900123456"),
            ("neg", "-3020399000000"),
            ("dt", "1357017300123456"),
            ("ts", "\"2012-12-31T20:15:00.500000Z\""),
            ("y", "2013"),
            ("e", "\"it's\""),
            ("st", "\"x,z\""),
            ("u", "\"11111111-2222-3333-4444-555555555555\""),
            ("js", r#""{\"a\": 1}""#),
            ("lat", "\"é\""),
            ("n", "null"),
        ],
    );
    check(&db, &[("tinyint1.as.bool", "true")], &[("b1", "true")]);
    check(
        &db,
        &[("db.timezone", "Asia/Seoul")],
        &[("dt", "\"2012-12-31T20:15:00.123456Z\""), ("zero", "null")],
    );
    check(
        &db,
        &[("numeric.mapping", "string")],
        &[("bu", "\"18446744073709551615\"")],
    );
}

#[test]
fn sqlite_types() {
    let db = Database::new(Dialect::Sqlite).unwrap();
    db.sql(
        "CREATE TABLE t (i integer PRIMARY KEY, r real, n numeric(10,2), dec decimal(8,3), tx text, vc varchar(9), bl blob, bo boolean, d date, ti time, dt datetime, none, null_ text)",
    );
    db.sql("INSERT INTO t VALUES (9223372036854775807, 1.5, 12.5, '7', '똠', 'v', x'0102', 1, '2013-01-31', '05:15', '2013-01-01 05:15:00.25', 'any', NULL)");
    check(
        &db,
        &[],
        &[
            ("i", "9223372036854775807"),
            ("r", "1.5"),
            ("n", "\"12.50\""),
            ("dec", "\"7.000\""),
            ("tx", "\"똠\""),
            ("bl", "\"AQI=\""),
            ("bo", "true"),
            ("d", "\"2013-01-31\""),
            ("ti", "18900000000"),
            ("dt", "1357017300250000"),
            ("none", "\"any\""),
            ("null_", "null"),
        ],
    );
    check(
        &db,
        &[("db.timezone", "UTC")],
        &[("dt", "\"2013-01-01T05:15:00.250000Z\"")],
    );
}
