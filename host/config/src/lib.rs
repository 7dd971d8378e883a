//! YAML to a validated plan; diagnostics with file, line and column.
