//! Wikis to start with: bodies from a file, a handbook from a directory, or made up.

pub mod synthetic;
