use proptest::prelude::*;

use super::*;

fn any_tagged() -> impl Strategy<Value = Tagged> {
    let leaf = prop_oneof![
        Just(Tagged::Null),
        any::<bool>().prop_map(Tagged::Boolean),
        any::<i8>().prop_map(Tagged::Int8),
        any::<i16>().prop_map(Tagged::Int16),
        any::<i32>().prop_map(Tagged::Int32),
        any::<i64>().prop_map(Tagged::Int64),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |v| !v.is_nan())
            .prop_map(Tagged::Float64),
        "\\PC{0,12}".prop_map(Tagged::String),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Tagged::Bytes),
        (proptest::collection::vec(any::<u8>(), 1..20), -5..20_i32)
            .prop_map(|(unscaled, scale)| Tagged::Decimal { unscaled, scale }),
        any::<i32>().prop_map(Tagged::Date),
        (0..86_400_000).prop_map(Tagged::Time),
        any::<i64>().prop_map(Tagged::TimestampNanos),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Tagged::Array),
            proptest::collection::vec((inner.clone(), inner), 0..5).prop_map(Tagged::Map),
        ]
    })
}

proptest! {
    #[test]
    fn values_survive_the_round_trip(value in any_tagged()) {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).unwrap();
        validate(&bytes).unwrap();
        prop_assert_eq!(decode(&bytes).unwrap(), value);
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let checked = validate(&bytes);
        prop_assert_eq!(checked.is_ok(), decode(&bytes).is_ok());
    }
}

#[test]
fn too_deep_is_refused_both_ways() {
    let mut deep = Tagged::Null;
    for _ in 0..40 {
        deep = Tagged::Array(vec![deep]);
    }
    let error = encode(&deep, &mut Vec::new()).unwrap_err();
    assert_eq!(error.problem, RowProblem::Depth);
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        bytes.extend_from_slice(&[11, 1, 0, 0, 0]);
    }
    assert_eq!(validate(&bytes).unwrap_err().problem, RowProblem::Depth);
}

#[test]
fn json_has_the_forms_of_typed_rows() {
    let check = |value: Tagged, expected: &str| {
        let (mut bytes, mut json) = (Vec::new(), Vec::new());
        encode(&value, &mut bytes).unwrap();
        to_json(&bytes, &mut json).unwrap();
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    };
    check(Tagged::Int64(i64::MIN), "-9223372036854775808");
    check(Tagged::Float64(f64::NAN), "\"NaN\"");
    check(Tagged::Date(15_706), "\"2013-01-01\"");
    check(
        Tagged::Decimal {
            unscaled: vec![0xfb],
            scale: 2,
        },
        "\"-0.05\"",
    );
    check(
        Tagged::Array(vec![Tagged::Null, Tagged::Boolean(true)]),
        "[null,true]",
    );
    check(Tagged::Array(Vec::new()), "[]");
    check(
        Tagged::Map(vec![(Tagged::String("a".to_owned()), Tagged::Int8(1))]),
        "{\"a\":1}",
    );
    check(
        Tagged::Map(vec![
            (Tagged::Int8(1), Tagged::Int8(2)),
            (Tagged::Null, Tagged::Null),
        ]),
        "[[1,2],[null,null]]",
    );
}
