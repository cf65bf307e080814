//! The sync as its readers see it: what is in the store after a tick.

mod accounts;
mod attempts;
mod empty;
mod erase;
mod faults;
mod figures;
mod grants;
mod guard;
mod hints;
mod indexing;
mod large;
mod life;
mod lost;
mod month;
mod moves;
mod plans;
mod rebuild;
mod reconcile;
mod restricted;
mod retention;
mod scopes;
mod trees;
mod two;
mod unseen;
mod vanishing;
pub mod world;
