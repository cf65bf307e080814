//! Two at once, lost leases and sudden ends: nothing is written twice, and nothing stays half-done.

use std::{sync::atomic::Ordering, time::Duration};

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr};
use simulator::{Fault, Gate, Id};
use tidegate::{
    app::App,
    config::Settings,
    engine::tick,
    entity::{source, sync::SyncStatus},
};
use tokio::time::timeout;

use super::world::World;
use crate::database::on_a_server;

async fn with_new_pages(count: usize) -> (World, Vec<Id>) {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), format!("<p>{n}</p>")).unwrap();
    let pages = (0..count).map(add).collect();
    world.include_space(space).await;
    (world, pages)
}

#[tokio::test]
async fn two_ticks_at_once_sync_a_source_once() {
    let (world, pages) = with_new_pages(60).await;

    let (one, two) = tokio::join!(tick::tick(&world.app), tick::tick(&world.app));

    assert_eq!(one.unwrap() + two.unwrap(), 1);
    world.holds(&pages);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (60, 60));
}

#[tokio::test]
async fn sources_that_are_due_together_are_synced_side_by_side() {
    let (mut world, pages) = with_new_pages(20).await;
    let seen = world.source().await;
    for _ in 0..3 {
        world.add_source(seen.workspace_id, seen.connection_id.unwrap()).await;
        world.include_space(world.site.node(pages[0]).unwrap().space).await;
    }

    // With one connection that writes, none of them may be left in the middle while another is claimed.
    assert_eq!(tick::tick(&world.app).await.unwrap(), 4);

    assert_eq!(world.files(), 4 * pages.len());
}

#[tokio::test]
async fn a_first_load_keeps_no_other_source_waiting_for_a_slot() {
    let mut world = World::with(|settings| {
        settings.timing.sources_in_flight = 1;
        settings.timing.turn = Duration::ZERO;
    })
    .await;
    let space = world.site.add_space("BIG", "Everything").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<Id> = (0..300).map(add).collect();
    world.include_space(space).await;
    let seen = world.source().await;
    world.wait(TimeDelta::seconds(1));
    let large = world.add_source(seen.workspace_id, seen.connection_id.unwrap()).await;
    let space = world.site.add_space("SMALL", "A few pages").unwrap();
    let few = world.site.add_page(space, "One", "<p>1</p>").unwrap();
    world.include_space(space).await;

    assert_eq!(tick::tick(&world.app).await.unwrap(), 2);

    assert!(world.has(few));
    (world.source, world.store) = large;
    let loaded = pages.iter().filter(|page| world.has(**page)).count();
    assert!((50..pages.len()).contains(&loaded), "the large one gave way after {loaded} pages");
    world.ticks(6).await;
    assert!(pages.iter().all(|page| world.has(*page)));
    assert_eq!((world.files(), world.calls().of("POST /v1/files")), (301, 301));
}

#[tokio::test]
async fn a_run_that_lost_its_lease_writes_nothing_more() {
    let (world, pages) = with_new_pages(60).await;
    let gate = Gate::default();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").query("body-format").once().hold(&gate));

    let meanwhile = async {
        gate.arrived().await;
        let raised = Expr::col(source::Column::Fence).add(1);
        let taken = source::Entity::update_many().col_expr(source::Column::Fence, raised);
        taken.filter(source::Column::Id.eq(world.source)).exec(world.app.db.write()).await.unwrap();
        world.calls();
        gate.open();
    };
    tokio::join!(world.tick(), meanwhile);

    assert_eq!(world.calls().openai(), 0);
    assert_eq!(
        world.last_sync().await.status,
        SyncStatus::Running,
        "it is for the other to say how it ended"
    );

    world.tick_after(TimeDelta::minutes(5)).await;
    world.holds(&pages);
}

/// Ends a tick in the middle of a call, as a crash does.
async fn crash_at(world: &World, fault: Fault) {
    let gate = Gate::default();
    let fault = world.simulator.fault(fault.once().hold(&gate));
    tokio::select! {
        () = world.tick() => panic!("the tick ended before {} hits", world.simulator.hits(fault)),
        () = gate.arrived() => {}
    }
    gate.open();
}

#[tokio::test]
async fn a_crash_at_any_call_heals_by_itself() {
    for (method, path) in [
        ("GET", "/wiki/api/v2/spaces"),
        ("GET", "/wiki/api/v2/pages"),
        ("POST", "/v1/files"),
        ("POST", "/v1/vector_stores/*/file_batches"),
        ("GET", "/v1/vector_stores/*/file_batches/*"),
        ("DELETE", "/v1/vector_stores/*/files/*"),
        ("DELETE", "/v1/files/*"),
    ] {
        let (world, space, mut pages) = World::with_pages(12).await;
        for page in &pages[..5] {
            world.site.edit(*page, "<p>New.</p>").unwrap();
        }
        pages.push(world.site.add_page(space, "New", "<p>x</p>").unwrap());

        crash_at(&world, Fault::on(method, path)).await;
        world.ticks(4).await;

        println!("after a crash at {method} {path}");
        world.holds(&pages);
        assert_eq!(world.text(pages[4]), "# Page 5\n\nNew.\n");
    }
}

#[tokio::test]
async fn crashes_in_a_row_heal_too() {
    let (world, pages) = with_new_pages(120).await;

    for skip in [0, 3, 7, 1, 12] {
        crash_at(&world, Fault::on("POST", "/v1/files").skip(skip)).await;
    }
    world.ticks(5).await;

    world.holds(&pages);
}

#[tokio::test]
async fn a_process_that_sleeps_in_a_transaction_keeps_nobody_waiting() {
    if !on_a_server() {
        return;
    }
    let (world, pages) = with_new_pages(3).await;
    let mut settings = Settings::clone(&world.app.settings);
    settings.timing.transaction_idle = Duration::from_millis(50);
    let sleeper = App::open(settings, world.app.clock.clone()).await.unwrap();
    let change = || source::documents_change().filter(source::Column::Id.eq(world.source));
    let asleep = sleeper.db.begin().await.unwrap();
    change().exec(&asleep).await.unwrap();

    let other = timeout(Duration::from_mins(1), change().exec(world.app.db.write())).await;

    assert_eq!(other.expect("it waits for who sleeps").unwrap().rows_affected, 1);
    world.tick().await;
    world.holds(&pages);
    asleep.commit().await.expect_err("it was rolled back");
}

#[tokio::test]
async fn a_stopping_process_hands_over_at_a_safe_point() {
    let (world, pages) = with_new_pages(120).await;
    let stopping = world.app.stopping.clone();
    let fifth = Fault::on("POST", "/v1/files").skip(5).once();
    world.simulator.fault(fifth.run(move || stopping.store(true, Ordering::SeqCst)));

    world.tick().await;
    assert!(world.store().len() < 120);
    assert_eq!(world.last_sync().await.status, SyncStatus::Running);
    assert_eq!(world.source().await.lease_holder, None, "the next one need not wait");

    world.app.stopping.store(false, Ordering::SeqCst);
    world.tick_after(TimeDelta::zero()).await;
    world.holds(&pages);
    assert_eq!(world.calls().of("POST /v1/files"), 120);
}
