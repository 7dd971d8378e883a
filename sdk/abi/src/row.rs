//! The bytes of a typed value: positional, read by its schema.
//!
//! ```text
//! value   [u8 present: 0 or 1, only where the schema is nullable] BODY (only where present)
//! BODY    int8..int64, float, double   fixed width, little-endian
//!         boolean                      u8 0 or 1
//!         string, bytes                u32 len | bytes
//!         array                        u32 count | value*
//!         map                          u32 count | { value | value }*
//!         struct                       null bitmap (bit i of byte i/8: field i is null; at least 1 byte) | BODY of each other field
//! ```
//!
//! *Nullable* is optional or with a default, as Connect's `Struct.validate` says. A row has one encoding: NaN is the canonical NaN,
//! a decimal has the fewest bytes, a time lies within its day.

mod read;
mod validate;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use read::{ArrayRef, MapRef, RowRef, ValueRef};
pub use validate::{is_null, validate_row};
pub use value::{read_value, write_value};
pub use write::RowWriter;

pub(crate) use read::read_scalar;
pub(crate) use write::{
    append_boolean, append_bytes, append_float32, append_float64, append_int32, append_string,
    len_u32,
};

/// Returns how many bytes the null bitmap of a struct has.
pub(crate) const fn bitmap_len(n_fields: usize) -> usize {
    if n_fields == 0 {
        1
    } else {
        n_fields.div_ceil(8)
    }
}

/// Returns whether the bitmap says that a field is null.
#[inline]
pub(crate) fn is_null_at(bitmap: &[u8], position: usize) -> bool {
    bitmap
        .get(position / 8)
        .is_some_and(|byte| byte & (1 << (position % 8)) != 0)
}
