//! What is kept for a while only: rows do not grow beyond the pages.

use chrono::TimeDelta;
use sea_orm::{EntityTrait, PaginatorTrait};
use simulator::Fault;
use tidegate::entity::{change, document, document::DocumentState, run};

use super::world::World;

#[tokio::test]
async fn old_syncs_are_forgotten_with_their_lists_but_not_the_last() {
    let (world, space, page) = World::with_a_page().await;
    let first = world.last_sync().await.id;
    world.tick_after(TimeDelta::days(1)).await;
    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;
    assert_eq!(world.syncs().await.len(), 2);

    world.tick_after(TimeDelta::days(89)).await;
    world.tick_after(TimeDelta::minutes(5)).await;
    let kept = world.syncs().await;
    assert_eq!(kept.len(), 1, "the first is too old, the last is kept");
    assert_ne!(kept[0].id, first);
    assert_eq!(change::Entity::find().count(world.app.db.read()).await.unwrap(), 1);

    world.tick_after(TimeDelta::days(400)).await;
    assert_eq!(world.syncs().await, kept);
    world.site.add_page(space, "Another", "<p>x</p>").unwrap();
    world.tick().await;
    world.tick().await;
    assert_eq!(world.syncs().await.len(), 1, "now there is a newer one");
}

#[tokio::test]
async fn a_sync_that_holds_removals_is_kept_for_their_decision() {
    let (world, _, pages) = World::with_pages(20).await;
    for page in &pages[..11] {
        world.site.trash(*page).unwrap();
    }
    world.tick().await;
    let held = world.last_sync().await;
    world.site.edit(pages[19], "<p>New.</p>").unwrap();
    world.tick().await;
    assert_ne!(world.last_sync().await.id, held.id);

    world.tick_after(TimeDelta::days(100)).await;

    assert!(world.syncs().await.contains(&held));
    world.approve().await;
    world.tick().await;
    world.holds(&pages[11..]);
    world.tick_after(TimeDelta::days(1)).await;
    assert!(!world.syncs().await.contains(&held));
}

#[tokio::test]
async fn removed_documents_stay_listed_for_a_month_and_may_still_return() {
    let (world, _, pages) = World::with_pages(20).await;
    world.site.trash(pages[0]).unwrap();
    world.tick().await;

    world.tick_after(TimeDelta::days(29)).await;
    assert_eq!(world.state(pages[0]).await, DocumentState::Removed);

    world.tick_after(TimeDelta::days(2)).await;
    assert_eq!(document::Entity::find().count(world.app.db.read()).await.unwrap(), 19);

    world.site.restore(pages[0]).unwrap();
    world.tick().await;
    world.holds(&pages);
}

#[tokio::test]
async fn trouble_that_lasts_is_said_once() {
    let (world, _, page) = World::with_a_page().await;
    let before = world.syncs().await.len();
    let listing = Fault::on("GET", "/wiki/api/v2/pages").status(503);
    let fault = world.simulator.fault(listing);

    world.ticks(6).await;

    assert_eq!(world.syncs().await.len(), before + 1);
    assert_eq!(world.source().await.problem.unwrap().code, "confluence_unavailable");
    world.simulator.remove_fault(fault);
    world.tick().await;
    assert_eq!(world.source().await.problem, None);
    world.holds(&[page]);
}

#[tokio::test]
async fn a_sync_that_waits_keeps_no_runs_that_got_nowhere() {
    let (world, ..) = World::with_a_page().await;
    let before = run::Entity::find().count(world.app.db.read()).await.unwrap();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/spaces").status(503));

    world.ticks(6).await;

    assert_eq!(world.syncs().await.len(), 2, "one that is done and one that waits");
    assert_eq!(run::Entity::find().count(world.app.db.read()).await.unwrap(), before);
}
