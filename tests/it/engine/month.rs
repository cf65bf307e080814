//! Days of ticks with edits and faults all the time: each ends with the store as the wiki is, and the database does not
//! grow.
//!
//! A month on SQLite, five days on PostgreSQL. `TIDEGATE_MONTH_DAYS` says how many instead, such as 365 for a year;
//! `TIDEGATE_MONTH_SEED` says which.

use std::{collections::BTreeMap, time::Instant};

use sea_orm::{ConnectionTrait, Statement};
use simulator::{Fault, Vendor};
use tidegate::server;

use super::world::World;
use crate::harness::{number, wiki::Wiki};

/// The ticks of a day.
const DAY: usize = 24 * 12;
/// Of them, those at the end of a day in which nothing goes wrong and nobody works.
const QUIET: usize = 8;
/// Somebody works in every so many ticks.
const WORK: usize = 6;
/// How many days are lived through, unless told otherwise.
const DAYS: u64 = 30;
/// The same on PostgreSQL, where a tick takes longer.
const FEWER_DAYS: u64 = 5;
/// How long finished syncs and removed documents are kept here, in days.
const KEPT: u32 = 2;

/// How many rows each table has.
async fn rows(world: &World) -> BTreeMap<String, i64> {
    let db = world.app.db.read();
    let names = if world.app.db.is_sqlite() {
        "SELECT name FROM sqlite_master WHERE type = 'table'"
    } else {
        "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    };
    let ask = |text: String| Statement::from_string(db.get_database_backend(), text);
    let mut rows = BTreeMap::new();
    for table in db.query_all_raw(ask(names.to_owned())).await.unwrap() {
        let name: String = table.try_get("", "name").unwrap();
        let count = format!("SELECT COUNT(*) AS count FROM \"{name}\"");
        let count = db.query_one_raw(ask(count)).await.unwrap().unwrap();
        rows.insert(name, count.try_get("", "count").unwrap());
    }
    rows
}

/// One call in fifty fails, each in its way, and once a day the answer of a token's refresh is lost.
fn trouble(world: &World, seed: u64) {
    for vendor in [Vendor::Confluence, Vendor::OpenAi] {
        let some = |n: u64| Fault::at(vendor).probability(0.005, seed.wrapping_add(n));
        for fault in [some(1).status(503), some(2).drop_before(), some(3).drop_after()] {
            world.simulator.fault(fault);
        }
        world.simulator.fault(some(4).rate_limited(Some(30)));
    }
    world.simulator.fault(Fault::on("POST", "/oauth/token").skip(7).once().drop_after());
}

/// A day of people, faults and ticks; at its end all is quiet, and as it should be.
async fn day(world: &World, wiki: &mut Wiki, seed: u64) {
    trouble(world, seed);
    for tick in 0..DAY - QUIET {
        if tick % WORK == 0 {
            wiki.change();
        }
        world.tick().await;
    }
    world.simulator.clear_faults();
    world.ticks(QUIET).await;
    server::tidy(&world.app).await.unwrap();
}

#[tokio::test]
async fn days_of_ticks_neither_drift_nor_grow() {
    let seed = number("TIDEGATE_MONTH_SEED").unwrap_or(1);
    println!("TIDEGATE_MONTH_SEED={seed}");
    let world = World::with(|settings| {
        settings.keep_syncs_days = KEPT;
        settings.keep_removed_documents_days = KEPT;
    })
    .await;
    let usual = if world.app.db.is_sqlite() { DAYS } else { FEWER_DAYS };
    let days = number("TIDEGATE_MONTH_DAYS").unwrap_or(usual);
    world.connect_by_oauth().await;
    let mut wiki = Wiki::found(&world.site, 1, 30, seed);
    world.include_space(wiki.spaces[0]).await;
    let begun = Instant::now();
    let steady = (days / 3).max(u64::from(KEPT) + 2);
    assert!(days > steady, "of {days} days nothing is told about growth");
    let mut before = BTreeMap::new();
    for number in 1..=days {
        day(&world, &mut wiki, seed.wrapping_add(number * 1_000)).await;
        let expected = wiki.texts(&wiki.spaces);
        let found = world.store();
        let single: BTreeMap<_, _> =
            found.iter().map(|(page, texts)| (page.clone(), texts.join("\n--\n"))).collect();
        assert_eq!(single, expected, "the store after day {number}");
        assert_eq!(world.files(), expected.len(), "files of the account after day {number}");
        if number == steady {
            before = rows(&world).await;
        }
    }
    println!("{days} days, {} ticks in {:.0?}", days * DAY as u64, begun.elapsed());
    let after = rows(&world).await;
    println!("rows after {steady} days and after {days}: {before:?} {after:?}");
    for (table, rows) in &after {
        // A day differs from another by what people did in it.
        assert!(*rows <= before[table] * 3 / 2 + 20, "{table} grew from {} to {rows}", before[table]);
    }
}
