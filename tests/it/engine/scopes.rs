//! Selections: what is brought in, what is kept out, and which of them decides.

use simulator::{Kind, Place};
use tidegate::entity::{
    EvidenceKind,
    document::DocumentState,
    selection::{SelectionKind, SelectionStatus},
};

use super::world::World;

#[tokio::test]
async fn a_selected_page_comes_alone_and_is_followed_into_any_space() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let page = world.site.add_page(space, "Page", "<p>1</p>").unwrap();
    world.site.add_child(page, "Below", "<p>2</p>").unwrap();
    let selection = world.include(SelectionKind::Page, page).await;
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.attribute(page, "space_key"), "ENG");

    world.site.move_to(page, Place::Top { space: other }).unwrap();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.attribute(page, "space_key"), "OPS");

    world.site.trash(page).unwrap();
    world.tick().await;
    world.left(page, EvidenceKind::Trashed).await;
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Missing);

    world.site.restore(page).unwrap();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Ok);
}

#[tokio::test]
async fn a_page_tree_is_the_page_and_every_page_below_it() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let folder = world.site.add_folder(Place::Under(root), "Folder").unwrap();
    let board = world.site.add(Kind::Whiteboard, Place::Under(folder), "Board", "").unwrap();
    let leaf = world.site.add_child(board, "Leaf", "<p>1</p>").unwrap();
    world.site.add_page(space, "Sibling", "<p>2</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;

    world.tick().await;

    world.holds(&[root, leaf]);
    assert_eq!(world.attribute(leaf, "path"), "Root / Folder / Board");
    assert_eq!(world.attribute(leaf, "space_key"), "ENG");
}

#[tokio::test]
async fn a_tree_may_be_deeper_than_one_listing_reaches() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let mut pages = vec![root];
    for level in 1..=23 {
        let above = *pages.last().unwrap();
        pages.push(world.site.add_child(above, &format!("Level {level}"), "<p>x</p>").unwrap());
    }
    world.include(SelectionKind::PageTree, root).await;

    world.tick().await;

    world.holds(&pages);
}

#[tokio::test]
async fn a_selected_folder_is_every_page_below_it() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Machines").unwrap();
    let page = world.site.add_child(folder, "Pumps", "<p>1</p>").unwrap();
    let below = world.site.add_child(page, "Valves", "<p>2</p>").unwrap();
    let outside = world.site.add_page(space, "Outside", "<p>3</p>").unwrap();
    world.include(SelectionKind::Folder, folder).await;
    world.tick().await;
    world.holds(&[page, below]);
    assert_eq!(world.attribute(below, "path"), "Machines / Pumps");

    world.site.move_to(outside, Place::Under(folder)).unwrap();
    world.site.move_to(below, Place::Top { space }).unwrap();
    world.tick().await;
    world.holds(&[page, outside]);
}

#[tokio::test]
async fn exclusions_keep_out_a_page_and_a_tree_of_a_space() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let page = world.site.add_page(space, "Page", "<p>1</p>").unwrap();
    let child = world.site.add_child(page, "Child", "<p>2</p>").unwrap();
    let tree = world.site.add_page(space, "Tree", "<p>3</p>").unwrap();
    world.site.add_child(tree, "Leaf", "<p>4</p>").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Folder").unwrap();
    world.site.add_child(folder, "Filed", "<p>5</p>").unwrap();
    world.include_space(space).await;
    world.exclude(SelectionKind::Page, page).await;
    world.exclude(SelectionKind::PageTree, tree).await;
    world.exclude(SelectionKind::Folder, folder).await;

    world.tick().await;
    world.holds(&[child]);

    world.site.add_child(tree, "New leaf", "<p>6</p>").unwrap();
    world.tick().await;
    world.holds(&[child]);
}

#[tokio::test]
async fn the_most_specific_selection_decides() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let outside = world.site.add_page(space, "Outside", "<p>0</p>").unwrap();
    let archive = world.site.add_page(space, "Archive", "<p>1</p>").unwrap();
    let kept = world.site.add_child(archive, "Kept", "<p>2</p>").unwrap();
    let below = world.site.add_child(kept, "Below", "<p>3</p>").unwrap();
    let single = world.site.add_child(archive, "Single", "<p>4</p>").unwrap();
    let secret = world.site.add_child(kept, "Secret", "<p>5</p>").unwrap();
    world.include_space(space).await;
    world.exclude(SelectionKind::PageTree, archive).await;
    world.include(SelectionKind::PageTree, kept).await;
    world.include(SelectionKind::Page, single).await;
    world.exclude(SelectionKind::Page, secret).await;

    world.tick().await;

    world.holds(&[outside, kept, below, single]);
}

#[tokio::test]
async fn a_tree_is_selected_out_of_an_excluded_space() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>1</p>").unwrap();
    world.site.add_page(space, "Other", "<p>2</p>").unwrap();
    world.exclude(SelectionKind::Space, space).await;
    world.include(SelectionKind::PageTree, root).await;

    world.tick().await;

    world.holds(&[root]);
}

#[tokio::test]
async fn a_page_chosen_twice_is_one_document() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>1</p>").unwrap();
    let leaf = world.site.add_child(root, "Leaf", "<p>2</p>").unwrap();
    world.include_space(space).await;
    world.include(SelectionKind::PageTree, root).await;
    world.include(SelectionKind::Page, leaf).await;

    world.tick().await;

    world.holds(&[root, leaf]);
    assert_eq!(world.last_sync().await.counts.created, 2);
}

#[tokio::test]
async fn what_a_person_deselects_leaves_however_much_it_is() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<_> = (0..30).map(add).collect();
    let whole = world.include_space(space).await;
    world.include(SelectionKind::Page, pages[0]).await;
    world.tick().await;
    world.holds(&pages);

    world.deselect(whole).await;
    world.tick().await;

    world.holds(&pages[..1]);
    world.left(pages[1], EvidenceKind::Deselected).await;
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn what_is_deselected_and_moved_at_once_is_deselected() {
    let (world, space, pages) = World::with_pages(30).await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let selection = world.document(pages[0]).await.selection_id.unwrap();

    for page in &pages {
        world.site.move_to(*page, Place::Top { space: other }).unwrap();
    }
    world.deselect(selection).await;
    world.include(SelectionKind::Page, pages[0]).await;
    world.tick().await;

    assert_ne!(space, other);
    world.holds(&pages[..1]);
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_new_exclusion_takes_its_pages_out() {
    let (world, _, page) = World::with_a_page().await;
    let below: Vec<_> =
        (0..20).map(|n| world.site.add_child(page, &format!("Below {n}"), "<p>x</p>").unwrap()).collect();
    let other = world.site.add_page(world.site.node(page).unwrap().space, "Other", "<p>y</p>").unwrap();
    world.tick().await;

    let exclusion = world.exclude(SelectionKind::PageTree, page).await;
    world.tick().await;
    world.holds(&[other]);
    world.left(below[0], EvidenceKind::Deselected).await;

    world.deselect(exclusion).await;
    world.tick().await;
    assert_eq!(world.store().len(), 22);
}

#[tokio::test]
async fn a_selection_that_takes_over_a_page_uploads_nothing() {
    let (world, _, page) = World::with_a_page().await;
    let space = world.document(page).await.selection_id.unwrap();
    let own = world.include(SelectionKind::Page, page).await;
    world.deselect(space).await;
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.calls().openai(), 0);
    let document = world.document(page).await;
    assert_eq!((document.state, document.selection_id), (DocumentState::Live, Some(own)));
}

#[tokio::test]
async fn a_paused_source_is_left_alone_and_catches_up() {
    let (world, _, page) = World::with_a_page().await;
    world.pause().await;
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.ticks(2).await;
    assert_eq!(world.calls().confluence(), 0);

    world.resume().await;
    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
}
