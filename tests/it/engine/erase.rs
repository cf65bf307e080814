//! Deleting sources and knowledge bases: the documents leave first, whatever else is dead.

use simulator::{Fault, Vendor};

use super::world::World;

#[tokio::test]
async fn a_deleted_source_takes_its_documents_out() {
    let (world, _, _) = World::with_pages(3).await;

    world.delete_source(false).await;
    world.tick().await;

    world.holds(&[]);
    assert!(world.source_is_gone().await);
}

#[tokio::test]
async fn a_deleted_source_needs_neither_confluence_nor_an_end_of_its_pause() {
    let (world, _, _) = World::with_pages(3).await;
    world.pause().await;
    world.simulator.fault(Fault::at(Vendor::Confluence).status(401));
    world.simulator.fault(Fault::at(Vendor::Atlassian).status(401));

    world.delete_source(false).await;
    world.tick().await;

    world.holds(&[]);
    assert!(world.source_is_gone().await);
    assert_eq!(world.calls().confluence(), 0);
}

#[tokio::test]
async fn a_deleted_source_may_leave_its_documents() {
    let (world, _, pages) = World::with_pages(3).await;

    world.delete_source(true).await;
    world.tick().await;

    world.holds(&pages);
    assert!(world.source_is_gone().await);
    assert_eq!(world.calls().openai(), 0);
}

#[tokio::test]
async fn a_deletion_goes_on_until_the_last_file_is_gone() {
    let (world, _, _) = World::with_pages(3).await;
    let down = world.simulator.fault(Fault::on("DELETE", "/v1/files/*").status(503));

    world.delete_source(false).await;
    world.tick().await;
    assert!(!world.source_is_gone().await);
    assert_eq!(world.store().len(), 0, "what is detached is found no more");

    world.simulator.remove_fault(down);
    world.tick().await;
    world.holds(&[]);
    assert!(world.source_is_gone().await);
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_leaves_with_its_source() {
    let (world, space, _) = World::with_pages(3).await;
    world.site.add_page(space, "Lost", "<p>x</p>").unwrap();
    world.simulator.fault(Fault::on("POST", "/v1/files").once().drop_after());
    world.tick().await;

    world.delete_source(false).await;
    world.ticks(4).await;

    world.holds(&[]);
    assert!(world.source_is_gone().await);
}

#[tokio::test]
async fn a_deleted_knowledge_base_leaves_its_store_empty() {
    let (world, _, _) = World::with_pages(3).await;

    world.delete_knowledge_base(false, false).await;
    world.tick().await;

    world.holds(&[]);
    assert!(world.knowledge_base().await.is_none());
    assert!(world.simulator.openai().store(&world.store).is_some());
}

#[tokio::test]
async fn a_store_of_ours_goes_with_its_knowledge_base_if_that_is_asked_for() {
    let (world, _, _) = World::with_pages(3).await;

    world.delete_knowledge_base(true, false).await;
    world.tick().await;

    assert!(world.knowledge_base().await.is_none());
    assert!(world.simulator.openai().store(&world.store).is_none());
    assert_eq!(world.files(), 0);
}

#[tokio::test]
async fn a_store_with_a_foreign_file_stays() {
    let (world, _, _) = World::with_pages(3).await;
    let foreign = world.attach_foreign_file().await;

    world.delete_knowledge_base(true, false).await;
    world.tick().await;

    assert!(world.knowledge_base().await.is_none());
    let openai = world.simulator.openai();
    let entries: Vec<_> = openai.store(&world.store).unwrap().entries().map(|entry| &entry.file).collect();
    assert_eq!(entries, [&foreign]);
}

#[tokio::test]
async fn a_knowledge_base_with_a_dead_key_goes_when_it_is_forgotten() {
    let (world, _, pages) = World::with_pages(3).await;
    world.simulator.openai().kill_key("sk-simulated");

    world.delete_knowledge_base(false, false).await;
    world.ticks(2).await;
    assert!(world.knowledge_base().await.is_some());

    world.delete_knowledge_base(false, true).await;
    world.tick().await;
    assert!(world.knowledge_base().await.is_none());
    world.holds(&pages);
}

#[tokio::test]
async fn a_sync_leaves_foreign_files_alone() {
    let (world, space, _) = World::with_pages(3).await;
    let foreign = world.attach_foreign_file().await;

    world.site.delete_space(space).unwrap();
    world.delete_source(false).await;
    world.tick().await;

    let openai = world.simulator.openai();
    assert!(openai.file(&foreign).is_some());
    assert_eq!(openai.store(&world.store).unwrap().entries().count(), 1);
}
