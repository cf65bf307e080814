//! What becomes of pages over their life: each ends right within one tick.

use simulator::Place;
use tidegate::entity::{EvidenceKind, document::DocumentState};

use super::world::World;

#[tokio::test]
async fn a_space_is_brought_in_and_then_left_alone() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let runbook = world.site.add_page(space, "Runbook", "<p>Turn it off and on.</p>").unwrap();
    let child = world.site.add_child(runbook, "Pumps", "<p>They hum.</p>").unwrap();
    world.include_space(space).await;

    world.tick().await;

    world.holds(&[runbook, child]);
    assert_eq!(world.text(runbook), "# Runbook\n\nTurn it off and on.\n");
    assert_eq!(world.attribute(child, "path"), "Runbook");
    assert_eq!(world.attribute(child, "space_key"), "ENG");
    let sync = world.last_sync().await;
    assert_eq!((sync.counts.created, sync.done, sync.total), (2, 2, Some(2)));

    world.calls();
    world.tick().await;

    let calls = world.calls();
    assert_eq!((calls.openai(), calls.bodies), (0, 0));
    assert_eq!(world.syncs().await.len(), 1, "a sync that found nothing is not kept");
}

#[tokio::test]
async fn a_new_page_comes_in_with_the_next_tick() {
    let (world, space, page) = World::with_a_page().await;

    let new = world.site.add_page(space, "Pumps", "<p>They hum.</p>").unwrap();
    world.tick().await;

    world.holds(&[page, new]);
}

#[tokio::test]
async fn an_edit_replaces_the_text_and_leaves_no_old_file() {
    let (world, _, page) = World::with_a_page().await;

    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.attribute(page, "version"), 2.0);
    let sync = world.last_sync().await;
    assert_eq!((sync.counts.updated, sync.done, sync.total), (1, 1, Some(1)));
}

#[tokio::test]
async fn a_new_title_is_a_new_text_and_a_new_path_below() {
    let (world, _, page) = World::with_a_page().await;
    let child = world.site.add_child(page, "Pumps", "<p>They hum.</p>").unwrap();
    world.tick().await;
    world.calls();

    world.site.rename(page, "Handbook").unwrap();
    world.tick().await;

    assert_eq!(world.text(page), "# Handbook\n\nTurn it off and on.\n");
    assert_eq!(world.attribute(page, "title"), "Handbook");
    assert_eq!(world.attribute(child, "path"), "Handbook");
    assert_eq!(world.calls().of("POST /v1/files"), 1);
}

#[tokio::test]
async fn a_version_that_changes_no_text_uploads_nothing() {
    let (world, _, page) = World::with_a_page().await;

    world.site.edit(page, "<p>Turn it off and on.</p>").unwrap();
    world.tick().await;

    assert_eq!(world.calls().openai(), 0);
    assert_eq!(world.last_sync().await.counts.touched, 1);
    let document = world.document(page).await;
    assert_eq!((document.live_version, document.rendered_version), (Some(1), Some(2)));

    world.tick().await;
    assert_eq!(world.calls().bodies, 0, "what was looked at is not looked at again");
}

#[tokio::test]
async fn an_edit_of_a_page_with_children_is_done_when_it_says_so() {
    let (world, _, page) = World::with_a_page().await;
    world.site.add_child(page, "Pumps", "<p>They hum.</p>").unwrap();
    world.tick().await;

    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;

    let sync = world.last_sync().await;
    assert_eq!(Some(sync.done), sync.total);
    assert_eq!((sync.counts.updated, sync.counts.metadata), (1, 0));
}

#[tokio::test]
async fn an_archived_page_leaves_at_once_and_comes_back() {
    let (world, _, page) = World::with_a_page().await;

    world.site.archive(page).unwrap();
    world.tick().await;
    world.holds(&[]);
    world.left(page, EvidenceKind::Archived).await;

    world.site.unarchive(page).unwrap();
    world.tick().await;
    world.holds(&[page]);
}

#[tokio::test]
async fn a_trashed_page_leaves_at_once_and_comes_back_with_its_newest_text() {
    let (world, _, page) = World::with_a_page().await;

    world.site.trash(page).unwrap();
    world.tick().await;
    world.holds(&[]);
    world.left(page, EvidenceKind::Trashed).await;

    world.site.restore(page).unwrap();
    world.site.edit(page, "<p>Newer.</p>").unwrap();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNewer.\n");
    assert_eq!(world.state(page).await, DocumentState::Live);
}

#[tokio::test]
async fn a_page_of_five_megabytes_is_one_document() {
    let (world, space, page) = World::with_a_page().await;

    let paragraph = format!("<p>{}</p>", "The pump hums. ".repeat(64));
    let large = world.site.add_page(space, "Large", paragraph.repeat(5 * 1024)).unwrap();
    world.tick().await;

    world.holds(&[page, large]);
    assert!(world.text(large).len() > 4_900_000);
}

#[tokio::test]
async fn fifty_edits_need_one_request_for_bodies() {
    let (world, _, pages) = World::with_pages(60).await;

    for page in &pages[..50] {
        world.site.edit(*page, "<p>New.</p>").unwrap();
    }
    world.tick().await;

    world.holds(&pages);
    let calls = world.calls();
    assert_eq!((calls.body_requests, calls.bodies), (1, 50));
    assert_eq!(calls.of("POST /v1/files"), 50);
}

#[tokio::test]
async fn a_page_under_a_folder_tells_its_way() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Machines").unwrap();
    let page = world.site.add_child(folder, "Pumps", "<p>They hum.</p>").unwrap();
    let below = world.site.add_child(page, "Valves", "<p>They click.</p>").unwrap();
    world.include_space(space).await;

    world.tick().await;

    assert_eq!(world.attribute(page, "path"), "Machines");
    assert_eq!(world.attribute(below, "path"), "Machines / Pumps");
}
