//! Files whose records a COBOL copybook describes.
//!
//! ```text
//! copybook text ─► source ─► parse ─► Item tree ─► plan (schema, segments, names) ─► decode / encode
//!                                                   ▲
//! file bytes ─► frame (fixed length, RDW, BDW, lines)┘
//! ```
//!
//! Fields are DISPLAY, COMP (binary), COMP-3 (packed) or COMP-5 (native); OCCURS may depend on a field before it, REDEFINES may be
//! chosen by a field (segments). What is not understood is refused when the copybook is read, never guessed at.

mod decode;
mod encode;
pub(crate) mod encoder;
pub(crate) mod frame;
mod number;
pub(crate) mod parse;
mod picture;
pub(crate) mod plan;
pub(crate) mod records;

#[cfg(test)]
mod tests;

pub(crate) use crate::fixed::{Fault, hex};
