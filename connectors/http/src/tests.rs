//! Behaviour of the classes, through the same shims and bytes as under the host.

mod outside;
mod raw;
mod readme;
mod server;
mod sink;
mod source;
mod tls;
mod webhook;
