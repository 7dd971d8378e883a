//! The linkspan host.
fn main() {}
