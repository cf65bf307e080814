//! Real processes that share one PostgreSQL, some of which die or sleep at any moment.
//!
//! * `TIDEGATE_REPLICA_SEED` says which processes and when, and what people do in the wiki meanwhile.
//! * `TIDEGATE_REPLICA_STEPS` says for how many half seconds.

mod town;

use std::time::Duration;

use simulator::{Fault, Gate};
use tidegate::config::Settings;
use tokio::task::spawn_blocking;

use crate::{
    anomaly::scenario::first,
    database::on_a_server,
    engine::world::World,
    harness::{
        number,
        process::{Process, until, with_settings},
    },
};
use town::Town;

/// How many half seconds there is trouble, unless told otherwise.
const STEPS: u64 = 50;

/// A process is put to sleep when its first `calls` of `path` wait for their answers, for longer than its lease, while
/// another takes over. These are all that it may send at a time: one that it was about to send could not be called back.
async fn sleeps_at(path: &str, calls: usize) {
    let (world, expected) = first(World::of_today().await).await;
    world.comes_to_now();
    world.look_every(2).await;
    let left = world.leave();
    let folder = tempfile::tempdir().unwrap();
    let serve = || Process::serve(&mut with_settings(folder.path(), &left.settings));
    let gate = Gate::default();
    left.simulator.fault(Fault::on("POST", path).hold_answer(&gate));
    let sleeper = serve();
    for _ in 0..calls {
        gate.arrived().await;
    }
    sleeper.signal("STOP");
    gate.open();
    let other = serve();
    until("the other took over", || left.holds(&expected)).await;
    assert_eq!(spawn_blocking(|| other.stop()).await.unwrap(), Some(0));

    left.simulator.reset_calls();
    sleeper.signal("CONT");
    until("it woke", || left.simulator.calls().of("GET /wiki/api/v2/pages") >= 2).await;

    let written: Vec<_> = left.simulator.calls().operations.into_keys().collect();
    let written: Vec<_> = written
        .iter()
        .filter(|call| call.starts_with("POST /v1/") || call.starts_with("DELETE /v1/"))
        .collect();
    assert!(written.is_empty(), "who was asleep at {path} wrote: {written:?}");
    assert!(left.holds(&expected));
    assert_eq!(spawn_blocking(|| sleeper.stop()).await.unwrap(), Some(0));
}

#[tokio::test]
async fn a_process_that_wakes_after_its_lease_writes_nothing() {
    if !on_a_server() {
        return;
    }
    sleeps_at("/v1/files", Settings::default().openai.uploads_in_flight).await;
    sleeps_at("/v1/vector_stores/*/file_batches", 1).await;
}

#[tokio::test]
async fn three_processes_that_die_and_sleep_keep_six_stores_true() {
    if !on_a_server() {
        return;
    }
    let seed = number("TIDEGATE_REPLICA_SEED").unwrap_or_else(rand::random);
    println!("TIDEGATE_REPLICA_SEED={seed}");
    let mut town = Town::found(seed).await;
    let mut pace = tokio::time::interval(Duration::from_millis(500));
    for step in 0..number("TIDEGATE_REPLICA_STEPS").unwrap_or(STEPS) {
        pace.tick().await;
        town.lives(step);
    }
    Box::pin(town.comes_to_rest()).await;
}
