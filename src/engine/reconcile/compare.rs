//! What an entry of a store's list says beside what is known of it: pure, with no clock, network or database.

use crate::{
    entity::file::{self, FileRole},
    openai::{Attributes, IndexStatus, StoreFile},
};

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is as it should be, or on its way.
    Known,
    /// A live file that cannot be searched any more.
    Broken,
    /// A live file whose attributes somebody changed.
    Changed,
    /// A file of ours that nothing knows.
    Unknown,
    /// A file of somebody else.
    Foreign,
}

/// Judges an entry; `row` is what is known of its file, `mark` is what our files carry.
#[must_use]
pub fn judge(entry: &StoreFile, row: Option<&file::Model>, mark: &str) -> Judgement {
    match row {
        Some(row) if row.role == FileRole::Live => live(entry, row),
        Some(_) => Judgement::Known,
        None if is_marked(&entry.attributes, mark) => Judgement::Unknown,
        None => Judgement::Foreign,
    }
}

fn live(entry: &StoreFile, row: &file::Model) -> Judgement {
    if is_broken(entry) {
        Judgement::Broken
    } else if has_changed(entry, row) {
        Judgement::Changed
    } else {
        Judgement::Known
    }
}

/// Whether an entry will never be found by a search.
#[must_use]
pub fn is_broken(entry: &StoreFile) -> bool {
    matches!(entry.status, IndexStatus::Failed | IndexStatus::Cancelled)
}

/// Whether an entry has other attributes than were last written.
#[must_use]
pub fn has_changed(entry: &StoreFile, row: &file::Model) -> bool {
    written(row).is_some_and(|written| written != entry.attributes)
}

/// The attributes that were last written to a file; nothing if none were.
#[must_use]
pub fn written(row: &file::Model) -> Option<Attributes> {
    let attributes = row.attributes.as_object()?;
    let attributes = attributes.iter().filter_map(|(name, value)| {
        let value = match value {
            serde_json::Value::String(text) => crate::openai::AttributeValue::Text(text.clone()),
            serde_json::Value::Bool(switch) => (*switch).into(),
            value => crate::openai::AttributeValue::Number(value.as_f64()?),
        };
        Some((name.clone(), value))
    });
    Some(attributes.collect())
}

/// Whether these are attributes of a file of ours.
#[must_use]
pub fn is_marked(attributes: &Attributes, mark: &str) -> bool {
    attributes.get(crate::knowledge_bases::OWNER).and_then(|owner| owner.as_text()) == Some(mark)
}

/// Removals without a person's word: at most this many of a store's files at once …
const MOST_REMOVALS: u64 = 10;
/// … or this share of its live ones, whichever is more.
const MOST_PERCENT: u64 = 25;

/// Whether so many removals beside so many live files wait for a person.
#[must_use]
pub fn must_be_held(removals: u64, live: u64) -> bool {
    removals > MOST_REMOVALS && removals * 100 > live * MOST_PERCENT
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;
    use crate::{
        entity::file::FileStage,
        ids::{DocumentId, FileId, KnowledgeBaseId, SourceId},
    };

    const MARK: &str = "tg_1:kb_1";

    fn entry(status: &str, attributes: &serde_json::Value) -> StoreFile {
        serde_json::from_value(json!({ "id": "file-1", "status": status, "attributes": attributes })).unwrap()
    }

    fn row(role: FileRole, attributes: serde_json::Value) -> file::Model {
        file::Model {
            id: FileId::new(),
            document_id: DocumentId::new(),
            source_id: SourceId::new(),
            knowledge_base_id: KnowledgeBaseId::new(),
            role,
            stage: FileStage::Completed,
            file_name: String::new(),
            openai_file_id: Some("file-1".to_owned()),
            batch_id: None,
            sha256: Vec::new(),
            bytes: 1,
            version: 1,
            edited_at: DateTime::UNIX_EPOCH,
            attributes,
            selections_revision: 1,
            sent_at: None,
            created_at: DateTime::UNIX_EPOCH,
            completed_at: None,
            retiring_at: None,
            retire_reason: None,
            seen_at: None,
        }
    }

    fn ours() -> serde_json::Value {
        json!({ "tidegate": MARK, "version": 3, "title": "Runbook" })
    }

    #[test]
    fn an_entry_as_it_was_written_is_known() {
        let row = row(FileRole::Live, json!({ "tidegate": MARK, "version": 3, "title": "Runbook" }));
        assert_eq!(judge(&entry("completed", &ours()), Some(&row), MARK), Judgement::Known);
        assert_eq!(judge(&entry("in_progress", &ours()), Some(&row), MARK), Judgement::Known);
    }

    #[test]
    fn a_live_file_that_failed_or_was_changed_is_found() {
        let row = row(FileRole::Live, ours());
        assert_eq!(judge(&entry("failed", &ours()), Some(&row), MARK), Judgement::Broken);
        let changed = json!({ "tidegate": MARK, "version": 3 });
        assert_eq!(judge(&entry("completed", &changed), Some(&row), MARK), Judgement::Changed);
    }

    #[test]
    fn what_is_on_its_way_is_left_alone() {
        for role in [FileRole::Candidate, FileRole::Retiring] {
            let row = row(role, serde_json::Value::Null);
            assert_eq!(judge(&entry("failed", &ours()), Some(&row), MARK), Judgement::Known);
        }
    }

    #[test]
    fn ours_and_theirs_are_told_apart_by_the_whole_mark() {
        assert_eq!(judge(&entry("completed", &ours()), None, MARK), Judgement::Unknown);
        for owner in ["tg_1:kb_2", "tg_2:kb_1", "", "tg_1:kb_1x"] {
            let theirs = json!({ "tidegate": owner });
            assert_eq!(judge(&entry("completed", &theirs), None, MARK), Judgement::Foreign, "{owner}");
        }
        assert_eq!(judge(&entry("completed", &json!({})), None, MARK), Judgement::Foreign);
    }

    #[test]
    fn many_removals_wait_for_a_person_a_few_do_not() {
        assert!(!must_be_held(10, 0) && !must_be_held(25, 100));
        assert!(must_be_held(26, 100) && must_be_held(11, 0));
    }
}
