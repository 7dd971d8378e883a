//! The JSON of a typed row, read back by its schema: row → JSON → row gives the same bytes.
//!
//! | type | JSON |
//! |---|---|
//! | int8 … int64 | digits, exact above 2^53 |
//! | float, double | the shortest form that reads back; `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | boolean, string | as they are |
//! | bytes | padded base64 |
//! | Decimal | a string with exactly `scale` digits after the point |
//! | Date, Time | `"2013-01-01"`, `"05:15:00.000"` |
//! | Timestamp | `"2013-01-01T05:15:00.000Z"`; 6 digits for micros, 9 for nanos |
//! | array | an array |
//! | map with required string keys | an object in the map's order, other maps an array of pairs |
//! | struct | an object with all fields in schema order, null written |
//!
//! Reading takes fields in any order; a field that is missing is null where its schema allows it. A value of the wrong JSON type, an
//! unknown field and a field that stands twice are errors that name the path.

mod decimal;
mod read;
mod scan;
mod tagged;
mod text;
mod time;
mod write;

#[cfg(test)]
mod tests;

pub use read::json_to_row;
pub use write::row_to_json;

pub(crate) use scan::is_object;
pub(crate) use tagged::tagged_to_json;
pub(crate) use write::string as write_string;

use crate::schema::{Kind, Schema};

/// Returns whether a map with these keys is an object; null keys have no place in one.
pub(crate) fn keys_are_names(keys: &Schema) -> bool {
    keys.kind == Kind::String && !keys.nullable()
}
