//! Supervisor, tasks, offsets, converters, bounded jobs.
