//! Test a linkspan connector without the host.
