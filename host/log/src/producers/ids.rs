//! Producer ids: never handed out twice, also after a crash.
//!
//! `Store::Meta`, key `producer-id`: the first id that is not reserved yet, i64 as text. Ids are reserved in blocks, so
//! that a client that starts costs no disk sync; a restart leaves the rest of a block unused.

use std::sync::{Mutex, PoisonError};

use crate::backend::{KvPut, Store};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::journal::queue::FenceRule;
use crate::submit::put_and_wait;

/// The key of the first id that is not reserved.
pub(crate) const KEY: &str = "producer-id";
/// How many ids one put reserves.
const BLOCK: i64 = 1000;

/// Reserved ids that are left.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    left: Mutex<std::ops::Range<i64>>,
}

impl ProducerIds {
    /// Returns an id that nobody has.
    ///
    /// # Errors
    /// A new block could not be reserved durably, or no id is left.
    pub(crate) fn take(&self, core: &Core) -> Result<i64> {
        core.check_alive()?;
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            let stored = core.get(Store::Meta, KEY.as_bytes());
            let first = match &stored {
                None => 0,
                Some(text) => String::from_utf8_lossy(text)
                    .parse::<i64>()
                    .map_err(|e| invalid(format!("the stored producer id is not a number: {e}")))?,
            };
            let end = first
                .checked_add(BLOCK)
                .ok_or_else(|| invalid("there is no producer id left".to_owned()))?;
            let put = KvPut {
                store: Store::Meta,
                key: KEY.into(),
                value: Some(end.to_string().into()),
            };
            put_and_wait(core, vec![put], FenceRule::None)?;
            *left = first..end;
        }
        left.next()
            .ok_or_else(|| invalid("there is no producer id left".to_owned()))
    }
}

fn invalid(why: String) -> Error {
    Error::InvalidCommit { why }
}
