//! Pages without text are not uploaded, and say so.

use tidegate::entity::{EvidenceKind, document::DocumentState};

use super::world::World;

#[tokio::test]
async fn an_empty_page_is_skipped_with_a_reason() {
    let (world, space, page) = World::with_a_page().await;

    let empty = world.site.add_page(space, "Later", "").unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.calls().of("POST /v1/files"), 0);
    let document = world.document(empty).await;
    assert_eq!((document.state, document.reason.as_deref()), (DocumentState::Skipped, Some("empty")));
    assert_eq!(world.last_sync().await.counts.skipped, 1);

    world.tick().await;
    assert_eq!(world.calls().bodies, 0, "an empty page is not read again");
}

#[tokio::test]
async fn an_empty_page_that_is_filled_comes_in() {
    let (world, space, page) = World::with_a_page().await;
    let filled = world.site.add_page(space, "Later", "").unwrap();
    world.tick().await;

    world.site.edit(filled, "<p>Now.</p>").unwrap();
    world.tick().await;

    world.holds(&[page, filled]);
    assert_eq!(world.state(filled).await, DocumentState::Live);
}

#[tokio::test]
async fn a_page_that_is_emptied_leaves() {
    let (world, _, page) = World::with_a_page().await;

    world.site.edit(page, "").unwrap();
    world.tick().await;

    world.holds(&[]);
    let document = world.document(page).await;
    assert_eq!(document.state, DocumentState::Skipped);
    assert_eq!(document.evidence.unwrap().kind, EvidenceKind::Empty);

    world.site.edit(page, "<p>Again.</p>").unwrap();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.document(page).await.evidence, None);
}

#[tokio::test]
async fn an_empty_page_that_is_trashed_is_removed() {
    let (world, space, page) = World::with_a_page().await;
    let empty = world.site.add_page(space, "Later", "").unwrap();
    world.tick().await;

    world.site.trash(empty).unwrap();
    world.tick().await;

    world.holds(&[page]);
    world.left(empty, EvidenceKind::Trashed).await;
}

#[tokio::test]
async fn an_empty_page_that_is_moved_leaves_a_sync_with_nothing_undone() {
    let (world, space, page) = World::with_a_page().await;
    let empty = world.site.add_page(space, "Later", "").unwrap();
    world.tick().await;

    world.site.move_to(empty, simulator::Place::Under(page)).unwrap();
    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;

    let sync = world.last_sync().await;
    assert_eq!(Some(sync.done), sync.total);
}
