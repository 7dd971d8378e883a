//! The derive macro behind linkspan connector options.
