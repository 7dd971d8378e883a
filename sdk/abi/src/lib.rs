//! The stable boundary between the linkspan host and its plugins.
