//! SIGTERM and SIGINT: the first drains, the second ends the process at once. SIGHUP ends nothing: a host reads its files again.
//!
//! All three are heard from the first moment on, whatever the configuration says, as the system's own answer to SIGHUP, which
//! also a closed terminal sends, is the end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Exit;
use crate::terminal;

const SIGINT: u8 = 2;
const SIGTERM: u8 = 15;

/// What signals have come so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    stop: Arc<AtomicBool>,
    which: Arc<AtomicU8>,
    hangup: Arc<AtomicBool>,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen(runtime: &tokio::runtime::Runtime) -> std::io::Result<Self> {
        let signals = Self::default();
        let _entered = runtime.enter();
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let heard = signals.clone();
        runtime.spawn(async move {
            while hangup.recv().await.is_some() {
                heard.hangup.store(true, Ordering::SeqCst);
            }
        });
        let heard = signals.clone();
        runtime.spawn(async move {
            loop {
                let which = tokio::select! {
                    _ = term.recv() => SIGTERM,
                    _ = int.recv() => SIGINT,
                };
                if heard.stop.swap(true, Ordering::SeqCst) {
                    terminal::note("second signal: ended at once; what was acknowledged is safe");
                    std::process::exit(i32::from(128 + which));
                }
                heard.which.store(which, Ordering::SeqCst);
                terminal::note(
                    "stopping: sources first, then sinks (a second signal ends at once)",
                );
            }
        });
        Ok(signals)
    }

    /// The flag that a job looks at.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.stop
    }

    /// Whether a signal came.
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether SIGHUP came since the last time that this was asked.
    pub(crate) fn take_hangup(&self) -> bool {
        self.hangup.swap(false, Ordering::SeqCst)
    }

    /// The exit code after the signal that came.
    pub(crate) fn exit(&self) -> Exit {
        if self.which.load(Ordering::SeqCst) == SIGINT {
            Exit::Interrupted
        } else {
            Exit::Terminated
        }
    }
}
