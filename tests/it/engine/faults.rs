//! Calls that fail once, each in every way: three ticks later the store is true, with nothing left over.

use std::collections::BTreeSet;

use simulator::{Fault, Id, Place};
use tidegate::entity::{SourceOptions, selection::SelectionKind, sync::SyncStatus};

use super::world::World;

/// A wiki in which everything happens again and again.
struct Busy {
    world: World,
    space: Id,
    root: Id,
    folder: Id,
    pages: Vec<Id>,
    gone: BTreeSet<Id>,
    round: usize,
}

impl Busy {
    async fn start() -> Self {
        let world = World::start().await;
        let options = SourceOptions { guard_max_removals: 1_000, ..SourceOptions::default() };
        world.set_options(options).await;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let other = world.site.add_space("OPS", "Operations").unwrap();
        let root = world.site.add_page(other, "Root", "<p>0</p>").unwrap();
        let folder = world.site.add_folder(Place::Under(root), "Folder").unwrap();
        let single = world.site.add_page(other, "Single", "<p>1</p>").unwrap();
        world.include_space(space).await;
        world.include(SelectionKind::PageTree, root).await;
        world.include(SelectionKind::Folder, folder).await;
        world.include(SelectionKind::Page, single).await;
        let mut busy =
            Self { world, space, root, folder, pages: vec![root, single], gone: BTreeSet::new(), round: 0 };
        for _ in 0..6 {
            busy.add();
        }
        busy.world.tick().await;
        busy.is_true();
        busy
    }

    fn add(&mut self) -> Id {
        let title = format!("Page {}", self.pages.len());
        let page = if self.pages.len().is_multiple_of(2) {
            self.world.site.add_page(self.space, &title, "<p>New.</p>")
        } else {
            self.world.site.add_child(self.folder, &title, "<p>New.</p>")
        };
        self.pages.push(page.unwrap());
        *self.pages.last().unwrap()
    }

    /// A page of the space or the tree that is still there.
    fn any(&self, skip: usize) -> Id {
        *self.pages[2..].iter().filter(|page| !self.gone.contains(page)).nth(skip).unwrap()
    }

    /// A new page, an edit, a rename, a move, one in the trash and one purged.
    fn happens(&mut self) {
        self.round += 1;
        let site = self.world.site.clone();
        let (trashed, purged) = (self.any(0), self.any(1));
        site.trash(trashed).unwrap();
        site.purge(purged).unwrap();
        self.gone.extend([trashed, purged]);
        let (edited, renamed) = (self.any(0), self.any(1));
        site.edit(edited, format!("<p>Round {}.</p>", self.round)).unwrap();
        site.rename(renamed, &format!("Renamed in round {}", self.round)).unwrap();
        site.rename(self.root, &format!("Root {}", self.round)).unwrap();
        self.add();
        self.add();
        let moved = self.add();
        let place =
            if self.round.is_multiple_of(2) { Place::Under(self.root) } else { Place::Under(self.folder) };
        site.move_to(moved, place).unwrap();
        site.move_to(self.any(2), place).unwrap();
    }

    /// Asserts that the store holds what the wiki says, and nothing else.
    fn is_true(&self) {
        let pages: Vec<Id> = self.pages.iter().copied().filter(|page| !self.gone.contains(page)).collect();
        self.world.holds(&pages);
        for page in pages {
            let node = self.world.site.node(page).unwrap();
            assert!(self.world.text(page).starts_with(&format!("# {}\n", node.title)), "{}", node.title);
            assert_eq!(self.world.attribute(page, "title"), node.title);
            assert_eq!(self.world.attribute(page, "path"), self.path(page), "{}", node.title);
        }
    }

    fn path(&self, page: Id) -> String {
        let mut titles = Vec::new();
        let mut next = self.world.site.node(page).unwrap().parent;
        while let Some(node) = next.and_then(|id| self.world.site.node(id).ok()) {
            next = node.parent;
            titles.insert(0, node.title);
        }
        titles.join(" / ")
    }

    /// The operations of one round without faults, as fault paths.
    async fn operations(&mut self) -> Vec<(String, String)> {
        self.world.calls();
        self.happens();
        self.world.ticks(2).await;
        self.is_true();
        let operations = self.world.calls().operations;
        let split = |operation: String| operation.split_once(' ').map(|(m, p)| (m.to_owned(), p.to_owned()));
        operations.into_keys().filter_map(split).collect()
    }

    /// Lets every operation fail once, each in a round of its own.
    async fn survives(&mut self, fault: impl Fn(Fault) -> Fault) {
        for (method, path) in self.operations().await {
            let fault = self.world.simulator.fault(fault(Fault::on(&method, &path).once()));
            self.happens();
            self.world.ticks(4).await;
            assert_eq!(self.world.simulator.hits(fault), 1, "{method} {path} was not called");
            println!("after {method} {path}");
            self.is_true();
            self.world.simulator.clear_faults();
        }
        self.world.tick().await;
        assert_ne!(self.world.last_sync().await.status, SyncStatus::Running);
    }
}

#[tokio::test]
async fn a_429_with_a_pause_is_survived_everywhere() {
    Busy::start().await.survives(|fault| fault.rate_limited(Some(20))).await;
}

#[tokio::test]
async fn a_429_without_a_pause_is_survived_everywhere() {
    Busy::start().await.survives(|fault| fault.rate_limited(None)).await;
}

#[tokio::test]
async fn a_503_is_survived_everywhere() {
    Busy::start().await.survives(|fault| fault.status(503)).await;
}

#[tokio::test]
async fn a_500_after_the_effect_is_survived_everywhere() {
    Busy::start().await.survives(|fault| fault.respond_after(500, &[], "<html>")).await;
}

#[tokio::test]
async fn malformed_json_is_survived_everywhere() {
    Busy::start().await.survives(Fault::malformed).await;
}

#[tokio::test]
async fn a_truncated_answer_is_survived_everywhere() {
    Busy::start().await.survives(|fault| fault.truncate(30)).await;
}

#[tokio::test]
async fn a_connection_dropped_before_the_effect_is_survived_everywhere() {
    Busy::start().await.survives(Fault::drop_before).await;
}

#[tokio::test]
async fn a_connection_dropped_after_the_effect_is_survived_everywhere() {
    Busy::start().await.survives(Fault::drop_after).await;
}

#[tokio::test]
async fn a_listing_cut_on_its_second_page_removes_nothing() {
    let (world, _, pages) = World::with_pages(260).await;
    for fault in [
        Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").page(2).status(503),
        Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").page(1).next_loop(),
        Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").page(1).next_without_cursor(),
        Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").page(1).foreign_next("evil.example"),
    ] {
        let fault = world.simulator.fault(fault.once());
        world.tick().await;
        assert_eq!(world.simulator.hits(fault), 1);
        world.holds(&pages);
        assert_eq!(world.last_sync().await.status, SyncStatus::Partial);

        world.simulator.clear_faults();
        world.tick().await;
        world.holds(&pages);
        assert_eq!(world.source().await.problem, None);
    }
    assert_eq!(world.calls().openai(), 0);
}

#[tokio::test]
async fn a_part_of_a_listing_is_enough_for_what_it_shows() {
    let (world, space, pages) = World::with_pages(255).await;
    let new = world.site.add_page(space, "New", "<p>x</p>").unwrap();
    world.site.trash(pages[0]).unwrap();
    world.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").query("sort=id").page(2).status(503));

    world.tick().await;

    assert!(world.has(new), "the feed shows it");
    assert!(world.has(pages[0]), "its absence from a part proves nothing");
}

#[tokio::test]
async fn a_page_whose_body_cannot_be_read_delays_no_other() {
    let (world, space, page) = World::with_a_page().await;
    let poison = world.site.add_page(space, "Poison", "<p>x</p>").unwrap();
    let good = world.site.add_page(space, "Good", "<p>y</p>").unwrap();
    let body = Fault::on("GET", "/wiki/api/v2/pages").query("body-format").query(&format!("id={poison}"));
    world.simulator.fault(body.status(500));

    world.ticks(2).await;
    world.holds(&[page, good]);

    world.simulator.clear_faults();
    world.ticks(2).await;
    world.holds(&[page, good, poison]);
}
