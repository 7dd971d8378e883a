//! The wall against panics: catches them, and says where they came from.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind},
    sync::Once,
};

use crate::{
    Error, ErrorKind, Result,
    export::{host::host, log},
};

thread_local! {
    /// How many guards this thread is inside of.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// What the hook saw of the panic that is unwinding.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs author's code; a panic becomes an error of kind `panicked` with message, file and line.
pub(crate) fn guard<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    install_hook();
    DEPTH.set(DEPTH.get() + 1);
    // The task is poisoned after a panic, so that nobody sees what it left half done.
    let outcome = catch_unwind(AssertUnwindSafe(run));
    DEPTH.set(DEPTH.get().saturating_sub(1));
    outcome.unwrap_or_else(|payload| Err(panicked(payload)))
}

fn panicked(payload: Box<dyn Any + Send>) -> Error {
    let message = CAUGHT.take().unwrap_or_else(|| text(&*payload).to_owned());
    // The payload's own destructor may panic.
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Whoever panics twice is not given a third chance: this one leaks.
        let _leaked = std::mem::ManuallyDrop::new(second);
        CAUGHT.take();
    }
    Error::new(
        ErrorKind::Panicked,
        format!("the plugin panicked: {message}"),
    )
}

fn text(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<&str>() {
        Some(text) => text,
        None => payload
            .downcast_ref::<String>()
            .map_or("(no message)", String::as_str),
    }
}

/// Sets this library's panic hook, once: the standard library is linked into each plugin, and its hook with it.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if DEPTH.get() > 0 {
                // Of several panics in a row the first is the cause.
                CAUGHT.with_borrow_mut(|caught| {
                    caught.get_or_insert_with(|| describe(info));
                });
                return;
            }
            if let Ok(host) = host() {
                let message = format!("background work of the plugin panicked: {}", describe(info));
                host.log(log::instance(), log::ERROR, "linkspan_sdk", &message);
            }
            before(info);
        }));
    });
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let message = match info.payload().downcast_ref::<&str>() {
        Some(text) => text,
        None => info
            .payload()
            .downcast_ref::<String>()
            .map_or("(no message)", String::as_str),
    };
    match info.location() {
        Some(place) => format!("{message} at {}:{}", place.file(), place.line()),
        None => message.to_owned(),
    }
}
