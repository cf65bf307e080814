//! What the store holds beside what is known of it: found, reported and put right, without a gap.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use simulator::{Fault, Outcome};
use tidegate::{
    engine::tick,
    entity::{
        document,
        document::{DocumentState, Work},
        file,
        finding::{FindingKind as K, FindingOutcome as F},
        knowledge_base::KnowledgeBaseStatus,
        reconcile::{self, ReconcileStatus, ReconcileTrigger},
    },
    reconciles::store as reconciles,
};

use super::world::{
    World,
    trouble::{all, code},
};

#[tokio::test]
async fn a_store_as_it_should_be_is_compared_a_hundred_files_a_call() {
    let (world, _, pages) = World::with_pages(250).await;

    let row = world.dry_run().await;

    assert_eq!((row.done, world.findings(row.id).await), (250, vec![]));
    let calls = world.calls();
    assert_eq!(calls.of("GET /v1/vector_stores/{store}/files"), 3);
    assert_eq!((calls.openai(), calls.confluence()), (5, 0), "the store, its list and the account's files");
    world.holds(&pages);
}

#[tokio::test]
async fn a_dry_run_finds_everything_and_changes_nothing() {
    let (world, _, pages) = World::with_pages(6).await;
    world.somebody_detaches(pages[0]).await;
    world.somebody_deletes(pages[1]).await;
    world.somebody_labels(pages[2]).await;
    world.forgotten_file(&pages[3].to_string(), 1, "# Copy").await;
    world.attach_foreign_file().await;
    let before = (world.file_ids(), world.files());
    world.calls();

    let row = world.dry_run().await;

    let found = world.findings(row.id).await;
    let confirmed = |kind| (kind, F::Confirmed);
    assert_eq!(found, [K::Changed, K::Duplicate, K::Missing, K::Missing].map(confirmed));
    assert_eq!((row.foreign_files, row.done), (1, 6));
    assert_eq!((world.file_ids(), world.files()), before);
    let calls = world.calls();
    let writes = calls.operations.keys().filter(|operation| !operation.starts_with("GET")).count();
    assert_eq!(writes, 0, "{:?}", calls.operations);
    assert_eq!(world.knowledge_base().await.unwrap().last_reconciled_at, None);
}

#[tokio::test]
async fn a_file_that_somebody_detached_is_attached_again_as_it_is() {
    let (world, _, pages) = World::with_pages(3).await;
    let file = world.file_id(pages[0]).await;
    world.somebody_detaches(pages[0]).await;
    world.calls();

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Missing, F::Repaired, 1));
    world.holds(&pages);
    assert_eq!(world.file_id(pages[0]).await, file);
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (0, 0));
}

#[tokio::test]
async fn a_file_that_somebody_deleted_is_uploaded_again_from_the_kept_text() {
    let (world, _, pages) = World::with_pages(3).await;
    let text = world.text(pages[0]);
    world.somebody_deletes(pages[0]).await;
    world.calls();

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Missing, F::Repaired, 1));
    world.holds(&pages);
    assert_eq!(world.text(pages[0]), text);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (1, 0), "Confluence is not asked for the text");
}

#[tokio::test]
async fn a_whole_store_that_somebody_emptied_is_filled_again() {
    let (world, _, pages) = World::with_pages(40).await;
    for page in &pages {
        world.somebody_deletes(*page).await;
    }
    world.calls();

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Missing, F::Repaired, 40));
    world.holds(&pages);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (40, 0));
}

#[tokio::test]
async fn an_upload_from_a_kept_text_survives_a_lost_answer() {
    for fault in [Fault::drop_before, Fault::drop_after] {
        let (world, _, pages) = World::with_pages(3).await;
        world.somebody_deletes(pages[0]).await;
        world.simulator.fault(fault(Fault::on("POST", "/v1/files").once()));
        world.reconcile().await;
        world.tick().await;
        world.holds(&pages);
    }
}

#[tokio::test]
async fn attributes_that_others_changed_are_written_again() {
    let (world, _, pages) = World::with_pages(3).await;
    world.somebody_labels(pages[1]).await;

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Changed, F::Repaired, 1));
    assert_eq!(world.attribute(pages[1], "title"), "Page 2");
    let again = world.dry_run().await;
    assert_eq!(world.findings(again.id).await, []);
}

#[tokio::test]
async fn a_file_that_cannot_be_searched_any_more_is_replaced() {
    let (world, _, pages) = World::with_pages(2).await;
    let file = world.file_id(pages[0]).await;
    world.somebody_detaches(pages[0]).await;
    let broken = Outcome::Failed { code: "server_error".to_owned(), message: "Lost.".to_owned() };
    world.simulator.openai().indexing(simulator::IndexingRule::new("page-1", broken).times(1));
    let attributes = tidegate::openai::Attributes::new();
    world.openai().attach(&world.store, &file, &attributes).await.unwrap();

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Broken, F::Repaired, 1));
    world.holds(&pages);
    assert_ne!(world.file_id(pages[0]).await, file);
}

#[tokio::test]
async fn a_file_that_nothing_knows_is_taken_up_where_its_page_has_none() {
    let (world, _, pages) = World::with_pages(2).await;
    let lost = world.file(pages[0]).await;
    let db = world.app.db.write();
    file::Entity::delete_by_id(lost.id).exec(db).await.unwrap();
    document::Entity::update_many()
        .col_expr(document::Column::LiveVersion, Expr::value(Option::<i64>::None))
        .col_expr(document::Column::Work, Expr::value(Work::Create))
        .col_expr(document::Column::State, Expr::value(DocumentState::Pending))
        .filter(document::Column::Id.eq(lost.document_id))
        .exec(db)
        .await
        .unwrap();
    world.calls();

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Unknown, F::Repaired, 1));
    world.holds(&pages);
    assert_eq!(world.file(pages[0]).await.id, lost.id, "its name tells which attempt made it");
    assert_eq!(world.calls().of("POST /v1/files"), 0, "nothing is uploaded twice");
    world.somebody_deletes(pages[0]).await;
    world.calls();
    world.reconcile().await;
    world.holds(&pages);
    assert_eq!(world.calls().bodies, 0, "its text was kept when it was looked at");
}

#[tokio::test]
async fn of_two_files_of_a_page_the_known_one_stays() {
    let (world, _, pages) = World::with_pages(3).await;
    let file = world.file_id(pages[0]).await;
    world.forgotten_file(&pages[0].to_string(), 1, "# A copy").await;

    let row = world.reconcile().await;

    assert_eq!(world.findings(row.id).await, all(K::Duplicate, F::Repaired, 1));
    world.holds(&pages);
    assert_eq!(world.file_id(pages[0]).await, file);
}

#[tokio::test]
async fn many_removals_wait_for_a_person() {
    let (world, _, pages) = World::with_pages(12).await;
    for page in &pages {
        world.forgotten_file(&page.to_string(), 1, "# A copy").await;
    }

    let row = world.reconcile().await;

    assert_eq!(row.status, ReconcileStatus::Held);
    assert_eq!(world.findings(row.id).await, all(K::Duplicate, F::Held, 12));
    assert_eq!(world.files(), 24);

    let approved = reconciles::approve(&world.app.db, &row).await.unwrap();
    assert!(approved.is_some());
    world.tick().await;
    assert_eq!(world.reconcile_row(row.id).await.status, ReconcileStatus::Succeeded);
    world.holds(&pages);
}

#[tokio::test]
async fn a_later_look_takes_the_place_of_one_that_waits() {
    let (world, _, pages) = World::with_pages(12).await;
    for page in &pages {
        world.forgotten_file(&page.to_string(), 1, "# A copy").await;
    }
    let first = world.reconcile().await;
    let second = world.reconcile().await;
    assert_eq!(second.status, ReconcileStatus::Held);
    assert_eq!(world.reconcile_row(first.id).await.status, ReconcileStatus::Superseded);
    assert!(
        reconciles::approve(&world.app.db, &world.reconcile_row(first.id).await).await.unwrap().is_none()
    );
}

#[tokio::test]
async fn a_file_of_ours_that_no_page_wants_leaves_when_it_is_a_day_old() {
    let (world, _, pages) = World::with_pages(3).await;
    let orphan = world.forgotten_file("4711", 1, "# Gone").await;
    let theirs = world.attach_foreign_file().await;

    let row = world.reconcile().await;
    assert_eq!(world.findings(row.id).await, all(K::Orphan, F::Waiting, 1));
    assert!(world.file_ids().contains(&orphan));

    world.tick_after(TimeDelta::hours(24)).await;
    world.reconcile().await;
    assert!(!world.file_ids().contains(&orphan));
    assert!(world.file_ids().contains(&theirs), "files of others stay");
    assert_eq!(world.files(), pages.len() + 1);
}

#[tokio::test]
async fn an_uploaded_file_that_nothing_knows_leaves_when_it_is_a_day_old() {
    let (world, _, pages) = World::with_pages(2).await;
    let stray = world.forgotten_file("4711", 1, "# Gone").await;
    world.simulator.openai().lose_entry(&world.store, &stray);
    let theirs = world.openai().upload_file("page-1-tg00000000-0.md", "# x".into()).await.unwrap().id;

    let row = world.reconcile().await;
    assert_eq!(world.findings(row.id).await, []);

    world.tick_after(TimeDelta::hours(24)).await;
    world.reconcile().await;
    assert!(!world.file_ids().contains(&stray));
    assert!(world.file_ids().contains(&theirs), "another installation's files stay");
    assert_eq!(world.files(), pages.len() + 1);
}

#[tokio::test]
async fn files_that_a_person_kept_stay() {
    let (world, _, pages) = World::with_pages(3).await;
    world.delete_source(true).await;
    world.tick().await;
    assert!(world.source_is_gone().await);

    world.tick_after(TimeDelta::hours(30)).await;
    let row = world.reconcile().await;

    assert_eq!((row.kept_files, row.foreign_files), (3, 0));
    assert_eq!(world.findings(row.id).await, []);
    assert_eq!(world.files(), pages.len());
}

#[tokio::test]
async fn an_older_database_finds_what_it_does_not_remember() {
    let (world, space, mut pages) = World::with_pages(4).await;
    let backup = world.back_up().await;
    world.site.edit(pages[0], "<p>Newer.</p>").unwrap();
    pages.push(world.site.add_page(space, "Later", "<p>Later.</p>").unwrap());
    world.site.trash(pages[1]).unwrap();
    world.tick().await;
    let gone = pages.remove(1);
    world.holds(&pages);

    world.bring_back(backup).await;
    world.reconcile().await;
    world.tick().await;
    world.reconcile().await;

    world.holds(&pages);
    assert!(world.text(pages[0]).ends_with("Newer.\n"));
    assert_eq!(world.state(gone).await, DocumentState::Removed);
}

#[tokio::test]
async fn a_store_is_compared_once_a_day() {
    let (world, _, pages) = World::with_pages(3).await;
    world.tick_after(TimeDelta::hours(23)).await;
    assert_eq!(world.calls().openai(), 0);
    world.somebody_detaches(pages[0]).await;

    world.tick_after(TimeDelta::hours(1)).await;
    world.tick().await;

    world.holds(&pages);
    let rows = reconcile::Entity::find().all(world.app.db.read()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.trigger).collect::<Vec<_>>(), [ReconcileTrigger::Daily]);
    let again = world.knowledge_base().await.unwrap().last_reconciled_at.unwrap();
    world.calls();
    world.tick_after(TimeDelta::hours(1)).await;
    assert_eq!(world.calls().openai(), 0);
    assert_eq!(world.knowledge_base().await.unwrap().last_reconciled_at, Some(again));
}

#[tokio::test]
async fn a_listing_that_breaks_off_goes_on_where_it_was() {
    let (world, _, pages) = World::with_pages(250).await;
    world.simulator.fault(Fault::on("GET", "/v1/vector_stores/{store}/files").skip(2).once().status(503));
    let id = world.request_reconcile(true).await;
    tick::reconcile_stores(&world.app).await.unwrap();
    let row = world.reconcile_row(id).await;
    assert_eq!(
        (row.status, row.done, code(&row)),
        (ReconcileStatus::Running, 200, "openai_unavailable".into())
    );
    world.calls();

    world.tick().await;

    let row = world.reconcile_row(id).await;
    assert_eq!(
        (row.status, row.done, code(&row)),
        (ReconcileStatus::Succeeded, 250, serde_json::Value::Null)
    );
    assert_eq!(world.calls().of("GET /v1/vector_stores/{store}/files"), 1);
    assert_eq!(world.findings(id).await, []);
    world.holds(&pages);
}

#[tokio::test]
async fn a_list_that_lacks_a_file_is_not_believed() {
    let (world, _, pages) = World::with_pages(2).await;
    let empty = r#"{"object":"list","data":[],"has_more":false}"#;
    world.simulator.fault(Fault::on("GET", "/v1/vector_stores/{store}/files").once().respond(
        200,
        &[],
        empty,
    ));
    let row = world.reconcile().await;
    assert_eq!((row.done, world.findings(row.id).await), (0, vec![]));
    world.holds(&pages);
}

#[tokio::test]
async fn a_store_that_is_lost_blocks_the_knowledge_base() {
    let (world, _, _) = World::with_pages(2).await;
    world.simulator.openai().lose_store(&world.store);
    let id = world.request_reconcile(false).await;
    world.tick().await;
    let row = world.reconcile_row(id).await;
    assert_eq!((row.status, code(&row)), (ReconcileStatus::Failed, "store_not_found".into()));
    assert_eq!(world.knowledge_base().await.unwrap().status, KnowledgeBaseStatus::Blocked);
}
