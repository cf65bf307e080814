//! What becomes of pages over their life: each ends right within one tick.

use simulator::Place;

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
    let sync = world.last_sync().await;
    assert_eq!((sync.counts.created, sync.done, sync.total), (2, 2, Some(2)));

    world.calls();
    world.tick().await;

    let calls = world.calls();
    assert_eq!((calls.openai(), calls.bodies), (0, 0));
    assert_eq!(world.syncs().await.len(), 1, "a sync that found nothing is not kept");
}

#[tokio::test]
async fn an_edit_replaces_the_text_and_leaves_no_old_file() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let page = world.site.add_page(space, "Runbook", "<p>Old.</p>").unwrap();
    world.include_space(space).await;
    world.tick().await;

    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.attribute(page, "version"), 2.0);
}

#[tokio::test]
async fn a_move_changes_attributes_and_uploads_nothing() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let one = world.site.add_page(space, "One", "<p>1</p>").unwrap();
    let two = world.site.add_page(space, "Two", "<p>2</p>").unwrap();
    let leaf = world.site.add_child(two, "Leaf", "<p>3</p>").unwrap();
    world.include_space(space).await;
    world.tick().await;
    world.calls();

    world.site.move_to(two, Place::Under(one)).unwrap();
    world.tick().await;

    assert_eq!(world.attribute(two, "path"), "One");
    assert_eq!(world.attribute(leaf, "path"), "One / Two");
    assert_eq!(world.calls().of("POST /v1/files"), 0);
    assert_eq!(world.last_sync().await.counts.metadata, 2);
}
