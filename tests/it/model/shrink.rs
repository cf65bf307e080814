//! Leaves steps out of a failing history while it still fails.

use super::{draw::History, outcome, town::Violation};

/// The shortest failing history that leaving out ever smaller runs of steps leads to.
pub async fn shrink(mut history: History, mut violation: Violation) -> (History, Violation) {
    let mut run = history.steps.len() / 2;
    while run > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < history.steps.len() {
            let mut tried = history.clone();
            tried.steps.drain(at..(at + run).min(tried.steps.len()));
            match outcome(&tried).await {
                Ok(_) => at += run,
                Err(found) => {
                    (history, violation, shorter) = (tried, found, true);
                }
            }
        }
        if !shorter || run > 1 {
            run /= 2;
        }
    }
    (history, violation)
}
