//! Arbitrary texts never panic, and the two YAML readers agree.

use proptest::prelude::*;
use serde_yaml::Value;

use super::Case;
use crate::source::FileId;
use crate::yaml::{Kind, Node, parse};

/// Texts made of the pieces that matter to YAML and to this crate.
fn yamlish() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "connectors",
        "in",
        ":",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "<<: ",
        "\"",
        "'",
        "|\n",
        ">-\n",
        "${env:A}",
        "${",
        "$${",
        "}",
        "#",
        "---\n",
        "x-y",
        "path",
        "topic",
        "connector: file-source",
        "topics",
        "tasks.max",
        "가",
        "!!int ",
        "? ",
        "5",
        "7d",
        "~",
        "\u{feff}",
        "\r\n",
    ]);
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

fn same(node: &Node, value: &Value) -> bool {
    match (&node.kind, value) {
        (Kind::Null, Value::Null) => true,
        (Kind::Scalar(scalar), Value::String(text)) => scalar.text == *text,
        (Kind::Scalar(_), Value::Bool(_) | Value::Number(_) | Value::Tagged(_))
        | (_, Value::Tagged(_)) => true,
        (Kind::List(items), Value::Sequence(values)) => {
            items.len() == values.len()
                && items
                    .iter()
                    .zip(values)
                    .all(|(node, value)| same(node, value))
        }
        (Kind::Map(entries), Value::Mapping(values)) => {
            entries.len() == values.len()
                && entries
                    .iter()
                    .zip(values.values())
                    .all(|(entry, value)| same(&entry.value, value))
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics(text in yamlish()) {
        let case = Case::one(&text);
        let (plan, said) = case.load();
        prop_assert_eq!(plan.is_none(), said.has_errors());
        let rendered = said.render(true);
        prop_assert!(said.is_empty() || !rendered.is_empty());
    }

    #[test]
    fn arbitrary_characters_never_panic(text in "\\PC{0,60}", set in "\\PC{0,20}", param in "\\PC{0,10}") {
        let case = Case::one(&text).set(&set).param(&param, &text);
        prop_assert!(case.load().0.is_none());
    }
}

#[test]
fn the_tree_is_the_one_serde_yaml_reads() {
    for text in [
        "a: 1\nb: [x, 'y', \"z\\n\", ~]\nc: {d: e, f: {g: h}}\n",
        "a:\n- b\n- c: d\n  e: f\n-\n  - g\n",
        "a: |\n  x\n   y\n\nb: >-\n  p\n  q\n\n  r\nc: |+\n  z\n\n",
        "a: &x [1, 2]\nb: *x\nc: &y {d: *x}\ne: *y\n",
        "a: plain text # comment\nb: 'it''s'\nc: http://x/y#z\nd: a:b\n",
        "? a\n: b\n? 'c'\n: - d\n",
        "{a: b, c: [d, e,], \"f\": 'g'}\n",
        "a: x\n  y\n  z\nb: \"p\n  q\"\n",
        "가: 나\n'다 라': [마]\n",
        "a: ${env:X}\nb: 'x ${param:y}'\n",
        "--- \na: b\n...\n",
        "a:\r\n  b: c\r\n",
    ] {
        let (root, problems) = parse(FileId(0), text);
        let value: Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(problems, [], "{text}");
        assert!(same(root.as_ref().unwrap(), &value), "{root:?} {value:?}");
    }
}
