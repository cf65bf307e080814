//! The two vendor clients against the simulator: what they ask, and what they make of answers and faults.

mod confluence;
mod confluence_tree;
mod openai;
mod openai_batches;

use std::time::Duration;

use tidegate::vendor::Timing;

/// Repeats come at once, so that a fault heals within a test's patience.
fn quick() -> Timing {
    let seconds = Duration::from_secs;
    Timing {
        request_timeout: seconds(5),
        upload_timeout: seconds(5),
        retry_budget: seconds(2),
        retry_base: Duration::from_millis(1),
    }
}

/// One attempt, so that a test sees every fault.
fn once() -> Timing {
    Timing { retry_budget: Duration::ZERO, ..quick() }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// An address of this machine where nobody listens.
fn nowhere() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/v1")
}
