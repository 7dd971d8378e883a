//! A third party's plugin, built outside the repository against the packages as they would be published.
//!
//! `cargo package` makes the sdk's packages, they are unpacked in a scratch folder, `tests/plugins/acme` is copied there too,
//! and cargo is told with `--config patch…` to take the packages from that folder instead of the registry.
//! Both the oldest supported rustc and the current one build it; the host loads both from a directory.

#[cfg(test)]
mod plugin;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
