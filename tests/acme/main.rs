//! Plugins of third parties, built outside the repository against the packages as they would be published.
//!
//! `cargo package` makes the sdk's packages, they are unpacked in a scratch folder, the plugin is copied there too, and cargo is
//! told with `--config patch…` to take the packages from that folder instead of the registry ([`workshop`]).
//! The host then loads what was built from a directory: [`plugin`] is a good one, [`rogue`] panics wherever it can,
//! [`walls`] lets it hang there; [`reconfigure`] has one that divides its work anew, [`rates`] measures what neighbours lose.
//! [`transforms`] sends records through its transforms. [`newcomer`] does all of it with what `linkspan plugin new` writes.

#[cfg(test)]
mod dev;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod newcomer;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod reconfigure;
#[cfg(test)]
mod rogue;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[expect(
    clippy::allow_attributes,
    reason = "each target uses its part of the shared module, one uses all of it"
)]
#[allow(dead_code, reason = "as above")]
mod support;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transforms;
#[cfg(test)]
mod walls;
#[cfg(test)]
mod workshop;
