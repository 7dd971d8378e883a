//! linkspan connector: generator.
