//! The installation as a whole: that its keys are its own, and what makes a copied database another one.

pub mod store;
