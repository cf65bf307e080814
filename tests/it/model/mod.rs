//! The model test: random histories of a wiki, its readers and its vendors, after each of which the stores must hold what
//! the model says, and during which nothing that is wanted may ever be missing.
//!
//! * `TIDEGATE_MODEL_SEED=7` plays one history again, and shrinks it if it fails.
//! * `TIDEGATE_MODEL_HISTORIES=20000` plays so many instead of the usual number, from `TIDEGATE_MODEL_FIRST=500` on.
//!
//! What is wanted is read off the wiki and the selections by `oracle`, which knows nothing of the engine.

mod acts;
mod checks;
mod draw;
mod oracle;
mod shrink;
mod steps;
mod town;
mod trouble;

use std::{panic::AssertUnwindSafe, time::Instant};

use futures_util::FutureExt;

use crate::{database, harness::number};
use draw::History;
use town::{Town, Violation};

/// Tests that share the histories, so that they can run side by side.
const SHARDS: u64 = 8;
/// The pauses between the ticks of the end: after the first few all must be as it should.
const END: [u32; 16] =
    [300, 300, 300, 300, 300, 300, 900, 900, 3_600, 14_400, 90_000, 300, 300, 90_000, 300, 300];
/// So many ticks at the end are always there.
const LEAST: usize = 4;

/// Plays a history; answers how many ticks its end took.
async fn play(history: &History) -> Result<usize, Violation> {
    let mut town = Town::found(history.cast).await;
    match town.live_through(history).await {
        Ok(ticks) => Ok(ticks),
        Err(violation) => Err(format!("{violation}\n{}", town.state().await)),
    }
}

impl Town {
    async fn live_through(&mut self, history: &History) -> Result<usize, Violation> {
        for step in &history.steps {
            self.take(*step).await?;
        }
        self.come_to_rest(history.cast.shown_at_last).await
    }

    /// Lets all trouble end and the worker tick until everything is as it should be.
    async fn come_to_rest(&mut self, shown: bool) -> Result<usize, Violation> {
        self.calm();
        self.mend().await;
        for source in self.feeders.iter().map(|feeder| feeder.id) {
            self.resume(source).await;
        }
        if shown {
            for (site, space) in &self.spaces {
                // A space that was deleted stays so.
                _ = self.sites[*site].open_space(*space);
            }
        }
        let mut last = Ok(());
        for (count, after) in END.into_iter().enumerate() {
            self.tick(after).await?;
            self.check().await?;
            if count > 0 {
                self.check_holds().await?;
            }
            for source in self.feeders.iter().map(|feeder| feeder.id) {
                self.approve(source).await;
            }
            self.mend().await;
            if count + 1 < LEAST {
                continue;
            }
            last = self.check_end().await;
            if last.is_ok() {
                return Ok(count + 1);
            }
        }
        last.map(|()| END.len())
    }
}

/// Plays a history; a panic is a violation, too.
async fn outcome(history: &History) -> Result<usize, Violation> {
    let played = AssertUnwindSafe(play(history)).catch_unwind().await;
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("a panic: {}", said.unwrap_or_default()))
    })
}

/// Plays one part of the histories.
async fn shard(at: u64) {
    if let Some(seed) = number("TIDEGATE_MODEL_SEED") {
        if seed % SHARDS == at {
            must_hold(seed).await;
        }
        return;
    }
    let usual = if database::server().is_some() { 60 } else { 500 };
    let histories = number("TIDEGATE_MODEL_HISTORIES").unwrap_or(usual);
    let first = number("TIDEGATE_MODEL_FIRST").unwrap_or(0);
    let began = Instant::now();
    let seeds: Vec<u64> = (first..first + histories).filter(|seed| seed % SHARDS == at).collect();
    for seed in &seeds {
        must_hold(*seed).await;
    }
    println!("{} histories in {:?}", seeds.len(), began.elapsed());
}

async fn must_hold(seed: u64) {
    let history = draw::history(seed);
    let began = Instant::now();
    match outcome(&history).await {
        Ok(ticks) => println!("seed {seed}: at rest after {ticks} ticks, {:?}", began.elapsed()),
        Err(violation) => {
            let (history, violation) = shrink::shrink(history, violation).await;
            panic!(
                "{violation}\n{:?}\n{}\nseed {seed}; again: TIDEGATE_MODEL_SEED={seed} cargo nextest run --workspace \
                 --test it -E 'test(model)'",
                history.cast,
                history.steps.iter().map(|step| format!("    {step:?}")).collect::<Vec<_>>().join("\n"),
            );
        }
    }
}

macro_rules! shards {
    ($($name:ident = $at:literal),+) => {$(
        #[tokio::test]
        async fn $name() {
            shard($at).await;
        }
    )+};
}

shards!(
    histories_0 = 0,
    histories_1 = 1,
    histories_2 = 2,
    histories_3 = 3,
    histories_4 = 4,
    histories_5 = 5,
    histories_6 = 6,
    histories_7 = 7
);
