//! Behaviour against real servers, through the same shims and bytes as under the host.

#[expect(
    clippy::allow_attributes,
    reason = "each user of the shared module uses its part of it"
)]
#[allow(dead_code, reason = "as above")]
pub(crate) mod servers;

mod catalog;
mod readme;
mod sink;
mod source;
mod tls;
