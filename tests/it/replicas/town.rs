//! Two workspaces with six sources, three processes that serve them, and what befalls these.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::EntityTrait;
use simulator::{Id, Simulator};
use tempfile::TempDir;
use tidegate::{
    app::Clock,
    entity::connection::{self, ConnectionStatus},
};
use tokio::task::spawn_blocking;

use crate::{
    engine::world::{Left, World, furnish, looks},
    harness::{
        process::{Process, until, with_settings},
        wiki::Wiki,
    },
};

/// Processes that serve.
const PROCESSES: usize = 3;
/// For how many steps a process sleeps: longer than its lease.
const SLEEP: u64 = 10;
/// Trouble comes every so many steps.
const TROUBLE: u64 = 3;
/// All access tokens end every so many steps.
const TOKENS: u64 = 8;

/// A store, and the spaces that are fed into it.
struct Feeder {
    store: String,
    spaces: Vec<Id>,
}

/// A process, and since which step it sleeps.
struct Replica {
    process: Process,
    asleep: Option<u64>,
}

pub struct Town {
    left: Left,
    wiki: Wiki,
    feeders: Vec<Feeder>,
    replicas: Vec<Replica>,
    random: StdRng,
    folder: TempDir,
    /// How often a process was killed or put to sleep, and how often all tokens ended.
    troubles: u64,
    expiries: u64,
}

/// The two workspaces have three sources each: one through an API token, two through the grant that both share.
async fn feed(world: &mut World, wiki: &Wiki) -> Vec<Feeder> {
    let first = world.source().await;
    let mut feeders = Vec::new();
    for workspace in [first.workspace_id, furnish::workspace(&world.app).await] {
        let (app, simulator, site) = (&world.app, &world.simulator, &world.site);
        let by_token = if workspace == first.workspace_id {
            first.connection_id.unwrap()
        } else {
            furnish::connect(app, simulator, site, workspace).await
        };
        let by_grant = furnish::connect_by_oauth(app, simulator, site, workspace).await;
        let all =
            [(by_token, &wiki.spaces[..]), (by_grant, &wiki.spaces[..1]), (by_grant, &wiki.spaces[1..])];
        for (connection, spaces) in all {
            if !feeders.is_empty() {
                world.add_source(workspace, connection).await;
            }
            for space in spaces {
                world.include_space(*space).await;
            }
            feeders.push(Feeder { store: world.store.clone(), spaces: spaces.to_vec() });
        }
    }
    feeders
}

impl Town {
    pub async fn found(seed: u64) -> Self {
        let mut world = World::of_today().await;
        let wiki = Wiki::found(&world.site, 2, 15, seed);
        let feeders = feed(&mut world, &wiki).await;
        world.comes_to_now();
        world.look_every(1).await;
        let left = world.leave();
        let folder = tempfile::tempdir().unwrap();
        let random = StdRng::seed_from_u64(seed);
        let mut town =
            Self { left, wiki, feeders, replicas: Vec::new(), random, folder, troubles: 0, expiries: 0 };
        town.replicas = (0..PROCESSES).map(|_| town.serve()).collect();
        town
    }

    fn serve(&self) -> Replica {
        let process = Process::serve(&mut with_settings(self.folder.path(), &self.left.settings));
        Replica { process, asleep: None }
    }

    fn simulator(&self) -> &Simulator {
        &self.left.simulator
    }

    /// People work, tokens end, processes die, fall asleep and wake.
    pub fn lives(&mut self, step: u64) {
        self.wiki.change();
        if step % TOKENS == TOKENS - 1 {
            self.simulator().expire_tokens();
            self.expiries += 1;
        }
        for replica in &mut self.replicas {
            if replica.asleep.is_some_and(|since| step - since >= SLEEP) {
                replica.process.signal("CONT");
                replica.asleep = None;
            }
        }
        if step % TROUBLE != TROUBLE - 1 {
            return;
        }
        let which = self.random.random_range(0..PROCESSES);
        let awake = self.replicas.iter().filter(|replica| replica.asleep.is_none()).count();
        if self.random.random_bool(0.5) && awake > 1 && self.replicas[which].asleep.is_none() {
            self.replicas[which].process.signal("STOP");
            self.replicas[which].asleep = Some(step);
        } else {
            let started = self.serve();
            std::mem::replace(&mut self.replicas[which], started).process.kill();
        }
        self.troubles += 1;
    }

    /// Which store is not as the wiki is, if any.
    fn wrong(&self) -> Option<String> {
        let mut files = 0;
        for Feeder { store, spaces } in &self.feeders {
            let expected = self.wiki.texts(spaces);
            files += expected.len();
            let found = looks::texts(self.simulator(), store);
            if !looks::are(&found, &expected) {
                return Some(format!("{store} holds {found:?}, not {expected:?}"));
            }
        }
        let found = looks::files(self.simulator());
        (found != files).then(|| format!("{found} files in the account, {files} pages"))
    }

    /// All wake, nothing more befalls them: each store comes to hold what the wiki says.
    pub async fn comes_to_rest(self) {
        for replica in self.replicas.iter().filter(|replica| replica.asleep.is_some()) {
            replica.process.signal("CONT");
        }
        until("the stores are as the wiki is", || self.wrong().is_none()).await;
        self.used_each_refresh_token_once();
        let Self { left, wiki, feeders, replicas, random, folder, troubles, expiries } = self;
        for Replica { process, .. } in replicas {
            assert_eq!(spawn_blocking(|| process.stop()).await.unwrap(), Some(0));
        }
        println!("{troubles} deaths and sleeps, {expiries} times all tokens ended");
        let world = left.come_back(Clock::manual(Clock::System.now())).await;
        // Until the last upload whose answer was lost is given up.
        world.ticks(5).await;
        assert!(!world.seeks().await, "something is still looked for");
        for row in connection::Entity::find().all(world.app.db.read()).await.unwrap() {
            assert_eq!(row.status, ConnectionStatus::Active, "{:?}", row.problem);
        }
        let left = world.leave();
        let rested = Self { left, wiki, feeders, replicas: Vec::new(), random, folder, troubles, expiries };
        assert_eq!(rested.wrong(), None);
    }

    /// No refresh was refused, and there were no more of them than ends of tokens, but for those in whose middle a process died.
    fn used_each_refresh_token_once(&self) {
        let mut answers: BTreeMap<u16, u64> = BTreeMap::new();
        for call in self.simulator().call_log() {
            if call.operation == "POST /oauth/token" {
                *answers.entry(call.status).or_default() += 1;
            }
        }
        println!("answers of the authorization server: {answers:?}");
        let made: u64 = answers.values().sum();
        // Two codes were exchanged, one for each workspace; after two hours the tokens had ended, too.
        let needed = 2 + 1 + self.expiries;
        assert!(answers.keys().all(|status| matches!(status, 0 | 200)), "{answers:?}");
        assert!(made <= needed + self.troubles, "{made} calls, {needed} needed");
    }
}
