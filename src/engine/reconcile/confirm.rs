//! Looks at each finding by itself: only what a single question shows as well is put right.

use futures_util::{StreamExt, stream};

use super::{Work, compare, store, sweep::YOUNG};
use crate::{
    engine::stop::Stop,
    entity::{
        document::DocumentState,
        file,
        finding::{self, FindingKind, FindingOutcome},
        reconcile::ReconcileStep,
    },
    openai::{AttributeValue, IndexStatus, StoreFile},
};

/// Findings looked at together.
const GROUP: u64 = 100;
/// Questions at once.
const AT_ONCE: usize = 4;

impl Work<'_> {
    /// Looks at every finding that was not looked at yet; then, unless a person approved them, holds removals above
    /// the guard's cap.
    pub(super) async fn confirm(&mut self) -> Result<ReconcileStep, Stop> {
        loop {
            self.check_time()?;
            let (db, id) = (self.app.db.read(), self.row.id);
            let findings = store::of_outcome(db, id, &[FindingOutcome::Found], &[], None, GROUP).await?;
            if findings.is_empty() {
                break;
            }
            let work = &*self;
            let judged: Vec<Result<finding::Model, Stop>> = stream::iter(0..findings.len())
                .map(|at| work.look(findings[at].clone()))
                .buffer_unordered(AT_ONCE)
                .collect()
                .await;
            let tx = self.begin_write().await?;
            let mut trouble = None;
            for finding in judged {
                match finding {
                    Ok(finding) => store::judged(&tx, &finding).await?,
                    Err(stop) => trouble = Some(stop),
                }
            }
            tx.commit().await?;
            if let Some(stop) = trouble {
                return Err(stop);
            }
        }
        if self.row.dry_run {
            return Ok(ReconcileStep::Done);
        }
        self.guard().await?;
        Ok(ReconcileStep::Repair)
    }

    async fn guard(&self) -> Result<(), Stop> {
        let db = self.app.db.read();
        let removals = store::confirmed_removals(db, self.row.id).await?;
        let live = store::live_count(db, self.knowledge_base.id).await?;
        if !self.row.approved && compare::must_be_held(removals, live) {
            tracing::warn!(removals, live, "removals wait for a person");
            let tx = self.begin_write().await?;
            store::hold(&tx, self.row.id).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn look(&self, mut finding: finding::Model) -> Result<finding::Model, Stop> {
        let outcome = match finding.kind {
            FindingKind::Missing | FindingKind::Broken | FindingKind::Changed => {
                self.look_at_live(&mut finding).await?
            }
            FindingKind::Unknown | FindingKind::Duplicate | FindingKind::Orphan => {
                self.look_at_unknown(&mut finding).await?
            }
            FindingKind::Stray => self.look_at_stray(&finding).await?,
        };
        Ok(finding::Model { outcome, ..finding })
    }

    /// A file that is live as far as we know.
    async fn look_at_live(&self, finding: &mut finding::Model) -> Result<FindingOutcome, Stop> {
        let Some(row) =
            self.known(&finding.openai_file_id).await?.filter(|row| Some(row.id) == finding.file_id)
        else {
            return Ok(FindingOutcome::Dismissed);
        };
        if row.role != file::FileRole::Live {
            return Ok(FindingOutcome::Dismissed);
        }
        finding.kind = match self.entry(&finding.openai_file_id).await? {
            None => FindingKind::Missing,
            Some(entry) if compare::is_broken(&entry) => FindingKind::Broken,
            Some(entry)
                if compare::has_changed(&entry, &row)
                    && store::described(self.app.db.read(), &row).await? =>
            {
                FindingKind::Changed
            }
            Some(_) => return Ok(FindingOutcome::Dismissed),
        };
        Ok(FindingOutcome::Confirmed)
    }

    /// A file of ours that nothing knows: whether its page wants it.
    async fn look_at_unknown(&self, finding: &mut finding::Model) -> Result<FindingOutcome, Stop> {
        let Some(entry) = self.entry(&finding.openai_file_id).await? else {
            return Ok(FindingOutcome::Dismissed);
        };
        let is_ours = compare::is_marked(&entry.attributes, &self.mark);
        if !is_ours || self.known(&entry.id).await?.is_some() {
            return Ok(FindingOutcome::Dismissed);
        }
        let said =
            |name: &str| entry.attributes.get(name).and_then(|value| value.as_text()).unwrap_or_default();
        let (db, now) = (self.app.db.read(), self.now());
        let place = store::document_of(db, &self.row, said("cloud_id"), said("page_id"), now).await?;
        finding.document_id = place.document.as_ref().map(|document| document.id);
        let is_wanted =
            |state: DocumentState| !matches!(state, DocumentState::Removed | DocumentState::Skipped);
        let document = place.document.filter(|document| is_wanted(document.state));
        let Some(_) = document else {
            finding.kind = FindingKind::Orphan;
            let goes = place.is_settled && is_old(&entry);
            return Ok(if goes { FindingOutcome::Confirmed } else { FindingOutcome::Waiting });
        };
        match entry.status {
            IndexStatus::Completed => {}
            _ if compare::is_broken(&entry) && is_old(&entry) => {
                finding.kind = FindingKind::Orphan;
                return Ok(FindingOutcome::Confirmed);
            }
            _ => return Ok(FindingOutcome::Waiting),
        }
        let Some(live) = place.live else {
            finding.kind = FindingKind::Unknown;
            return Ok(FindingOutcome::Confirmed);
        };
        let beside = match &live.openai_file_id {
            Some(id) => self.entry(id).await?,
            None => None,
        };
        match beside {
            Some(beside) if beside.status == IndexStatus::Completed => {
                finding.kind = FindingKind::Duplicate;
                Ok(FindingOutcome::Confirmed)
            }
            None if version(&entry) >= live.version => {
                finding.kind = FindingKind::Unknown;
                finding.file_id = Some(live.id);
                Ok(FindingOutcome::Confirmed)
            }
            // The newer text is put back first; until then this one is what readers find.
            _ => Ok(FindingOutcome::Waiting),
        }
    }

    /// A file of ours that no row knows, of which the store's list showed nothing.
    async fn look_at_stray(&self, finding: &finding::Model) -> Result<FindingOutcome, Stop> {
        if self.known(&finding.openai_file_id).await?.is_some() {
            return Ok(FindingOutcome::Dismissed);
        }
        for store in store::stores(self.app.db.read(), &self.knowledge_base.openai_base_url).await? {
            match self.openai.store_file(&store, &finding.openai_file_id).await {
                // It is that store's to decide on.
                Ok(_) => return Ok(FindingOutcome::Dismissed),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        match self.openai.file(&finding.openai_file_id).await {
            Ok(_) => Ok(FindingOutcome::Confirmed),
            Err(error) if error.is_not_found() => Ok(FindingOutcome::Dismissed),
            Err(error) => Err(error.into()),
        }
    }

    /// What is known of a file.
    pub(super) async fn known(&self, openai_file_id: &str) -> Result<Option<file::Model>, Stop> {
        let mut known = store::rows_by_openai_ids(self.app.db.read(), &[openai_file_id]).await?;
        Ok(known.remove(openai_file_id))
    }

    /// A file's entry in the store, which was read successfully before.
    pub(super) async fn entry(&self, openai_file_id: &str) -> Result<Option<StoreFile>, Stop> {
        match self.openai.store_file(&self.vector_store, openai_file_id).await {
            Ok(entry) => Ok(Some(entry)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether an entry is a day old, by the vendor's clock.
fn is_old(entry: &StoreFile) -> bool {
    entry.date.is_some_and(|date| date.timestamp() - entry.created_at >= YOUNG.num_seconds())
}

/// The version of its page that an entry says it holds.
#[expect(clippy::cast_possible_truncation, reason = "versions are far below 2^53")]
pub(super) fn version(entry: &StoreFile) -> i64 {
    entry.attributes.get("version").and_then(AttributeValue::as_number).unwrap_or_default() as i64
}
