//! Persists what the plan and the guard decided, and keeps the list of it.

use std::collections::HashSet;

use super::{
    guard::{self, Policy, Removal},
    plan::Change,
    planned,
    run::Run,
    stop::Stop,
    store::{self, changes::Line, holds},
};
use crate::{
    entity::{
        Evidence,
        change::{ChangeKind, ChangeOutcome},
    },
    ids::DocumentId,
};

/// Writes changes other than removals, and tells the pipeline that there is more to do.
pub async fn changes(run: &Run, mut changes: Vec<Change>) -> Result<(), Stop> {
    if let Some(approved) = &run.approved {
        changes.retain(|change| approved.allows(change));
    }
    if changes.is_empty() {
        return Ok(());
    }
    if run.only_plans() {
        return planned::changes(run, &changes).await;
    }
    let now = run.now();
    let tx = run.begin().await?;
    let lines: Vec<Line> = changes.iter().filter_map(line).collect();
    let suspects = lines.iter().filter(|line| line.kind == ChangeKind::Suspect).count() as u64;
    let work = store::documents::apply(&tx, run.source(), &changes, now).await?;
    let changed: Vec<String> = changes.iter().filter_map(changed_page).collect();
    store::restrictions::outdate(&tx, run.source().id, &changed).await?;
    let moved: Vec<String> = changes.iter().filter_map(moved_page).collect();
    let below = if moved.is_empty() {
        0
    } else {
        store::documents::want_paths_below(&tx, run.source().id, moved).await?
    };
    run.want(usize::try_from(work + below).unwrap_or(usize::MAX));
    run.count(0, |counts| counts.suspect += suspects);
    store::changes::add(&tx, run.sync(), lines, now).await?;
    run.commit(tx).await?;
    run.more.notify_one();
    Ok(())
}

/// A page that may be restricted now though it was not, or the other way round.
fn changed_page(change: &Change) -> Option<String> {
    match change {
        Change::Create { document: Some(_), fact, .. }
        | Change::Revise { fact, .. }
        | Change::Metadata { fact, .. } => Some(fact.page_id.clone()),
        _ => None,
    }
}

/// A page whose children's paths may have changed with it: also one that comes in above those that are there already,
/// for it may not be what was read of it then.
fn moved_page(change: &Change) -> Option<String> {
    match change {
        Change::Revise { fact, renames: true, .. }
        | Change::Metadata { fact, .. }
        | Change::Create { fact, .. } => Some(fact.page_id.clone()),
        _ => None,
    }
}

/// The line that a change leaves at once. Work leaves its line when it is done.
fn line(change: &Change) -> Option<Line> {
    match change {
        Change::Suspect { document, evidence } => Some(Line {
            reason: Some("absent".to_owned()),
            evidence: Some(evidence.clone()),
            ..Line::of(*document, ChangeKind::Suspect, ChangeOutcome::Suspect)
        }),
        Change::Release { document, .. } => {
            Some(Line::of(*document, ChangeKind::Suspect, ChangeOutcome::Released))
        }
        _ => None,
    }
}

/// Guards removals: carries out those that pass, and holds the others for a person.
pub async fn removals(
    run: &Run,
    mut removals: Vec<Removal>,
    seen: impl Fn(&str) -> bool,
) -> Result<(), Stop> {
    if let Some(approved) = &run.approved {
        removals.retain(|removal| approved.removes(removal));
    }
    let source = run.source();
    let db = run.app.db.read();
    let held = holds::held(db, source.id).await?;
    if removals.is_empty() && held.is_empty() {
        return Ok(());
    }
    let mut known = HashSet::new();
    removals.retain(|removal| known.insert(removal.document));
    let ids: Vec<DocumentId> = removals.iter().map(|removal| removal.document).collect();
    let mut free: HashSet<DocumentId> = store::documents::without_file(db, &ids).await?.into_iter().collect();
    free.extend(held.iter().filter(|held| held.approved).map(|held| held.document));
    let rejected: HashSet<DocumentId> =
        held.iter().filter(|held| held.rejected).map(|held| held.document).collect();
    for removal in &mut removals {
        removal.free = run.approved.is_some() || free.contains(&removal.document);
        removal.rejected = rejected.contains(&removal.document);
    }
    let (live, removed_lately) = holds::census(db, source.id, run.now()).await?;
    let policy = Policy {
        live,
        removed_lately,
        max_removals: source.options.guard_max_removals.into(),
        max_percent: source.options.guard_max_percent.into(),
        other_account: run.other_account().is_some(),
    };
    let judgement = guard::judge(removals, policy);
    let released: Vec<DocumentId> =
        held.iter().filter(|held| seen(&held.page_id)).map(|held| held.document).collect();
    if run.only_plans() {
        planned::removals(run, judgement).await
    } else {
        carry_out(run, judgement, &released, live).await
    }
}

async fn carry_out(
    run: &Run,
    judgement: guard::Judgement,
    released: &[DocumentId],
    live: u64,
) -> Result<(), Stop> {
    let (source, now) = (run.source().id, run.now());
    for some in judgement.passed.chunks(500) {
        let tx = run.begin().await?;
        holds::remove(&tx, source, some, now).await?;
        let lines = some.iter().map(|removal| removal_line(removal, ChangeOutcome::Removed)).collect();
        store::changes::add(&tx, run.sync(), lines, now).await?;
        run.want(some.len());
        run.count(some.len(), |counts| counts.removed += some.len() as u64);
        run.commit(tx).await?;
    }
    let tx = run.begin().await?;
    holds::release(&tx, source, released).await?;
    if let Some(reason) = judgement.reason.filter(|_| !judgement.held.is_empty()) {
        let found = holds::Hold { source, sync: run.sync(), reason, account: run.other_account(), live };
        let new = holds::hold(&tx, &found, &judgement.held, now).await?;
        if new {
            let lines =
                judgement.held.iter().map(|removal| removal_line(removal, ChangeOutcome::Held)).collect();
            store::changes::add(&tx, run.sync(), lines, now).await?;
            run.count(0, |counts| counts.held += judgement.held.len() as u64);
            tracing::warn!(source.id = %source, held = judgement.held.len(), reason, "removals wait for a person");
        }
    }
    run.commit(tx).await
}

/// The line of a removal.
pub fn removal_line(removal: &Removal, outcome: ChangeOutcome) -> Line {
    let evidence: Evidence = removal.evidence.clone();
    Line {
        reason: Some(holds::reason(&evidence)),
        evidence: Some(evidence),
        ..Line::of(removal.document, ChangeKind::Remove, outcome)
    }
}
