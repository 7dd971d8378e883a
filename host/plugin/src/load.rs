//! Opens a plugin's library, for ever.

#![expect(unsafe_code, reason = "maps a foreign library and reads its symbol")]

use std::{mem::ManuallyDrop, path::Path};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use linkspan_abi::{
    Plugin_Ref,
    root::{self, Header, OpenError},
};

use crate::finding::{LAYOUT, MAJOR, NOT_A_PLUGIN, PANICKED, Refusal, UNREADABLE};

/// Opens a library, checks both sides' layout and returns the plugin's table.
///
/// The library is never unloaded: its threads and statics live as long as the process. `RTLD_NOW` makes a missing symbol an error
/// here instead of a crash at its first call.
pub(crate) fn load(path: &Path) -> Result<Plugin_Ref, Refusal> {
    let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE;
    // SAFETY: running a library's constructors is what loading a plugin means; files reach this point only after they were loaded in
    // a child process, and a person trusts what lies in a plugin directory.
    let library = unsafe { Library::open(Some(path), flags) }
        .map_err(|error| Refusal::new(UNREADABLE, loader_reason(&error)))?;
    // Dropping it would not unload either (`RTLD_NODELETE`), but says that nobody should try.
    let library = ManuallyDrop::new(library);
    // SAFETY: the symbol is a static whose first bytes are an `AbiHeader`; a symbol of this name is abi_stable's, and its magic bytes
    // are compared before anything else of it is read. `Header` is a transparent pointer to it.
    let header = unsafe { library.get::<Header>(root::SYMBOL) }
        .map_err(|_| Refusal::new(NOT_A_PLUGIN, "it does not export the plugin symbol"))?;
    // SAFETY: the header comes from that symbol, and the library stays.
    unsafe { root::open(*header) }.map_err(refusal)
}

fn refusal(error: OpenError) -> Refusal {
    let reason = error.to_string();
    match error {
        OpenError::Header { reason: differs } => Refusal::new(MAJOR, reason).differing(differs),
        OpenError::Major { found, .. } => {
            Refusal::new(MAJOR, reason).built_with(format!("ABI {found}"))
        }
        OpenError::Layout { found, difference } => {
            Refusal::new(LAYOUT, "its tables differ from the host's")
                .built_with(format!("ABI {found}"))
                .differing(difference)
        }
        OpenError::Constructor { .. } => Refusal::new(PANICKED, reason),
        _ => Refusal::new(LAYOUT, reason),
    }
}

fn loader_reason(error: &libloading::Error) -> String {
    let mut reason = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect()
}
