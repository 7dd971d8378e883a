use proptest::prelude::*;

use super::*;
use crate::arbitrary::any_schema;

proptest! {
    #[test]
    fn json_survives_the_round_trip(schema in any_schema()) {
        let json = schema.to_json();
        let back = Schema::from_json(&json).unwrap();
        prop_assert_eq!(&back, &schema);
        prop_assert_eq!(back.id(), schema.id());
    }
}

#[test]
fn the_canonical_form_is_connects() {
    let schema = SchemaBuilder::structure()
        .name("flights")
        .version(2)
        .doc("One row a flight.")
        .field("year", SchemaBuilder::int32().default_value(2013))
        .field("price", SchemaBuilder::decimal(2).optional())
        .field("tags", SchemaBuilder::array(SchemaBuilder::string()))
        .build();
    let json = schema.to_json();
    assert_eq!(
        json,
        concat!(
            r#"{"type":"struct","fields":[{"type":"int32","optional":false,"default":2013,"field":"year"},"#,
            r#"{"type":"bytes","optional":true,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"},"field":"price"},"#,
            r#"{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"tags"}],"#,
            r#""optional":false,"name":"flights","version":2,"doc":"One row a flight."}"#
        )
    );
    assert_eq!(Schema::from_json(&json).unwrap(), schema);
    // The id is stored beside records: it never changes.
    assert_eq!(SchemaBuilder::string().build().id(), "19c264e9eede881e");
}

#[test]
fn what_is_no_schema_is_refused_by_place() {
    let check = |json: &str, expected: &str| {
        assert_eq!(Schema::from_json(json).unwrap_err().to_string(), expected);
    };
    check("{}", "schema of `(top)`: `type` is missing");
    check(
        r#"{"type":"uuid"}"#,
        "schema of `(top)`: unknown type `uuid`",
    );
    check(
        r#"{"type":"struct","fields":[{"type":"int32","field":"a"},{"type":"int32","field":"a"}]}"#,
        "schema of `(top)`: field `a` stands twice",
    );
    check(
        r#"{"type":"struct","fields":[{"type":"int8","default":300,"field":"a"}]}"#,
        "schema of `a`: `default` does not fit the type",
    );
    check(
        r#"{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"1000000000"}}"#,
        "schema of `(top)`: a decimal needs the parameter `scale`, a number from -2000 to 2000",
    );
    let deep = format!(
        "{}{}{}",
        "{\"type\":\"array\",\"items\":".repeat(40),
        r#"{"type":"int8"}"#,
        "}".repeat(40)
    );
    assert!(
        Schema::from_json(&deep)
            .unwrap_err()
            .to_string()
            .ends_with("nested deeper than 32")
    );
}
