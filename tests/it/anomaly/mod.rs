//! Each point at which a sync can be hit, in turn: a call is never sent or its answer is lost, or the process dies before
//! it, after it, or anywhere between. Two ticks later the store is as if nothing had happened.
//!
//! `TIDEGATE_ANOMALY_EVERY` says at how many of the points where a process may die it does: 1 for all of them.
//! `TIDEGATE_ANOMALY_KILLS` says at how many calls of each sync the real program is killed.

mod killed;
mod matrix;
mod reconcile;
pub mod scenario;
mod settled;

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use simulator::{Fault, Gate, Simulator};

use crate::{database, engine::world::World, harness::number};
use scenario::{Expected, Scenario, delta, first};

/// What happens at a call.
#[derive(Clone, Copy, Debug)]
enum Anomaly {
    /// The call is never sent.
    NeverSent,
    /// The call is done, and its answer lost.
    AnswerLost,
    /// The process dies, and the call is never made.
    DiesBefore,
    /// The call is done, and the process dies without knowing.
    DiesAfter,
}

impl Anomaly {
    /// Puts it in the way of call number `at`; a death is up to who waits at the gate. Answers the faults that make it up.
    fn waits(self, simulator: &Simulator, at: u32, gate: &Gate) -> Vec<u64> {
        let here = || Fault::on("*", "*").skip(at).once();
        let hits = match self {
            Self::NeverSent => vec![here().drop_before()],
            Self::AnswerLost => vec![here().drop_after()],
            Self::DiesBefore => vec![here().hold(gate), here().drop_before()],
            Self::DiesAfter => vec![here().hold_answer(gate), here().drop_after()],
        };
        hits.into_iter().map(|hit| simulator.fault(hit)).collect()
    }
}

/// Lets a tick meet the anomaly at its call number `at`. False if it makes fewer calls.
async fn meets(world: &World, anomaly: Anomaly, at: u32) -> bool {
    let gate = Gate::default();
    world.calls();
    let faults = anomaly.waits(&world.simulator, at, &gate);
    let mut died = false;
    tokio::select! {
        biased;
        () = gate.arrived() => died = true,
        () = world.tick() => {}
    }
    gate.open();
    for fault in faults {
        world.simulator.remove_fault(fault);
    }
    died || calls_made(world) > u64::from(at)
}

/// The calls to all vendors since the last time it was asked.
fn calls_made(world: &World) -> u64 {
    world.calls().vendors.values().sum()
}

/// The service is started anew, and two ticks later all is well; a little later nobody would know.
async fn heals(world: World, expected: &Expected, when: &str) {
    let world = world.restarted().await;
    world.ticks(2).await;
    world.has_settled(expected, when).await;
    if world.seeks().await {
        world.ticks(2).await;
        world.has_settled(expected, when).await;
        assert!(!world.seeks().await, "something is still looked for; {when}");
    }
}

/// Every call of a sync meets the anomaly, one sync after the other.
async fn every_call(scenario: Scenario, anomaly: Anomaly) {
    for at in (0..).step_by(share()) {
        let (world, expected) = scenario(World::start().await).await;
        if !meets(&world, anomaly, at).await {
            println!("{at} calls met {anomaly:?}");
            assert!(at > 10, "a sync of {at} calls is no sync");
            return;
        }
        heals(world, &expected, &format!("{anomaly:?} at call {at}")).await;
    }
}

/// A future that is dropped once it has been polled `polls` times: its process died there, in the middle of a call, a
/// transaction or a commit.
struct Dies<F> {
    doomed: Pin<Box<F>>,
    polls: usize,
}

impl<F: Future<Output = ()>> Future for Dies<F> {
    /// Whether it died.
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        if self.polls == 0 {
            return Poll::Ready(true);
        }
        self.polls -= 1;
        self.doomed.as_mut().poll(context).map(|()| false)
    }
}

/// The process dies at every so-many-th point of a sync.
async fn every_point(scenario: Scenario, every: usize) {
    let first = rand::random_range(1..=every);
    println!("dies at point {first} and every {every} after it");
    for polls in (first..).step_by(every) {
        let (world, expected) = scenario(World::start().await).await;
        let died = pin!(Dies { doomed: Box::pin(world.tick()), polls }).await;
        if !died {
            println!("a sync had {polls} points or less");
            assert!(polls > 20, "a sync of {polls} points is no sync");
            return;
        }
        heals(world, &expected, &format!("died at point {polls}")).await;
    }
}

/// All points are tried on SQLite, every fifth on a server.
fn share() -> usize {
    if database::server().is_some() { 5 } else { 1 }
}

/// How far apart the points are at which a process dies.
fn every(usual: usize) -> usize {
    number("TIDEGATE_ANOMALY_EVERY").map_or(usual * share(), |every| usize::try_from(every).unwrap())
}

macro_rules! anomalies {
    ($($name:ident: $scenario:expr, $anomaly:expr;)+) => {$(
        #[tokio::test]
        async fn $name() {
            every_call($scenario, $anomaly).await;
        }
    )+};
}

anomalies! {
    a_first_sync_outlives_each_call_that_is_never_sent: first, Anomaly::NeverSent;
    a_first_sync_outlives_each_answer_that_is_lost: first, Anomaly::AnswerLost;
    a_first_sync_outlives_a_death_before_each_call: first, Anomaly::DiesBefore;
    a_first_sync_outlives_a_death_after_each_call: first, Anomaly::DiesAfter;
    a_delta_outlives_each_call_that_is_never_sent: delta, Anomaly::NeverSent;
    a_delta_outlives_each_answer_that_is_lost: delta, Anomaly::AnswerLost;
    a_delta_outlives_a_death_before_each_call: delta, Anomaly::DiesBefore;
    a_delta_outlives_a_death_after_each_call: delta, Anomaly::DiesAfter;
}

#[tokio::test]
async fn a_first_sync_outlives_a_death_anywhere() {
    every_point(first, every(23)).await;
}

#[tokio::test]
async fn a_delta_outlives_a_death_anywhere() {
    every_point(delta, every(11)).await;
}
