//! Absence proves nothing: a page that is no longer shown is suspect first, and is removed once it was long enough.

use chrono::TimeDelta;
use simulator::Fault;
use tidegate::entity::{EvidenceKind, document::DocumentState, sync::SyncMode};

use super::world::World;

#[tokio::test]
async fn a_purged_page_is_suspect_for_one_tick_and_leaves_with_the_next() {
    let (world, _, pages) = World::with_pages(3).await;

    world.site.purge(pages[0]).unwrap();
    world.tick().await;

    world.holds(&pages);
    assert_eq!(world.state(pages[0]).await, DocumentState::Suspect);
    assert_eq!(world.last_sync().await.counts.suspect, 1);

    world.tick().await;
    world.holds(&pages[1..]);
    world.left(pages[0], EvidenceKind::Absent).await;
}

#[tokio::test]
async fn a_suspect_never_leaves_before_its_age() {
    let (world, _, pages) = World::with_pages(3).await;
    world.site.purge(pages[0]).unwrap();
    world.tick().await;

    for _ in 0..4 {
        world.request(SyncMode::Delta).await;
        world.tick_after(TimeDelta::minutes(1)).await;
        world.holds(&pages);
    }
    world.request(SyncMode::Delta).await;
    world.tick_after(TimeDelta::minutes(1)).await;

    world.holds(&pages[1..]);
}

#[tokio::test]
async fn a_page_hidden_from_the_account_leaves_as_an_absent_one() {
    let (world, _, pages) = World::with_pages(3).await;

    world.site.restrict(pages[0], &[]).unwrap();
    world.tick().await;
    assert_eq!(world.state(pages[0]).await, DocumentState::Suspect);
    world.tick().await;

    world.holds(&pages[1..]);
    world.left(pages[0], EvidenceKind::Absent).await;

    world.site.unrestrict(pages[0]).unwrap();
    world.tick().await;
    world.holds(&pages);
}

#[tokio::test]
async fn a_suspect_that_is_seen_again_is_live_and_was_never_away() {
    let (world, _, pages) = World::with_pages(3).await;
    world.site.restrict(pages[0], &[]).unwrap();
    world.tick().await;
    world.calls();

    world.site.unrestrict(pages[0]).unwrap();
    world.tick().await;

    world.holds(&pages);
    let document = world.document(pages[0]).await;
    assert_eq!((document.state, document.suspect_since), (DocumentState::Live, None));
    assert_eq!(world.calls().openai(), 0);

    world.site.restrict(pages[0], &[]).unwrap();
    world.tick().await;
    world.holds(&pages);
}

#[tokio::test]
async fn a_suspect_that_turns_up_in_the_trash_leaves_at_once() {
    let (world, _, pages) = World::with_pages(3).await;
    world.site.restrict(pages[0], &[]).unwrap();
    world.tick().await;

    world.site.unrestrict(pages[0]).unwrap();
    world.site.trash(pages[0]).unwrap();
    world.tick().await;

    world.left(pages[0], EvidenceKind::Trashed).await;
}

#[tokio::test]
async fn a_page_trashed_between_its_listing_and_its_body_is_never_uploaded() {
    let (world, space, page) = World::with_a_page().await;
    let late = world.site.add_page(space, "Late", "<p>Too late.</p>").unwrap();
    let site = world.site.clone();
    let body = Fault::on("GET", "/wiki/api/v2/pages").query("body-format").once();
    world.simulator.fault(body.run(move || site.trash(late).unwrap()));

    world.tick().await;
    world.holds(&[page]);
    world.tick().await;

    world.holds(&[page]);
    world.left(late, EvidenceKind::Trashed).await;
    assert_eq!(world.calls().of("POST /v1/files"), 0);
}

#[tokio::test]
async fn a_page_purged_between_its_listing_and_its_body_is_forgotten() {
    let (world, space, page) = World::with_a_page().await;
    let late = world.site.add_page(space, "Late", "<p>Too late.</p>").unwrap();
    let site = world.site.clone();
    let body = Fault::on("GET", "/wiki/api/v2/pages").query("body-format").once();
    world.simulator.fault(body.run(move || site.purge(late).unwrap()));

    world.ticks(3).await;

    world.holds(&[page]);
    assert_eq!(world.state(late).await, DocumentState::Removed);
}

#[tokio::test]
async fn a_page_edited_between_its_listing_and_its_body_comes_in_once() {
    let (world, _, page) = World::with_a_page().await;
    world.site.edit(page, "<p>First.</p>").unwrap();
    let site = world.site.clone();
    let body = Fault::on("GET", "/wiki/api/v2/pages").query("body-format").once();
    world.simulator.fault(body.run(move || {
        site.edit(page, "<p>Second.</p>").unwrap();
    }));

    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nSecond.\n");
    world.ticks(2).await;

    world.holds(&[page]);
    assert_eq!(world.calls().of("POST /v1/files"), 1);
    assert_eq!(world.document(page).await.live_version, Some(3));
}

#[tokio::test]
async fn a_page_found_empty_while_it_is_suspect_stays_suspect_or_leaves() {
    let (world, _, pages) = World::with_pages(3).await;
    world.site.edit(pages[0], "").unwrap();
    world.site.restrict(pages[0], &[]).unwrap();
    world.ticks(2).await;

    world.holds(&pages[1..]);
    world.site.unrestrict(pages[0]).unwrap();
    world.tick().await;

    world.holds(&pages[1..]);
    assert_eq!(world.state(pages[0]).await, DocumentState::Skipped);
}

#[tokio::test]
async fn however_many_suspects_there_are_each_has_its_turn() {
    let (world, _, pages) = World::with_pages(150).await;
    for page in &pages[..120] {
        world.site.purge(*page).unwrap();
    }
    world.tick().await;
    world.tick().await;
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(100), "one run asks for so many");

    world.site.purge(pages[120]).unwrap();
    world.tick().await;
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(120));
    assert_eq!(world.state(pages[120]).await, DocumentState::Suspect, "and for what went away just now");
    world.holds(&pages);
}
