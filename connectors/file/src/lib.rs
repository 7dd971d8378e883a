//! linkspan connector: file.
