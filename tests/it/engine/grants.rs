//! Sources that read through an OAuth grant: tokens that end, sites that are lost, and points that are counted.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use simulator::{Fault, Id};
use tidegate::entity::{
    document::DocumentState,
    selection::{self, SelectionKind},
    source::SourceStatus,
    sync::SyncStatus,
};

use super::world::World;

/// A world whose source reads through a grant, with a root and pages below it, of which nothing is selected yet.
async fn with_a_grant(points_per_hour: u32) -> (World, Id, Vec<Id>) {
    let world = World::with(|settings| settings.confluence_points_per_hour = points_per_hour).await;
    world.connect_by_oauth().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    let mut pages = vec![root];
    pages.extend((1..=60).map(|n| world.site.add_child(root, &format!("Page {n}"), "<p>x</p>").unwrap()));
    (world, space, pages)
}

#[tokio::test]
async fn a_token_that_expires_under_way_is_renewed_and_nothing_is_lost() {
    let (world, space, pages) = with_a_grant(65_000).await;
    world.include_space(space).await;
    world.tick().await;
    world.holds(&pages);

    world.simulator.expire_tokens();
    world.site.edit(pages[1], "<p>New.</p>").unwrap();
    world.tick().await;

    world.holds(&pages);
    assert_eq!(world.text(pages[1]), "# Page 1\n\nNew.\n");
    assert_eq!(world.last_sync().await.status, SyncStatus::Succeeded);
    assert_eq!(world.state(pages[2]).await, DocumentState::Live);
}

#[tokio::test]
async fn a_revoked_grant_blocks_the_source_and_loses_nothing() {
    let (world, space, pages) = with_a_grant(65_000).await;
    world.include_space(space).await;
    world.tick().await;

    world.simulator.revoke_grants();
    world.ticks(3).await;

    world.holds(&pages);
    assert_eq!(world.source().await.status, SourceStatus::Blocked);
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
}

#[tokio::test]
async fn a_site_that_leaves_the_grant_loses_nothing() {
    let (world, space, pages) = with_a_grant(65_000).await;
    world.include_space(space).await;
    world.tick().await;

    world.simulator.confluence().grants.lose_site("acme");
    world.ticks(3).await;

    world.holds(&pages);
    assert_eq!(world.last_sync().await.status, SyncStatus::Failed);
    assert_eq!(world.source().await.problem.unwrap().code, "site_gone");
    assert_eq!(world.state(pages[0]).await, DocumentState::Live);
}

#[tokio::test]
async fn where_points_are_scarce_the_feed_of_a_tree_shows_edits_at_once_and_removals_later() {
    let (world, space, mut pages) = with_a_grant(800).await;
    let beside = world.site.add_page(space, "Beside", "<p>x</p>").unwrap();
    let tree = world.include(SelectionKind::PageTree, pages[0]).await;
    world.tick().await;
    world.holds(&pages);
    let verified = world.selection(tree).await.verified_at;

    world.site.edit(pages[1], "<p>New.</p>").unwrap();
    world.site.edit(beside, "<p>Not selected.</p>").unwrap();
    world.site.trash(pages[60]).unwrap();
    world.tick().await;
    assert_eq!(world.text(pages[1]), "# Page 1\n\nNew.\n");
    assert_eq!(world.selection(tree).await.verified_at, verified, "the tree was not its turn");
    world.holds(&pages);

    world.ticks(3).await;
    pages.pop();
    world.holds(&pages);

    let new = world.site.add_child(pages[1], "New", "<p>x</p>").unwrap();
    world.tick().await;
    assert!(world.has(new), "a new page of a tree is worth its points");
}

#[tokio::test]
async fn an_exclusion_is_looked_at_whenever_its_space_is_listed() {
    let (world, space, pages) = with_a_grant(600).await;
    let secret = world.site.add_page(space, "Secret", "<p>x</p>").unwrap();
    world.include_space(space).await;
    let exclusion = world.exclude(SelectionKind::PageTree, secret).await;
    world.tick().await;
    world.holds(&pages);

    world.tick().await;
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").query("-modified-date").status(503));
    let hidden = world.site.add_child(secret, "Hidden", "<p>x</p>").unwrap();
    let just_now = Expr::value(world.now() + chrono::TimeDelta::minutes(5));
    let verified = selection::Entity::update_many().col_expr(selection::Column::VerifiedAt, just_now);
    verified.filter(selection::Column::Id.eq(exclusion)).exec(world.app.db.write()).await.unwrap();
    world.tick().await;

    world.holds(&pages);
    assert!(!world.has(hidden));
}

#[tokio::test]
async fn a_used_up_quota_waits_for_the_next_hour() {
    let (world, space, pages) = with_a_grant(60).await;
    world.include_space(space).await;

    world.ticks(2).await;
    let sync = world.last_sync().await;
    assert_eq!(sync.problem.unwrap().code, "confluence_quota");
    world.calls();
    world.tick().await;
    assert_eq!(world.calls().confluence(), 0);

    for _ in 0..3 {
        world.tick_after(chrono::TimeDelta::hours(1)).await;
    }
    world.holds(&pages);
}
