//! The host, as this library knows it.

use std::sync::OnceLock;

use linkspan_abi::{HostApi_Ref, R, RErr, RNone, ROk, RSlice, RSome, RStr};

use crate::{Error, Result};

static HOST: OnceLock<Host> = OnceLock::new();

/// The host's table, with the number by which it knows this plugin.
pub(crate) struct Host {
    api: HostApi_Ref,
    plugin: u64,
}

/// Returns the host.
///
/// # Errors
/// No host has loaded this library; in a test, make a `TestHost` first.
pub(crate) fn host() -> Result<&'static Host> {
    HOST.get().ok_or_else(|| {
        Error::internal(
            "this code runs without a host; a test makes one with linkspan_testkit::TestHost",
        )
    })
}

/// Takes the host's table; a second one is ignored, since a library is loaded once.
pub(crate) fn set_host(api: HostApi_Ref, plugin: u64) {
    HOST.get_or_init(|| Host { api, plugin });
}

fn result<T>(answer: R<T>) -> Result<T> {
    match answer {
        ROk(value) => Ok(value),
        RErr(error) => Err(Error::from_abi(&error)),
    }
}

impl Host {
    pub(crate) fn log(&self, instance: u64, level: u32, target: &str, message: &str) {
        self.api.log()(
            self.plugin,
            instance,
            level,
            RStr::from(target),
            RStr::from(message),
        );
    }

    pub(crate) fn log_level(&self) -> u32 {
        self.api.log_level()(self.plugin)
    }

    pub(crate) fn metric(&self, instance: u64, name: &str, value: f64, labels: &str) {
        self.api.metric()(
            self.plugin,
            instance,
            RStr::from(name),
            value,
            RStr::from(labels),
        );
    }

    pub(crate) fn register_schema(&self, json: &str) -> Result<u32> {
        result(self.api.register_schema()(RStr::from(json)))
    }

    pub(crate) fn get_schema(&self, handle: u32) -> Result<String> {
        result(self.api.get_schema()(handle)).map(|json| json.as_str().to_owned())
    }

    pub(crate) fn read_offset(&self, instance: u64, partition: &str) -> Result<Option<String>> {
        match result(self.api.read_offset()(instance, RStr::from(partition)))? {
            RSome(offset) => Ok(Some(offset.as_str().to_owned())),
            RNone => Ok(None),
        }
    }

    pub(crate) fn request(&self, instance: u64, op: &str, body: &[u8]) -> Result<Vec<u8>> {
        result(self.api.request()(
            instance,
            RStr::from(op),
            RSlice::from(body),
        ))
        .map(|bytes| bytes.as_slice().to_vec())
    }
}
