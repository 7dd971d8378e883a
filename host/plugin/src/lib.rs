//! Find, probe, check and load plugins; walls against panics and hangs.
