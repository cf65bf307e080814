//! What others do to the store, and databases that come back from a backup.

use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, ModelTrait};
use serde_json::json;
use simulator::Id;
use tidegate::{
    engine::tick,
    entity::{
        document, file, file_text, finding,
        finding::{FindingKind, FindingOutcome},
        knowledge_base,
        reconcile::{self, ReconcileKind, ReconcileStatus, ReconcileTrigger},
        source_space,
    },
    ids::ReconcileId,
    openai::{AttributeValue, Attributes},
    reconciles::store as reconciles,
};

use super::World;

/// What a database said once.
pub struct Backup {
    documents: Vec<document::Model>,
    files: Vec<file::Model>,
    texts: Vec<file_text::Model>,
    spaces: Vec<source_space::Model>,
}

impl World {
    /// Asks for a reconcile.
    pub async fn request_reconcile(&self, dry_run: bool) -> ReconcileId {
        self.request_work(ReconcileKind::Reconcile, dry_run).await
    }

    pub async fn request_work(&self, kind: ReconcileKind, dry_run: bool) -> ReconcileId {
        let row = knowledge_base::Entity::find_by_id(self.knowledge_base).one(self.app.db.read()).await;
        let row = row.unwrap().unwrap();
        let wanted = reconciles::queued(&row, kind, ReconcileTrigger::Manual, dry_run, self.now());
        match reconciles::request(&self.app.db, wanted).await.unwrap() {
            reconciles::Requested::Queued(row) => row.id,
            other => panic!("{other:?}"),
        }
    }

    /// Reconciles until that is finished, and answers what it says.
    pub async fn reconcile(&self) -> reconcile::Model {
        let id = self.request_reconcile(false).await;
        for _ in 0..3 {
            self.tick().await;
            let row = self.reconcile_row(id).await;
            if row.finished_at.is_some() {
                return row;
            }
        }
        panic!("it does not finish: {:?}", self.reconcile_row(id).await)
    }

    /// Compares the store without touching it and without any sync.
    pub async fn dry_run(&self) -> reconcile::Model {
        self.simulator.advance(std::time::Duration::from_mins(1));
        self.app.clock.set(self.now() + chrono::TimeDelta::seconds(60));
        let id = self.request_reconcile(true).await;
        tick::reconcile_stores(&self.app).await.unwrap();
        let row = self.reconcile_row(id).await;
        assert_eq!(row.status, ReconcileStatus::Succeeded, "{:?}", row.problem);
        row
    }

    pub async fn reconcile_row(&self, id: ReconcileId) -> reconcile::Model {
        reconcile::Entity::find_by_id(id).one(self.app.db.read()).await.unwrap().unwrap()
    }

    /// What a reconcile found, without what turned out otherwise.
    pub async fn findings(&self, id: ReconcileId) -> Vec<(FindingKind, FindingOutcome)> {
        let rows = reconciles::findings(self.app.db.read(), id, None, 1_000).await.unwrap();
        let mut found: Vec<_> = rows.into_iter().map(|row: finding::Model| (row.kind, row.outcome)).collect();
        found.sort_by_key(|(kind, _)| format!("{kind:?}"));
        found
    }

    /// The live file of a page.
    pub async fn file(&self, page: Id) -> file::Model {
        let document = self.document(page).await;
        let files = file::Entity::find().all(self.app.db.read()).await.unwrap();
        let live = |file: &file::Model| file.document_id == document.id && file.role == file::FileRole::Live;
        files.into_iter().find(live).unwrap_or_else(|| panic!("page {page} has no live file"))
    }

    /// The id at OpenAI of the live file of a page.
    pub async fn file_id(&self, page: Id) -> String {
        self.file(page).await.openai_file_id.unwrap()
    }

    /// Somebody takes the file of a page out of the store.
    pub async fn somebody_detaches(&self, page: Id) {
        let file = self.file_id(page).await;
        assert!(self.simulator.openai().lose_entry(&self.store, &file));
    }

    /// Somebody deletes the file of a page.
    pub async fn somebody_deletes(&self, page: Id) {
        let file = self.file_id(page).await;
        self.openai().delete_file(&file).await.unwrap();
    }

    /// Somebody else labels the file of a page.
    pub async fn somebody_labels(&self, page: Id) {
        let file = self.file_id(page).await;
        let attributes = Attributes::from([("team".to_owned(), "theirs".into())]);
        self.openai().update_attributes(&self.store, &file, &attributes).await.unwrap();
    }

    /// A file of this installation and knowledge base that no row knows, of a page.
    pub async fn forgotten_file(&self, page_id: &str, version: i64, text: &str) -> String {
        let id = tidegate::ids::FileId::new();
        let installation = self.app.installation.0.simple().to_string();
        let mark = &installation[installation.len() - 8..];
        let name = format!("page-{page_id}-tg{mark}-{}.md", id.0.simple());
        let openai = self.openai();
        let file = openai.upload_file(&name, text.to_owned().into()).await.unwrap().id;
        let owner = tidegate::knowledge_bases::owner_mark(self.app.installation, self.knowledge_base);
        let text = |text: &str| AttributeValue::text(text);
        let attributes = Attributes::from([
            ("tidegate".to_owned(), text(&owner)),
            ("cloud_id".to_owned(), text(self.site.cloud_id())),
            ("page_id".to_owned(), text(page_id)),
            ("version".to_owned(), version.into()),
            ("title".to_owned(), text("Forgotten")),
        ]);
        openai.attach(&self.store, &file, &attributes).await.unwrap();
        openai.store_file(&self.store, &file).await.unwrap();
        file
    }

    /// The names of all files of the account.
    pub fn file_ids(&self) -> Vec<String> {
        let openai = self.simulator.openai();
        openai.projects().iter().flat_map(|project| project.files().map(|file| file.id.clone())).collect()
    }

    /// What the database says now.
    pub async fn back_up(&self) -> Backup {
        let db = self.app.db.read();
        Backup {
            documents: document::Entity::find().all(db).await.unwrap(),
            files: file::Entity::find().all(db).await.unwrap(),
            texts: file_text::Entity::find().all(db).await.unwrap(),
            spaces: source_space::Entity::find().all(db).await.unwrap(),
        }
    }

    /// The database says again what it said then.
    pub async fn bring_back(&self, backup: Backup) {
        let db = self.app.db.write();
        file::Entity::delete_many().exec(db).await.unwrap();
        document::Entity::delete_many().exec(db).await.unwrap();
        source_space::Entity::delete_many().exec(db).await.unwrap();
        insert(db, backup.documents).await;
        // Batches are not kept: by the time of a backup they are done.
        insert(db, backup.files.into_iter().map(|file| file::Model { batch_id: None, ..file }).collect())
            .await;
        insert(db, backup.texts).await;
        insert(db, backup.spaces).await;
    }
}

async fn insert<M>(db: &sea_orm::DatabaseConnection, rows: Vec<M>)
where
    M: ModelTrait + IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel>,
    <M::Entity as EntityTrait>::ActiveModel: ActiveModelTrait<Entity = M::Entity>,
{
    for row in rows {
        M::Entity::insert(row.into_active_model()).exec_without_returning(db).await.unwrap();
    }
}

/// Findings, written short.
pub fn all(kind: FindingKind, outcome: FindingOutcome, count: usize) -> Vec<(FindingKind, FindingOutcome)> {
    vec![(kind, outcome); count]
}

/// A problem's code, as JSON shows it.
pub fn code(row: &reconcile::Model) -> serde_json::Value {
    row.problem.as_ref().map_or(json!(null), |problem| json!(problem.code))
}
