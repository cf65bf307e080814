//! What becomes of a selected tree whose root goes: the root's own document leaves, what was below it waits.

use simulator::Id;
use tidegate::entity::{
    EvidenceKind,
    document::DocumentState,
    selection::{SelectionKind, SelectionStatus},
};
use tidegate::ids::SelectionId;

use super::world::World;

/// A world with a selected tree of a root and two pages below it, beside a page that is selected by itself.
async fn with_a_tree() -> (World, SelectionId, [Id; 4]) {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let one = world.site.add_child(root, "One", "<p>1</p>").unwrap();
    let two = world.site.add_child(one, "Two", "<p>2</p>").unwrap();
    let other = world.site.add_page(space, "Other", "<p>3</p>").unwrap();
    let tree = world.include(SelectionKind::PageTree, root).await;
    world.include(SelectionKind::Page, other).await;
    world.tick().await;
    world.holds(&[root, one, two, other]);
    (world, tree, [root, one, two, other])
}

#[tokio::test]
async fn a_trashed_root_leaves_and_what_was_below_it_is_held() {
    let (world, tree, [root, one, two, other]) = with_a_tree().await;

    world.site.trash(root).unwrap();
    world.tick().await;

    world.holds(&[one, two, other]);
    world.left(root, EvidenceKind::Trashed).await;
    assert_eq!(world.selection(tree).await.status, SelectionStatus::Missing);
    let (hold, held) = world.hold().await.expect("nothing is held");
    assert_eq!((hold.reason.as_str(), held), ("root_gone", 2));

    world.ticks(2).await;
    world.holds(&[one, two, other]);
}

#[tokio::test]
async fn a_purged_root_leaves_by_the_ladder_and_what_was_below_it_is_held() {
    let (world, tree, [root, one, two, other]) = with_a_tree().await;

    world.site.purge(root).unwrap();
    world.tick().await;
    world.holds(&[root, one, two, other]);
    assert_eq!(world.selection(tree).await.status, SelectionStatus::Missing);

    world.tick().await;
    world.holds(&[one, two, other]);
    world.left(root, EvidenceKind::Absent).await;
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(2));
}

#[tokio::test]
async fn an_approved_hold_below_a_lost_root_is_carried_out() {
    let (world, _, [root, one, _, other]) = with_a_tree().await;
    world.site.trash(root).unwrap();
    world.tick().await;

    world.approve().await;
    world.tick().await;

    world.holds(&[other]);
    world.left(one, EvidenceKind::RootGone).await;
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_restored_root_releases_what_was_held_below_it() {
    let (world, tree, [root, one, two, other]) = with_a_tree().await;
    world.site.trash(root).unwrap();
    world.tick().await;

    world.site.restore(root).unwrap();
    world.tick().await;

    world.holds(&[root, one, two, other]);
    assert!(world.hold().await.is_none());
    assert_eq!(world.state(one).await, DocumentState::Live);
    assert_eq!(world.selection(tree).await.status, SelectionStatus::Ok);
}

#[tokio::test]
async fn what_was_below_a_lost_root_stays_if_a_space_brings_it_in() {
    let (world, _, [root, one, two, other]) = with_a_tree().await;
    let space = world.include_space(world.site.node(root).unwrap().space).await;
    world.tick().await;

    world.site.trash(root).unwrap();
    world.tick().await;

    world.holds(&[one, two, other]);
    assert!(world.hold().await.is_none());
    assert_eq!(world.document(one).await.selection_id, Some(space));
}

#[tokio::test]
async fn a_deselected_tree_whose_root_is_gone_leaves_without_a_word() {
    let (world, tree, [root, one, _, other]) = with_a_tree().await;
    world.site.trash(root).unwrap();
    world.tick().await;

    world.deselect(tree).await;
    world.tick().await;

    world.holds(&[other]);
    world.left(one, EvidenceKind::Deselected).await;
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_page_of_a_tree_that_is_trashed_by_itself_leaves() {
    let (world, _, [root, one, two, other]) = with_a_tree().await;

    world.site.trash(two).unwrap();
    world.tick().await;

    world.holds(&[root, one, other]);
    world.left(two, EvidenceKind::Trashed).await;
}

#[tokio::test]
async fn a_folder_that_is_gone_makes_its_selection_missing() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let folder = world.site.add_folder(simulator::Place::Top { space }, "Machines").unwrap();
    let page = world.site.add_child(folder, "Pumps", "<p>1</p>").unwrap();
    let selection = world.include(SelectionKind::Folder, folder).await;
    world.tick().await;

    world.site.purge(folder).unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Missing);
    assert_eq!(world.hold().await.map(|(hold, held)| (hold.reason, held)), Some(("root_gone".to_owned(), 1)));
}

#[tokio::test]
async fn an_exclusion_that_is_gone_excludes_nothing() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let page = world.site.add_page(space, "Page", "<p>0</p>").unwrap();
    let secret = world.site.add_page(space, "Secret", "<p>1</p>").unwrap();
    let below = world.site.add_child(secret, "Below", "<p>2</p>").unwrap();
    world.include_space(space).await;
    world.exclude(SelectionKind::PageTree, secret).await;
    world.tick().await;
    world.holds(&[page]);

    world.site.purge(secret).unwrap();
    world.ticks(2).await;

    world.holds(&[page, below]);
}
