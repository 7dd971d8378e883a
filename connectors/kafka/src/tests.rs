//! What needs no broker; tests with a real one are among the black-box tests of the repository.
