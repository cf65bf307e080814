//! Each call of a sync meets each fault once. What happens is written down in `docs/reliability.md`, and compared.

use std::{collections::BTreeSet, fmt::Write, path::Path};

use simulator::{Fault, Vendor};
use tidegate::{entity::sync::SyncStatus, knowledge_bases};

use super::scenario::{Expected, delta};
use crate::engine::world::World;

const BEGIN: &str = "<!-- the matrix -->\n";
const END: &str = "<!-- the end of the matrix -->\n";

/// The most ticks after which a fault is forgotten; a pause that a vendor asks for is not counted.
const TICKS: usize = 3;

type Inject = fn(Fault) -> Fault;

const FAULTS: [(&str, Inject); 9] = [
    ("429", |on| on.rate_limited(None)),
    ("429, wait 20 min", |on| on.rate_limited(Some(1_200))),
    ("500", |on| on.status(500)),
    ("503", |on| on.status(503)),
    ("never sent", Fault::drop_before),
    ("answer lost", Fault::drop_after),
    ("answer cut", |on| on.truncate(20)),
    ("malformed", Fault::malformed),
    ("401", |on| on.status(401)),
];

/// The calls of an undisturbed sync, as `GET /pages`.
async fn calls() -> BTreeSet<(Vendor, String)> {
    let (world, expected) = delta(World::start().await).await;
    world.calls();
    world.tick().await;
    let log = world.simulator.call_log();
    assert!(is_true(&world, &expected), "a sync without a fault");
    log.into_iter().map(|call| (call.vendor, call.operation)).collect()
}

/// What came of one fault at one call.
async fn meets(vendor: Vendor, operation: &str, inject: Inject) -> String {
    let (world, expected) = delta(World::start().await).await;
    let before: BTreeSet<String> = world.store().into_keys().collect();
    let (method, route) = operation.split_once(' ').expect("an operation is a method and a route");
    let hit = Fault { vendor: Some(vendor), ..Fault::on(method, route) };
    world.simulator.fault(inject(hit.once()));
    let mut said = None;
    for ticks in 0..=TICKS + 4 {
        world.tick().await;
        let when = format!("{operation}, {ticks} ticks later");
        nothing_vanishes(&world, &before, &expected, &when);
        let trouble = trouble(&world).await;
        if trouble.is_none() && is_true(&world, &expected) {
            world.tick().await;
            world.has_settled(&expected, &when).await;
            return sentence(ticks, said);
        }
        if let Some(problem) = world.knowledge_base().await.and_then(|known| known.problem) {
            said = Some(format!("{}, a person mends it", problem.code));
            knowledge_bases::store::unblock(world.app.db.write(), world.knowledge_base, world.now())
                .await
                .unwrap();
        }
        said = said.or(trouble);
    }
    panic!("{operation} is not forgotten: {said:?}");
}

/// What was there and is still wanted is there, in its old text or its new one.
fn nothing_vanishes(world: &World, before: &BTreeSet<String>, expected: &Expected, when: &str) {
    let store = world.store();
    let gone: Vec<_> =
        before.iter().filter(|page| expected.contains_key(*page) && !store.contains_key(*page)).collect();
    assert!(gone.is_empty(), "pages {gone:?} vanished; {when}");
}

fn is_true(world: &World, expected: &Expected) -> bool {
    let store = world.store();
    let same = |(page, texts): (&String, &Vec<String>)| {
        expected.get(page).is_some_and(|text| *texts == [text.clone()])
    };
    store.len() == expected.len() && store.iter().all(same)
}

/// What the sync of this tick says, if it has not ended well. One that changed nothing leaves no trace.
async fn trouble(world: &World) -> Option<String> {
    let sync = world.last_sync().await;
    if sync.finished_at.is_some_and(|at| at < world.now()) {
        return None;
    }
    let problem = sync.problem.map(|problem| problem.code);
    problem.or_else(|| {
        (sync.status != SyncStatus::Succeeded).then(|| format!("{:?}", sync.status).to_lowercase())
    })
}

fn sentence(ticks: usize, said: Option<String>) -> String {
    let when = match ticks {
        0 => "same tick".to_owned(),
        1 => "next tick".to_owned(),
        more => format!("{more} ticks later"),
    };
    said.map_or(when.clone(), |said| format!("{when}: `{said}`"))
}

#[tokio::test]
async fn every_fault_at_every_call_ends_as_the_table_says() {
    let mut table = String::from("| call |");
    for (name, _) in FAULTS {
        write!(table, " {name} |").unwrap();
    }
    writeln!(table, "\n|---|{}", "---|".repeat(FAULTS.len())).unwrap();
    for (vendor, operation) in calls().await {
        write!(table, "| `{operation}` |").unwrap();
        for (_, inject) in FAULTS {
            write!(table, " {} |", meets(vendor, &operation, inject).await).unwrap();
        }
        table.push('\n');
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md");
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    let written = page.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END));
    let written = written.map(|(table, _)| table.trim());
    assert!(
        written == Some(table.trim()),
        "docs/reliability.md does not say what happens, which is\n\n{table}"
    );
}
