//! The layout of everything that crosses the boundary, against a committed text: a change here breaks plugins that exist.
//!
//! Appending a field to a table adds a line and is compatible; anything else is not. `LINKSPAN_BLESS=1` writes the file anew.

use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use abi_stable::{StableAbi, abi_stability::PrefixStableAbi, type_layout::TypeLayout};
use linkspan_abi::{
    AbiError, BatchBuf, BatchRef, TaskHandle,
    tables::{HostApi_Prefix, Plugin_Prefix, TaskVt_Prefix},
};

fn describe(layout: &'static TypeLayout, seen: &mut BTreeSet<String>, out: &mut String) {
    let name = layout.full_type().to_string();
    if !seen.insert(name.clone()) {
        return;
    }
    writeln!(
        out,
        "{name}: size {}, align {}",
        layout.size(),
        layout.alignment()
    )
    .unwrap();
    let mut inner = Vec::new();
    if let Some(fields) = layout.get_fields() {
        for field in fields {
            write!(out, "  {}: {}", field.name(), field.full_type()).unwrap();
            for function in field.function_range() {
                write!(out, " {}", function.to_string().replace('\n', " ")).unwrap();
            }
            out.push('\n');
            inner.push(field.layout());
        }
    }
    // What is inside of our own types is ours; abi_stable's own types are checked by its own header.
    for layout in inner {
        if layout.package() == "linkspan-abi" {
            describe(layout, seen, out);
        }
    }
}

#[test]
fn the_layout_of_version_1_is_frozen() {
    let mut seen = BTreeSet::new();
    let mut found = String::new();
    for layout in [
        <Plugin_Prefix as PrefixStableAbi>::LAYOUT,
        <TaskVt_Prefix as PrefixStableAbi>::LAYOUT,
        <HostApi_Prefix as PrefixStableAbi>::LAYOUT,
        <TaskHandle as StableAbi>::LAYOUT,
        <BatchBuf as StableAbi>::LAYOUT,
        <BatchRef<'static> as StableAbi>::LAYOUT,
        <AbiError as StableAbi>::LAYOUT,
    ] {
        describe(layout, &mut seen, &mut found);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layout-v1.txt");
    if std::env::var_os("LINKSPAN_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, frozen, "the ABI's layout changed");
}
