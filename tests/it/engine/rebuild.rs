//! A store that is lost: its knowledge base waits, and a rebuild brings every document into a new one.

use simulator::{Fault, openai::Project};
use tidegate::{
    entity::{
        knowledge_base::{KnowledgeBaseStatus, StoreOrigin},
        reconcile::{self, ReconcileKind, ReconcileStatus},
        source::SourceStatus,
    },
    knowledge_bases,
};

use super::world::World;

/// The store is gone, and the knowledge base knows it.
async fn without_store(count: usize) -> (World, Vec<simulator::Id>) {
    let (world, _, pages) = World::with_pages(count).await;
    world.simulator.openai().lose_store(&world.store);
    world.request_reconcile(false).await;
    world.tick().await;
    assert_eq!(world.knowledge_base().await.unwrap().status, KnowledgeBaseStatus::Blocked);
    world.calls();
    (world, pages)
}

impl World {
    async fn rebuild(&mut self) -> reconcile::Model {
        let id = self.request_work(ReconcileKind::Rebuild, false).await;
        for _ in 0..6 {
            self.tick().await;
            let row = self.reconcile_row(id).await;
            if row.finished_at.is_some() {
                self.store = row.vector_store_id.clone().unwrap_or_default();
                return row;
            }
        }
        panic!("it does not finish: {:?}", self.reconcile_row(id).await)
    }

    fn stores(&self) -> usize {
        self.simulator.openai().projects().iter().flat_map(Project::stores).count()
    }
}

#[tokio::test]
async fn every_document_comes_into_the_new_store_without_an_upload() {
    let (mut world, pages) = without_store(30).await;
    let old = world.store.clone();

    let row = world.rebuild().await;

    assert_eq!((row.status, row.done, row.total), (ReconcileStatus::Succeeded, 30, Some(30)));
    assert_ne!(world.store, old);
    world.holds(&pages);
    let knowledge_base = world.knowledge_base().await.unwrap();
    assert_eq!(knowledge_base.vector_store_id.as_deref(), Some(world.store.as_str()));
    assert_eq!((knowledge_base.status, knowledge_base.problem), (KnowledgeBaseStatus::Active, None));
    assert_eq!(knowledge_base.origin, StoreOrigin::Created);
    assert_eq!(world.source().await.status, SourceStatus::Active);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (0, 0), "the files themselves were still there");
    assert_eq!(calls.of("POST /v1/vector_stores/{store}/file_batches"), 1);
}

#[tokio::test]
async fn what_openai_lost_with_the_store_is_uploaded_from_the_kept_texts() {
    let (mut world, pages) = without_store(5).await;
    for page in &pages[..3] {
        let file = world.file_id(*page).await;
        world.simulator.openai().lose_file(&file);
    }

    world.rebuild().await;

    world.holds(&pages);
    let calls = world.calls();
    assert_eq!((calls.of("POST /v1/files"), calls.bodies), (3, 0));
}

#[tokio::test]
async fn what_changed_meanwhile_is_in_the_new_store_too() {
    let (mut world, mut pages) = without_store(3).await;
    world.site.edit(pages[0], "<p>Newer.</p>").unwrap();
    let space = world.site.node(pages[0]).unwrap().space;
    world.site.trash(pages[1]).unwrap();
    pages.remove(1);
    pages.push(world.site.add_page(space, "Later", "<p>Later.</p>").unwrap());

    world.rebuild().await;
    world.tick().await;

    world.holds(&pages);
    assert!(world.text(pages[0]).ends_with("Newer.\n"));
}

#[tokio::test]
async fn a_new_store_whose_making_was_not_answered_is_found_and_not_made_twice() {
    for fault in [Fault::drop_before, Fault::drop_after, Fault::malformed] {
        let (mut world, pages) = without_store(3).await;
        world.simulator.fault(fault(Fault::on("POST", "/v1/vector_stores").once()));
        world.rebuild().await;
        assert_eq!(world.stores(), 1);
        world.holds(&pages);
    }
}

#[tokio::test]
async fn every_call_of_a_rebuild_may_fail() {
    for (verb, path) in [
        ("GET", "/v1/files"),
        ("POST", "/v1/vector_stores/{store}/file_batches"),
        ("GET", "/v1/vector_stores/{store}/file_batches/{batch}"),
        ("POST", "/v1/files"),
    ] {
        for fault in [Fault::drop_before, Fault::drop_after, Fault::malformed] {
            let (mut world, pages) = without_store(4).await;
            let file = world.file_id(pages[0]).await;
            world.simulator.openai().lose_file(&file);
            let fault = world.simulator.fault(fault(Fault::on(verb, path).once()));
            world.rebuild().await;
            world.tick().await;
            assert_eq!(world.simulator.hits(fault), 1, "{verb} {path}");
            world.holds(&pages);
        }
    }
}

#[tokio::test]
async fn pages_of_a_paused_source_follow_when_it_is_resumed() {
    let (mut world, pages) = without_store(3).await;
    knowledge_bases::store::unblock(world.app.db.write(), world.knowledge_base, world.now()).await.unwrap();
    world.pause().await;

    let row = world.rebuild().await;
    assert_eq!((row.status, row.done), (ReconcileStatus::Partial, 0));

    world.resume().await;
    world.tick().await;
    world.holds(&pages);
}
