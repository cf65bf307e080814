//! The converter without the service around it, built in seconds.

#[path = "../../../src/convert/mod.rs"]
pub mod convert;
