//! Ids and tokens that nobody can guess and no two simulators share.

use rand::RngExt;
use rand::distr::Alphanumeric;

/// Letters and digits.
#[must_use]
pub(crate) fn text(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

#[must_use]
pub(crate) fn uuid() -> String {
    uuid::Uuid::now_v7().to_string()
}
