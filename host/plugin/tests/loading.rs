//! Real files, real children, real libraries: what is found, refused, loaded and called.

mod support;

#[path = "loading/calls.rs"]
mod calls;
#[path = "loading/refusals.rs"]
mod refusals;
#[path = "loading/rules.rs"]
mod rules;
