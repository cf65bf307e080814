//! Plans, requests by hand, and cancelling.

use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::EntityTrait;
use simulator::{Fault, Gate};
use tidegate::entity::{
    change::{ChangeKind, ChangeOutcome},
    document::DocumentState,
    source_space,
    sync::{SyncMode, SyncStatus},
};

use super::world::World;

#[tokio::test]
async fn a_plan_lists_what_it_would_do_and_does_nothing() {
    let (world, space, pages) = World::with_pages(4).await;
    let new = world.site.add_page(space, "New", "<p>x</p>").unwrap();
    world.site.edit(pages[0], "<p>New.</p>").unwrap();
    world.site.trash(pages[1]).unwrap();
    world.site.move_to(pages[2], simulator::Place::Under(pages[3])).unwrap();

    let sync = world.request(SyncMode::Plan).await;
    world.tick().await;

    world.holds(&pages);
    assert_eq!((world.calls().openai(), world.calls().bodies), (0, 0));
    let last = world.last_sync().await;
    assert_eq!((last.id, last.status), (sync, SyncStatus::Planned));
    let mut changes = world.changes().await;
    changes.sort_by_key(|(page, ..)| page.clone());
    let planned = |page: simulator::Id, kind| (page.to_string(), kind, ChangeOutcome::Planned);
    assert_eq!(
        changes,
        [
            planned(pages[0], ChangeKind::Revise),
            planned(pages[1], ChangeKind::Remove),
            planned(pages[2], ChangeKind::Metadata),
            planned(new, ChangeKind::Create),
        ]
    );
    let counts = last.counts;
    assert_eq!((counts.created, counts.updated, counts.removed, counts.metadata), (1, 1, 1, 1));

    world.tick().await;
    world.holds(&[pages[0], pages[2], pages[3], new]);
}

#[tokio::test]
async fn a_plan_does_not_wait_for_what_is_being_indexed() {
    let (world, space, page) = World::with_a_page().await;
    world.simulator.openai().habits.indexing = Duration::from_mins(2);
    let new = world.site.add_page(space, "New", "<p>x</p>").unwrap();
    world.tick().await;
    let running = world.last_sync().await;
    assert_eq!(running.status, SyncStatus::Running);

    world.request(SyncMode::Plan).await;
    world.cancel(running.id).await;
    world.tick_after(TimeDelta::seconds(1)).await;
    assert_eq!(world.last_sync().await.status, SyncStatus::Planned);

    world.tick().await;
    world.holds(&[page, new]);
}

#[tokio::test]
async fn plans_in_a_row_keep_changes_waiting_for_one_interval_more_at_most() {
    let (world, _, page) = World::with_a_page().await;
    world.site.edit(page, "<p>New.</p>").unwrap();
    for _ in 0..2 {
        world.request(SyncMode::Plan).await;
        world.tick_after(TimeDelta::minutes(4)).await;
    }
    world.tick_after(TimeDelta::minutes(1)).await;
    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n", "there is time to look at the plan");

    world.request(SyncMode::Plan).await;
    world.tick_after(TimeDelta::minutes(1)).await;
    world.tick_after(TimeDelta::seconds(1)).await;

    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
}

#[tokio::test]
async fn a_plan_that_is_interrupted_begins_its_list_anew() {
    let (world, _, pages) = World::with_pages(4).await;
    world.site.edit(pages[0], "<p>New.</p>").unwrap();
    world.site.trash(pages[1]).unwrap();
    let listing = Fault::on("GET", "/wiki/api/v2/pages").query("sort=id");
    world.simulator.fault(listing.once().status(429));

    world.request(SyncMode::Plan).await;
    world.tick().await;
    let interrupted = world.last_sync().await;
    assert_eq!((interrupted.status, interrupted.total), (SyncStatus::Running, Some(1)));

    world.tick().await;
    let last = world.last_sync().await;
    assert_eq!((last.id, last.status, last.total), (interrupted.id, SyncStatus::Planned, Some(2)));
    assert_eq!((last.counts.updated, last.counts.removed), (1, 1));
    assert_eq!(world.changes().await.len(), 2);
    assert_eq!(last.plan.unwrap().cost.openai_calls, 5 + 2);
}

#[tokio::test]
async fn a_plan_shows_suspects_and_holds_without_making_them() {
    let (world, _, pages) = World::with_pages(20).await;
    world.site.purge(pages[0]).unwrap();
    for page in &pages[1..12] {
        world.site.trash(*page).unwrap();
    }

    world.request(SyncMode::Plan).await;
    world.tick().await;

    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
    assert!(world.hold().await.is_none());
    let counts = world.last_sync().await.counts;
    assert_eq!((counts.suspect, counts.held), (1, 11));
}

#[tokio::test]
async fn a_plan_leaves_everything_to_be_found_by_the_next_sync() {
    let (world, space, page) = World::with_a_page().await;
    let before = source_space::Entity::find().all(world.app.db.read()).await.unwrap();
    let selection = world.document(page).await.selection_id.unwrap();
    let verified = world.selection(selection).await.verified_at;
    world.site.add_page(space, "New", "<p>x</p>").unwrap();

    world.request(SyncMode::Plan).await;
    world.tick().await;

    assert_eq!(source_space::Entity::find().all(world.app.db.read()).await.unwrap(), before);
    assert_eq!(world.selection(selection).await.verified_at, verified);
}

#[tokio::test]
async fn a_sync_that_was_asked_for_is_kept_even_if_it_finds_nothing() {
    let (world, _, _) = World::with_a_page().await;

    let sync = world.request(SyncMode::Delta).await;
    world.tick().await;

    let last = world.last_sync().await;
    assert_eq!((last.id, last.status), (sync, SyncStatus::Succeeded));
}

#[tokio::test]
async fn a_queued_sync_is_cancelled_at_once() {
    let (world, _, page) = World::with_a_page().await;
    world.site.edit(page, "<p>New.</p>").unwrap();
    let sync = world.request(SyncMode::Full).await;

    world.cancel(sync).await;

    let last = world.last_sync().await;
    assert_eq!((last.id, last.status), (sync, SyncStatus::Cancelled));
    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
}

#[tokio::test]
async fn a_running_sync_ends_at_its_next_safe_point_when_it_is_cancelled() {
    let world = World::with(|settings| settings.timing.heartbeat = std::time::Duration::from_millis(1)).await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    for n in 0..300 {
        world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    }
    world.include_space(space).await;
    let gate = Gate::default();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").query("body-format").once().hold(&gate));

    let meanwhile = async {
        gate.arrived().await;
        world.cancel(world.last_sync().await.id).await;
        gate.open();
    };
    tokio::join!(world.tick(), meanwhile);

    assert_eq!(world.last_sync().await.status, SyncStatus::Cancelled);
    assert!(world.store().len() < 300);
    world.ticks(2).await;
    assert_eq!(world.store().len(), 300);
}
