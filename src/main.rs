//! The command line: serve, migrate, openapi, keys and the like.

fn main() {}
