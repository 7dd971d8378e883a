//! The one exported symbol, and how a host opens it.
//!
//! A plugin exports a static [`LibHeader`] under the name that `abi_stable` uses ([`SYMBOL`]); [`export_root!`](crate::export_root)
//! writes it with paths of this crate, so that a plugin crate needs no line for `abi_stable`.
//!
//! # Why not `RootModule::load_from_file`
//! It keeps one module per *type*, so the second plugin of a process would silently be the first one again.
//! Its layout check also runs one way only and rejects an older plugin in a newer host. [`open`] checks both ways.

#![expect(
    unsafe_code,
    reason = "reads a foreign library's header and trusts it after the layout check"
)]

use abi_stable::{
    StableAbi,
    abi_stability::abi_checking::check_layout_compatibility,
    library::{
        AbiHeaderRef, CheckTypeLayout, LibHeader as RawHeader, LibraryError, RootModule,
        RootModuleResult,
    },
    sabi_types::VersionStrings,
    type_layout::TypeLayout,
};

use crate::tables::Plugin_Ref;

pub use abi_stable::library::{AbiHeaderRef as Header, LibHeader};

/// The exported symbol's name.
pub const SYMBOL: &str = "_1as_0lib_header_1root_0module_0loader";

impl RootModule for Plugin_Ref {
    abi_stable::declare_root_module_statics! {Plugin_Ref}
    const BASE_NAME: &'static str = "linkspan_plugin";
    const NAME: &'static str = "linkspan_plugin";
    const VERSION_STRINGS: VersionStrings = abi_stable::package_version_strings!();
}

/// Makes the plugin's table; implemented by [`export_root!`](crate::export_root).
pub trait MakePlugin {
    /// Called once, when the host opens the library.
    fn make() -> Plugin_Ref;
}

/// Returns the header that a plugin exports.
#[must_use]
pub const fn header<M: MakePlugin>() -> RawHeader {
    extern "C" fn construct<M: MakePlugin>() -> RootModuleResult {
        // Catches a panic of `make`.
        abi_stable::library::__call_root_module_loader(M::make as fn() -> Plugin_Ref)
    }
    // SAFETY: `construct` returns a `Plugin_Ref`, the type the header is made for.
    unsafe { RawHeader::from_constructor::<Plugin_Ref>(construct::<M>, CheckTypeLayout::Yes) }
}

/// Exports a plugin from a `cdylib`: the argument is a `fn() -> Plugin_Ref`.
///
/// Exactly one symbol leaves the library.
#[macro_export]
macro_rules! export_root {
    ($make:expr) => {
        const _: () = {
            #[cfg(panic = "abort")]
            ::core::compile_error!(
                "a linkspan plugin must be built with panic = \"unwind\": its panics are caught, not fatal"
            );
            struct Exported;
            impl $crate::root::MakePlugin for Exported {
                fn make() -> $crate::Plugin_Ref {
                    let make: fn() -> $crate::Plugin_Ref = $make;
                    make()
                }
            }
            #[unsafe(export_name = "_1as_0lib_header_1root_0module_0loader")]
            pub static LINKSPAN_PLUGIN: $crate::root::LibHeader =
                $crate::root::header::<Exported>();
        };
    };
}

/// Why a library that has our symbol is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The header is not one of a compatible `abi_stable`.
    #[error("its header is not one of this ABI's library")]
    Header {
        /// What `abi_stable` says.
        reason: String,
    },
    /// The library was built against another major version of the ABI, or is no linkspan plugin.
    #[error("its ABI version is `{found}`, this host's is `{expected}`")]
    Major {
        /// The host's ABI version.
        expected: String,
        /// The plugin's ABI version.
        found: String,
    },
    /// A table differs in what both sides know.
    #[error("its tables differ from the host's: {difference}")]
    Layout {
        /// The plugin's ABI version.
        found: String,
        /// The first differences, condensed.
        difference: String,
    },
    /// The plugin's constructor failed or panicked.
    #[error("its constructor failed: {reason}")]
    Constructor {
        /// What the constructor says.
        reason: String,
    },
}

/// Opens a plugin's table after checking that both sides agree about it.
///
/// # Safety
/// `header` must come from the symbol [`SYMBOL`] of a library that is never unloaded.
///
/// # Errors
/// Returns why the library is refused; its constructor has not run then, unless the error is [`OpenError::Constructor`].
pub unsafe fn open(header: AbiHeaderRef) -> Result<Plugin_Ref, OpenError> {
    let library = header.upgrade().map_err(|error| OpenError::Header {
        reason: error
            .to_string()
            .lines()
            .take(3)
            .collect::<Vec<_>>()
            .join(" "),
    })?;
    let found = library.version_strings();
    let expected = <Plugin_Ref as RootModule>::VERSION_STRINGS;
    let layout = library.layout().ok_or_else(|| OpenError::Layout {
        found: found.version.to_string(),
        difference: "the plugin was built without its layout".to_owned(),
    })?;
    let host = <Plugin_Ref as StableAbi>::LAYOUT;
    if major(found) != major(expected) || layout.name() != host.name() {
        return Err(OpenError::Major {
            expected: expected.version.to_string(),
            found: found.version.to_string(),
        });
    }
    check_both_ways(host, layout).map_err(|difference| OpenError::Layout {
        found: found.version.to_string(),
        difference,
    })?;
    // SAFETY: the layouts agree in one of the two directions: each side reads a prefix-type field only if the other side's
    // field count says that it is there.
    unsafe { library.init_root_module_with_unchecked_layout::<Plugin_Ref>() }.map_err(|error| {
        OpenError::Constructor {
            reason: constructor_reason(&error),
        }
    })
}

/// Checks two layouts in both directions: a table may have more fields on either side.
///
/// # Errors
/// Returns the condensed first differences when neither direction fits.
pub fn check_both_ways(
    host: &'static TypeLayout,
    plugin: &'static TypeLayout,
) -> Result<(), String> {
    let Err(forward) = check_layout_compatibility(host, plugin) else {
        return Ok(());
    };
    let Err(backward) = check_layout_compatibility(plugin, host) else {
        return Ok(());
    };
    // The direction that says less is the one closer to fitting.
    let (forward, backward) = (forward.to_string(), backward.to_string());
    let (text, expected, found) = if forward.len() <= backward.len() {
        (forward, "host", "plugin")
    } else {
        (backward, "plugin", "host")
    };
    Err(condense(&text, expected, found))
}

/// Keeps the first differences of `abi_stable`'s report, which is tens of kilobytes long, in one line.
fn condense(report: &str, expected_side: &str, found_side: &str) -> String {
    const DIFFERENCES_MAX: usize = 2;
    let mut parts: Vec<String> = Vec::new();
    let mut lines = report.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some(what) = line.strip_prefix("Error:") else {
            continue;
        };
        let mut part = what.trim().to_owned();
        for _ in 0..8 {
            match lines.peek() {
                Some(next) if next.starts_with("Error:") => break,
                Some(next) if next.starts_with("Expected:") => {
                    lines.next();
                    part.push_str(&format!(", {expected_side} has `{}`", short(lines.peek())));
                }
                Some(next) if next.starts_with("Found:") => {
                    lines.next();
                    part.push_str(&format!(", {found_side} has `{}`", short(lines.peek())));
                }
                Some(_) => {
                    lines.next();
                }
                None => break,
            }
        }
        if !parts.contains(&part) {
            parts.push(part);
        }
        if parts.len() == DIFFERENCES_MAX {
            break;
        }
    }
    if parts.is_empty() {
        return "the layouts differ".to_owned();
    }
    parts.join("; ")
}

fn short(line: Option<&&str>) -> String {
    line.map_or_else(String::new, |line| line.chars().take(80).collect())
}

fn constructor_reason(error: &LibraryError) -> String {
    let text = error.to_string();
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(300)
        .collect()
}

fn major(version: VersionStrings) -> String {
    version
        .version
        .as_str()
        .split('.')
        .next()
        .unwrap_or_default()
        .to_owned()
}
