//! Write a linkspan connector: traits, values, options, errors, export macro.
