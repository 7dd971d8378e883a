//! linkspan connector: blackhole.
