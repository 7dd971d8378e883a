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
