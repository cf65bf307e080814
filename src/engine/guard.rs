//! Lets removals pass, or holds them for a person: pure, with no clock, network or database.
//!
//! * What a person did (their own confirmed change of selections, a deletion) is never held, nor counted; nor is what not
//!   everybody may read any more.
//! * Everything else is held together when it is more than `max_removals` *and* more than `max_percent` of the live
//!   documents, counting what left within 24 hours.
//! * Absence alone never empties a source: if every live document would leave by it, all of that is held.
//! * While another account sees the site than the one under which the documents were observed, everything is held.
//! * What hangs below a root that is gone, or in a space that has not answered for a day, is always held.
//! * What a person approved passes, if it is still true; what a person rejected stays until there is more of it.

use crate::{
    entity::{Evidence, EvidenceKind},
    ids::DocumentId,
};

/// A removal that the plan asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The document.
    pub document: DocumentId,
    /// What proves it.
    pub evidence: Evidence,
    /// Whether the guard has no say: a person approved it, or nothing of the document is in the store.
    pub free: bool,
    /// Whether a person rejected it.
    pub rejected: bool,
}

/// What the guard weighs removals against.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Documents of the source that have a live file now.
    pub live: u64,
    /// Counted removals within the last 24 hours.
    pub removed_lately: u64,
    /// More removals than this are held …
    pub max_removals: u64,
    /// … if they are also more than this share of the live documents.
    pub max_percent: u64,
    /// Whether another account sees the site now.
    pub other_account: bool,
}

/// The guard's answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// To be done now.
    pub passed: Vec<Removal>,
    /// To wait for a person.
    pub held: Vec<Removal>,
    /// Why they wait, as a stable word; absent if nothing does but what was rejected before.
    pub reason: Option<&'static str>,
}

/// Sorts removals into those that pass and those that wait.
#[must_use]
pub fn judge(removals: Vec<Removal>, policy: Policy) -> Judgement {
    let (counted, mut passed): (Vec<_>, Vec<_>) =
        removals.into_iter().partition(|removal| !removal.free && counts(removal.evidence.kind));
    if policy.other_account {
        let reason = (!counted.is_empty()).then_some("account_changed");
        return Judgement { passed, held: counted, reason };
    }
    let (rootless, counted): (Vec<_>, Vec<_>) =
        counted.into_iter().partition(|removal| always_held(removal.evidence.kind));
    let (mut held, reason) = if exceeds(counted.len() as u64, policy) {
        (counted, Some("too_many_removals"))
    } else {
        let empties = empties(&counted, policy);
        let (absent, others): (Vec<_>, Vec<_>) =
            counted.into_iter().partition(|removal| empties && removal.evidence.kind == EvidenceKind::Absent);
        let (rejected, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|removal| removal.rejected);
        passed.extend(others);
        ([absent, rejected].concat(), empties.then_some("emptied_without_evidence"))
    };
    let reason = reason.or_else(|| rootless.first().map(|removal| word(removal.evidence.kind)));
    held.extend(rootless);
    Judgement { passed, held, reason }
}

/// Whether removals for this reason are counted against the guard's limits.
#[must_use]
pub fn counts(kind: EvidenceKind) -> bool {
    match kind {
        EvidenceKind::Trashed
        | EvidenceKind::Archived
        | EvidenceKind::MovedOut
        | EvidenceKind::Absent
        | EvidenceKind::RootGone
        | EvidenceKind::Unreachable => true,
        EvidenceKind::Deselected
        | EvidenceKind::Restricted
        | EvidenceKind::Empty
        | EvidenceKind::SourceDeleted => false,
    }
}

fn always_held(kind: EvidenceKind) -> bool {
    matches!(kind, EvidenceKind::RootGone | EvidenceKind::Unreachable)
}

fn word(kind: EvidenceKind) -> &'static str {
    if kind == EvidenceKind::Unreachable { "unreachable" } else { "root_gone" }
}

fn exceeds(counted: u64, policy: Policy) -> bool {
    let leaving = counted + policy.removed_lately;
    let base = policy.live + policy.removed_lately;
    counted > 0 && leaving > policy.max_removals && leaving * 100 > base * policy.max_percent
}

fn empties(counted: &[Removal], policy: Policy) -> bool {
    let absent =
        counted.iter().filter(|removal| removal.evidence.kind == EvidenceKind::Absent).count() as u64;
    absent > 1 && absent >= policy.live
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const POLICY: Policy =
        Policy { live: 100, removed_lately: 0, max_removals: 10, max_percent: 25, other_account: false };

    fn removals(kind: EvidenceKind, count: usize) -> Vec<Removal> {
        let evidence = Evidence { kind, at: DateTime::UNIX_EPOCH, call: String::new() };
        std::iter::repeat_with(|| Removal {
            document: DocumentId::new(),
            evidence: evidence.clone(),
            free: false,
            rejected: false,
        })
        .take(count)
        .collect()
    }

    #[test]
    fn a_few_removals_pass() {
        assert_eq!(judge(removals(EvidenceKind::Trashed, 25), POLICY).held.len(), 0);
    }

    #[test]
    fn many_removals_are_held_together() {
        let judgement = judge(removals(EvidenceKind::Trashed, 26), POLICY);
        assert_eq!((judgement.passed.len(), judgement.held.len()), (0, 26));
        assert_eq!(judgement.reason, Some("too_many_removals"));
    }

    #[test]
    fn what_left_lately_counts() {
        let policy = Policy { live: 80, removed_lately: 20, ..POLICY };
        assert_eq!(judge(removals(EvidenceKind::Absent, 5), policy).held.len(), 0);
        assert_eq!(judge(removals(EvidenceKind::Absent, 6), policy).held.len(), 6);
    }

    #[test]
    fn a_persons_own_deselection_is_never_held() {
        assert_eq!(judge(removals(EvidenceKind::Deselected, 100), POLICY).passed.len(), 100);
    }

    #[test]
    fn absence_alone_never_empties_a_source() {
        let policy = Policy { live: 4, ..POLICY };
        assert_eq!(judge(removals(EvidenceKind::Trashed, 4), policy).held.len(), 0);
        let judgement = judge(removals(EvidenceKind::Absent, 4), policy);
        assert_eq!((judgement.held.len(), judgement.reason), (4, Some("emptied_without_evidence")));
    }

    #[test]
    fn what_hangs_below_a_lost_root_is_always_held() {
        let judgement = judge(removals(EvidenceKind::RootGone, 1), POLICY);
        assert_eq!((judgement.held.len(), judgement.reason), (1, Some("root_gone")));
    }

    #[test]
    fn under_another_account_only_what_a_person_took_out_leaves() {
        let policy = Policy { other_account: true, ..POLICY };
        let judgement = judge(removals(EvidenceKind::Trashed, 1), policy);
        assert_eq!((judgement.held.len(), judgement.reason), (1, Some("account_changed")));
        let judgement = judge(removals(EvidenceKind::Deselected, 1), policy);
        assert_eq!((judgement.passed.len(), judgement.reason), (1, None));
    }

    #[test]
    fn what_a_person_rejected_stays_though_nothing_else_holds_it() {
        let mut removals = removals(EvidenceKind::Trashed, 4);
        removals[0].rejected = true;
        let judgement = judge(removals, POLICY);
        assert_eq!((judgement.passed.len(), judgement.held.len(), judgement.reason), (3, 1, None));
    }

    #[test]
    fn what_a_person_approved_passes() {
        let mut removals = removals(EvidenceKind::RootGone, 50);
        for removal in &mut removals {
            removal.free = true;
        }
        assert_eq!(judge(removals, POLICY).passed.len(), 50);
    }
}
