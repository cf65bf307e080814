//! Where a history takes place: wikis, an OpenAI account, a Tidegate with its sources, and others beside it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::EntityTrait;
use simulator::{Fault, Gate, Id, Kind, Millis, Options, Simulator, SiteHandle, Status};
use tidegate::{
    app::{App, Clock},
    engine::tick,
    entity::{selection, source},
    ids::{ConnectionId, KnowledgeBaseId, SourceId, WorkspaceId},
    sources::store as sources,
};

use super::{draw::Cast, oracle};
use crate::{
    database::TestDatabase,
    engine::world::{furnish, start},
};

/// What a history must never do.
pub type Violation = String;

/// A source, and where it feeds.
#[derive(Debug)]
pub struct Feeder {
    pub site: usize,
    pub id: SourceId,
    pub knowledge_base: KnowledgeBaseId,
    pub store: String,
}

/// A file that is not ours.
#[derive(Debug)]
pub struct Foreign {
    pub file: String,
    pub store: Option<String>,
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// What one version of a page said.
#[derive(Debug)]
pub struct Said {
    pub title: String,
    pub storage: String,
    pub at: Millis,
}

/// Everything a history plays with.
pub struct Town {
    pub simulator: Simulator,
    pub app: App,
    pub account: String,
    pub sites: Vec<SiteHandle>,
    /// Spaces and nodes ever made, each with its site.
    pub spaces: Vec<(usize, Id)>,
    pub nodes: Vec<(usize, Id)>,
    pub feeders: Vec<Feeder>,
    pub foreign: Vec<Foreign>,
    pub said: HashMap<(usize, Id, u32), Said>,
    /// The pages that readers found after the last tick, by source.
    pub live: BTreeSet<(SourceId, String)>,
    pub in_trouble: bool,
    oauth: bool,
    _database: TestDatabase,
}

impl Town {
    pub async fn found(cast: Cast) -> Self {
        let options = Options { clock: simulator::Clock::frozen(start()), ..Options::default() };
        let simulator = Simulator::start(options).unwrap();
        let database = TestDatabase::create().await;
        let settings = furnish::settings(&simulator, &database);
        let app = App::open(settings, Clock::manual(start())).await.unwrap();
        let account = simulator.account_id();
        let mut town = Self {
            account,
            app,
            sites: vec![simulator.add_site("acme")],
            spaces: Vec::new(),
            nodes: Vec::new(),
            feeders: Vec::new(),
            foreign: Vec::new(),
            said: HashMap::new(),
            live: BTreeSet::new(),
            in_trouble: false,
            oauth: cast.oauth,
            simulator,
            _database: database,
        };
        town.settle_in(cast).await;
        town
    }

    async fn settle_in(&mut self, cast: Cast) {
        if cast.sources > 3 {
            self.sites.push(self.simulator.add_site("globex"));
        }
        let workspace = furnish::workspace(&self.app).await;
        self.feed(workspace, 0, None).await;
        if cast.sources > 1 {
            self.feed(workspace, 0, None).await;
        }
        if cast.sources > 2 {
            let other = furnish::workspace(&self.app).await;
            self.feed(other, 0, None).await;
        }
        if cast.sources > 3 {
            let shared = (self.feeders[0].knowledge_base, self.feeders[0].store.clone());
            self.feed(workspace, 1, Some(shared)).await;
        }
        for (feeder, _) in self.feeders.iter().zip(cast.includes_restricted).filter(|(_, includes)| *includes)
        {
            furnish::set_options(&self.app, feeder.id, furnish::with_restricted()).await;
        }
        for (at, site) in self.sites.iter().enumerate() {
            // Trashing lifts what is below: nothing that is current hangs below what is not there.
            site.with(|site| {
                site.trash_moves_children_up = true;
                Ok(())
            })
            .unwrap();
            for key in ["ENG", "OPS", "HR"] {
                self.spaces.push((at, site.add_space(key, key).unwrap()));
            }
        }
    }

    async fn feed(&mut self, workspace: WorkspaceId, site: usize, shared: Option<(KnowledgeBaseId, String)>) {
        let connection = self.connect(workspace, site).await;
        let (app, handle) = (&self.app, &self.sites[site]);
        let (knowledge_base, store) = match shared {
            Some(shared) => shared,
            None => furnish::knowledge_base(app, workspace).await,
        };
        let id = furnish::source(app, workspace, knowledge_base, connection, handle).await;
        self.feeders.push(Feeder { site, id, knowledge_base, store });
    }

    /// Somebody connects the account to a site, the way it is done in this history.
    pub async fn connect(&self, workspace: WorkspaceId, site: usize) -> ConnectionId {
        let (app, handle) = (&self.app, &self.sites[site]);
        if self.oauth {
            furnish::connect_by_oauth(app, &self.simulator, handle, workspace).await
        } else {
            furnish::connect(app, &self.simulator, handle, workspace).await
        }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.app.clock.now()
    }

    /// Moves all clocks and lets the worker tick once.
    pub async fn tick(&self, after: u32) -> Result<(), Violation> {
        self.simulator.advance(Duration::from_secs(after.into()));
        let now = self.now() + TimeDelta::seconds(after.into());
        tick::tick_at(&self.app, now).await.map(|_| ()).map_err(|error| format!("a tick failed: {error}"))
    }

    /// A tick that ends with its process, when so many calls were made.
    pub async fn crash(&self, after: u32, calls: u8) -> Result<(), Violation> {
        let gate = Gate::default();
        let fault = self.simulator.fault(Fault::on("*", "*").skip(calls.into()).once().hold(&gate));
        let ended = tokio::select! {
            ended = self.tick(after) => ended,
            () = gate.arrived() => Ok(()),
        };
        gate.open();
        self.simulator.remove_fault(fault);
        ended
    }

    pub async fn source(&self, id: SourceId) -> source::Model {
        source::Entity::find_by_id(id).one(self.app.db.read()).await.unwrap().expect("the source is gone")
    }

    pub async fn selections(&self, id: SourceId) -> Vec<selection::Model> {
        sources::selections_of(self.app.db.read(), id).await.unwrap()
    }

    /// The nodes of a site that are there, that the account sees, and that are of a kind.
    pub fn present(&self, site: usize, kind: Kind) -> Vec<Id> {
        let of_site = self.nodes.iter().filter(|(of, _)| *of == site).map(|(_, id)| *id);
        let is_present = |id: &Id| {
            self.sites[site]
                .with(|site| {
                    let fits = |node: &simulator::confluence::Node| {
                        node.kind == kind
                            && node.status == Status::Current
                            && oracle::sees(site, node, &self.account)
                    };
                    Ok(site.node(*id).is_some_and(fits))
                })
                .unwrap()
        };
        of_site.filter(is_present).collect()
    }

    /// Notes what the pages say now.
    pub fn listen(&mut self) {
        for at in 0..self.sites.len() {
            let said = &mut self.said;
            let note = |site: &mut simulator::confluence::Site| {
                for page in site.nodes().filter(|node| node.kind == Kind::Page) {
                    said.entry((at, page.id, page.version.number)).or_insert_with(|| Said {
                        title: page.title.clone(),
                        storage: page.body.text().into_owned(),
                        at: page.version.at,
                    });
                }
                Ok(())
            };
            self.sites[at].with(note).unwrap();
        }
    }
}
