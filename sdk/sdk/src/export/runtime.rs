//! The one tokio runtime of this library.
//!
//! It drives timers and sockets and runs background work. Calls of tasks run on the host's threads by `block_on`, so that a stuck
//! one costs its own thread only.

use std::{future::Future, sync::OnceLock, thread};

use tokio::runtime::{Builder, Runtime};

use crate::{Error, Result};

/// Most worker threads: the work that counts is on the tasks' own threads.
const WORKERS_MAX: usize = 2;
/// Linux shows no more of a thread's name.
const NAME_BYTES_MAX: usize = 15;

static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
static NAME: OnceLock<String> = OnceLock::new();

/// Names the threads after the plugin; to be called before the first use.
pub(crate) fn set_name(plugin: &str) {
    let short = plugin.strip_prefix("linkspan-connector-").unwrap_or(plugin);
    NAME.get_or_init(|| short.chars().take(NAME_BYTES_MAX).collect());
}

/// Returns the runtime, started at its first use.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    let built = RUNTIME.get_or_init(|| {
        let workers = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(WORKERS_MAX);
        Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name(NAME.get().map_or("linkspan-plugin", String::as_str))
            .enable_all()
            .build()
            .map_err(|error| error.to_string())
    });
    built
        .as_ref()
        .map_err(|error| Error::unavailable(format!("start the plugin's runtime: {error}")))
}

/// Runs a future on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(future)
}
