//! Indexing at OpenAI: what fails, what is stuck, and servers that know no batches.

use std::time::Duration;

use chrono::TimeDelta;
use simulator::{BatchSupport, Fault, Gate, IndexingRule, Outcome};
use tidegate::entity::{document::DocumentState, sync::SyncStatus};
use tokio::time::timeout;

use super::world::World;

fn failed() -> Outcome {
    Outcome::Failed { code: "server_error".to_owned(), message: "cannot be read".to_owned() }
}

#[tokio::test]
async fn a_file_that_fails_in_a_batch_delays_no_other() {
    let (world, space, page) = World::with_a_page().await;
    world.simulator.openai().indexing(IndexingRule::new("Bad", failed()));
    let bad = world.site.add_page(space, "Bad", "<p>1</p>").unwrap();
    let good = world.site.add_page(space, "Good", "<p>2</p>").unwrap();

    world.tick().await;

    world.holds(&[page, good]);
    let sync = world.last_sync().await;
    assert_eq!((sync.status, sync.counts.created, sync.counts.failed), (SyncStatus::Partial, 1, 1));
    let document = world.document(bad).await;
    assert_eq!(
        (document.state, document.reason.as_deref()),
        (DocumentState::Failed, Some("indexing_failed"))
    );
    assert!(document.message.unwrap().contains("cannot be read"));

    world.simulator.openai().clear_indexing();
    world.tick().await;
    world.holds(&[page, good, bad]);
    assert_eq!(world.document(bad).await.failures, 0);
}

#[tokio::test]
async fn a_failure_that_lasts_is_tried_ever_more_rarely_and_the_old_version_stays() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.openai().indexing(IndexingRule::new("Runbook", failed()));
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.ticks(12).await;

    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n");
    world.holds(&[page]);
    assert_eq!(world.calls().of("POST /v1/files"), 4, "after 0, 5, 15 and 35 minutes");
    assert_eq!(world.state(page).await, DocumentState::Failed);

    world.site.edit(page, "<p>Newer.</p>").unwrap();
    world.simulator.openai().clear_indexing();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNewer.\n", "a newer version is tried at once");
}

#[tokio::test]
async fn a_stuck_file_delays_nobody_and_is_given_up_at_its_deadline() {
    let (world, space, page) = World::with_a_page().await;
    world.simulator.openai().indexing(IndexingRule::new("Runbook", Outcome::Stuck).times(1));
    world.site.edit(page, "<p>New.</p>").unwrap();
    let good = world.site.add_page(space, "Good", "<p>2</p>").unwrap();

    world.tick().await;
    assert!(world.has(good));
    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n");
    assert_eq!(world.last_sync().await.status, SyncStatus::Running);

    let later = world.site.add_page(space, "Later", "<p>3</p>").unwrap();
    world.tick().await;
    assert!(world.has(later), "the wiki is still watched");

    world.tick().await;
    assert_eq!(world.document(page).await.reason.as_deref(), Some("indexing_timed_out"));
    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n");
    world.holds(&[page, good, later]);

    world.tick().await;
    world.holds(&[page, good, later]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.last_sync().await.status, SyncStatus::Succeeded);
}

#[tokio::test]
async fn a_stuck_file_keeps_nobody_back_while_others_are_uploaded() {
    let world = World::with(|settings| {
        settings.openai.uploads_in_flight = 1;
        settings.timing.batch_files = 4;
        settings.timing.batch_close_after = Duration::from_mins(10);
    })
    .await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<_> = (0..8).map(add).collect();
    world.include_space(space).await;
    world.simulator.openai().indexing(IndexingRule::new("Page 2", Outcome::Stuck));
    let gate = Gate::default();
    world.simulator.fault(Fault::on("POST", "/v1/files").skip(4).once().hold(&gate));

    let meanwhile = async {
        gate.arrived().await;
        timeout(Duration::from_mins(1), async {
            for page in [pages[0], pages[1], pages[3]] {
                while world.state(page).await != DocumentState::Live {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await
        .expect("three of the first batch are live while the fifth is still being uploaded");
        gate.open();
    };
    tokio::join!(world.tick(), meanwhile);

    assert_eq!(world.state(pages[2]).await, DocumentState::Indexing);
}

#[tokio::test]
async fn a_text_that_cannot_be_indexed_is_not_uploaded_again() {
    for code in ["unsupported_file", "invalid_file"] {
        let (world, space, page) = World::with_a_page().await;
        let outcome = Outcome::Failed { code: code.to_owned(), message: "no text in it".to_owned() };
        world.simulator.openai().indexing(IndexingRule::new("Odd", outcome));
        let odd = world.site.add_page(space, "Odd", "<p>1</p>").unwrap();

        world.ticks(12).await;

        let document = world.document(odd).await;
        assert_eq!(
            (document.state, document.reason.as_deref()),
            (DocumentState::Failed, Some("indexing_refused"))
        );
        assert_eq!(world.calls().of("POST /v1/files"), 1);
        world.holds(&[page]);

        world.simulator.openai().clear_indexing();
        world.site.edit(odd, "<p>2</p>").unwrap();
        world.tick().await;
        world.holds(&[page, odd]);
    }
}

#[tokio::test]
async fn slow_indexing_is_met_again_by_a_later_run() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.openai().habits.indexing = Duration::from_secs(30);
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n");

    world.tick_after(TimeDelta::seconds(31)).await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.calls().of("POST /v1/files"), 1);
    assert_eq!(world.last_sync().await.status, SyncStatus::Succeeded);
}

#[tokio::test]
async fn servers_without_batches_are_attached_to_singly() {
    for batches in [BatchSupport::Missing, BatchSupport::IgnoresFiles] {
        let world = World::start().await;
        world.simulator.openai().habits.batches = batches;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
        let pages: Vec<_> = (0..5).map(add).collect();
        world.include_space(space).await;

        world.tick().await;

        world.holds(&pages);
        assert_eq!(world.attribute(pages[0], "space_key"), "ENG");
    }
}

#[tokio::test]
async fn a_server_of_another_make_is_served() {
    let world = World::start().await;
    world.simulator.openai().habits = simulator::openai::Habits::ogx();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<_> = (0..5).map(add).collect();
    world.include_space(space).await;
    world.tick().await;
    world.holds(&pages);

    world.site.edit(pages[0], "<p>New.</p>").unwrap();
    world.site.trash(pages[1]).unwrap();
    world.site.move_to(pages[2], simulator::Place::Under(pages[0])).unwrap();
    world.tick().await;

    world.holds(&[pages[0], pages[2], pages[3], pages[4]]);
    assert_eq!(world.text(pages[0]), "# Page 0\n\nNew.\n");
    assert_eq!(world.attribute(pages[2], "path"), "Page 0");
}

#[tokio::test]
async fn a_batch_that_is_too_long_is_split_as_the_server_asks() {
    let world = World::start().await;
    world.simulator.openai().habits.batch_limit = 10;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<_> = (0..45).map(add).collect();
    world.include_space(space).await;

    world.ticks(2).await;

    world.holds(&pages);
    assert_eq!(world.calls().of("POST /v1/files"), 45);
}

#[tokio::test]
async fn a_text_that_openai_refuses_is_not_sent_again() {
    let (world, space, page) = World::with_a_page().await;
    let refused = world.site.add_page(space, "Refused", "<p>1</p>").unwrap();
    let answer =
        r#"{"error":{"message":"Invalid file.","type":"invalid_request_error","param":null,"code":null}}"#;
    let fault = Fault::on("POST", "/v1/files").respond(400, &[], answer);
    let fault = world.simulator.fault(fault);

    world.tick().await;
    let document = world.document(refused).await;
    assert_eq!(
        (document.state, document.reason.as_deref()),
        (DocumentState::Failed, Some("refused_by_openai"))
    );
    world.ticks(3).await;
    assert_eq!(world.simulator.hits(fault), 1);

    world.simulator.clear_faults();
    world.site.edit(refused, "<p>2</p>").unwrap();
    world.tick().await;
    world.holds(&[page, refused]);
}

#[tokio::test]
async fn a_file_lost_before_it_is_attached_is_uploaded_again() {
    let (world, space, page) = World::with_a_page().await;
    world.simulator.fault(Fault::on("POST", "/v1/vector_stores/*/file_batches").once().status(429));
    let new = world.site.add_page(space, "New", "<p>1</p>").unwrap();
    let other = world.site.add_page(space, "Other", "<p>2</p>").unwrap();
    world.tick().await;
    assert_eq!(world.files(), 3);
    {
        let mut openai = world.simulator.openai();
        let lost =
            openai.projects()[0].files().find(|file| file.filename.starts_with("new-")).unwrap().id.clone();
        assert!(openai.lose_file(&lost));
    }

    world.ticks(3).await;

    world.holds(&[page, new, other]);
}

#[tokio::test]
async fn an_entry_that_others_took_out_is_put_back_when_it_is_described() {
    let (world, space, page) = World::with_a_page().await;
    let above = world.site.add_page(space, "Above", "<p>1</p>").unwrap();
    world.tick().await;
    let lost = world.simulator.openai().store(&world.store).unwrap().entries().next().unwrap().file.clone();
    assert!(world.simulator.openai().lose_entry(&world.store, &lost));

    world.site.move_to(page, simulator::Place::Under(above)).unwrap();
    world.ticks(2).await;

    world.holds(&[page, above]);
}
