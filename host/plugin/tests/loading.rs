//! Real files, real children, real libraries: what is found, refused, loaded and called.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

mod support;

#[path = "loading/calls.rs"]
mod calls;
#[path = "loading/refusals.rs"]
mod refusals;
#[path = "loading/rules.rs"]
mod rules;
