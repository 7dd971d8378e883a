//! What a class does once for a whole connector: when it was made, and when it was deleted.
//!
//! That `created` has been answered is remembered in [`Store::Configs`], below `created/`, until the connector is deleted; a
//! crash between the answer and the note makes it be asked again, as its contract says.

use std::sync::mpsc;
use std::time::Duration;

use linkspan_log::{KvPut, LogBackend, Store};
use linkspan_plugin::{Class, Occasion};

use crate::conceal;
use crate::control::Keeper;
use crate::error::TaskError;
use crate::spec::{ConnectorSpec, Resolved};

/// Prefix of the keys.
const PREFIX: &str = "created/";
/// How long a deletion waits for the plugin; it goes on by itself after that.
const DELETED_MAX: Duration = Duration::from_secs(10);

/// The key of the note.
pub(crate) fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

/// Tells the class that the connector was made, unless it has been told.
pub(crate) fn created(
    log: &dyn LogBackend,
    keeper: &Keeper,
    spec: &ConnectorSpec,
    class: &Class,
) -> Result<(), TaskError> {
    let key = key(&spec.name);
    if log.get(Store::Configs, &key)?.is_some() {
        return Ok(());
    }
    let Resolved { config, concealed } = (spec.resolve)()
        .map_err(|message| TaskError::permanent("LS0211", "config_invalid", message))?;
    let told = class.tell(Occasion::Created, &spec.name, &config);
    told.map_err(|error| {
        let error = TaskError::from(error);
        TaskError {
            message: conceal(&error.message, &concealed),
            ..error
        }
    })?;
    keeper.put(vec![KvPut {
        store: Store::Configs,
        key: key.into(),
        value: Some(b"1".as_slice().into()),
    }])?;
    Ok(())
}

/// Tells the class that the connector was deleted. What it says is logged: the connector is gone in any case.
pub(crate) fn deleted(spec: &ConnectorSpec, class: Class) {
    let Ok(Resolved { config, concealed }) = (spec.resolve)() else {
        tracing::warn!(
            connector = spec.name,
            "its options cannot be completed any more, so that its class was not told of the deletion: what it left outside stays"
        );
        return;
    };
    let (sender, answer) = mpsc::channel();
    let name = spec.name.clone();
    let asked = std::thread::Builder::new()
        .name(format!("{name}/deleted"))
        .spawn(move || {
            let told = class.tell(Occasion::Deleted, &name, &config);
            if let Err(error) = &told {
                let message = conceal(&error.message, &concealed);
                tracing::warn!(
                    connector = name,
                    error = message,
                    "its class could not remove what it left outside"
                );
            }
            // Nobody listens any more to an answer that comes too late.
            sender.send(()).ok();
        });
    if asked.is_err() || answer.recv_timeout(DELETED_MAX).is_err() {
        tracing::warn!(
            connector = spec.name,
            "its class has not answered for {} s to its deletion",
            DELETED_MAX.as_secs()
        );
    }
}
