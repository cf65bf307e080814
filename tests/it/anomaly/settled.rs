//! Whether nothing is left of an anomaly.

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use tidegate::entity::{
    batch, document,
    document::Work,
    file::{self, FileRole, FileStage},
};

use super::scenario::Expected;
use crate::engine::world::World;

impl World {
    /// Asserts that the store holds exactly these texts, once each, and that nothing is under way or left over.
    pub async fn has_settled(&self, expected: &Expected, when: &str) {
        let store = self.store();
        for (page, text) in expected {
            let found = store.get(page).map_or(&[][..], Vec::as_slice);
            assert_eq!(found, [text.as_str()], "page {page} in the store; {when}");
        }
        let others: Vec<_> = store.keys().filter(|page| !expected.contains_key(*page)).collect();
        assert!(others.is_empty(), "pages {others:?} are still in the store; {when}");
        assert_eq!(self.files(), expected.len(), "files of the account; {when}");

        // An upload that was never answered may still arrive: it is looked for until a quarter of an hour has passed.
        let sought =
            |file: &file::Model| file.role == FileRole::Retiring && file.stage == FileStage::Uploading;
        let unfinished: Vec<_> = self.unfinished().await.into_iter().filter(|file| !sought(file)).collect();
        assert!(unfinished.is_empty(), "{unfinished:?} are left; {when}");
        let db = self.app.db.read();
        let batches = batch::Entity::find().count(db).await.unwrap();
        assert_eq!(batches, 0, "batches are left; {when}");
        let work = document::Column::Work.ne(Work::None);
        let waiting = document::Entity::find().filter(work).all(db).await.unwrap();
        assert!(waiting.is_empty(), "{waiting:?} wait for work; {when}");
    }

    /// Whether files are still looked for that may have been uploaded.
    pub async fn seeks(&self) -> bool {
        !self.unfinished().await.is_empty()
    }

    async fn unfinished(&self) -> Vec<file::Model> {
        let which = file::Column::Role.ne(FileRole::Live);
        file::Entity::find().filter(which).all(self.app.db.read()).await.unwrap()
    }
}
