//! The simulator as a program of its own.

fn main() {}
