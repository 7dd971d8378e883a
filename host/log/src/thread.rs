//! The log's own threads: each has a name, and a panic in one stops the log instead of leaving its callers without an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::core::Core;
use crate::error::{Error, Result};

/// Starts a thread of the log.
///
/// # Errors
/// The system has no thread left.
pub(crate) fn spawn(
    core: &Arc<Core>,
    name: &'static str,
    work: impl FnOnce(&Arc<Core>) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let core_of_thread = Arc::clone(core);
    std::thread::Builder::new()
        .name(name.into())
        .spawn(move || guard(&core_of_thread, name, || work(&core_of_thread)))
        .map_err(|e| Error::io("start a thread for", &core.options.dir, e))
}

/// Runs something and poisons the log if it panics: what it left half done is unknown.
pub(crate) fn guard(core: &Core, name: &str, work: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(work)) else {
        return;
    };
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a text");
    core.poison(&Error::Poisoned {
        why: format!("thread `{name}` panicked, please report it: {text}"),
    });
}
