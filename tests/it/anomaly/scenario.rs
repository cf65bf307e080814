//! The syncs that meet anomalies: a first one, and one after people have been busy.

use std::{collections::BTreeMap, future::Future, pin::Pin};

use chrono::TimeDelta;
use simulator::{Id, Place};

use crate::engine::world::World;

/// The text that each page shall have in the store.
pub type Expected = BTreeMap<String, String>;

/// Makes of a new world one whose next tick is the one in question, and says what shall come of it.
pub type Scenario = fn(World) -> Pin<Box<dyn Future<Output = (World, Expected)>>>;

/// Forty pages are brought in, and one that not everybody may read stays out.
pub fn first(world: World) -> Pin<Box<dyn Future<Output = (World, Expected)>>> {
    Box::pin(async move {
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let pages = add_pages(&world, space, 40);
        let secret = world.site.add_page(space, "Secret", "<p>Secret.</p>").unwrap();
        restrict(&world, secret);
        world.include_space(space).await;
        let expected = pages.iter().enumerate().map(|(n, id)| text(*id, &title(n), &body(n))).collect();
        (world, expected)
    })
}

/// Through OAuth, with an access token that has to be refreshed: pages are edited, renamed, trashed, purged, moved in and
/// out, restored, added, restricted and released.
pub fn delta(world: World) -> Pin<Box<dyn Future<Output = (World, Expected)>>> {
    Box::pin(async move {
        world.connect_by_oauth().await;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let elsewhere = world.site.add_space("OPS", "Operations").unwrap();
        let pages = add_pages(&world, space, 20);
        let outside = world.site.add_page(elsewhere, "Outside", "<p>Comes in.</p>").unwrap();
        world.site.trash(pages[19]).unwrap();
        restrict(&world, pages[9]);
        world.include_space(space).await;
        world.tick().await;
        world.holds(&[&pages[..9], &pages[10..19]].concat());
        let mut expected: Expected =
            pages.iter().enumerate().map(|(n, id)| text(*id, &title(n), &body(n))).collect();

        for page in &pages[..4] {
            world.site.edit(*page, "<p>Edited.</p>").unwrap();
        }
        expected.extend((0..4).map(|n| text(pages[n], &title(n), "Edited.")));
        world.site.rename(pages[4], "Renamed").unwrap();
        expected.extend([text(pages[4], "Renamed", &body(4))]);
        world.site.trash(pages[5]).unwrap();
        world.site.archive(pages[6]).unwrap();
        world.site.move_to(pages[7], Place::Top { space: elsewhere }).unwrap();
        for gone in &pages[5..8] {
            expected.remove(&gone.to_string());
        }
        world.site.move_to(outside, Place::Top { space }).unwrap();
        expected.extend([text(outside, "Outside", "Comes in.")]);
        world.site.move_to(pages[8], Place::Under(pages[0])).unwrap();
        world.site.restore(pages[19]).unwrap();
        world.site.unrestrict(pages[9]).unwrap();
        restrict(&world, pages[10]);
        expected.remove(&pages[10].to_string());
        let new = world.site.add_page(space, "New", "<p>New.</p>").unwrap();
        expected.extend([text(new, "New", "New.")]);
        world.wait(TimeDelta::minutes(58));
        (world, expected)
    })
}

/// Lets only the account of the source read a page.
fn restrict(world: &World, page: Id) {
    world.site.restrict(page, &[&world.simulator.account_id()]).unwrap();
}

fn add_pages(world: &World, space: Id, count: usize) -> Vec<Id> {
    let add = |n| world.site.add_page(space, &title(n), format!("<p>{}</p>", body(n))).unwrap();
    (0..count).map(add).collect()
}

fn title(n: usize) -> String {
    format!("Page {n}")
}

fn body(n: usize) -> String {
    format!("Text of page {n}.")
}

fn text(page: Id, title: &str, body: &str) -> (String, String) {
    (page.to_string(), format!("# {title}\n\n{body}\n"))
}
