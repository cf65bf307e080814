//! Calls that make or take away something, and whose answers are lost: within two ticks it is known what became of them,
//! and nothing was done twice.

use simulator::{BatchSupport, Fault, Id};
use tidegate::entity::sync::SyncStatus;

use super::world::World;

/// How an answer is lost: before anything happened, after it, or in the middle of the answer.
const LOSSES: [fn(Fault) -> Fault; 3] = [Fault::drop_before, Fault::drop_after, Fault::malformed];

/// One edited page, one new page and one in the trash, while a call fails once.
async fn happens(
    batches: BatchSupport,
    verb: &str,
    path: &str,
    loss: fn(Fault) -> Fault,
) -> (World, Vec<Id>) {
    let (world, space, mut pages) = World::with_pages(4).await;
    world.simulator.openai().habits.batches = batches;
    world.site.edit(pages[0], "<p>Newer.</p>").unwrap();
    world.site.trash(pages[1]).unwrap();
    pages.remove(1);
    pages.push(world.site.add_page(space, "New", "<p>New.</p>").unwrap());
    let fault = world.simulator.fault(loss(Fault::on(verb, path).once()));
    world.tick().await;
    assert_eq!(world.simulator.hits(fault), 1, "{verb} {path}");
    (world, pages)
}

/// Two ticks later the store is true, and every call that makes something was made as often as was needed.
async fn settles(batches: BatchSupport, verb: &str, path: &str) {
    for (at, loss) in LOSSES.into_iter().enumerate() {
        let (world, pages) = happens(batches, verb, path, loss).await;
        world.ticks(2).await;
        world.holds(&pages);
        assert!(world.text(pages[0]).ends_with("Newer.\n"));
        assert_ne!(world.last_sync().await.status, SyncStatus::Running);
        let uploads = world.calls().of("POST /v1/files");
        // Only what certainly or possibly never happened was sent once more.
        let lost_upload = path == "/v1/files" && verb == "POST" && at == 0;
        assert_eq!(uploads, 2 + u64::from(lost_upload), "{verb} {path} after loss {at}");
    }
}

#[tokio::test]
async fn an_upload_is_found_again() {
    settles(BatchSupport::Full, "POST", "/v1/files").await;
}

#[tokio::test]
async fn a_batch_is_found_again() {
    settles(BatchSupport::Full, "POST", "/v1/vector_stores/{store}/file_batches").await;
}

#[tokio::test]
async fn a_single_attach_is_found_again() {
    settles(BatchSupport::Missing, "POST", "/v1/vector_stores/{store}/files").await;
}

#[tokio::test]
async fn a_detach_is_carried_through() {
    settles(BatchSupport::Full, "DELETE", "/v1/vector_stores/{store}/files/{file}").await;
}

#[tokio::test]
async fn a_deletion_is_carried_through() {
    settles(BatchSupport::Full, "DELETE", "/v1/files/{file}").await;
}
