//! Another account on the same site: it may see less, so what it does not see is a person's to decide.

use simulator::Id;
use tidegate::entity::{EvidenceKind, selection::SelectionKind};

use super::world::{World, furnish};

const BO: (&str, &str) = ("bo@example.com", "token-of-bo");

/// A world of twenty pages in the store, of which the other account cannot see the first.
async fn with_another_account() -> (World, Id, Vec<Id>, String) {
    let (world, space, pages) = World::with_pages(20).await;
    world.set_options(furnish::with_restricted()).await;
    let ada = world.simulator.account_id();
    let bo = world.simulator.confluence().add_account(BO.0, "Bo Example", BO.1);
    world.site.restrict(pages[0], &[&ada]).unwrap();
    world.tick().await;
    world.holds(&pages);
    (world, space, pages, bo)
}

#[tokio::test]
async fn what_another_account_does_not_see_stays_until_a_person_lets_it_go() {
    let (world, _, pages, bo) = with_another_account().await;
    let ada = world.simulator.account_id();
    world.connect_with_token(BO.0, BO.1).await;

    world.ticks(3).await;
    world.holds(&pages);
    let (hold, held) = world.hold().await.unwrap();
    assert_eq!((hold.reason.as_str(), held), ("account_changed", 1));

    world.site.trash(pages[1]).unwrap();
    world.tick().await;
    world.holds(&pages);
    assert_eq!(world.hold().await.map(|(_, held)| held), Some(2), "evidence is no exception");
    assert_eq!(world.source().await.account_id, Some(ada));

    world.approve().await;
    world.tick().await;
    world.holds(&pages[2..]);
    world.left(pages[0], EvidenceKind::Absent).await;
    assert_eq!(world.source().await.account_id, Some(bo));

    world.site.trash(pages[2]).unwrap();
    world.tick().await;
    world.holds(&pages[3..]);
}

#[tokio::test]
async fn what_a_person_takes_out_leaves_whichever_account_looks() {
    let (world, space, pages, _) = with_another_account().await;
    let extra = world.site.add_space("OPS", "Operations").unwrap();
    let page = world.site.add_page(extra, "Rota", "<p>Week 1.</p>").unwrap();
    let selection = world.include(SelectionKind::Page, page).await;
    world.tick().await;
    world.connect_with_token(BO.0, BO.1).await;
    world.ticks(2).await;

    world.deselect(selection).await;
    world.exclude(SelectionKind::Page, pages[0]).await;
    world.tick().await;

    world.holds(&pages[1..]);
    world.left(page, EvidenceKind::Deselected).await;
    world.left(pages[0], EvidenceKind::Deselected).await;
    assert!(world.hold().await.is_none());
    assert!(world.site.with(|site| Ok(site.space(space).is_some())).unwrap());
}

#[tokio::test]
async fn an_account_that_sees_everything_is_the_sources_at_once() {
    let (world, _, pages, bo) = with_another_account().await;
    world.site.unrestrict(pages[0]).unwrap();
    world.connect_with_token(BO.0, BO.1).await;

    world.tick().await;
    assert_eq!(world.source().await.account_id, Some(bo));

    world.site.trash(pages[0]).unwrap();
    world.tick().await;
    world.holds(&pages[1..]);
}

#[tokio::test]
async fn the_first_account_on_its_return_releases_what_was_held() {
    let (world, _, pages, _) = with_another_account().await;
    let ada = world.simulator.account_id();
    world.connect_with_token(BO.0, BO.1).await;
    world.ticks(2).await;
    assert!(world.hold().await.is_some());

    let options = world.simulator.options();
    world.connect_with_token(&options.account_email, &options.api_token).await;
    world.tick().await;

    world.holds(&pages);
    assert!(world.hold().await.is_none());
    assert_eq!(world.source().await.account_id, Some(ada));
}

#[tokio::test]
async fn the_same_account_through_another_door_changes_nothing() {
    let (world, _, pages, _) = with_another_account().await;
    world.connect_by_oauth().await;
    world.site.trash(pages[1]).unwrap();

    world.tick().await;

    world.holds(&[&pages[..1], &pages[2..]].concat());
    assert!(world.hold().await.is_none());
}
