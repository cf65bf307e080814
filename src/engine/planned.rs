//! What a sync that only plans keeps: the list of what it would do, each change with its price. Nothing else is written.

use std::collections::HashMap;

use super::{
    cost::Effort,
    guard::{self, Removal},
    plan::Change,
    record::removal_line,
    run::Run,
    stop::Stop,
    store::{self, changes::Line, documents, files},
};
use crate::{
    entity::{
        Counts, Evidence,
        change::{ChangeKind, ChangeOutcome},
        sync::Plan,
    },
    ids::DocumentId,
};

/// Begins the list anew: an earlier run may have ended in the middle of it.
pub async fn begin(run: &Run) -> Result<(), Stop> {
    if run.progress().total.is_some() {
        run.forget_progress();
        let tx = run.begin().await?;
        store::changes::clear(&tx, run.sync()).await?;
        run.commit(tx).await?;
    }
    Ok(())
}

/// Adds changes other than removals.
pub async fn changes(run: &Run, changes: &[Change]) -> Result<(), Stop> {
    let lines: Vec<Line> = changes.iter().filter_map(line).collect();
    let moved = changes.iter().filter_map(|change| match change {
        Change::Metadata { document, fact, .. } => Some((*document, fact.space_id.as_str())),
        _ => None,
    });
    let moved: HashMap<DocumentId, &str> = moved.collect();
    let before = documents::by_ids(run.app.db.read(), moved.keys().copied()).await?;
    let changes_space = |document: &DocumentId| {
        let (before, after) = (before.get(document), moved.get(document));
        before.zip(after).is_some_and(|(before, after)| before.space_id != **after)
    };
    keep(run, lines, changes_space).await
}

/// Adds removals: those that would be carried out, and those that would wait for a person.
pub async fn removals(run: &Run, judgement: guard::Judgement) -> Result<(), Stop> {
    let passed = judgement.passed.iter().map(|removal| removal_line(removal, ChangeOutcome::Planned));
    let held = judgement.held.iter().map(|removal| removal_line(removal, ChangeOutcome::Held));
    keep(run, passed.chain(held).collect(), |_| false).await
}

/// Adds documents that would leave at once, since nobody is asked, and those that would come back.
pub async fn by_restrictions(
    run: &Run,
    leave: impl Iterator<Item = DocumentId>,
    back: &[DocumentId],
    evidence: &Evidence,
) -> Result<(), Stop> {
    let removal = |document| Removal { document, evidence: evidence.clone(), free: true, rejected: false };
    let leave = leave.map(|document| removal_line(&removal(document), ChangeOutcome::Planned));
    let back = back.iter().map(|document| Line {
        reason: Some("returned".to_owned()),
        ..Line::of(*document, ChangeKind::Create, ChangeOutcome::Planned)
    });
    keep(run, leave.chain(back).collect(), |_| false).await
}

/// What the whole plan rests on and comes to.
#[must_use]
pub fn plan(run: &Run) -> Plan {
    Plan {
        selections_revision: run.source().selections_revision,
        account_id: run.access.account_id().map(str::to_owned),
        cost: run.effort().cost(),
        applied_by: None,
    }
}

fn line(change: &Change) -> Option<Line> {
    let planned = |kind, document, reason: &str| Line {
        reason: Some(reason.to_owned()),
        ..Line::of_maybe(document, kind, ChangeOutcome::Planned)
    };
    let (line, fact) = match change {
        Change::Create { document, fact, .. } => {
            let reason = if document.is_some() { "returned" } else { "new" };
            (planned(ChangeKind::Create, *document, reason), Some(fact))
        }
        Change::Revise { document, fact, .. } => {
            (planned(ChangeKind::Revise, Some(*document), "edited"), Some(fact))
        }
        Change::Metadata { document, fact, .. } => {
            (planned(ChangeKind::Metadata, Some(*document), "moved"), Some(fact))
        }
        Change::Suspect { document, evidence } => {
            let line = planned(ChangeKind::Suspect, Some(*document), "absent");
            (Line { evidence: Some(evidence.clone()), ..line }, None)
        }
        Change::Assign { .. } | Change::Release { .. } | Change::Remove { .. } => return None,
    };
    Some(Line { page: fact.map(|fact| (fact.page_id.clone(), fact.title.clone())), ..line })
}

/// Prices lines, counts them and adds them to the list.
async fn keep(
    run: &Run,
    mut lines: Vec<Line>,
    changes_space: impl Fn(&DocumentId) -> bool,
) -> Result<(), Stop> {
    let ids: Vec<DocumentId> = lines.iter().filter_map(|line| line.document).collect();
    let live = files::live_bytes(run.app.db.read(), &ids).await?;
    for line in &mut lines {
        let bytes = line.document.and_then(|document| live.get(&document).copied());
        let effort = Effort::of(line.kind, bytes, line.document.as_ref().is_some_and(&changes_space));
        let effort = if run.skips_restricted() { effort.with_readers() } else { effort };
        run.add_effort(effort);
        line.cost = Some(effort.cost());
    }
    run.want(lines.len());
    run.count(0, |counts| {
        for line in &lines {
            count(counts, line);
        }
    });
    let tx = run.begin().await?;
    store::changes::add(&tx, run.sync(), lines, run.now()).await?;
    run.commit(tx).await
}

fn count(counts: &mut Counts, line: &Line) {
    match (line.kind, line.outcome) {
        (ChangeKind::Create, _) => counts.created += 1,
        (ChangeKind::Revise, _) => counts.updated += 1,
        (ChangeKind::Metadata, _) => counts.metadata += 1,
        (ChangeKind::Remove, ChangeOutcome::Held) => counts.held += 1,
        (ChangeKind::Remove, _) => counts.removed += 1,
        (ChangeKind::Suspect, _) => counts.suspect += 1,
    }
}
