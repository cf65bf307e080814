//! The real program is killed (SIGKILL) at a call of a sync, and started again: it comes right by itself.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt, stream};
use simulator::{Fault, Gate, Vendor};
use tidegate::{app::Clock, config::Timing};
use tokio::{task::spawn_blocking, time::timeout};

use super::{Anomaly, calls_made, heals, scenario};
use crate::{
    database,
    engine::world::World,
    harness::{
        number,
        process::{LEASE, Process, until, with_settings},
    },
};
use scenario::{Scenario, delta, first};

/// At how many points of each sync the program is killed.
const KILLS: u64 = 40;
/// How many of them are tried at once: most of their time they wait for a lease's end.
const AT_ONCE: usize = 6;
/// What a busy machine may take to start a process.
const START: Duration = Duration::from_secs(10);

/// How long after a kill the sync went on, and the store was right.
struct Recovery {
    went_on: Duration,
    right: Duration,
}

async fn killed(scenario: Scenario, at: u32, anomaly: Anomaly) -> Recovery {
    let when = format!("{anomaly:?} by SIGKILL at call {at}");
    let (world, expected) = scenario(World::of_today().await).await;
    world.comes_to_now();
    world.look_every(2).await;
    let left = world.leave();
    let folder = tempfile::tempdir().unwrap();
    let serve = || Process::serve(&mut with_settings(folder.path(), &left.settings));

    let gate = Gate::default();
    let faults = anomaly.waits(&left.simulator, at, &gate);
    let process = serve();
    timeout(Duration::from_mins(1), gate.arrived()).await.unwrap_or_else(|_| panic!("no such call; {when}"));
    process.kill();
    let died = Instant::now();
    gate.open();
    for fault in faults {
        left.simulator.remove_fault(fault);
    }

    let again = Gate::default();
    left.simulator.fault(Fault::at(Vendor::Confluence).once().hold(&again));
    let process = serve();
    timeout(Duration::from_mins(1), again.arrived()).await.unwrap_or_else(|_| panic!("never again; {when}"));
    let went_on = died.elapsed();
    again.open();
    until(&when, || left.holds(&expected)).await;
    let right = died.elapsed();
    assert_eq!(spawn_blocking(|| process.stop()).await.unwrap(), Some(0), "{when}");

    let world = left.come_back(Clock::manual(Clock::System.now())).await;
    heals(world, &expected, &when).await;
    Recovery { went_on, right }
}

/// The program is killed at calls spread evenly over a sync: by turns before and after what the call does.
async fn killed_everywhere(scenario: Scenario) {
    let asked = number("TIDEGATE_ANOMALY_KILLS");
    if asked.is_none() && database::server().is_some() {
        println!("not run: on a server only where TIDEGATE_ANOMALY_KILLS says at how many points");
        return;
    }
    let kills = asked.unwrap_or(KILLS);
    let (world, _) = scenario(World::start().await).await;
    world.calls();
    world.tick().await;
    let calls = calls_made(&world);
    let points = (0..kills).map(|kill| {
        let anomaly = if kill % 2 == 0 { Anomaly::DiesBefore } else { Anomaly::DiesAfter };
        let at = u32::try_from(kill * calls / kills).unwrap();
        // Each in a runtime of its own: on a server, making and dropping databases takes a while.
        let alone = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        spawn_blocking(move || alone().block_on(killed(scenario, at, anomaly))).map(Result::unwrap)
    });
    let recoveries: Vec<Recovery> = stream::iter(points).buffer_unordered(AT_ONCE).collect().await;

    let longest = |of: fn(&Recovery) -> Duration| recoveries.iter().map(of).max().unwrap();
    let (went_on, right) = (longest(|it| it.went_on), longest(|it| it.right));
    println!(
        "killed at {kills} points of {calls} calls: went on after {went_on:.1?} at most, right after {right:.1?}"
    );
    assert!(went_on <= LEASE + Timing::default().tick_pause + START, "{went_on:?}");
}

#[tokio::test]
async fn a_first_sync_outlives_kills_of_the_program() {
    killed_everywhere(first).await;
}

#[tokio::test]
async fn a_delta_outlives_kills_of_the_program() {
    killed_everywhere(delta).await;
}
