//! The installation as a whole: what makes a copied database one of its own.

pub mod store;
