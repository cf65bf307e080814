//! A wiki, an OpenAI account and a Tidegate between them, all in this process, with one clock for all three.

mod acts;
pub mod furnish;
pub mod looks;
pub mod trouble;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use simulator::{Id, Options, Simulator, SiteHandle};
use tidegate::{
    app::{App, Clock},
    config::Settings,
    engine::tick,
    ids::{KnowledgeBaseId, SourceId},
};

use crate::database::TestDatabase;

/// When the clocks of a world start.
pub fn start() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000).unwrap()
}

/// A simulator, an application and one source, which selects nothing yet.
pub struct World {
    pub simulator: Simulator,
    pub site: SiteHandle,
    pub app: App,
    pub knowledge_base: KnowledgeBaseId,
    pub source: SourceId,
    pub store: String,
    _database: TestDatabase,
}

impl World {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// A world whose settings are changed before it starts.
    pub async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::begin(simulator::Clock::frozen(start()), start(), change).await
    }

    /// A world that began two hours ago by the machine's clock; its vendors' clock runs. [`World::comes_to_now`] ends that.
    pub async fn of_today() -> Self {
        let then = Clock::System.now() - TimeDelta::hours(2);
        let clock = simulator::Clock::running();
        clock.set(then);
        Self::begin(clock, then, |_| {}).await
    }

    async fn begin(
        clock: simulator::Clock,
        start: DateTime<Utc>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let simulator = Simulator::start(Options { clock, ..Options::default() }).unwrap();
        let site = simulator.add_site("acme");
        let database = TestDatabase::create().await;
        let mut settings = furnish::settings(&simulator, &database);
        change(&mut settings);
        let app = App::open(settings, Clock::manual(start)).await.unwrap();
        let furniture = furnish::furnish(&app, &simulator, &site).await;
        let furnish::Furniture { knowledge_base, source, store } = furniture;
        Self { simulator, site, app, knowledge_base, source, store, _database: database }
    }

    /// A world with a space of one page, which is in the store already.
    pub async fn with_a_page() -> (Self, Id, Id) {
        let world = Self::start().await;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let page = world.site.add_page(space, "Runbook", "<p>Turn it off and on.</p>").unwrap();
        world.include_space(space).await;
        world.tick().await;
        world.holds(&[page]);
        world.calls();
        (world, space, page)
    }

    /// A world with a space of this many pages, all of which are in the store already.
    pub async fn with_pages(count: usize) -> (Self, Id, Vec<Id>) {
        let world = Self::start().await;
        let space = world.site.add_space("ENG", "Engineering").unwrap();
        let add = |n: usize| world.site.add_page(space, &format!("Page {n}"), format!("<p>{n}</p>")).unwrap();
        let pages: Vec<Id> = (1..=count).map(add).collect();
        world.include_space(space).await;
        world.tick().await;
        world.holds(&pages);
        world.calls();
        (world, space, pages)
    }

    /// The same world after the service has been started anew.
    pub async fn restarted(self) -> Self {
        self.restarted_with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn restarted_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Clock::manual(self.now());
        let mut left = self.leave();
        change(&mut left.settings);
        left.come_back(clock).await
    }

    /// Stops the service: the database is free for other processes.
    pub fn leave(self) -> Left {
        let settings = Settings::clone(&self.app.settings);
        let Self { simulator, site, app, knowledge_base, source, store, _database: database } = self;
        drop(app);
        Left { simulator, settings, site, knowledge_base, source, store, database }
    }

    /// The time that both clocks show.
    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves all clocks, while the service does nothing.
    pub fn wait(&self, time: TimeDelta) {
        self.simulator.advance(time.to_std().unwrap());
        self.app.clock.set(self.now() + time);
    }

    /// Sets all clocks to the machine's.
    pub fn comes_to_now(&self) {
        let now = Clock::System.now();
        self.simulator.clock().set(now);
        self.app.clock.set(now);
    }

    /// Moves all clocks and ticks.
    pub async fn tick_after(&self, by: TimeDelta) {
        self.simulator.advance(by.to_std().unwrap());
        tick::tick_at(&self.app, self.now() + by).await.unwrap();
    }

    /// The next interval's tick.
    pub async fn tick(&self) {
        self.tick_after(TimeDelta::minutes(5)).await;
    }

    /// The next few intervals' ticks.
    pub async fn ticks(&self, count: usize) {
        for _ in 0..count {
            self.tick().await;
        }
    }
}

/// A world in which this process serves nothing.
pub struct Left {
    pub simulator: Simulator,
    pub settings: Settings,
    pub site: SiteHandle,
    knowledge_base: KnowledgeBaseId,
    source: SourceId,
    store: String,
    database: TestDatabase,
}

impl Left {
    /// The service is started anew.
    pub async fn come_back(self, clock: Clock) -> World {
        let Self { simulator, settings, site, knowledge_base, source, store, database } = self;
        let app = App::open(settings, clock).await.unwrap();
        World { simulator, site, app, knowledge_base, source, store, _database: database }
    }

    /// Whether the store holds exactly these texts, and the account nothing else.
    pub fn holds(&self, expected: &BTreeMap<String, String>) -> bool {
        looks::are(&looks::texts(&self.simulator, &self.store), expected)
            && looks::files(&self.simulator) == expected.len()
    }
}
