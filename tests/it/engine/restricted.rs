//! Restricted pages: what only some people of a site may read stays out of a store that everybody searches.

use chrono::TimeDelta;
use simulator::{Fault, Id, IndexingRule, Kind, Outcome, Place};
use tidegate::entity::{
    EvidenceKind, SourceOptions,
    change::{ChangeKind, ChangeOutcome},
    document::DocumentState,
    selection::SelectionKind,
    sync::{SyncMode, SyncStatus},
};

use super::world::{World, furnish};

const SEARCH: &str = "/wiki/rest/api/content/search";
const SINGLE: &str = "/wiki/rest/api/content/{id}/restriction/byOperation/read";

/// Lets only the account of the source read a page and what is below it.
fn restrict(world: &World, page: Id) {
    world.site.restrict(page, &[&world.simulator.account_id()]).unwrap();
}

/// Asserts that a page is kept out because it is restricted.
async fn is_kept_out(world: &World, page: Id) {
    let document = world.document(page).await;
    assert_eq!((document.state, document.reason.as_deref()), (DocumentState::Skipped, Some("restricted")));
    assert!(!world.has(page));
}

/// A world with a page, one below it and one below a folder, of which nothing is selected yet.
async fn family() -> (World, Id, [Id; 3], Id) {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let top = world.site.add_page(space, "Top", "<p>1</p>").unwrap();
    let child = world.site.add_child(top, "Child", "<p>2</p>").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Folder").unwrap();
    let leaf = world.site.add_child(folder, "Leaf", "<p>3</p>").unwrap();
    (world, space, [top, child, leaf], folder)
}

#[tokio::test]
async fn a_restricted_page_is_not_put_into_the_store_nor_is_what_is_below_it() {
    let (world, space, [top, child, leaf], folder) = family().await;
    let open = world.site.add_page(space, "Open", "<p>4</p>").unwrap();
    restrict(&world, top);
    restrict(&world, folder);
    world.include_space(space).await;

    world.tick().await;

    world.holds(&[open]);
    for page in [top, child, leaf] {
        is_kept_out(&world, page).await;
    }
    assert_eq!(world.calls().bodies, 1, "what is kept out is not even read");
    let sync = world.last_sync().await;
    assert_eq!((sync.status, sync.counts.skipped, sync.counts.created), (SyncStatus::Succeeded, 3, 1));
    world.site.edit(child, "<p>New.</p>").unwrap();
    world.ticks(2).await;
    world.holds(&[open]);
}

#[tokio::test]
async fn a_page_that_is_restricted_leaves_at_once_with_all_below_it_and_returns_when_it_is_not() {
    let (world, space, pages) = World::with_pages(20).await;
    for page in &pages[1..] {
        world.site.move_to(*page, Place::Under(pages[0])).unwrap();
    }
    world.tick().await;

    restrict(&world, pages[0]);
    world.tick().await;
    world.holds(&[]);
    assert!(world.hold().await.is_none(), "a leak is worse than an upload");
    is_kept_out(&world, pages[7]).await;
    assert_eq!(world.last_sync().await.counts.removed, 20);

    world.site.unrestrict(pages[0]).unwrap();
    world.tick().await;
    world.holds(&pages);
    world.site.add_page(space, "Other", "<p>x</p>").unwrap();
}

#[tokio::test]
async fn a_page_that_moves_below_a_restricted_one_leaves_and_returns_with_it() {
    let (world, space, [top, child, leaf], folder) = family().await;
    restrict(&world, top);
    world.include_space(space).await;
    world.tick().await;
    world.holds(&[leaf]);

    world.site.move_to(leaf, Place::Under(child)).unwrap();
    world.tick().await;
    world.holds(&[]);
    is_kept_out(&world, leaf).await;

    world.site.move_to(child, Place::Under(folder)).unwrap();
    world.tick().await;
    world.holds(&[child, leaf]);
    is_kept_out(&world, top).await;
}

#[tokio::test]
async fn a_restriction_above_a_selected_tree_counts() {
    let (world, _, [top, child, _], _) = family().await;
    restrict(&world, top);
    world.include(SelectionKind::PageTree, child).await;
    world.tick().await;
    world.holds(&[]);

    world.site.unrestrict(top).unwrap();
    world.tick().await;
    world.holds(&[child]);
}

#[tokio::test]
async fn while_nobody_knows_who_may_read_a_page_nothing_enters_and_nothing_leaves() {
    let (world, space, page) = World::with_a_page().await;
    let search = world.simulator.fault(Fault::on("GET", SEARCH).status(500));
    let single = world.simulator.fault(Fault::on("GET", SINGLE).status(500));
    world.site.edit(page, "<p>New.</p>").unwrap();
    let fresh = world.site.add_page(space, "Fresh", "<p>x</p>").unwrap();

    world.ticks(2).await;

    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nTurn it off and on.\n");
    for (page, state) in [(page, DocumentState::Live), (fresh, DocumentState::Pending)] {
        let document = world.document(page).await;
        assert_eq!((document.state, document.reason.as_deref()), (state, Some("restriction_unknown")));
    }
    assert_eq!(world.source().await.problem.unwrap().code, "confluence_unavailable");

    world.simulator.remove_fault(search);
    world.simulator.remove_fault(single);
    world.tick().await;
    world.holds(&[page, fresh]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.document(page).await.reason, None);
}

#[tokio::test]
async fn where_many_together_cannot_be_asked_each_is() {
    let (world, space, [top, child, leaf], _) = family().await;
    restrict(&world, leaf);
    world.simulator.fault(Fault::on("GET", SEARCH).status(404));
    world.include_space(space).await;

    world.tick().await;

    world.holds(&[top, child]);
    is_kept_out(&world, leaf).await;
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_asked_for_until_all_is_known() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<Id> = (0..60).map(add).collect();
    world.simulator.confluence().habits.content_search_limit = Some(20);
    restrict(&world, pages[59]);
    world.include_space(space).await;

    world.tick().await;

    world.holds(&pages[..59]);
    assert!(world.calls().of(&format!("GET {SINGLE}")) <= 10);
}

#[tokio::test]
async fn what_the_search_does_not_know_yet_is_asked_for_by_itself() {
    let (world, space, [top, child, leaf], folder) = family().await;
    restrict(&world, folder);
    world.simulator.confluence().habits.unindexed = vec![top, folder];
    world.include_space(space).await;

    world.tick().await;

    world.holds(&[top, child]);
    is_kept_out(&world, leaf).await;
}

#[tokio::test]
async fn what_cannot_be_read_for_long_keeps_no_other_page_waiting() {
    let world = World::with(|settings| settings.confluence_points_per_hour = 1_000).await;
    world.connect_by_oauth().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), "<p>x</p>").unwrap();
    let pages: Vec<Id> = (0..30).map(add).collect();
    let options = SourceOptions { guard_max_removals: 0, guard_max_percent: 0, ..SourceOptions::default() };
    world.set_options(options).await;
    world.include_space(space).await;
    world.ticks(2).await;
    world.holds(&pages);
    for page in &pages[..12] {
        world.site.restrict(*page, &[]).unwrap();
    }
    world.ticks(3).await;
    assert_eq!(world.hold().await.unwrap().1, 12, "they wait for a person");

    restrict(&world, pages[29]);
    // Five are read at each tick.
    world.ticks(7).await;

    is_kept_out(&world, pages[29]).await;
    world.holds(&pages[..29]);
}

#[tokio::test]
async fn a_source_may_include_restricted_pages() {
    let (world, space, pages, _) = family().await;
    restrict(&world, pages[0]);
    world.include_space(space).await;
    world.tick().await;
    world.holds(&pages[2..]);

    world.set_options(furnish::with_restricted()).await;
    world.calls();
    world.tick().await;
    world.holds(&pages);
    assert_eq!(world.calls().of(&format!("GET {SEARCH}")), 0, "nobody asks who may read what");

    world.set_options(SourceOptions::default()).await;
    world.tick().await;
    world.holds(&pages[2..]);
    is_kept_out(&world, pages[1]).await;
}

#[tokio::test]
async fn a_page_that_waits_for_its_next_try_leaves_at_once_when_it_is_restricted() {
    let (world, _, page) = World::with_a_page().await;
    let failed = Outcome::Failed { code: "server_error".to_owned(), message: "No.".to_owned() };
    world.simulator.openai().indexing(IndexingRule::new("Runbook", failed));
    world.site.edit(page, "<p>New.</p>").unwrap();
    let mut retry_at = world.now();
    while retry_at < world.now() + TimeDelta::minutes(10) {
        world.tick().await;
        retry_at = world.document(page).await.retry_at.unwrap();
    }
    world.holds(&[page]);

    restrict(&world, page);
    world.tick().await;

    world.holds(&[]);
    is_kept_out(&world, page).await;
    world.simulator.openai().clear_indexing();
    world.site.unrestrict(page).unwrap();
    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n", "what failed before is forgotten");
}

#[tokio::test]
async fn a_page_that_is_edited_and_released_at_once_comes_back_as_it_is_now() {
    let (world, _, page) = World::with_a_page().await;
    restrict(&world, page);
    world.tick().await;
    is_kept_out(&world, page).await;
    world.calls();

    world.site.edit(page, "<p>New.</p>").unwrap();
    world.site.unrestrict(page).unwrap();
    world.tick().await;

    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    world.holds(&[page]);
    assert_eq!(world.calls().of("POST /v1/files"), 1);

    world.site.edit(page, "<p>Newer.</p>").unwrap();
    restrict(&world, page);
    world.tick().await;
    world.holds(&[]);
}

#[tokio::test]
async fn what_is_above_a_page_counts_whatever_it_is() {
    for kind in [Kind::Database, Kind::Whiteboard, Kind::Folder] {
        let world = World::start().await;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let top = world.site.add(kind, Place::Top { space }, "Top", "").unwrap();
        let page = world.site.add_child(top, "Page", "<p>1</p>").unwrap();
        let below = world.site.add_child(page, "Below", "<p>2</p>").unwrap();
        restrict(&world, top);
        world.include_space(space).await;
        world.tick().await;
        world.holds(&[]);
        is_kept_out(&world, below).await;

        world.site.unrestrict(top).unwrap();
        world.tick().await;
        world.holds(&[page, below]);

        restrict(&world, top);
        world.tick().await;
        world.holds(&[]);
    }
}

#[tokio::test]
async fn a_grant_without_the_scopes_says_so_and_takes_nothing_out() {
    let world = World::with(|settings| {
        let of_readers = ["read:content-details:confluence", "search:confluence"];
        settings.atlassian.scopes.retain(|scope| !of_readers.contains(&scope.as_str()));
    })
    .await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let page = world.site.add_page(space, "Runbook", "<p>1</p>").unwrap();
    let folder = world.site.add_folder(Place::Top { space }, "Folder").unwrap();
    let leaf = world.site.add_child(folder, "Leaf", "<p>2</p>").unwrap();
    world.include_space(space).await;
    world.tick().await;
    world.holds(&[page, leaf]);

    world.connect_by_oauth().await;
    let fresh = world.site.add_child(folder, "Fresh", "<p>3</p>").unwrap();
    world.site.edit(leaf, "<p>New.</p>").unwrap();
    world.site.rename(folder, "Shelf").unwrap();
    world.ticks(3).await;

    world.holds(&[page, leaf]);
    assert_eq!(world.text(leaf), "# Leaf\n\n2\n");
    for (page, state) in [(leaf, DocumentState::Live), (fresh, DocumentState::Pending)] {
        let document = world.document(page).await;
        assert_eq!((document.state, document.reason.as_deref()), (state, Some("restriction_unknown")));
    }
    assert_eq!(world.source().await.problem.unwrap().code, "confluence_scope_missing");

    world.set_options(furnish::with_restricted()).await;
    world.tick().await;
    world.holds(&[page, leaf, fresh]);
    assert_eq!(world.source().await.problem, None);
}

#[tokio::test]
async fn a_plan_lists_what_restrictions_take_out_and_let_back_and_does_nothing() {
    let (world, _, pages) = World::with_pages(3).await;
    restrict(&world, pages[0]);
    world.tick().await;
    is_kept_out(&world, pages[0]).await;
    world.site.unrestrict(pages[0]).unwrap();
    restrict(&world, pages[1]);
    world.site.edit(pages[2], "<p>New.</p>").unwrap();

    world.request(SyncMode::Plan).await;
    world.tick().await;

    world.holds(&pages[1..]);
    is_kept_out(&world, pages[0]).await;
    let plan = world.last_sync().await;
    assert_eq!((plan.status, plan.total), (SyncStatus::Planned, Some(3)));
    let mut changes = world.changes().await;
    changes.sort_by_key(|(page, ..)| page.clone());
    let planned = |page: Id, kind| (page.to_string(), kind, ChangeOutcome::Planned);
    assert_eq!(
        changes,
        [
            planned(pages[0], ChangeKind::Create),
            planned(pages[1], ChangeKind::Remove),
            planned(pages[2], ChangeKind::Revise),
        ]
    );
    // Two bodies, and who may read their pages, each with one request.
    assert_eq!(plan.plan.unwrap().cost.points, 2 * (1 + 2));

    world.tick().await;
    world.holds(&[pages[0], pages[2]]);
    assert_eq!(world.document(pages[1]).await.evidence.unwrap().kind, EvidenceKind::Restricted);
}
