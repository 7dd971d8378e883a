//! What the host does for plugins.

use crate::error::PluginError;

/// The host's side of every plugin, given once at discovery.
///
/// Called from any thread, also while a plugin is being called, so an implementation holds none of its locks while it calls a
/// plugin. A panic becomes an error of kind `internal`. Strings are the caller's: copy what must stay.
pub trait HostServices: Send + Sync {
    /// Takes a log event: text, or JSON of an event. Instance 0 is the plugin itself. Levels: 1 error … 5 trace.
    fn log(&self, plugin: &str, instance: u64, level: u32, target: &str, message: &str);

    /// Returns the highest level that is taken; 0 is off.
    fn log_level(&self) -> u32;

    /// Takes a metric's value; labels are a JSON object of strings.
    fn metric(&self, plugin: &str, instance: u64, name: &str, value: f64, labels: &str);

    /// Returns the handle of a schema, given its JSON; the same for the same schema.
    ///
    /// # Errors
    /// What is no schema is `data_invalid`.
    fn register_schema(&self, json: &str) -> Result<u32, PluginError>;

    /// Returns the canonical JSON of a handle.
    fn schema_json(&self, handle: u32) -> Option<String>;

    /// Returns the committed offset (JSON object) of a source partition (JSON object) of the connector of this instance.
    ///
    /// # Errors
    /// An unknown instance, or a log that cannot be read.
    fn read_offset(&self, instance: u64, partition: &str) -> Result<Option<String>, PluginError>;

    /// Answers a named operation.
    ///
    /// # Errors
    /// An unknown operation is `unsupported`.
    fn request(&self, instance: u64, op: &str, body: &[u8]) -> Result<Vec<u8>, PluginError>;
}
