//! How many calls syncs cost: the floors, counted at small sizes. Times are for the benchmarks.

use std::time::Duration;

use simulator::{Totals, worlds::synthetic};

use super::world::World;

const PAGES: u64 = 300;

/// A world with one space of made-up pages, a day old, in which nothing was synced yet.
async fn wiki() -> World {
    // Batches close by their size alone, however slow the machine is.
    let world = World::with(|settings| settings.timing.batch_close_after = Duration::from_mins(5)).await;
    let yesterday = world.simulator.clock().now() - 86_400_000;
    let plan = synthetic::Plan::pages(usize::try_from(PAGES).unwrap());
    let spaces = synthetic::load(&mut world.simulator.confluence(), "acme", &plan, yesterday).unwrap();
    world.include_space(spaces[0]).await;
    world.calls();
    world
}

fn batches(calls: &Totals) -> u64 {
    calls.of("POST /v1/vector_stores/{store}/file_batches")
}

fn deletes(calls: &Totals) -> u64 {
    calls.operations.iter().filter(|(name, _)| name.starts_with("DELETE ")).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn a_first_sync_costs_little_more_than_its_floor() {
    let world = wiki().await;

    world.tick().await;

    let calls = world.calls();
    assert_eq!(calls.body_requests, PAGES.div_ceil(50), "requests for bodies");
    assert_eq!(calls.bodies, PAGES, "bodies");
    assert_eq!(
        calls.confluence() - calls.body_requests,
        2 + PAGES.div_ceil(250),
        "the space, its listing, and who may read its pages"
    );
    assert_eq!((calls.of("POST /v1/files"), batches(&calls)), (PAGES, 1), "uploads and batches");
    assert_eq!(calls.openai(), PAGES + 2, "nothing but uploads, one batch and one look at it");
}

#[tokio::test]
async fn a_tick_over_an_unchanged_space_reads_its_feed_and_its_listing() {
    let world = wiki().await;
    world.tick().await;
    world.tick().await;
    world.calls();

    world.tick().await;

    let calls = world.calls();
    assert_eq!(
        calls.confluence(),
        3 + PAGES.div_ceil(250),
        "the space, its feed, its listing, and who may read some of its pages"
    );
    assert_eq!((calls.bodies, calls.openai()), (0, 0));
}

#[tokio::test]
async fn some_edits_and_deletions_cost_what_they_must() {
    let world = wiki().await;
    world.tick().await;
    let mut leaves =
        world.site.with(|site| Ok(site.nodes().map(|node| node.id).collect::<Vec<_>>())).unwrap();
    leaves.sort_unstable_by(|one, other| other.cmp(one));
    for page in &leaves[..10] {
        world.site.edit(*page, format!("<p>Edited {page}.</p>")).unwrap();
    }
    for page in &leaves[10..15] {
        world.site.trash(*page).unwrap();
    }
    world.calls();

    world.tick().await;

    let calls = world.calls();
    assert_eq!((calls.body_requests, calls.bodies), (1, 10));
    assert_eq!((calls.of("POST /v1/files"), batches(&calls)), (10, 1));
    assert_eq!(deletes(&calls), 2 * 15, "each retired file is detached and deleted");
    assert_eq!(calls.openai() - deletes(&calls), 10 + 2, "uploads, one batch and one look at it");
    // The feed, the space, its listing, one look at what it lacks, and who may read some of its pages, those edited first.
    assert_eq!(calls.confluence() - calls.body_requests, 4 + PAGES.div_ceil(250));
}
