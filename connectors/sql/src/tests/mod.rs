//! Behaviour against real servers, through the same shims and bytes as under the host.

pub(crate) mod servers;

mod catalog;
mod readme;
mod source;
