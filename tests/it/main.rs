//! The integration tests: stories told from outside, with the simulator in the place of the vendors.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod anomaly;
mod api;
mod architecture;
mod auth;
mod clients;
mod command_line;
mod connections;
mod conventions;
mod database;
mod engine;
mod harness;
mod idempotency;
mod installation;
mod model;
mod openapi;
mod replicas;
mod secrets;
mod settings;
mod tokens;
