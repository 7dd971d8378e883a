//! The layout of everything that crosses the boundary, against a committed text: a change here breaks plugins that exist.
//!
//! Appending a field to a table adds a line and is compatible; anything else is not. `LINKSPAN_BLESS=1` writes the file anew.

#![expect(clippy::unwrap_used, reason = "writing to a string cannot fail")]

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

/// Tables as they might be in other versions of this crate: the check takes what was appended, on either side, and nothing else.
#[expect(
    unsafe_code,
    non_camel_case_types,
    dead_code,
    reason = "the derive names the reference types, and reads fields that may be missing"
)]
mod versions {
    macro_rules! version {
        ($version:ident { $($field:ident: $type:ty),* $(,)? } then { $($later:ident: $later_type:ty),* $(,)? }) => {
            pub(crate) mod $version {
                use abi_stable::StableAbi;

                #[repr(C)]
                #[derive(StableAbi)]
                #[sabi(kind(Prefix(prefix_ref = Table_Ref, prefix_fields = Table_Prefix)))]
                pub(crate) struct Table {
                    $(pub(crate) $field: $type,)*
                    #[sabi(last_prefix_field)]
                    pub(crate) last: extern "C" fn(u32) -> u32,
                    $(pub(crate) $later: $later_type,)*
                }
            }
        };
    }
    version!(one { first: extern "C" fn(u64) } then {});
    version!(grown { first: extern "C" fn(u64) } then { later: extern "C" fn(u8) });
    version!(changed { first: extern "C" fn(u32) } then {});
    version!(inserted { first: extern "C" fn(u64), second: extern "C" fn(u64) } then {});
    version!(renamed { start: extern "C" fn(u64) } then {});
}

#[test]
fn an_appended_field_is_compatible_both_ways_and_nothing_else_is() {
    use linkspan_abi::root::check_both_ways;
    let layout_of = |version: &str| match version {
        "one" => <versions::one::Table_Ref as StableAbi>::LAYOUT,
        "grown" => <versions::grown::Table_Ref as StableAbi>::LAYOUT,
        "changed" => <versions::changed::Table_Ref as StableAbi>::LAYOUT,
        "inserted" => <versions::inserted::Table_Ref as StableAbi>::LAYOUT,
        _ => <versions::renamed::Table_Ref as StableAbi>::LAYOUT,
    };
    let check = |host, plugin| check_both_ways(layout_of(host), layout_of(plugin));
    assert_eq!(check("one", "one"), Ok(()));
    assert_eq!(
        check("one", "grown"),
        Ok(()),
        "a newer plugin in an older host"
    );
    assert_eq!(
        check("grown", "one"),
        Ok(()),
        "an older plugin in a newer host"
    );
    for other in ["changed", "inserted", "renamed"] {
        for (host, plugin) in [("one", other), (other, "one")] {
            let difference = check(host, plugin).unwrap_err();
            assert!(
                difference.len() < 600 && !difference.contains('\n'),
                "{difference}"
            );
            assert!(
                difference.contains("has `"),
                "names both sides: {difference}"
            );
        }
    }
}
