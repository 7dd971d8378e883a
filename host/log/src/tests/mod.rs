//! Tests of the local log as a whole: on a disk, on a file system that loses power, with damage done to its files.

pub(crate) mod support;

mod admin;
mod backup;
mod compaction;
mod compaction_crash;
mod compaction_dump;
mod conformance;
mod damage;
mod epochs;
mod faults;
mod fetch;
mod fuzz;
mod gate;
mod groups;
mod interleave;
mod log_v1;
mod producers;
mod reading;
mod repair;
mod retention;
mod shortage;
mod stat;
mod suite;
