//! Moves: no version tells of them, and no text changes by them.

use std::time::Duration;

use simulator::{Fault, Place};
use tidegate::entity::{EvidenceKind, document::DocumentState, selection::SelectionKind};

use super::world::World;

#[tokio::test]
async fn a_move_changes_attributes_and_uploads_nothing() {
    let (world, space, one) = World::with_a_page().await;
    let two = world.site.add_page(space, "Two", "<p>2</p>").unwrap();
    let leaf = world.site.add_child(two, "Leaf", "<p>3</p>").unwrap();
    world.tick().await;
    world.calls();

    world.site.move_to(two, Place::Under(one)).unwrap();
    world.tick().await;

    assert_eq!(world.attribute(two, "path"), "Runbook");
    assert_eq!(world.attribute(leaf, "path"), "Runbook / Two");
    assert_eq!(world.calls().of("POST /v1/files"), 0);
    let sync = world.last_sync().await;
    assert_eq!((sync.counts.metadata, sync.done, sync.total), (2, 2, Some(2)));
}

#[tokio::test]
async fn a_page_moved_to_another_selected_space_tells_the_new_space() {
    let (world, _, page) = World::with_a_page().await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    world.include_space(other).await;
    world.tick().await;
    world.calls();

    world.site.move_to(page, Place::Top { space: other }).unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.attribute(page, "space_key"), "OPS");
    assert_eq!(world.calls().of("POST /v1/files"), 0);
}

#[tokio::test]
async fn a_link_within_a_space_follows_its_page_into_another() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let link = "<p><ac:link><ri:page ri:content-title=\"Pumps\" /></ac:link></p>";
    let page = world.site.add_page(space, "Runbook", link).unwrap();
    world.include(SelectionKind::Page, page).await;
    world.tick().await;
    assert!(world.text(page).contains("/display/ENG/Pumps"), "{}", world.text(page));

    world.site.move_to(page, Place::Top { space: other }).unwrap();
    world.tick().await;

    assert!(world.text(page).contains("/display/OPS/Pumps"), "{}", world.text(page));
    assert_eq!(world.attribute(page, "space_key"), "OPS");
    world.holds(&[page]);
}

#[tokio::test]
async fn a_page_that_moves_while_it_is_indexed_comes_in_as_it_is_then() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let above = world.site.add_page(other, "Above", "<p>0</p>").unwrap();
    let link = "<p><ac:link><ri:page ri:content-title=\"Pumps\" /></ac:link></p>";
    let near = world.site.add_page(other, "Near", "<p>1</p>").unwrap();
    let far = world.site.add_page(space, "Far", link).unwrap();
    for page in [near, far] {
        world.include(SelectionKind::Page, page).await;
    }
    world.simulator.openai().habits.indexing = Duration::from_mins(7);
    world.tick().await;
    assert!(world.store().is_empty());

    for page in [near, far] {
        world.site.move_to(page, Place::Under(above)).unwrap();
    }
    world.ticks(4).await;

    world.holds(&[near, far]);
    for page in [near, far] {
        assert_eq!(world.attribute(page, "path"), "Above");
        assert_eq!(world.attribute(page, "space_key"), "OPS");
    }
    assert!(world.text(far).contains("/display/OPS/Pumps"), "{}", world.text(far));
}

#[tokio::test]
async fn a_page_that_comes_in_above_another_is_in_its_path_as_it_is_then() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let above = world.site.add_page(space, "Above", "<p>1</p>").unwrap();
    let leaf = world.site.add_child(above, "Leaf", "<p>2</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.include(SelectionKind::Page, leaf).await;
    world.tick().await;
    assert_eq!(world.attribute(leaf, "path"), "Above");

    world.site.move_to(above, Place::Under(root)).unwrap();
    world.tick().await;

    world.holds(&[root, above, leaf]);
    assert_eq!(world.attribute(leaf, "path"), "Root / Above");
}

#[tokio::test]
async fn a_page_moved_out_of_every_selected_space_leaves() {
    let (world, space, page) = World::with_a_page().await;
    let other = world.site.add_space("OPS", "Operations").unwrap();

    world.site.move_to(page, Place::Top { space: other }).unwrap();
    world.tick().await;
    world.holds(&[]);
    world.left(page, EvidenceKind::MovedOut).await;

    world.site.move_to(page, Place::Top { space }).unwrap();
    world.tick().await;
    world.holds(&[page]);
}

#[tokio::test]
async fn pages_move_into_and_out_of_a_selected_tree() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let page = world.site.add_page(space, "Page", "<p>1</p>").unwrap();
    let leaf = world.site.add_child(page, "Leaf", "<p>2</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.holds(&[root]);

    world.site.move_to(page, Place::Under(root)).unwrap();
    world.tick().await;
    world.holds(&[root, page, leaf]);
    assert_eq!(world.attribute(leaf, "path"), "Root / Page");

    world.site.move_to(page, Place::Top { space }).unwrap();
    world.tick().await;
    world.holds(&[root]);
    world.left(page, EvidenceKind::MovedOut).await;
    world.left(leaf, EvidenceKind::MovedOut).await;
}

#[tokio::test]
async fn a_tree_follows_its_root_into_another_space() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let leaf = world.site.add_child(root, "Leaf", "<p>1</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.calls();

    world.site.move_to(root, Place::Top { space: other }).unwrap();
    world.tick().await;

    world.holds(&[root, leaf]);
    assert_eq!(world.attribute(leaf, "space_key"), "OPS");
    assert_eq!(world.calls().of("POST /v1/files"), 0);

    world.site.edit(leaf, "<p>New.</p>").unwrap();
    let new = world.site.add_child(leaf, "New", "<p>2</p>").unwrap();
    world.tick().await;
    world.holds(&[root, leaf, new]);
    assert_eq!(world.text(leaf), "# Leaf\n\nNew.\n");
}

#[tokio::test]
async fn a_page_moved_between_selected_trees_stays_without_a_gap() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let one = world.site.add_page(space, "One", "<p>1</p>").unwrap();
    let two = world.site.add_page(space, "Two", "<p>2</p>").unwrap();
    let page = world.site.add_child(one, "Page", "<p>3</p>").unwrap();
    world.include(SelectionKind::PageTree, one).await;
    let second = world.include(SelectionKind::PageTree, two).await;
    world.tick().await;
    world.calls();

    world.site.move_to(page, Place::Under(two)).unwrap();
    world.tick().await;

    world.holds(&[one, two, page]);
    assert_eq!(world.calls().of("POST /v1/files"), 0);
    assert_eq!(world.document(page).await.selection_id, Some(second));
}

#[tokio::test]
async fn a_page_that_moves_between_trees_while_they_are_listed_does_not_leave() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let one = world.site.add_page(space, "One", "<p>1</p>").unwrap();
    let two = world.site.add_page(space, "Two", "<p>2</p>").unwrap();
    let page = world.site.add_child(two, "Page", "<p>3</p>").unwrap();
    world.include(SelectionKind::PageTree, one).await;
    world.include(SelectionKind::PageTree, two).await;
    world.tick().await;

    let site = world.site.clone();
    let second_listing = Fault::on("GET", "/wiki/api/v2/pages/{id}/descendants").skip(1).once();
    world.simulator.fault(second_listing.run(move || site.move_to(page, Place::Under(one)).unwrap()));
    world.tick().await;
    world.holds(&[one, two, page]);
    assert_eq!(world.state(page).await, DocumentState::Live);

    world.tick().await;
    world.holds(&[one, two, page]);
    assert_eq!(world.attribute(page, "path"), "One");
}

#[tokio::test]
async fn a_renamed_folder_of_a_selected_tree_renames_the_paths_through_it() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let folder = world.site.add_folder(Place::Under(root), "Machines").unwrap();
    let page = world.site.add_child(folder, "Pumps", "<p>1</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    assert_eq!(world.attribute(page, "path"), "Root / Machines");

    world.site.rename(folder, "Engines").unwrap();
    world.tick().await;
    assert_eq!(world.attribute(page, "path"), "Root / Engines");

    let upper = world.site.add_folder(Place::Under(root), "Upper").unwrap();
    world.site.move_to(folder, Place::Under(upper)).unwrap();
    world.tick().await;
    assert_eq!(world.attribute(page, "path"), "Root / Upper / Engines");
}

#[tokio::test]
async fn a_renamed_parent_page_renames_the_paths_below_it_in_the_same_tick() {
    let (world, space, one) = World::with_a_page().await;
    let two = world.site.add_child(one, "Two", "<p>2</p>").unwrap();
    let leaf = world.site.add_child(two, "Leaf", "<p>3</p>").unwrap();
    world.tick().await;
    assert_eq!(world.attribute(leaf, "path"), "Runbook / Two");

    world.site.rename(one, "Handbook").unwrap();
    world.tick().await;
    assert_eq!(world.attribute(two, "path"), "Handbook");
    assert_eq!(world.attribute(leaf, "path"), "Handbook / Two");

    world.exclude(SelectionKind::Page, one).await;
    world.tick().await;
    world.site.rename(one, "Guide").unwrap();
    world.tick().await;
    assert_eq!(world.attribute(leaf, "path"), "Guide / Two", "a page above that is not selected");
    world.site.add_page(space, "Other", "<p>x</p>").unwrap();
}

#[tokio::test]
async fn a_folder_of_a_selected_space_is_read_again_in_turn() {
    let (world, space, _) = World::with_a_page().await;
    let folders: Vec<_> = (1..=10)
        .map(|n| world.site.add_folder(Place::Top { space }, &format!("Folder {n}")).unwrap())
        .collect();
    let below = |folder, n: usize| world.site.add_child(folder, &format!("Leaf {n}"), "<p>x</p>").unwrap();
    let leaves: Vec<_> = folders.iter().zip(1..).map(|(folder, n)| below(*folder, n)).collect();
    world.tick().await;
    world.calls();

    for folder in &folders {
        world.site.rename(*folder, &format!("Renamed {folder}")).unwrap();
    }
    let upper = world.site.add_folder(Place::Top { space }, "Upper").unwrap();
    world.site.move_to(folders[0], Place::Under(upper)).unwrap();
    world.tick().await;
    assert_eq!(world.calls().of("GET /wiki/api/v2/folders/{id}"), 3 + 1, "and one above that was not known");

    world.ticks(3).await;
    for (folder, leaf) in folders.iter().zip(&leaves).skip(1) {
        assert_eq!(world.attribute(*leaf, "path"), format!("Renamed {folder}"));
    }
    assert_eq!(world.attribute(leaves[0], "path"), format!("Upper / Renamed {}", folders[0]));
    assert_eq!(world.calls().of("POST /v1/files"), 0);
}

#[tokio::test]
async fn a_folder_that_nothing_is_below_any_more_is_asked_for_no_longer() {
    let (world, space, page) = World::with_a_page().await;
    let folder = world.site.add_folder(Place::Top { space }, "Folder").unwrap();
    world.site.move_to(page, Place::Under(folder)).unwrap();
    world.tick().await;
    assert_eq!(world.attribute(page, "path"), "Folder");

    world.site.move_to(page, Place::Top { space }).unwrap();
    world.tick().await;
    assert_eq!(world.attribute(page, "path"), "");
    world.calls();
    world.ticks(2).await;
    assert_eq!(world.calls().of("GET /wiki/api/v2/folders/{id}"), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_keeps_its_name_and_holds_up_no_other() {
    let (world, space, page) = World::with_a_page().await;
    let other = world.site.add_page(space, "Other", "<p>x</p>").unwrap();
    let hidden = world.site.add_folder(Place::Top { space }, "Hidden").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Folder").unwrap();
    world.site.move_to(page, Place::Under(hidden)).unwrap();
    world.site.move_to(other, Place::Under(folder)).unwrap();
    world.tick().await;

    world.simulator.fault(Fault::on("GET", &format!("/wiki/api/v2/folders/{hidden}")).status(404));
    world.site.rename(folder, "Renamed").unwrap();
    world.tick().await;

    assert_eq!(world.attribute(page, "path"), "Hidden");
    assert_eq!(world.attribute(other, "path"), "Renamed");
}
