//! Looks through the account for files of ours that nothing knows: in no store, and in no row.

use chrono::TimeDelta;

use super::{
    Work,
    store::{self, Found},
};
use crate::{
    engine::{file_name, stop::Stop},
    entity::{
        finding::FindingKind,
        reconcile::{ReconcileStep, ReconcileTrigger},
    },
    knowledge_bases,
    openai::{File, FileQuery},
};

/// The vendor's most: few calls, and a bounded answer.
const PART: usize = 10_000;
/// A file that is younger may be on its way.
pub(super) const YOUNG: TimeDelta = TimeDelta::hours(24);

impl Work<'_> {
    /// Walks the account's files, unless that was done within a day for another of its stores.
    pub(super) async fn sweep(&mut self) -> Result<ReconcileStep, Stop> {
        let credential = knowledge_bases::credential_name(&self.knowledge_base);
        let swept_at = store::swept_at(self.app.db.read(), &credential).await?;
        let lately = swept_at.is_some_and(|at| self.now() - at < YOUNG);
        if lately && self.row.trigger != ReconcileTrigger::Manual {
            return Ok(ReconcileStep::Confirm);
        }
        let mut walk = self.openai.walk_files(&FileQuery { limit: PART, ..FileQuery::default() });
        while let Some(listing) = walk.next().await? {
            self.check_time()?;
            // Without the vendor's time nothing is old.
            let Some(date) = listing.date else { continue };
            let old = |file: &File| date.timestamp() - file.created_at >= YOUNG.num_seconds();
            let ours: Vec<File> = listing
                .items
                .into_iter()
                .filter(|file| file_name::attempt(&file.filename, self.app.installation).is_some())
                .filter(old)
                .collect();
            self.note_strays(ours).await?;
        }
        let tx = self.begin_write().await?;
        store::swept(&tx, &credential, self.now()).await?;
        tx.commit().await?;
        Ok(ReconcileStep::Confirm)
    }

    async fn note_strays(&self, files: Vec<File>) -> Result<(), Stop> {
        let db = self.app.db.read();
        for some in files.chunks(500) {
            let ids: Vec<&str> = some.iter().map(|file| file.id.as_str()).collect();
            let known = store::rows_by_openai_ids(db, &ids).await?;
            let kept = store::kept(db, &ids).await?;
            let names: Vec<&str> = some.iter().map(|file| file.filename.as_str()).collect();
            let awaited = store::awaited(db, &names).await?;
            let found = some
                .iter()
                .filter(|file| !known.contains_key(&file.id) && !kept.contains(&file.id))
                .filter(|file| !awaited.contains(&file.filename))
                .map(|file| Found {
                    kind: FindingKind::Stray,
                    openai_file_id: file.id.clone(),
                    file: None,
                    page_id: None,
                    title: Some(file.filename.clone()),
                })
                .collect();
            let tx = self.begin_write().await?;
            store::add(&tx, self.row.id, found, self.now()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
