//! The bridge from `tracing` to the host's log.
//!
//! A plugin library has its own copy of `tracing`, so its own subscriber, which this is. What the host would not take is dropped
//! before it is formatted. An event belongs to the task whose call or span it happens in; the number of the task is the span's id,
//! so that spans cost nothing.

use std::{
    cell::RefCell,
    fmt::{self, Write as _},
    sync::Once,
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::Interest,
};

use super::host::host;

/// The host's number of the level `error`.
pub(crate) const ERROR: u32 = 1;

thread_local! {
    /// The tasks this thread works for, innermost last.
    static INSTANCES: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Returns the task that this thread works for; 0 is the plugin itself.
pub(crate) fn instance() -> u64 {
    INSTANCES.with_borrow(|instances| instances.last().copied().unwrap_or(0))
}

/// Says, until it is dropped, that this thread works for a task.
pub(crate) struct Entered;

impl Entered {
    pub(crate) fn new(instance: u64) -> Self {
        INSTANCES.with_borrow_mut(|instances| instances.push(instance));
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        INSTANCES.with_borrow_mut(|instances| {
            instances.pop();
        });
    }
}

/// Makes this library's events go to the host. A subscriber that a test has set stays.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Somebody else's subscriber is as good.
        let _set = tracing::subscriber::set_global_default(Bridge);
    });
}

struct Bridge;

const fn number(level: &Level) -> u32 {
    match *level {
        Level::ERROR => ERROR,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Bridge {
    fn register_callsite(&self, _metadata: &'static Metadata<'static>) -> Interest {
        // The host may change its level while we run.
        Interest::sometimes()
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        host().is_ok_and(|host| number(metadata.level()) <= host.log_level())
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(instance().saturating_add(1))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Ok(host) = host() else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        host.log(
            instance(),
            number(metadata.level()),
            metadata.target(),
            &text.finish(),
        );
    }

    fn enter(&self, span: &Id) {
        let instance = span.into_u64() - 1;
        INSTANCES.with_borrow_mut(|instances| instances.push(instance));
    }

    fn exit(&self, _span: &Id) {
        INSTANCES.with_borrow_mut(|instances| {
            instances.pop();
        });
    }
}

/// An event as text: its message, then its fields as `key=value`.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        self.message.trim_start().to_owned()
    }

    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a string cannot fail; a broken `Debug` loses its own text only.
        let _written = if field.name() == "message" {
            self.message.write_fmt(value)
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }
}

impl Visit for Text {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message"
            || !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=')
        {
            self.field(field, format_args!("{value}"));
        } else {
            self.field(field, format_args!("{value:?}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, format_args!("{value:?}"));
    }
}
