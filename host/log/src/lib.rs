//! The partitioned log: trait LogBackend and the local log.
