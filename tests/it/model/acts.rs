//! Carries out steps. What the wiki or Tidegate would refuse a person does not happen.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use chrono::TimeDelta;
use sea_orm::{EntityTrait, QueryOrder};
use simulator::{Id, IndexingRule, Kind, Outcome, Place, Refused, Status, confluence::Site};
use tidegate::{
    entity::{
        connection::{self, ConnectionStatus},
        document,
        file::{self, FileRole},
        hold,
        knowledge_base::{self, KnowledgeBaseStatus},
        reconcile::{ReconcileKind, ReconcileTrigger},
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
        source::SourceStatus,
        sync::{self, SyncMode, SyncStatus, SyncTrigger},
    },
    ids::{SelectionId, SourceId},
    knowledge_bases,
    openai::{AttributeValue, Attributes},
    reconciles::store as reconciles,
    sources::store::{self as sources, Edit, Patch},
    syncs::store as syncs,
};

use super::{
    steps::{Pick, Spot, Step, Words},
    town::{Feeder, Foreign, Town, Violation},
};

impl Words {
    fn storage(self) -> String {
        match self {
            Self::Text(number) => format!("<p>Words {number}.</p>"),
            Self::Styled(number) => format!("<p><span style=\"color: red;\">Words {number}.</span></p>"),
            Self::Link(number) => {
                format!("<p>See <ac:link><ri:page ri:content-title=\"Page {number}\" /></ac:link>.</p>")
            }
            Self::Empty => "<p> </p>".to_owned(),
        }
    }
}

impl Town {
    pub async fn take(&mut self, step: Step) -> Result<(), Violation> {
        match step {
            Step::Choose { source, kind, mode, which } => self.choose(source, kind, mode, which).await,
            Step::Unchoose { source, which } => self.unchoose(source, which).await,
            Step::Pause(source) => self.pause(self.id(source)).await,
            Step::Resume(source) => self.resume(self.id(source)).await,
            Step::Request { source, mode } => self.request(self.id(source), mode).await,
            Step::Cancel(source) => self.cancel(self.id(source)).await,
            Step::Approve(source) => self.approve(self.id(source)).await,
            Step::Reject(source) => self.reject(self.id(source)).await,
            Step::DeleteSource(source) => self.delete_source(source).await,
            Step::Reconcile(source) => self.reconcile(source).await,
            Step::Stranger { store, attached } => self.stranger(store, attached).await,
            Step::Tamper { which, deletes } => self.tamper(which, deletes).await,
            Step::Tick { after } => {
                self.tick(after).await?;
                self.check().await?;
            }
            Step::Trouble(trouble) => {
                self.in_trouble = true;
                trouble.begin(&self.simulator);
            }
            Step::Calm => {
                self.calm();
                self.mend().await;
            }
            Step::Indexing { takes } => {
                self.simulator.openai().habits.indexing = Duration::from_secs(takes.into());
            }
            Step::Unindexed { files, stuck } => {
                let failed = Outcome::Failed { code: "server_error".to_owned(), message: "No.".to_owned() };
                let outcome = if stuck { Outcome::Stuck } else { failed };
                self.simulator.openai().indexing(IndexingRule::new("", outcome).times(files.into()));
            }
            Step::ExpireTokens => self.simulator.expire_tokens(),
            Step::Revoke => self.simulator.revoke_grants(),
            Step::Jump(seconds) => {
                let clock = self.simulator.clock();
                clock.set(clock.now_utc() + TimeDelta::seconds(seconds.into()));
            }
            Step::Crash { after, calls } => {
                self.crash(after, calls).await?;
                self.check().await?;
            }
            of_wiki => {
                // What the wiki refuses has not happened.
                _ = self.edit_wiki(of_wiki);
                self.listen();
            }
        }
        Ok(())
    }

    pub fn calm(&mut self) {
        self.in_trouble = false;
        self.simulator.clear_faults();
        let mut openai = self.simulator.openai();
        openai.clear_indexing();
        openai.habits.indexing = Duration::ZERO;
    }

    fn edit_wiki(&mut self, step: Step) -> Result<(), Refused> {
        match step {
            Step::Add { kind, at, title, words } => {
                let (site, place) = self.place(at)?;
                let title =
                    if kind == Kind::Page { format!("Page {title}") } else { format!("{kind:?} {title}") };
                let id = self.sites[site].add(kind, place, &title, words.storage())?;
                self.nodes.push((site, id));
            }
            Step::Edit { node, words } => {
                let (site, page) = self.current(node, true)?;
                self.sites[site].edit(page, words.storage())?;
            }
            Step::Save { node } => {
                let (site, page) = self.current(node, true)?;
                let body = self.sites[site].node(page)?.body;
                self.sites[site].edit(page, body)?;
            }
            Step::Rename { node, title } => {
                let (site, id) = self.current(node, false)?;
                let kind = self.sites[site].node(id)?.kind;
                let title =
                    if kind == Kind::Page { format!("Page {title}") } else { format!("{kind:?} {title}") };
                self.sites[site].rename(id, &title)?;
            }
            Step::Move { node, to } => {
                let (site, id) = self.current(node, false)?;
                let (to_site, place) = self.place(to)?;
                if to_site == site {
                    self.sites[site].move_to(id, place)?;
                }
            }
            Step::Archive(node) => self.at(node, Site::archive)?,
            Step::Unarchive(node) => self.at(node, Site::unarchive)?,
            Step::Trash(node) => self.at(node, Site::trash)?,
            Step::Restore(node) => {
                let now = self.simulator.clock().now();
                self.at(node, |site, id| site.restore(id, now).map(|_| ()))?;
            }
            Step::Purge(node) => self.at(node, |site, id| {
                let is_trashed = site.node(id).is_some_and(|node| node.status == Status::Trashed);
                if is_trashed { site.purge(id) } else { Err(Refused::WrongState(id)) }
            })?,
            Step::Erase(node) => self.at(node, |site, id| site.trash(id).and_then(|()| site.purge(id)))?,
            Step::Hide(node) => self.at(node, |site, id| site.restrict(id, Some([].into())))?,
            Step::Restrict(node) => {
                let readers = [self.account.clone()].into();
                self.at(node, |site, id| site.restrict(id, Some(readers)))?;
            }
            Step::Show(node) => self.at(node, |site, id| site.restrict(id, None))?,
            Step::HideSpace(space) => self.limit(space, true)?,
            Step::ShowSpace(space) => self.limit(space, false)?,
            Step::DeleteSpace(space) => {
                let (site, space) = self.spaces[usize::from(space) % self.spaces.len()];
                self.sites[site].delete_space(space)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn node(&self, pick: Pick) -> Result<(usize, Id), Refused> {
        let nodes = self.nodes.len();
        if nodes == 0 { Err(Refused::NoNode(0)) } else { Ok(self.nodes[usize::from(pick) % nodes]) }
    }

    /// A node that is there, and that can be edited.
    fn current(&self, pick: Pick, is_page: bool) -> Result<(usize, Id), Refused> {
        let (site, id) = self.node(pick)?;
        let node = self.sites[site].node(id)?;
        let fits = node.status == Status::Current && (!is_page || node.kind == Kind::Page);
        if fits { Ok((site, id)) } else { Err(Refused::WrongState(id)) }
    }

    fn at(&self, pick: Pick, act: impl FnOnce(&mut Site, Id) -> Result<(), Refused>) -> Result<(), Refused> {
        let (site, id) = self.node(pick)?;
        self.sites[site].with(|site| act(site, id))
    }

    /// Where to put a node: at the top of a space, or below a node that is there.
    fn place(&self, spot: Spot) -> Result<(usize, Place), Refused> {
        match spot {
            Spot::Top { space } => {
                let (site, space) = self.spaces[usize::from(space) % self.spaces.len()];
                Ok((site, Place::Top { space }))
            }
            Spot::Under(pick) => self.current(pick, false).map(|(site, id)| (site, Place::Under(id))),
        }
    }

    fn limit(&self, space: u8, hidden: bool) -> Result<(), Refused> {
        let (site, space) = self.spaces[usize::from(space) % self.spaces.len()];
        if hidden { self.sites[site].limit_space(space, &[]) } else { self.sites[site].open_space(space) }
    }

    pub fn id(&self, source: u8) -> SourceId {
        self.feeders[usize::from(source) % self.feeders.len()].id
    }

    /// Chooses something that can be chosen: what is there and seen. Chosen already, its mode is set.
    async fn choose(&self, source: u8, kind: SelectionKind, mode: SelectionMode, which: Pick) {
        let feeder = &self.feeders[usize::from(source) % self.feeders.len()];
        let choices = match kind {
            SelectionKind::Space => {
                let of_site = self.spaces.iter().filter(|(site, _)| *site == feeder.site);
                of_site.map(|(_, space)| *space).collect()
            }
            SelectionKind::Folder => self.present(feeder.site, Kind::Folder),
            SelectionKind::Page | SelectionKind::PageTree => self.present(feeder.site, Kind::Page),
        };
        if choices.is_empty() {
            return;
        }
        let id = choices[usize::from(which) % choices.len()];
        let chosen = self.selections(feeder.id).await;
        let same = chosen.iter().find(|s| s.kind == kind && s.external_id == id.to_string());
        let edit = match same {
            Some(same) if same.mode == mode => return,
            Some(same) => Edit { turn: vec![(same.id, mode)], ..Edit::default() },
            None => {
                let space = self.sites[feeder.site].node(id).map_or(id, |node| node.space);
                let row = selection::Model {
                    id: SelectionId::new(),
                    source_id: feeder.id,
                    kind,
                    mode,
                    external_id: id.to_string(),
                    title: format!("{kind:?} {id}"),
                    space_id: Some(space.to_string()),
                    status: SelectionStatus::Ok,
                    problem_since: None,
                    verified_at: None,
                    listing: None,
                    created_at: self.now(),
                };
                Edit { add: vec![row], ..Edit::default() }
            }
        };
        self.save(feeder.id, edit).await;
    }

    async fn unchoose(&self, source: u8, which: u8) {
        let source = self.id(source);
        let chosen = self.selections(source).await;
        if !chosen.is_empty() {
            let remove = vec![chosen[usize::from(which) % chosen.len()].id];
            self.save(source, Edit { remove, ..Edit::default() }).await;
        }
    }

    async fn save(&self, source: SourceId, edit: Edit) {
        let seen = self.source(source).await;
        sources::replace_selections(&self.app.db, &seen, edit, self.now()).await.unwrap();
    }

    async fn pause(&self, source: SourceId) {
        sources::pause(&self.app.db, source, self.now()).await.unwrap();
    }

    pub async fn resume(&self, source: SourceId) {
        sources::resume(&self.app.db, source, self.now()).await.unwrap();
    }

    async fn request(&self, source: SourceId, mode: SyncMode) {
        if self.source(source).await.status == SourceStatus::Active {
            let trigger = SyncTrigger::Manual;
            syncs::request(&self.app.db, source, mode, trigger, self.now()).await.unwrap();
        }
    }

    async fn cancel(&self, source: SourceId) {
        let all = sync::Entity::find().all(self.app.db.read()).await.unwrap();
        let is_open = |sync: &&sync::Model| {
            sync.source_id == source && matches!(sync.status, SyncStatus::Queued | SyncStatus::Running)
        };
        if let Some(open) = all.iter().find(is_open) {
            syncs::cancel(&self.app.db, open, self.now()).await.unwrap();
        }
    }

    pub async fn approve(&self, source: SourceId) {
        if self.source(source).await.status == SourceStatus::Active
            && let Some(holding) = self.holding(source).await
        {
            syncs::approve(&self.app.db, &holding, self.now()).await.unwrap();
        }
    }

    /// Says no to whatever is held, if anything is.
    async fn reject(&self, source: SourceId) {
        if let Some(holding) = self.holding(source).await {
            syncs::reject(&self.app.db, &holding, self.now()).await.unwrap();
        }
    }

    /// Deletes a source with its documents, unless it is the last one.
    async fn delete_source(&mut self, source: u8) {
        if self.feeders.len() > 1 {
            let feeder = self.feeders.remove(usize::from(source) % self.feeders.len());
            sources::begin_delete(&self.app.db, feeder.id, false, self.now()).await.unwrap();
        }
    }

    async fn reconcile(&self, source: u8) {
        let feeder = &self.feeders[usize::from(source) % self.feeders.len()];
        let row = self.knowledge_base(feeder).await;
        let (kind, trigger) = (ReconcileKind::Reconcile, ReconcileTrigger::Manual);
        let wanted = reconciles::queued(&row, kind, trigger, false, self.now());
        reconciles::request(&self.app.db, wanted).await.unwrap();
    }

    /// People do what they are asked to: they connect again, and see to it that the keys work.
    pub async fn mend(&self) {
        for feeder in &self.feeders {
            let source = self.source(feeder.id).await;
            let connection = source.connection_id.unwrap();
            let connection =
                connection::Entity::find_by_id(connection).one(self.app.db.read()).await.unwrap();
            if connection.unwrap().status == ConnectionStatus::NeedsReconnect {
                let connection = self.connect(source.workspace_id, feeder.site).await;
                let patch = Patch { connection_id: Some(connection), ..Patch::default() };
                sources::patch(&self.app.db, &source, patch, self.now()).await.unwrap();
            }
            if self.knowledge_base(feeder).await.status == KnowledgeBaseStatus::Blocked {
                let db = self.app.db.write();
                knowledge_bases::store::unblock(db, feeder.knowledge_base, self.now()).await.unwrap();
            }
        }
    }

    async fn knowledge_base(&self, feeder: &Feeder) -> knowledge_base::Model {
        let row = knowledge_base::Entity::find_by_id(feeder.knowledge_base).one(self.app.db.read()).await;
        row.unwrap().unwrap()
    }

    /// Somebody else takes one of our live files away: until that is found, its page may be missing.
    async fn tamper(&mut self, which: Pick, deletes: bool) {
        let files =
            file::Entity::find().order_by_asc(file::Column::Id).all(self.app.db.read()).await.unwrap();
        let live: Vec<_> = files.into_iter().filter(|file| file.role == FileRole::Live).collect();
        if live.is_empty() {
            return;
        }
        let file = &live[usize::from(which) % live.len()];
        let id = file.openai_file_id.as_deref().unwrap();
        let stores: BTreeSet<&str> = self.feeders.iter().map(|feeder| feeder.store.as_str()).collect();
        {
            let mut openai = self.simulator.openai();
            for store in stores {
                openai.lose_entry(store, id);
            }
            if deletes {
                openai.lose_file(id);
            }
        }
        let document = document::Entity::find_by_id(file.document_id);
        let document = document.one(self.app.db.read()).await.unwrap().unwrap();
        self.live.remove(&(document.source_id, document.external_id));
    }

    /// The sync that found what a source holds.
    async fn holding(&self, source: SourceId) -> Option<sync::Model> {
        let db = self.app.db.read();
        let hold = hold::Entity::find_by_id(source).one(db).await.unwrap()?;
        sync::Entity::find_by_id(hold.sync_id).one(db).await.unwrap()
    }

    /// Somebody else puts a file into a store or beside it: another installation's, about a page of ours.
    async fn stranger(&mut self, store: u8, attached: bool) {
        if self.in_trouble {
            return;
        }
        let store = self.feeders[usize::from(store) % self.feeders.len()].store.clone();
        let page = self.nodes.first().map_or(0, |(_, id)| *id);
        let openai = knowledge_bases::client_with(&self.app, "sk-simulated".into());
        let name = format!("page-{page}-tgdeadbeef-0199{:028}.md", self.foreign.len());
        let file = openai.upload_file(&name, "# Theirs\n".into()).await.unwrap().id;
        let mut attributes = Attributes::new();
        if attached {
            attributes.insert("tidegate".to_owned(), AttributeValue::text("inst_0:kb_0"));
            attributes.insert("page_id".to_owned(), AttributeValue::text(&page.to_string()));
            openai.attach(&store, &file, &attributes).await.unwrap();
        }
        let attributes: BTreeMap<String, serde_json::Value> =
            attributes.into_iter().map(|(key, value)| (key, serde_json::json!(value))).collect();
        self.foreign.push(Foreign { file, store: attached.then_some(store), attributes });
    }
}
