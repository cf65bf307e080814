//! Spaces, sites and connections that do not answer: nothing is concluded from that.

use chrono::TimeDelta;
use simulator::{Fault, Place, Vendor};
use tidegate::entity::{
    EvidenceKind,
    document::DocumentState,
    selection::{SelectionKind, SelectionStatus},
    source::SourceStatus,
    sync::SyncStatus,
};

use super::world::World;

#[tokio::test]
async fn a_space_that_is_hidden_keeps_its_pages_for_a_day_and_then_asks_a_person() {
    let (world, space, pages) = World::with_pages(3).await;
    let selection = world.document(pages[0]).await.selection_id.unwrap();

    world.site.limit_space(space, &[]).unwrap();
    world.ticks(3).await;
    world.holds(&pages);
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Unreachable);
    assert!(world.hold().await.is_none());
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);

    world.tick_after(TimeDelta::hours(24)).await;
    world.holds(&pages);
    let (hold, held) = world.hold().await.expect("nothing is held");
    assert_eq!((hold.reason.as_str(), held), ("unreachable", 3));

    world.site.open_space(space).unwrap();
    world.tick().await;
    world.holds(&pages);
    assert!(world.hold().await.is_none());
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Ok);
}

#[tokio::test]
async fn a_suspect_whose_space_is_hidden_too_waits_for_a_person_with_the_others() {
    let (world, space, pages) = World::with_pages(3).await;
    world.site.restrict(pages[0], &[]).unwrap();
    world.tick().await;
    world.site.limit_space(space, &[]).unwrap();
    world.tick().await;
    world.holds(&pages);

    world.tick_after(TimeDelta::hours(24)).await;
    let (_, held) = world.hold().await.expect("nothing is held");
    assert_eq!(held, 3);

    world.approve().await;
    world.tick().await;
    world.holds(&[]);
}

#[tokio::test]
async fn an_exclusion_takes_nothing_out_of_a_wanted_tree_that_cannot_be_listed() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let inner = world.site.add_child(root, "Inner", "<p>1</p>").unwrap();
    let leaf = world.site.add_child(inner, "Leaf", "<p>2</p>").unwrap();
    world.include_space(space).await;
    world.include(SelectionKind::PageTree, inner).await;
    world.tick().await;
    world.holds(&[root, inner, leaf]);

    let path = format!("/wiki/api/v2/pages/{inner}/descendants");
    world.simulator.fault(Fault::on("GET", &path).once().drop_before());
    world.exclude(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.holds(&[root, inner, leaf]);

    world.tick().await;
    world.holds(&[inner, leaf]);
    world.left(root, EvidenceKind::Deselected).await;
}

#[tokio::test]
async fn a_tree_that_moved_to_another_space_is_hidden_with_that_one() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let leaf = world.site.add_child(root, "Leaf", "<p>1</p>").unwrap();
    let selection = world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.site.move_to(root, Place::Top { space: other }).unwrap();
    world.tick().await;

    world.site.limit_space(other, &[]).unwrap();
    world.tick().await;
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Unreachable);

    world.tick_after(TimeDelta::hours(24)).await;
    world.holds(&[root, leaf]);
    let (hold, held) = world.hold().await.expect("nothing is held");
    assert_eq!((hold.reason.as_str(), held), ("unreachable", 2));
}

#[tokio::test]
async fn a_page_that_its_tree_left_behind_in_a_hidden_space_waits_for_a_person() {
    let (world, space, _) = World::with_a_page().await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let root = world.site.add_page(other, "Root", "<p>0</p>").unwrap();
    let leaf = world.site.add_child(root, "Leaf", "<p>1</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    assert!(world.has(leaf));

    world.site.move_to(leaf, Place::Top { space: other }).unwrap();
    world.site.move_to(root, Place::Top { space }).unwrap();
    world.site.limit_space(other, &[]).unwrap();
    world.ticks(3).await;
    assert!(world.has(leaf) && world.hold().await.is_none(), "nothing proves that it left");

    world.tick_after(TimeDelta::hours(24)).await;
    let (hold, held) = world.hold().await.expect("nothing is held");
    assert_eq!((hold.reason.as_str(), held, world.has(leaf)), ("unreachable", 1, true));

    world.approve().await;
    world.tick().await;
    world.left(leaf, EvidenceKind::Unreachable).await;
    assert!(world.has(root) && world.hold().await.is_none());
}

#[tokio::test]
async fn a_page_left_behind_leaves_by_itself_once_its_space_is_seen_again() {
    let (world, space, page) = World::with_a_page().await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let root = world.site.add_page(other, "Root", "<p>0</p>").unwrap();
    let leaf = world.site.add_child(root, "Leaf", "<p>1</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.site.move_to(leaf, Place::Top { space: other }).unwrap();
    world.site.move_to(root, Place::Top { space }).unwrap();
    world.site.limit_space(other, &[]).unwrap();
    world.tick().await;
    world.tick_after(TimeDelta::hours(24)).await;
    assert!(world.hold().await.is_some());

    world.site.open_space(other).unwrap();
    world.tick().await;

    world.holds(&[page, root]);
    world.left(leaf, EvidenceKind::MovedOut).await;
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_page_that_moved_out_leaves_though_a_folder_cannot_be_seen() {
    let (world, _, pages) = World::with_pages(3).await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let above = world.site.add_page(other, "Above", "<p>x</p>").unwrap();
    let hidden = world.site.add_space("HR", "People").unwrap();
    let folder = world.site.add_folder(Place::Top { space: hidden }, "Machines").unwrap();
    world.include(SelectionKind::Folder, folder).await;
    world.site.limit_space(hidden, &[]).unwrap();

    world.site.move_to(pages[0], Place::Under(above)).unwrap();
    world.tick().await;

    world.holds(&pages[1..]);
    world.left(pages[0], EvidenceKind::MovedOut).await;
}

#[tokio::test]
async fn a_deleted_space_leaves_when_a_person_approves() {
    let (world, space, pages) = World::with_pages(3).await;
    world.site.delete_space(space).unwrap();
    world.tick().await;
    world.tick_after(TimeDelta::hours(24)).await;
    world.holds(&pages);

    world.approve().await;
    world.tick().await;

    world.holds(&[]);
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_page_selected_in_a_hidden_space_stays_and_its_selection_says_so() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let page = world.site.add_page(space, "Page", "<p>1</p>").unwrap();
    let tree = world.site.add_page(space, "Tree", "<p>2</p>").unwrap();
    let seen = world.site.add_page(other, "Seen", "<p>3</p>").unwrap();
    let selection = world.include(SelectionKind::Page, page).await;
    let rooted = world.include(SelectionKind::PageTree, tree).await;
    world.include_space(other).await;
    world.tick().await;
    world.holds(&[page, tree, seen]);

    world.site.limit_space(space, &[]).unwrap();
    world.ticks(3).await;

    world.holds(&[page, tree, seen]);
    assert_eq!(world.selection(selection).await.status, SelectionStatus::Unreachable);
    assert_eq!(world.selection(rooted).await.status, SelectionStatus::Unreachable);

    world.tick_after(TimeDelta::hours(24)).await;
    world.holds(&[page, tree, seen]);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(2));
}

#[tokio::test]
async fn a_hidden_space_leaves_when_a_person_takes_it_back() {
    let (world, space, pages) = World::with_pages(3).await;
    let other = world.site.add_space("OPS", "Operations").unwrap();
    let seen = world.site.add_page(other, "Seen", "<p>x</p>").unwrap();
    world.include_space(other).await;
    world.site.limit_space(space, &[]).unwrap();
    world.tick().await;

    world.deselect(world.document(pages[0]).await.selection_id.unwrap()).await;
    world.tick().await;

    world.holds(&[seen]);
    world.left(pages[0], EvidenceKind::Deselected).await;
}

#[tokio::test]
async fn a_space_that_is_hidden_while_it_is_listed_loses_nothing() {
    let (world, space, pages) = World::with_pages(3).await;
    let site = world.site.clone();
    let listing = Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").once();
    world.simulator.fault(listing.run(move || site.limit_space(space, &[]).unwrap()));

    world.ticks(3).await;

    world.holds(&pages);
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
}

#[tokio::test]
async fn a_site_that_answers_everything_with_not_found_loses_nothing() {
    for status in [401, 403, 404] {
        let (world, _, pages) = World::with_pages(3).await;
        world.simulator.fault(Fault::at(Vendor::Confluence).status(status));

        world.ticks(3).await;

        world.holds(&pages);
        assert_eq!(world.state(pages[0]).await, DocumentState::Live, "{status}");
        assert_eq!(world.calls().openai(), 0, "{status}");
    }
}

#[tokio::test]
async fn a_dead_token_blocks_the_source_until_somebody_reconnects() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.fault(Fault::at(Vendor::Confluence).status(401));
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.tick().await;

    let source = world.source().await;
    assert_eq!(source.status, SourceStatus::Blocked);
    assert!(source.problem.is_some());
    assert_eq!(world.last_sync().await.status, SyncStatus::Failed);
    world.calls();

    world.ticks(2).await;
    assert_eq!(world.calls().confluence(), 0, "a blocked source asks nothing");
    world.holds(&[page]);
}

#[tokio::test]
async fn a_site_that_is_down_is_asked_again_and_heals() {
    let (world, _, page) = World::with_a_page().await;
    world.site.edit(page, "<p>New.</p>").unwrap();
    let down = world.simulator.fault(Fault::at(Vendor::Confluence).status(503));

    world.tick().await;
    let sync = world.last_sync().await;
    assert_eq!(sync.status, SyncStatus::Running);
    assert_eq!(sync.problem.unwrap().code, "confluence_unavailable");
    assert!(sync.not_before.unwrap() > world.now());
    assert_eq!(world.source().await.problem.unwrap().code, "confluence_unavailable");

    world.simulator.remove_fault(down);
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.last_sync().await.status, SyncStatus::Succeeded);
    assert_eq!(world.source().await.problem, None);
}

#[tokio::test]
async fn an_exclusion_that_cannot_be_seen_lets_nothing_new_into_its_space() {
    let (world, space, page) = World::with_a_page().await;
    let secret = world.site.add_page(space, "Secret", "<p>1</p>").unwrap();
    world.site.add_child(secret, "Below", "<p>2</p>").unwrap();
    world.exclude(SelectionKind::PageTree, secret).await;
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages/{id}/descendants").once().status(503));

    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");

    let open = world.site.add_page(space, "Open", "<p>3</p>").unwrap();
    world.tick().await;
    world.holds(&[page, open]);
}
