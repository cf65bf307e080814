//! The guard: what leaves in masses waits for a person.

use simulator::{Id, Place};
use tidegate::entity::{
    EvidenceKind,
    change::{ChangeKind, ChangeOutcome},
    document::DocumentState,
    selection::SelectionKind,
    sync::SyncStatus,
};

use super::world::World;

fn trash(world: &World, pages: &[Id]) {
    for page in pages {
        world.site.trash(*page).unwrap();
    }
}

#[tokio::test]
async fn ten_pages_may_leave_without_a_word() {
    let (world, _, pages) = World::with_pages(20).await;

    trash(&world, &pages[..10]);
    world.tick().await;

    world.holds(&pages[10..]);
    assert_eq!(world.last_sync().await.status, SyncStatus::Succeeded);
}

#[tokio::test]
async fn more_than_ten_and_a_quarter_are_held_together() {
    let (world, _, pages) = World::with_pages(20).await;

    trash(&world, &pages[..11]);
    world.site.edit(pages[19], "<p>New.</p>").unwrap();
    world.tick().await;

    world.holds(&pages);
    assert_eq!(world.text(pages[19]), "# Page 20\n\nNew.\n");
    let sync = world.last_sync().await;
    assert_eq!((sync.status, sync.counts.held, sync.counts.removed), (SyncStatus::Held, 11, 0));
    let (hold, held) = world.hold().await.unwrap();
    assert_eq!((hold.reason.as_str(), held), ("too_many_removals", 11));
    let held = world.changes().await.into_iter().filter(|(_, _, outcome)| *outcome == ChangeOutcome::Held);
    assert_eq!(held.count(), 11);
}

#[tokio::test]
async fn what_left_within_a_day_counts() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..6]);
    world.tick().await;
    world.holds(&pages[6..]);

    trash(&world, &pages[6..11]);
    world.tick().await;

    world.holds(&pages[6..]);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(5));

    world.tick_after(chrono::TimeDelta::hours(24)).await;
    world.holds(&pages[11..]);
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn a_hold_is_announced_once_and_grows_in_place() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..11]);
    world.tick().await;
    let announced = world.syncs().await.len();

    world.ticks(2).await;
    assert_eq!(world.syncs().await.len(), announced, "nothing new to say");

    trash(&world, &pages[11..12]);
    world.tick().await;
    assert_eq!(world.syncs().await.len(), announced + 1);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(12));
}

#[tokio::test]
async fn an_approved_hold_is_looked_at_again_and_carried_out() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..12]);
    world.tick().await;

    world.approve().await;
    world.site.restore(pages[0]).unwrap();
    world.tick().await;

    let kept: Vec<Id> = [&pages[..1], &pages[12..]].concat();
    world.holds(&kept);
    world.left(pages[1], EvidenceKind::Trashed).await;
    assert!(world.hold().await.is_none());
    assert_eq!(world.last_sync().await.counts.removed, 11);
}

#[tokio::test]
async fn pages_that_come_back_are_released() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..11]);
    world.tick().await;

    for page in &pages[..11] {
        world.site.restore(*page).unwrap();
    }
    world.tick().await;

    world.holds(&pages);
    assert!(world.hold().await.is_none());
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
}

#[tokio::test]
async fn a_rejected_hold_stays_silent_until_it_grows() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..11]);
    world.tick().await;
    world.reject().await;
    let announced = world.syncs().await.len();

    world.ticks(2).await;
    world.holds(&pages);
    assert_eq!(world.syncs().await.len(), announced);
    assert!(world.hold().await.unwrap().0.rejected);

    trash(&world, &pages[11..12]);
    world.tick().await;
    world.holds(&pages);
    assert!(!world.hold().await.unwrap().0.rejected);
    assert_eq!(world.last_sync().await.status, SyncStatus::Held);
}

#[tokio::test]
async fn a_rejected_removal_stays_though_the_days_share_is_free_again() {
    let (world, _, pages) = World::with_pages(20).await;
    trash(&world, &pages[..6]);
    world.tick().await;
    trash(&world, &pages[6..11]);
    world.tick().await;
    world.reject().await;

    world.tick_after(chrono::TimeDelta::hours(24)).await;
    world.holds(&pages[6..]);

    trash(&world, &pages[11..12]);
    world.tick().await;
    world.holds(&[&pages[6..11], &pages[12..]].concat());
    world.approve().await;
    world.tick().await;
    world.holds(&pages[12..]);
}

#[tokio::test]
async fn an_emptied_listing_is_held() {
    let (world, _, pages) = World::with_pages(4).await;
    for page in &pages {
        world.site.purge(*page).unwrap();
    }

    world.ticks(3).await;

    world.holds(&pages);
    let (hold, held) = world.hold().await.expect("nothing is held");
    assert_eq!((hold.reason.as_str(), held), ("emptied_without_evidence", 4));

    world.approve().await;
    world.tick().await;
    world.holds(&[]);
}

#[tokio::test]
async fn a_branch_that_somebody_moves_out_of_a_tree_is_held() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let branch = world.site.add_folder(Place::Under(root), "Branch").unwrap();
    let add = |n: usize| world.site.add_child(branch, &format!("Page {n}"), "<p>x</p>").unwrap();
    let mut pages: Vec<Id> = (0..20).map(add).collect();
    pages.push(root);
    world.include(SelectionKind::PageTree, root).await;
    world.tick().await;
    world.holds(&pages);

    world.site.move_to(branch, Place::Top { space }).unwrap();
    world.tick().await;

    world.holds(&pages);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(20));
    let lines = world.changes().await;
    assert_eq!(lines.iter().filter(|(_, kind, _)| *kind == ChangeKind::Remove).count(), 20);
    assert_eq!(world.attribute(pages[0], "path"), "Branch", "held, but where it is now");

    world.site.move_to(branch, Place::Under(root)).unwrap();
    world.tick().await;
    world.holds(&pages);
    assert!(world.hold().await.is_none());
}

#[tokio::test]
async fn pages_that_somebody_moves_under_an_exclusion_are_held_in_masses_only() {
    let (world, space, pages) = World::with_pages(20).await;
    let attic = world.site.add_page(space, "Attic", "<p>x</p>").unwrap();
    world.exclude(SelectionKind::PageTree, attic).await;
    world.tick().await;
    world.holds(&pages);

    world.site.move_to(pages[0], Place::Under(attic)).unwrap();
    world.tick().await;
    world.holds(&pages[1..]);
    world.left(pages[0], EvidenceKind::MovedOut).await;

    for page in &pages[1..15] {
        world.site.move_to(*page, Place::Under(attic)).unwrap();
    }
    world.tick().await;
    world.holds(&pages[1..]);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(14));
}

#[tokio::test]
async fn pages_that_were_never_in_the_store_are_not_counted() {
    let (world, space, pages) = World::with_pages(4).await;
    let empty = |n: usize| world.site.add_page(space, &format!("Empty {n}"), "").unwrap();
    let empty: Vec<Id> = (0..20).map(empty).collect();
    world.tick().await;

    trash(&world, &empty);
    world.tick().await;

    world.holds(&pages);
    assert!(world.hold().await.is_none());
}
