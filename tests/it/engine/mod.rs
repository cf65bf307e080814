//! The sync as its readers see it: what is in the store after a tick.

mod figures;
mod life;
pub mod world;
