//! Spaces too large for an hour's points: they are listed piece by piece, and nothing is missed or removed for that.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{EntityTrait, sea_query::Expr};
use simulator::{Fault, Gate, Id, Place};
use tidegate::{
    config::Settings,
    entity::{
        EvidenceKind, SourceOptions,
        selection::SelectionKind,
        source,
        sync::{SyncMode, SyncStatus},
    },
    ids::SelectionId,
};

use super::world::{World, furnish};

/// Points that the app has in an hour, and three times as many pages.
pub(super) const POINTS: u32 = 500;
const PAGES: usize = 1_500;
/// Pages in one answer.
const PART: usize = 20;

/// A selected space that nothing has been loaded of yet, and the pages in it. The source looks every twenty minutes.
pub(super) struct Large {
    pub world: World,
    pub selection: SelectionId,
    pub pages: Vec<Id>,
}

impl Large {
    /// A wiki whose search gives no hints.
    async fn start() -> Self {
        Self::of(|settings| settings.confluence_hints = false).await
    }

    pub async fn of(change: impl FnOnce(&mut Settings)) -> Self {
        let few_points = |settings: &mut Settings| {
            settings.confluence_points_per_hour = POINTS;
            change(settings);
        };
        let world = World::with(few_points).await;
        {
            let mut confluence = world.simulator.confluence();
            confluence.habits.pages_listed = Some(PART);
            confluence.habits.points_per_hour = Some(POINTS.into());
        }
        world.connect_by_oauth().await;
        let every = Expr::value(20 * 60);
        let slower = source::Entity::update_many().col_expr(source::Column::IntervalSeconds, every);
        slower.exec(world.app.db.write()).await.unwrap();
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), format!("<p>{n}</p>")).unwrap();
        let pages = (0..PAGES).map(add).collect();
        let selection = world.include_space(space).await;
        world.calls();
        Self { world, selection, pages }
    }

    /// The same, when everything is in the store.
    async fn loaded() -> Self {
        Self::start().await.load().await
    }

    pub async fn load(self) -> Self {
        self.finish().await;
        self.world.holds(&self.pages);
        self.world.calls();
        self
    }

    pub async fn tick(&self) {
        self.world.tick_after(TimeDelta::minutes(20)).await;
    }

    /// Ticks until the sync that runs is over; answers how often.
    async fn finish(&self) -> usize {
        for ticks in 1..=60 {
            self.tick().await;
            if self.world.last_sync().await.status != SyncStatus::Running {
                return ticks;
            }
        }
        panic!("it does not end: {:?}", self.world.last_sync().await)
    }

    pub async fn verified_at(&self) -> Option<DateTime<Utc>> {
        self.world.selection(self.selection).await.verified_at
    }

    /// How many pages the listings of the space gave.
    fn listed(&self) -> u64 {
        let log = self.world.simulator.call_log();
        log.iter().filter(|call| call.query.contains("sort=id")).map(|call| call.results).sum()
    }

    /// The points of each hour.
    pub fn points(&self) -> BTreeMap<String, u64> {
        let mut hours = BTreeMap::new();
        for call in self.world.simulator.call_log() {
            *hours.entry(call.at[..13].to_owned()).or_default() += call.points;
        }
        hours
    }
}

#[tokio::test]
async fn a_first_load_goes_on_hour_by_hour_and_lists_no_page_twice() {
    let large = Large::start().await;

    let ticks = large.finish().await;

    large.world.holds(&large.pages);
    assert!((25..45).contains(&ticks), "{ticks} ticks");
    assert_eq!(large.listed(), PAGES as u64);
    let points = large.points();
    assert!(points.values().all(|points| *points <= POINTS.into()), "{points:?}");
    assert_eq!(large.world.syncs().await.len(), 1, "it is one sync from its trigger to its end");
    assert_eq!(large.world.last_sync().await.status, SyncStatus::Succeeded);
    assert!(large.verified_at().await.is_some());
}

#[tokio::test]
async fn what_leaves_a_large_space_is_found_within_one_round_and_the_age_told_is_true() {
    let large = Large::loaded().await;
    let (world, pages) = (&large.world, &large.pages);
    let elsewhere = world.site.add_space("OPS", "Operations").unwrap();
    let last_seen = world.now();
    let [trashed, archived, moved, purged, last] = [80, 700, 1_100, 1_400, PAGES - 1].map(|at| pages[at]);
    world.site.trash(trashed).unwrap();
    world.site.archive(archived).unwrap();
    world.site.move_to(moved, Place::Top { space: elsewhere }).unwrap();
    world.site.purge(purged).unwrap();
    world.site.trash(last).unwrap();
    world.site.edit(pages[3], "<p>New.</p>").unwrap();

    large.tick().await;
    assert_eq!(world.text(pages[3]), "# Page 3\n\nNew.\n", "an edit waits for nothing");
    let mut ticks = 1;
    while world.has(last) {
        let verified = large.verified_at().await.unwrap();
        assert!(verified <= last_seen, "the last page has not been looked for since");
        assert!(world.now() - verified < TimeDelta::hours(12), "{verified}");
        large.tick().await;
        ticks += 1;
    }
    large.tick().await;
    large.tick().await;

    // 70 % of the points, for pages and answers.
    let round = (PAGES + PAGES / PART) / (POINTS as usize * 70 / 100 / 3);
    assert!(ticks <= round + 2, "{ticks} ticks for a round of {round}");
    assert!(large.verified_at().await.unwrap() > last_seen);
    world.left(trashed, EvidenceKind::Trashed).await;
    world.left(archived, EvidenceKind::Archived).await;
    world.left(moved, EvidenceKind::MovedOut).await;
    world.left(purged, EvidenceKind::Absent).await;
    world.left(last, EvidenceKind::Trashed).await;
    assert_eq!(world.files(), PAGES - 5);
    assert!(large.points().values().all(|points| *points <= POINTS.into()));
}

#[tokio::test]
async fn edits_and_new_pages_show_at_once_while_a_first_load_goes_on() {
    let large = Large::start().await;
    large.tick().await;
    large.tick().await;
    let world = &large.world;

    world.site.edit(large.pages[0], "<p>New.</p>").unwrap();
    let behind = large.pages[PAGES - 1];
    world.site.edit(behind, "<p>Early.</p>").unwrap();
    large.tick().await;

    assert_eq!(world.text(large.pages[0]), "# Page 0\n\nNew.\n");
    assert!(large.verified_at().await.is_none());
    large.finish().await;
    world.holds(&large.pages);
    assert_eq!(world.text(behind), format!("# Page {}\n\nEarly.\n", PAGES - 1));
}

#[tokio::test]
async fn a_cursor_that_is_stale_begins_the_listing_anew_and_loses_nothing() {
    let large = Large::start().await;
    for _ in 0..4 {
        large.tick().await;
    }
    let before = large.listed();
    assert!(before > 100, "{before}");
    large.world.simulator.confluence().expire_cursors();

    for _ in 0..60 {
        if large.verified_at().await.is_none() {
            large.tick().await;
        }
    }
    assert_eq!(large.listed(), before + PAGES as u64, "before another round begins");
    large.finish().await;
    large.world.holds(&large.pages);
    assert_eq!(large.world.simulator.calls().bodies, PAGES as u64, "nothing is loaded twice");
}

#[tokio::test]
async fn a_death_between_pieces_loses_nothing_and_one_within_a_piece_repeats_it() {
    let mut large = Large::start().await;
    large.tick().await;
    large.tick().await;
    large.world = large.world.restarted().await;
    large.tick().await;
    let before = large.listed();

    let gate = Gate::default();
    let here = Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").skip(1).once().hold(&gate);
    large.world.simulator.fault(here);
    tokio::select! {
        biased;
        () = gate.arrived() => {}
        () = large.tick() => panic!("it did not die"),
    }
    let repeated = large.listed() - before;
    gate.open();
    large.world = large.world.restarted().await;
    large.finish().await;

    large.world.holds(&large.pages);
    let again = large.listed() - PAGES as u64;
    assert!(
        (repeated..repeated + 2 * PART as u64).contains(&again),
        "{again} pages again, {repeated} before"
    );
}

#[tokio::test]
async fn what_could_not_be_asked_for_is_asked_for_before_the_listing_goes_on() {
    let large = Large::loaded().await;
    let world = &large.world;
    world.site.trash(large.pages[0]).unwrap();
    world.site.purge(large.pages[1]).unwrap();
    let hidden =
        world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").query("status=trashed").status(503));
    for _ in 0..4 {
        large.tick().await;
    }
    assert!(world.has(large.pages[0]));

    world.simulator.remove_fault(hidden);
    for _ in 0..4 {
        large.tick().await;
    }

    world.left(large.pages[0], EvidenceKind::Trashed).await;
    world.left(large.pages[1], EvidenceKind::Absent).await;
}

#[tokio::test]
async fn a_full_sync_is_over_when_all_of_a_large_space_was_seen_anew() {
    let large = Large::loaded().await;
    large.tick().await;
    let asked = large.world.now();
    large.world.calls();
    let sync = large.world.request(SyncMode::Full).await;

    let ticks = large.finish().await;

    assert_eq!(large.world.last_sync().await.id, sync);
    assert!(large.verified_at().await.unwrap() >= asked);
    assert!((3..30).contains(&ticks), "{ticks}");
    assert!(large.listed() <= (PAGES + 6 * PART) as u64, "{} pages listed", large.listed());
    large.world.holds(&large.pages);
}

#[tokio::test]
async fn a_plan_of_a_large_space_says_that_it_tells_of_a_part() {
    let large = Large::start().await;
    large.world.request(SyncMode::Plan).await;
    large.tick().await;

    let syncs = large.world.syncs().await;
    let plan = syncs.iter().find(|sync| sync.mode == SyncMode::Plan).unwrap();
    assert_eq!(plan.status, SyncStatus::Planned, "{plan:?}");
    assert_eq!(plan.problem.as_ref().unwrap().code, "listed_in_part");
    assert_eq!(large.world.selection(large.selection).await.listing, None);
}

#[tokio::test]
async fn a_large_space_is_another_accounts_once_it_has_seen_all_pieces() {
    let large = Large::start().await;
    let world = &large.world;
    let bo = world.simulator.confluence().add_account("bo@example.com", "Bo Example", "token-of-bo");
    world.connect_with_token("bo@example.com", "token-of-bo").await;
    large.tick().await;
    world.holds(&large.pages);
    assert_eq!(world.source().await.account_id, Some(bo.clone()));

    world.connect_by_oauth().await;
    large.tick().await;
    assert_eq!(world.source().await.account_id, Some(bo));
    for _ in 0..25 {
        large.tick().await;
    }
    assert_eq!(world.source().await.account_id, Some(world.simulator.account_id()));
    world.holds(&large.pages);
}

#[tokio::test]
async fn a_large_space_whose_restricted_pages_shall_leave_is_read_within_its_points() {
    let large = Large::start().await;
    let world = &large.world;
    world.set_options(furnish::with_restricted()).await;
    let (first, last) = (large.pages[0], large.pages[PAGES - 1]);
    world.site.restrict(first, &[&world.simulator.account_id()]).unwrap();
    world.site.restrict(last, &[&world.simulator.account_id()]).unwrap();
    large.finish().await;
    world.holds(&large.pages);

    world.set_options(SourceOptions::default()).await;
    let mut ticks = 0;
    while world.has(last) {
        assert!(ticks < 40, "it is still there");
        large.tick().await;
        ticks += 1;
    }

    assert!(!world.has(first));
    let evidence = world.document(last).await.evidence.unwrap();
    assert_eq!((evidence.kind, world.files()), (EvidenceKind::Restricted, PAGES - 2));
    assert!(ticks > 2, "{ticks} ticks for {PAGES} points");
    assert!(large.points().values().all(|points| *points <= POINTS.into()), "{:?}", large.points());
}

#[tokio::test]
async fn a_small_source_of_the_same_app_is_served_beside_a_large_first_load() {
    let mut large = Large::start().await;
    large.tick().await;
    let seen = large.world.source().await;
    let small = large.world.site.add_space("OPS", "Operations").unwrap();
    let add = |n: usize| large.world.site.add_page(small, &format!("Rota {n}"), "<p>x</p>").unwrap();
    let mut rotas: Vec<Id> = (0..60).map(add).collect();
    let (app, site) = (&large.world.app, &large.world.site);
    let connection = furnish::connect_by_oauth(app, &large.world.simulator, site, seen.workspace_id).await;
    let (big, first) = large.world.add_source(seen.workspace_id, connection).await;
    large.world.include_space(small).await;

    large.tick().await;
    large.tick().await;
    let in_store = |large: &Large, pages: &[Id]| pages.iter().all(|page| large.world.has(*page));
    assert!(in_store(&large, &rotas), "{} of 60 are there", large.world.store().len());

    let gone = rotas.pop().unwrap();
    large.world.site.trash(gone).unwrap();
    large.world.site.edit(rotas[0], "<p>New.</p>").unwrap();
    large.tick().await;
    assert_eq!(large.world.text(rotas[0]), "# Rota 0\n\nNew.\n");
    for _ in 0..3 {
        large.tick().await;
    }
    large.world.left(gone, EvidenceKind::Trashed).await;

    (large.world.source, large.world.store) = (big, first);
    for _ in 0..40 {
        large.tick().await;
    }
    assert!(in_store(&large, &large.pages), "{} are there", large.world.store().len());
    // When nine tenths are gone, each of the two may still take 51.
    assert!(large.points().values().all(|points| *points <= 450 + 2 * 51), "{:?}", large.points());
}

#[tokio::test]
async fn a_tree_too_large_for_an_hour_says_so_and_leaves_the_points_to_others() {
    let world = World::with(|settings| settings.confluence_points_per_hour = 200).await;
    world.connect_by_oauth().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let root = world.site.add_page(space, "Root", "<p>0</p>").unwrap();
    for n in 1..=120 {
        world.site.add_child(root, &format!("Page {n}"), "<p>x</p>").unwrap();
    }
    let beside = world.site.add_page(space, "Beside", "<p>x</p>").unwrap();
    world.include(SelectionKind::PageTree, root).await;
    world.include(SelectionKind::Page, beside).await;

    world.tick().await;
    assert_eq!(world.source().await.problem.unwrap().code, "tree_too_large");
    world.holds(&[beside]);
    world.calls();
    world.site.edit(beside, "<p>New.</p>").unwrap();
    world.tick().await;
    assert_eq!(world.text(beside), "# Beside\n\nNew.\n");
    assert_eq!(world.source().await.problem.unwrap().code, "tree_too_large", "it is still said");
    assert_eq!(world.calls().of("GET /wiki/api/v2/pages/{id}/descendants"), 0);

    world
        .connect_with_token(&world.simulator.options().account_email, &world.simulator.options().api_token)
        .await;
    world.tick().await;
    world.tick().await;
    assert_eq!(world.files(), 122, "an API token has no such limit");
}
