//! Puts right what was confirmed: files that are taken up first, then what is missing, then attributes, and removals
//! last.

use chrono::DateTime;

use super::{
    PATIENCE, Work, compare,
    confirm::version,
    store::{self, Adopted, Restored},
};
use crate::{
    engine::{file_name, stop::Stop, store::lease::Lease},
    entity::{
        file::{self, FileRole, FileStage},
        finding::{self, FindingKind, FindingOutcome},
        reconcile::ReconcileStep,
        source,
    },
    ids::{DocumentId, FileId},
    openai::{AttributeValue, StoreFile},
};

/// Findings put right together.
const GROUP: u64 = 50;

impl Work<'_> {
    /// Puts right what was confirmed. Answers the next step; nothing while files are on their way back or a source is
    /// being worked on.
    pub(super) async fn repair(&mut self) -> Result<Option<ReconcileStep>, Stop> {
        use FindingKind as K;
        let mut busy = false;
        for kinds in [&[K::Unknown][..], &[K::Missing, K::Broken], &[K::Changed], &K::REMOVALS] {
            busy |= self.repair_kinds(kinds).await?;
        }
        let tx = self.begin_write().await?;
        let on_their_way = store::settle_restored(&tx, &self.row).await?;
        tx.commit().await?;
        let is_late = self.now() - self.began() >= PATIENCE;
        Ok(((!busy && on_their_way.is_empty()) || is_late).then_some(ReconcileStep::Done))
    }

    /// Answers whether some of it has to wait for a source that is being worked on.
    async fn repair_kinds(&self, kinds: &[FindingKind]) -> Result<bool, Stop> {
        let (db, id) = (self.app.db.read(), self.row.id);
        let mut outcomes = vec![FindingOutcome::Confirmed];
        if kinds.contains(&FindingKind::Orphan) {
            outcomes.push(FindingOutcome::Repairing);
        }
        let (mut after, mut busy) = (None, false);
        loop {
            let findings = store::of_outcome(db, id, &outcomes, kinds, after, GROUP).await?;
            let Some(last) = findings.last() else { return Ok(busy) };
            after = Some(last.id);
            for finding in findings {
                self.check_time()?;
                busy |= match finding.kind {
                    kind if FindingKind::REMOVALS.contains(&kind) => self.remove(&finding).await?,
                    _ => self.repair_document(&finding).await?,
                };
            }
        }
    }

    /// Puts right a finding about a document, under the lease of its source. Answers whether that is taken.
    async fn repair_document(&self, finding: &finding::Model) -> Result<bool, Stop> {
        let db = &self.app.db;
        let Some(document) = finding.document_id else { return self.dismiss(finding).await };
        let Some(source) = store::source_of(db.read(), document).await? else {
            return self.dismiss(finding).await;
        };
        let length = self.app.settings.timing.lease;
        let Some((lease, source)) = Lease::take_one(db, source, self.app.replica, length, self.now()).await?
        else {
            return Ok(true);
        };
        let outcome = match finding.kind {
            FindingKind::Unknown => self.adopt(finding, document, &lease, &source).await,
            FindingKind::Changed => self.describe(finding).await,
            _ => self.restore(finding, &lease).await,
        };
        lease.release(db).await?;
        let tx = self.begin_write().await?;
        store::outcome(&tx, finding.id, outcome?).await?;
        tx.commit().await?;
        Ok(false)
    }

    async fn dismiss(&self, finding: &finding::Model) -> Result<bool, Stop> {
        let tx = self.begin_write().await?;
        store::outcome(&tx, finding.id, FindingOutcome::Dismissed).await?;
        tx.commit().await?;
        Ok(false)
    }

    /// Sends a live file that is missing back on its way; one that is broken is replaced.
    async fn restore(&self, finding: &finding::Model, lease: &Lease) -> Result<FindingOutcome, Stop> {
        let Some(row) = self.live(finding).await? else { return Ok(FindingOutcome::Dismissed) };
        let is_at_openai = match self.openai.file(&finding.openai_file_id).await {
            Ok(_) => true,
            Err(error) if error.is_not_found() => false,
            Err(error) => return Err(error.into()),
        };
        let now = self.now();
        let tx = lease.begin(&self.app.db).await?;
        let restored = if finding.kind == FindingKind::Broken {
            store::lose(&tx, &row, now).await?;
            Restored::Replaced
        } else {
            store::restore(&tx, &row, is_at_openai, now).await?
        };
        store::make_due(&tx, row.source_id, now).await?;
        tx.commit().await?;
        Ok(match restored {
            Restored::OnItsWay | Restored::Replaced => FindingOutcome::Repairing,
            Restored::Stale => FindingOutcome::Dismissed,
        })
    }

    /// Writes the attributes of a live file again.
    async fn describe(&self, finding: &finding::Model) -> Result<FindingOutcome, Stop> {
        let Some(row) = self.live(finding).await? else { return Ok(FindingOutcome::Dismissed) };
        let attributes = compare::written(&row);
        let Some(attributes) = attributes.filter(|attributes| !attributes.is_empty()) else {
            return Ok(FindingOutcome::Dismissed);
        };
        if !store::described(self.app.db.read(), &row).await? {
            return Ok(FindingOutcome::Dismissed);
        }
        self.may_write()?;
        match self.openai.update_attributes(&self.vector_store, &finding.openai_file_id, &attributes).await {
            Ok(_) => Ok(FindingOutcome::Repaired),
            // It went away meanwhile: the next reconcile finds it missing.
            Err(error) if error.is_not_found() => Ok(FindingOutcome::Waiting),
            Err(error) => Err(error.into()),
        }
    }

    /// The row of a finding, if that is still live.
    async fn live(&self, finding: &finding::Model) -> Result<Option<file::Model>, Stop> {
        let row = self.known(&finding.openai_file_id).await?;
        Ok(row.filter(|row| row.role == FileRole::Live && Some(row.id) == finding.file_id))
    }

    /// Takes up a file that nothing knew.
    async fn adopt(
        &self,
        finding: &finding::Model,
        document: DocumentId,
        lease: &Lease,
        source: &source::Model,
    ) -> Result<FindingOutcome, Stop> {
        let Some(entry) = self.entry(&finding.openai_file_id).await? else {
            return Ok(FindingOutcome::Dismissed);
        };
        let file = match self.openai.file(&finding.openai_file_id).await {
            Ok(file) => file,
            // An entry without its file: the next reconcile finds the page without one.
            Err(error) if error.is_not_found() => return Ok(FindingOutcome::Waiting),
            Err(error) => return Err(error.into()),
        };
        let row = self.row_of(&entry, &file.filename, file.bytes, document, source);
        let tx = lease.begin(&self.app.db).await?;
        let taken = store::name_is_taken(&tx, &row).await?
            || !store::adopt(&tx, Adopted { file: row, instead_of: finding.file_id }, self.now()).await?;
        if taken {
            return Ok(FindingOutcome::Waiting);
        }
        store::make_due(&tx, source.id, self.now()).await?;
        tx.commit().await?;
        Ok(FindingOutcome::Repaired)
    }

    /// The row of a file, from what it says of itself.
    fn row_of(
        &self,
        entry: &StoreFile,
        name: &str,
        bytes: u64,
        document: DocumentId,
        source: &source::Model,
    ) -> file::Model {
        let said = |name: &str| entry.attributes.get(name);
        let sha256 = said("sha256").and_then(|value| value.as_text()).map(unhex).unwrap_or_default();
        #[expect(clippy::cast_possible_truncation, reason = "seconds are far below 2^53")]
        let edited_at = said("updated_at")
            .and_then(AttributeValue::as_number)
            .and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0));
        file::Model {
            id: file_name::attempt(name, self.app.installation).unwrap_or_else(FileId::new),
            document_id: document,
            source_id: source.id,
            knowledge_base_id: self.knowledge_base.id,
            role: FileRole::Live,
            stage: FileStage::Completed,
            file_name: name.to_owned(),
            openai_file_id: Some(entry.id.clone()),
            batch_id: None,
            sha256,
            bytes: i64::try_from(bytes).unwrap_or(i64::MAX),
            version: version(entry),
            edited_at: edited_at.unwrap_or_else(|| self.now()),
            attributes: serde_json::json!(entry.attributes),
            selections_revision: source.selections_revision,
            sent_at: None,
            created_at: self.now(),
            completed_at: Some(self.now()),
            retiring_at: None,
            retire_reason: None,
            seen_at: Some(self.began()),
        }
    }

    /// Takes a file away, whose finding says so before it is done.
    async fn remove(&self, finding: &finding::Model) -> Result<bool, Stop> {
        if self.known(&finding.openai_file_id).await?.is_some() {
            return self.dismiss(finding).await;
        }
        let tx = self.begin_write().await?;
        store::outcome(&tx, finding.id, FindingOutcome::Repairing).await?;
        tx.commit().await?;
        self.pace.delete().await;
        self.may_write()?;
        // Whatever is not there is gone: the store was read with this key a moment ago.
        if finding.kind != FindingKind::Stray {
            self.openai.detach(&self.vector_store, &finding.openai_file_id).await?;
        }
        self.openai.delete_file(&finding.openai_file_id).await?;
        let tx = self.begin_write().await?;
        store::outcome(&tx, finding.id, FindingOutcome::Repaired).await?;
        tx.commit().await?;
        Ok(false)
    }
}

/// Bytes from their hexadecimal digits; nothing if they are not such.
fn unhex(digits: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(pair).collect::<Option<Vec<u8>>>().unwrap_or_default()
}
