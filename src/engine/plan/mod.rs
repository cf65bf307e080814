//! Turns what was seen into a sorted list of changes: pure, with no clock, network or database.
//!
//! * The same input gives the same list, in the order of page ids.
//! * Creates and revisions follow from facts alone; absence is judged only for pages that were looked up by id.
//! * A removal carries its evidence. A page that is merely absent becomes suspect first, and is removed only when it has
//!   been absent for long enough while the connection was proven healthy.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{Fact, Known, Verdict, page_order};
use crate::{
    entity::{Evidence, EvidenceKind, document::DocumentState},
    ids::{DocumentId, SelectionId},
};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A page that is not in the store yet; `document` is its old row if it was there before.
    Create {
        /// The row of an earlier time.
        document: Option<DocumentId>,
        /// The page.
        fact: Fact,
        /// What brings it in.
        selection: SelectionId,
    },
    /// A newer version.
    Revise {
        /// The document.
        document: DocumentId,
        /// The page now.
        fact: Fact,
        /// What brings it in.
        selection: SelectionId,
        /// Whether paths through it change: it has another title or parent.
        renames: bool,
    },
    /// The same version at another place: attributes change, the text does not.
    Metadata {
        /// The document.
        document: DocumentId,
        /// The page now.
        fact: Fact,
        /// What brings it in.
        selection: SelectionId,
    },
    /// Nothing about the page changed, but another selection brings it in now.
    Assign {
        /// The document.
        document: DocumentId,
        /// What brings it in.
        selection: SelectionId,
    },
    /// A suspect page was seen again.
    Release {
        /// The document.
        document: DocumentId,
        /// What brings it in.
        selection: SelectionId,
    },
    /// It must leave the store.
    Remove {
        /// The document.
        document: DocumentId,
        /// What proves it.
        evidence: Evidence,
    },
    /// It is absent; that alone proves nothing.
    Suspect {
        /// The document.
        document: DocumentId,
        /// What was found.
        evidence: Evidence,
    },
}

/// What looking up one page by its id showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is current, and the selections say this of it. `proven` when every scope that could hold it was seen completely.
    Current {
        /// The page.
        fact: Fact,
        /// What the selections say.
        verdict: Verdict,
        /// Whether that cannot be otherwise.
        proven: bool,
    },
    /// It answered as archived.
    Archived,
    /// It answered as trashed.
    Trashed,
    /// It did not answer, neither in bulk nor by itself, while the connection was proven healthy.
    Absent,
    /// It did not answer, and neither did its space.
    Hidden,
    /// The same for a day.
    Unreachable,
    /// Nothing was proven: a call failed.
    Unknown,
}

/// What became of the selection that brought a document in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is selected as before, and what it names is there.
    Stands,
    /// The page or folder that it names is gone.
    RootGone,
    /// A person took it back.
    Deselected,
}

/// What a plan must respect beside facts and documents.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Spaces into which nothing new may come: one of their exclusions could not be seen.
    pub closed_spaces: &'a HashSet<String>,
    /// Selections whose trees were not seen completely: their documents may not look as if another selection decided.
    pub uncertain: &'a HashSet<SelectionId>,
    /// Exclusions that were there before: what they cover now was moved there, and no person took it out.
    pub standing: &'a HashSet<SelectionId>,
    /// How long a page must have been absent before it is removed.
    pub suspect_age: TimeDelta,
    /// The time now.
    pub now: DateTime<Utc>,
}

/// The changes that follow from pages that were seen.
#[must_use]
pub fn seen(
    mut facts: Vec<(Fact, Verdict)>,
    known: &HashMap<String, Known>,
    rules: &Rules<'_>,
) -> Vec<Change> {
    facts.sort_by(|(one, _), (other, _)| {
        page_order(&one.page_id, &other.page_id).then_with(|| other.version.cmp(&one.version))
    });
    facts.dedup_by(|(later, _), (earlier, _)| later.page_id == earlier.page_id);
    facts.into_iter().filter_map(|(fact, verdict)| change(fact, verdict, known, rules)).collect()
}

fn change(fact: Fact, verdict: Verdict, known: &HashMap<String, Known>, rules: &Rules<'_>) -> Option<Change> {
    let document = known.get(&fact.page_id);
    let verdict = document.and_then(|document| unseen_tree(document, rules)).unwrap_or(verdict);
    match (verdict, document) {
        (Verdict::Wanted(selection), Some(document)) if document.is_present() => {
            kept(document, fact, selection)
        }
        (Verdict::Wanted(selection), document) => (!rules.closed_spaces.contains(&fact.space_id))
            .then(|| Change::Create { document: document.map(|document| document.id), fact, selection }),
        (Verdict::Excluded(exclusion), Some(document)) if document.is_present() => {
            Some(excluded(document.id, exclusion, rules))
        }
        (Verdict::Excluded(_) | Verdict::Outside | Verdict::Unclear, _) => None,
    }
}

/// A document of a tree that was not seen stays with it: any other answer would be a guess.
fn unseen_tree(document: &Known, rules: &Rules<'_>) -> Option<Verdict> {
    document.selection_id.filter(|selection| rules.uncertain.contains(selection)).map(Verdict::Wanted)
}

/// What follows from seeing a wanted page whose document is there.
fn kept(document: &Known, fact: Fact, selection: SelectionId) -> Option<Change> {
    let moved = fact.parent_id != document.parent_id
        || fact.space_id != document.space_id
        || fact.url != document.url;
    let id = document.id;
    if fact.version > document.wanted_version {
        let renames = fact.title != document.title || moved;
        Some(Change::Revise { document: id, fact, selection, renames })
    } else if fact.version == document.wanted_version && moved {
        Some(Change::Metadata { document: id, fact, selection })
    } else if document.state == DocumentState::Suspect || document.suspect_since.is_some() {
        Some(Change::Release { document: id, selection })
    } else if document.selection_id != Some(selection) {
        Some(Change::Assign { document: id, selection })
    } else {
        None
    }
}

/// The removal of a page that an exclusion covers: a person's act if the exclusion is new, else somebody moved the page.
fn excluded(document: DocumentId, exclusion: SelectionId, rules: &Rules<'_>) -> Change {
    if rules.standing.contains(&exclusion) {
        let call = "it was shown below an excluded page or folder";
        remove(document, EvidenceKind::MovedOut, call, rules.now)
    } else {
        let call = "selections: an exclusion covers the page";
        remove(document, EvidenceKind::Deselected, call, rules.now)
    }
}

fn remove(document: DocumentId, kind: EvidenceKind, call: &str, now: DateTime<Utc>) -> Change {
    Change::Remove { document, evidence: Evidence { kind, at: now, call: call.to_owned() } }
}

/// What follows for one document that a complete scope no longer shows, or that is suspect, from looking it up by id.
#[must_use]
pub fn looked_up(document: &Known, found: Found, origin: Origin, rules: &Rules<'_>) -> Option<Change> {
    let remove = |kind, call| Some(remove(document.id, kind, call, rules.now));
    match found {
        Found::Trashed => remove(EvidenceKind::Trashed, "GET /pages?id=… answered status trashed"),
        Found::Archived => remove(EvidenceKind::Archived, "GET /pages?id=… answered status archived"),
        Found::Absent | Found::Hidden | Found::Unreachable if origin == Origin::Deselected => {
            remove(EvidenceKind::Deselected, "selections: the page's selection was taken back")
        }
        Found::Absent => absent(document, rules),
        Found::Unreachable => Some(unreachable(document.id, rules.now)),
        Found::Hidden
        | Found::Unknown
        | Found::Current { verdict: Verdict::Unclear, .. }
        | Found::Current { verdict: Verdict::Outside, proven: false, .. } => None,
        Found::Current { fact, verdict: Verdict::Wanted(selection), .. } => kept(document, fact, selection),
        Found::Current { verdict: Verdict::Excluded(_), .. } if unseen_tree(document, rules).is_some() => {
            None
        }
        Found::Current { verdict: Verdict::Excluded(exclusion), .. } => {
            Some(excluded(document.id, exclusion, rules))
        }
        Found::Current { verdict: Verdict::Outside, proven: true, .. } => match origin {
            Origin::Stands => {
                remove(EvidenceKind::MovedOut, "GET /pages?id=… showed it outside every selected scope")
            }
            Origin::RootGone => {
                remove(EvidenceKind::RootGone, "the selected page or folder above it is gone")
            }
            Origin::Deselected => {
                remove(EvidenceKind::Deselected, "selections: no selection reaches the page")
            }
        },
    }
}

/// The removal, for a person to decide on, of what nobody could see for a day.
#[must_use]
pub fn unreachable(document: DocumentId, now: DateTime<Utc>) -> Change {
    remove(document, EvidenceKind::Unreachable, "the space has not been visible for 24 hours", now)
}

/// The ladder of a page that is merely absent: suspect first, removed when it has been absent for long enough.
fn absent(document: &Known, rules: &Rules<'_>) -> Option<Change> {
    let evidence = Evidence {
        kind: EvidenceKind::Absent,
        at: rules.now,
        call: "GET /pages/{id} answered 404 on a healthy connection".to_owned(),
    };
    match document.suspect_since {
        None => Some(Change::Suspect { document: document.id, evidence }),
        Some(since) if rules.now - since >= rules.suspect_age => {
            Some(Change::Remove { document: document.id, evidence })
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests;
