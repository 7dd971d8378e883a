//! Names, ids and units shared by the host crates.
