//! Messages as people see them.

use super::text::{
    CopyContext, copy_context, key_columns, mysql_column, mysql_row, sqlite_column, without_values,
};
use super::*;

fn error(dialect: Dialect, class: Class, code: &str, message: &str) -> SqlError {
    SqlError {
        code: code.to_owned(),
        ..SqlError::plain(dialect, class, message)
    }
}

#[test]
fn a_message_names_server_user_table_column_code_and_remedy() {
    let table = TableName::new(Some("s"), "t");
    let at = At::server("postgres://h:5432/d", Some("u")).table(&table);
    let mut said = error(
        Dialect::Postgres,
        Class::TooLong,
        "22001",
        "value too long for type character varying(5)",
    );
    said.column = Some("c".to_owned());
    assert_eq!(
        said.render(&at),
        "postgres://h:5432/d as u: table `s.t`, column `c`: value too long for type character varying(5) (SQLSTATE 22001); \
         ALTER TABLE \"s\".\"t\" ALTER COLUMN \"c\" TYPE text"
    );
}

#[test]
fn values_are_left_out_unless_asked_for() {
    let check = |message: &str, expected: &str| assert_eq!(without_values(message), expected);
    check(
        "invalid input syntax for type numeric: \"ab\"c\"",
        "invalid input syntax for type numeric: [hidden]",
    );
    check(
        "value \"99999\" is out of range for type smallint",
        "value [hidden] is out of range for type smallint",
    );
    check(
        "Incorrect integer value: 'a'b' for column `d`.`t`.`c` at row 1",
        "Incorrect integer value: [hidden] for column `d`.`t`.`c` at row 1",
    );
    check(
        "Duplicate entry '5' for key 'PRIMARY'",
        "Duplicate entry [hidden] for key 'PRIMARY'",
    );
    check(
        "null value in column \"a\" of relation \"t\" violates not-null constraint",
        "null value in column \"a\" of relation \"t\" violates not-null constraint",
    );
    let at = At::server("postgres://h:5432/d", None);
    let mut unique = error(
        Dialect::Postgres,
        Class::Unique,
        "23505",
        "duplicate key value violates unique constraint \"t_pkey\"",
    );
    unique.detail = Some("Key (id)=(geheim) already exists.".to_owned());
    let shown = unique.render(&at);
    assert!(
        shown.contains("key (id)") && !shown.contains("geheim"),
        "{shown}"
    );
    let asked = unique.render(&At {
        show_values: true,
        ..at
    });
    assert!(asked.contains("(id)=(geheim)"), "{asked}");
}

#[test]
fn places_are_read_out_of_messages() {
    let copy = |line, column: Option<&str>| {
        Some(CopyContext {
            line,
            column: column.map(str::to_owned),
        })
    };
    assert_eq!(
        copy_context("COPY stg, line 2, column amount: \"abc\""),
        copy(2, Some("amount"))
    );
    assert_eq!(
        copy_context("COPY t, line 12: \"a, line 99\""),
        copy(12, None)
    );
    assert_eq!(
        copy_context("SQL statement \"x\"\nCOPY t, line 7"),
        copy(7, None)
    );
    assert_eq!(
        copy_context("PL/pgSQL function f() line 3 at RAISE\nCOPY t, line 3: \"1\""),
        copy(3, None)
    );
    assert_eq!(copy_context("nothing"), None);
    assert_eq!(mysql_row("Data too long for column 'x' at row 3"), Some(3));
    assert_eq!(
        mysql_column("Data too long for column 'x' at row 3").as_deref(),
        Some("x")
    );
    assert_eq!(
        mysql_column("Incorrect string value: '\\xED' for column `d`.`t`.`c` at row 1").as_deref(),
        Some("c")
    );
    assert_eq!(
        mysql_column("Column 'a' cannot be null").as_deref(),
        Some("a")
    );
    assert_eq!(
        mysql_column("Unknown column 'z' in 'field list'").as_deref(),
        Some("z")
    );
    assert_eq!(
        sqlite_column("NOT NULL constraint failed: t.c").as_deref(),
        Some("c")
    );
    assert_eq!(
        sqlite_column("table t has no column named x").as_deref(),
        Some("x")
    );
    assert_eq!(
        key_columns("Key (a, b)=(1, 2) already exists.").as_deref(),
        Some("a, b")
    );
}

#[test]
fn codes_decide_what_the_host_does() {
    let check = |class: Class, temporary: bool, of_record: bool| {
        assert_eq!(
            (class.is_temporary(), class.is_of_record()),
            (temporary, of_record),
            "{class:?}"
        );
    };
    for code in ["40P01", "40001", "53300", "57P01", "08006", "57P03"] {
        check(class::of_postgres(code), true, false);
    }
    for number in [1213, 1205, 1040, 1053] {
        check(class::of_mysql(number), true, false);
    }
    check(class::of_sqlite(5, "database is locked"), true, false);
    for code in ["22001", "22P02", "23505", "23502", "23503", "23514"] {
        check(class::of_postgres(code), false, true);
    }
    for number in [1406, 1062, 1048, 1452, 1366] {
        check(class::of_mysql(number), false, true);
    }
    check(class::of_postgres("42P01"), false, false);
    assert_eq!(class::of_sqlite(1, "no such table: x"), Class::MissingTable);
    assert_eq!(class::of_sqlite(2067, ""), Class::Unique);
}
