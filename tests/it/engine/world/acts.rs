//! What people do at Tidegate.

use sea_orm::{EntityTrait, sea_query::Expr};
use simulator::Id;
use tidegate::{
    connections::{self, tokens::ApiToken},
    entity::{
        SourceOptions,
        selection::{self, SelectionKind, SelectionMode, SelectionStatus},
        source,
        sync::{self, SyncMode, SyncTrigger},
    },
    ids::{ConnectionId, SelectionId, SourceId, SyncId, WorkspaceId},
    knowledge_bases,
    openai::{self, Attributes},
    sources::store::{self as sources, Edit, Patch},
    syncs::store as syncs,
};

use super::{World, furnish};

impl World {
    /// Adds a selection.
    pub async fn select(&self, kind: SelectionKind, mode: SelectionMode, id: Id) -> SelectionId {
        let space = self.site.node(id).map_or(id, |node| node.space);
        let selection = selection::Model {
            id: SelectionId::new(),
            source_id: self.source,
            kind,
            mode,
            external_id: id.to_string(),
            title: format!("selection of {id}"),
            space_id: Some(space.to_string()),
            status: SelectionStatus::Ok,
            problem_since: None,
            verified_at: None,
            listing: None,
            created_at: self.now(),
        };
        let id = selection.id;
        self.save(Edit { add: vec![selection], ..Edit::default() }).await;
        id
    }

    pub async fn include(&self, kind: SelectionKind, id: Id) -> SelectionId {
        self.select(kind, SelectionMode::Include, id).await
    }

    pub async fn exclude(&self, kind: SelectionKind, id: Id) -> SelectionId {
        self.select(kind, SelectionMode::Exclude, id).await
    }

    pub async fn include_space(&self, id: Id) -> SelectionId {
        self.include(SelectionKind::Space, id).await
    }

    /// Adds a source of the site with a store of its own, and goes on with these; answers those before.
    pub async fn add_source(
        &mut self,
        workspace: WorkspaceId,
        connection: ConnectionId,
    ) -> (SourceId, String) {
        let (knowledge_base, store) = furnish::knowledge_base(&self.app, workspace).await;
        let source = furnish::source(&self.app, workspace, knowledge_base, connection, &self.site).await;
        (std::mem::replace(&mut self.source, source), std::mem::replace(&mut self.store, store))
    }

    pub async fn deselect(&self, selection: SelectionId) {
        self.save(Edit { remove: vec![selection], ..Edit::default() }).await;
    }

    async fn save(&self, edit: Edit) {
        let seen = self.source().await;
        sources::replace_selections(&self.app.db, &seen, edit, self.now()).await.unwrap();
    }

    pub async fn set_options(&self, options: SourceOptions) {
        furnish::set_options(&self.app, self.source, options).await;
    }

    /// Lets all sources be looked at every so many seconds, the first time now.
    pub async fn look_every(&self, seconds: i32) {
        let update = source::Entity::update_many()
            .col_expr(source::Column::IntervalSeconds, Expr::value(seconds))
            .col_expr(source::Column::NextSyncAt, Expr::value(self.now()));
        update.exec(self.app.db.write()).await.unwrap();
    }

    /// Asks for a sync now.
    pub async fn request(&self, mode: SyncMode) -> SyncId {
        let requested =
            syncs::request(&self.app.db, self.source, mode, SyncTrigger::Manual, self.now()).await;
        requested.unwrap().into_sync().id
    }

    pub async fn cancel(&self, sync: SyncId) {
        let seen = sync::Entity::find_by_id(sync).one(self.app.db.read()).await.unwrap().unwrap();
        syncs::cancel(&self.app.db, &seen, self.now()).await.unwrap().expect("it was finished already");
    }

    pub async fn approve(&self) {
        let sync = self.holding().await;
        syncs::approve(&self.app.db, &sync, self.now()).await.unwrap().expect("nothing is held");
    }

    pub async fn reject(&self) {
        let sync = self.holding().await;
        assert!(syncs::reject(&self.app.db, &sync, self.now()).await.unwrap(), "nothing is held");
    }

    /// The sync that holds removals.
    async fn holding(&self) -> sync::Model {
        let id = syncs::holding(self.app.db.read(), self.source).await.unwrap().expect("nothing is held");
        sync::Entity::find_by_id(id).one(self.app.db.read()).await.unwrap().unwrap()
    }

    pub async fn pause(&self) {
        sources::pause(&self.app.db, self.source, self.now()).await.unwrap();
    }

    pub async fn resume(&self) {
        sources::resume(&self.app.db, self.source, self.now()).await.unwrap();
    }

    pub async fn delete_source(&self, keep_documents: bool) {
        sources::begin_delete(&self.app.db, self.source, keep_documents, self.now()).await.unwrap();
    }

    pub async fn delete_knowledge_base(&self, delete_store: bool, forget: bool) {
        let (db, id) = (&self.app.db, self.knowledge_base);
        let found =
            knowledge_bases::store::begin_delete(db, id, delete_store, forget, self.now()).await.unwrap();
        assert!(found.is_some(), "there is no knowledge base");
    }

    /// Somebody connects with the API token of an account, and the source goes through that connection from now on.
    pub async fn connect_with_token(&self, email: &str, token: &str) {
        let source = self.source().await;
        let new = furnish::new_connection(source.workspace_id);
        let token = ApiToken { email: email.to_owned().into(), token: token.to_owned().into() };
        let site = self.site.url().parse().unwrap();
        let connection = connections::connect_with_token(&self.app, new, &site, &token).await.unwrap();
        let patch = Patch { connection_id: Some(connection.id), ..Patch::default() };
        sources::patch(&self.app.db, &source, patch, self.now()).await.unwrap();
    }

    /// Somebody connects the account through OAuth, and the source goes through that connection from now on.
    pub async fn connect_by_oauth(&self) {
        let source = self.source().await;
        let connection =
            furnish::connect_by_oauth(&self.app, &self.simulator, &self.site, source.workspace_id).await;
        let patch = Patch { connection_id: Some(connection), ..Patch::default() };
        sources::patch(&self.app.db, &source, patch, self.now()).await.unwrap();
    }

    /// Somebody else puts a file into the store.
    pub async fn attach_foreign_file(&self) -> String {
        let openai = self.openai();
        let file = openai.upload_file("theirs.md", "# Theirs".into()).await.unwrap().id;
        openai.attach(&self.store, &file, &Attributes::new()).await.unwrap();
        file
    }

    /// OpenAI, as the service reaches it.
    pub fn openai(&self) -> openai::Client {
        knowledge_bases::client_with(&self.app, "sk-simulated".into())
    }
}
