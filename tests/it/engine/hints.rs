//! The search hints that pages vanished from a space that is too large to be listed at every tick.

use simulator::{Fault, Place};
use tidegate::entity::EvidenceKind;

use super::large::{Large, POINTS};

const SEARCH: &str = "GET /wiki/rest/api/search";

/// A large space in the store, whose search has been asked before.
async fn loaded() -> Large {
    let large = Large::of(|_| {}).await.load().await;
    large.tick().await;
    large.world.calls();
    large
}

/// How often the search was asked in one tick.
async fn questions(large: &Large) -> u64 {
    large.tick().await;
    large.world.calls().of(SEARCH)
}

#[tokio::test]
async fn what_vanishes_from_a_large_space_is_found_at_the_next_tick_for_a_few_points() {
    let large = loaded().await;
    let (world, pages) = (&large.world, &large.pages);
    assert_eq!(questions(&large).await, 1, "a space in which nothing happens is counted");

    let elsewhere = world.site.add_space("OPS", "Operations").unwrap();
    let [trashed, moved, purged] = [700, 1_100, 1_400].map(|at| pages[at]);
    world.site.trash(trashed).unwrap();
    world.site.move_to(moved, Place::Top { space: elsewhere }).unwrap();
    world.site.purge(purged).unwrap();
    let asked = questions(&large).await;
    world.left(trashed, EvidenceKind::Trashed).await;
    world.left(moved, EvidenceKind::MovedOut).await;
    assert!((10..=1 + 6 + 3 * 5).contains(&asked), "six groups, and three of them halved: {asked}");

    assert_eq!(questions(&large).await, 1, "what is suspect is not looked for twice");
    world.left(purged, EvidenceKind::Absent).await;
    assert_eq!(questions(&large).await, 1);
    assert_eq!(world.files(), pages.len() - 3);
    assert!(large.points().values().all(|points| *points <= POINTS.into()), "{:?}", large.points());
}

#[tokio::test]
async fn new_and_archived_pages_mislead_nobody() {
    let large = loaded().await;
    let (world, pages) = (&large.world, &large.pages);
    let space = world.site.node(pages[0]).unwrap().space;
    world.site.archive(pages[10]).unwrap();
    let added = world.site.add_page(space, "New", "<p>New.</p>").unwrap();
    assert_eq!(questions(&large).await, 1);
    assert!(world.has(added));
    world.site.trash(added).unwrap();
    assert!(questions(&large).await > 1);
    world.left(added, EvidenceKind::Trashed).await;
    assert_eq!(questions(&large).await, 1);
}

#[tokio::test]
async fn an_index_that_is_wrong_removes_nothing_and_what_it_hides_is_found_by_the_listing() {
    let large = loaded().await;
    let (world, pages) = (&large.world, &large.pages);
    world.simulator.confluence().habits.unindexed = pages[40..60].to_vec();
    assert!(questions(&large).await > 1);
    world.holds(pages);
    assert_eq!(questions(&large).await, 1, "they are there: so the index is known to lack them");

    world.site.trash(pages[50]).unwrap();
    let before = world.now();
    assert_eq!(questions(&large).await, 1);
    while large.verified_at().await.unwrap() <= before {
        large.tick().await;
    }
    world.left(pages[50], EvidenceKind::Trashed).await;
    world.simulator.confluence().habits.unindexed.clear();
    large.tick().await;
    assert_eq!(world.files(), pages.len() - 1);
}

#[tokio::test]
async fn a_search_that_does_not_answer_is_no_trouble_and_is_asked_again() {
    let large = loaded().await;
    let (world, pages) = (&large.world, &large.pages);
    for gone in [3, 300, 1_300] {
        world.site.trash(pages[gone]).unwrap();
    }
    let silent = world.simulator.fault(Fault::on("GET", "/wiki/rest/api/search").status(503));
    world.site.edit(pages[0], "<p>New.</p>").unwrap();
    large.tick().await;
    assert_eq!(world.text(pages[0]), "# Page 0\n\nNew.\n");
    assert_eq!(world.source().await.problem, None);
    world.simulator.remove_fault(silent);

    let in_groups = Fault::on("GET", "/wiki/rest/api/search").query("id+in").skip(2).status(503);
    let in_groups = world.simulator.fault(in_groups);
    large.tick().await;
    world.simulator.remove_fault(in_groups);
    assert!([3, 300, 1_300].iter().any(|gone| world.has(pages[*gone])), "only some groups were counted");
    large.tick().await;
    for gone in [3, 300, 1_300] {
        world.left(pages[gone], EvidenceKind::Trashed).await;
    }
}

#[tokio::test]
async fn where_hints_are_switched_off_or_points_not_counted_the_search_is_not_asked() {
    let large = Large::of(|settings| settings.confluence_hints = false).await.load().await;
    assert_eq!(questions(&large).await, 0);
    let options = large.world.simulator.options();

    let large = Large::of(|_| {}).await;
    large.world.connect_with_token(&options.account_email, &options.api_token).await;
    large.tick().await;
    assert_eq!(questions(&large).await, 0);
}
