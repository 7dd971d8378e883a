use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::{
    arbitrary::{any_schema, any_typed},
    error::RowProblem,
    schema::{Schema, SchemaBuilder},
    value::Value,
};

fn people() -> Schema {
    SchemaBuilder::structure()
        .field("id", SchemaBuilder::int64())
        .field("name", SchemaBuilder::string().optional())
        .field("age", SchemaBuilder::int32().optional())
        .field(
            "home",
            SchemaBuilder::structure().field("city", SchemaBuilder::string()),
        )
        .build()
}

proptest! {
    #[test]
    fn a_value_survives_the_round_trip((schema, value) in any_typed()) {
        let mut row = Vec::new();
        write_value(&schema, &value, &mut row).unwrap();
        validate_row(&schema, &row).unwrap();
        let back = read_value(&schema, &row).unwrap();
        let mut again = Vec::new();
        write_value(&schema, &back, &mut again).unwrap();
        prop_assert_eq!(row, again);
    }

    #[test]
    fn foreign_bytes_never_panic(
        schema in any_schema(),
        bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..80),
    ) {
        let schema = Arc::new(schema);
        // What the checker accepts, every reader reads.
        let valid = validate_row(&schema, &bytes).is_ok();
        let read = read_value(&schema, &bytes).is_ok();
        let json = crate::json::row_to_json(&schema, &bytes, &mut Vec::new()).is_ok();
        prop_assert!(!valid || (read && json));
    }

    #[test]
    fn a_changed_byte_never_panics(
        (schema, value) in any_typed(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut row = Vec::new();
        write_value(&schema, &value, &mut row).unwrap();
        prop_assume!(!row.is_empty());
        let at = at.index(row.len());
        row[at] = byte;
        if validate_row(&schema, &row).is_ok() {
            read_value(&schema, &row).unwrap();
        }
        row.truncate(at);
        prop_assert!(validate_row(&schema, &row).is_err() || row.is_empty());
    }
}

#[test]
fn fields_in_any_order_give_the_same_row() {
    let schema = people();
    let mut ordered = Vec::new();
    let mut row = RowWriter::struct_row(&schema, &mut ordered).unwrap();
    row.int64(0, 7).unwrap().string(1, "Ada").unwrap();
    row.nested(3, |home| home.string(0, "London").map(|_| ()))
        .unwrap();
    row.finish().unwrap();

    let mut shuffled = Vec::new();
    let mut row = RowWriter::struct_row(&schema, &mut shuffled).unwrap();
    row.nested(3, |home| home.string(0, "London").map(|_| ()))
        .unwrap();
    row.string(1, "Ada")
        .unwrap()
        .null(2)
        .unwrap()
        .int(0, 7)
        .unwrap();
    row.finish().unwrap();
    assert_eq!(ordered, shuffled);

    let row = RowRef::new(&schema, &ordered).unwrap().unwrap();
    assert!(matches!(row.get("id").unwrap(), ValueRef::Int64(7)));
    assert!(matches!(row.get("name").unwrap(), ValueRef::String("Ada")));
    assert!(row.get("age").unwrap().is_null());
    let ValueRef::Struct(home) = row.at(3).unwrap() else {
        panic!("a struct");
    };
    assert!(matches!(home.at(0).unwrap(), ValueRef::String("London")));
    assert_eq!(row.iter().count(), 4);
}

#[test]
fn a_writer_says_what_is_wrong() {
    let schema = people();
    let check =
        |expected: &str, write: &dyn Fn(&mut RowWriter<'_, '_>) -> Result<(), crate::RowError>| {
            let mut out = Vec::new();
            let mut row = RowWriter::struct_row(&schema, &mut out).unwrap();
            let error = write(&mut row).and_then(|()| row.finish()).unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
    check("field `name`: expected string, got int64", &|row| {
        row.int64(0, 1)?.int64(1, 1).map(|_| ())
    });
    check(
        "field `id`: null or missing, and the schema is not optional",
        &|row| row.string(1, "x").map(|_| ()),
    );
    check("field `id`: the field is set twice", &|row| {
        row.int64(0, 1)?.int64(0, 2).map(|_| ())
    });
    check("field `age`: the value is out of range for int32", &|row| {
        row.int64(0, 1)?.int(2, 1 << 40).map(|_| ())
    });
    check(
        "field `home.city`: null or missing, and the schema is not optional",
        &|row| {
            row.int64(0, 1)?;
            row.nested(3, |_| Ok::<(), crate::RowError>(())).map(|_| ())
        },
    );
    check("field `(top)`: the schema has no such field", &|row| {
        row.int64(9, 1).map(|_| ())
    });
}

#[test]
fn an_optional_struct_may_be_null_at_the_top() {
    let schema = Arc::new(
        SchemaBuilder::structure()
            .field("a", SchemaBuilder::int8())
            .optional()
            .build(),
    );
    let mut row = Vec::new();
    write_value(&schema, &Value::Null, &mut row).unwrap();
    assert_eq!(row, [0]);
    assert!(is_null(&schema, &row));
    assert!(RowRef::new(&schema, &row).unwrap().is_none());
}

#[test]
fn counts_beyond_the_input_are_refused_before_they_allocate() {
    let schema = SchemaBuilder::array(SchemaBuilder::structure()).build();
    let error = validate_row(&schema, &[0xff, 0xff, 0xff, 0xff, 0]).unwrap_err();
    assert_eq!(error.problem, RowProblem::Truncated);
}
