//! Keeps pages out of the store that not everybody may read, where the source says so.
//!
//! * Restrictions are inherited: a page is restricted if it or anything above it is.
//! * What is known of each page and folder is kept, counts as outdated once it has changed, and is read again in turn.
//! * Unknown keeps new text out, and takes nothing out.
//! * What is known decides by itself, whatever else is to be done for a page: nobody is asked, and no failure or retry of
//!   another step delays it.

mod reader;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use sea_orm::DatabaseTransaction;

pub use reader::Reader;

use super::{
    attributes, budget, planned,
    run::Run,
    stop::Stop,
    store::{
        changes::{self, Line},
        documents::Item,
        kept_out::{self, Found},
        nodes::{self, Above},
        restrictions as kept,
    },
};
use crate::{
    confluence::Node,
    entity::{
        Evidence, EvidenceKind,
        change::{ChangeKind, ChangeOutcome},
        document,
    },
};

/// A chain of pages and folders is at most this long.
const DEEPEST: usize = 64;
/// Pages in the store that were never asked for, read in one observation.
const MOST_UNREAD: usize = 2_500;

/// Of documents to be rendered or described, those that everybody may read; what becomes of the others is recorded.
pub async fn readable(run: &Run, items: Vec<Item>) -> Result<Vec<Item>, Stop> {
    if !run.skips_restricted() || items.is_empty() {
        sort_out(run, &items, &[], &[]).await?;
        return Ok(items);
    }
    let chains = chains(run, &items).await?;
    let mut met = HashSet::new();
    let ids: Vec<String> = chains.iter().flatten().flatten().filter(|id| met.insert(*id)).cloned().collect();
    let mut reader = run.restrictions.lock().await;
    let mut known = kept::known(run.app.db.read(), run.source().id, &ids).await?;
    let missing: Vec<String> = ids.into_iter().filter(|id| !known.contains_key(id)).collect();
    known.extend(reader.read(run, &missing).await?);
    drop(reader);
    let (mut open, mut restricted, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (item, chain) in items.into_iter().zip(chains) {
        let at = |id: &String| known.get(id).copied();
        match chain {
            Some(chain) if chain.iter().any(|id| at(id) == Some(true)) => restricted.push(item),
            Some(chain) if chain.iter().all(|id| at(id) == Some(false)) => open.push(item),
            _ => unknown.push(item),
        }
    }
    sort_out(run, &open, &restricted, &unknown).await?;
    Ok(open)
}

/// Each document with everything above it; nothing where that cannot be read now.
async fn chains(run: &Run, items: &[Item]) -> Result<Vec<Option<Vec<String>>>, Stop> {
    let parents = items.iter().filter_map(|item| item.document.parent_id.clone()).collect();
    let mut above = attributes::nodes_above(run, parents).await?;
    let mut fails = false;
    let mut chains = Vec::with_capacity(items.len());
    for Item { document, .. } in items {
        if !fails && chain(document, &above).is_none() {
            fails = !learn_chain(run, &document.external_id, &mut above).await?;
        }
        chains.push(chain(document, &above));
    }
    Ok(chains)
}

/// A document and what is above it, if all of that is known.
fn chain(document: &document::Model, above: &HashMap<String, Above>) -> Option<Vec<String>> {
    let mut chain = vec![document.external_id.clone()];
    let mut next = document.parent_id.as_ref();
    while let Some(id) = next {
        let node = above.get(id)?;
        if chain.contains(id) || chain.len() > DEEPEST {
            return None;
        }
        chain.push(id.clone());
        next = node.parent_id.as_ref();
    }
    Some(chain)
}

/// Learns what is above a page and neither page nor folder, so that nothing else tells where it hangs. Answers whether
/// it is worth asking about other pages.
async fn learn_chain(run: &Run, page: &str, above: &mut HashMap<String, Above>) -> Result<bool, Stop> {
    let node = Node::page(page);
    let node = &node;
    let ancestors = match run.ask(|client| async move { client.ancestors(node).await }.boxed()).await? {
        Ok(ancestors) => ancestors,
        Err(error) if error.is_not_found() => return Ok(true),
        Err(error) => {
            run.note_trouble(error.into());
            return Ok(false);
        }
    };
    let mut parent: Option<(String, String)> = None;
    let mut learned = Vec::new();
    for ancestor in ancestors {
        let kind = ancestor.kind.as_str().to_owned();
        if !above.contains_key(&ancestor.id) {
            let (parent_id, parent_kind) = parent.take().unzip();
            let here = Above { title: String::new(), parent_id, parent_kind };
            above.insert(ancestor.id.clone(), here.clone());
            learned.push((ancestor.id.clone(), kind.clone(), here));
        }
        parent = Some((ancestor.id, kind));
    }
    if !learned.is_empty() {
        let tx = run.begin().await?;
        nodes::keep(&tx, run.source().id, learned, run.now()).await?;
        tx.commit().await?;
    }
    Ok(true)
}

/// Records what became of documents that were to be rendered or described.
async fn sort_out(run: &Run, open: &[Item], restricted: &[Item], unknown: &[Item]) -> Result<(), Stop> {
    let now = run.now();
    let waited = |item: &&Item| item.document.reason.as_deref() == Some(kept_out::UNKNOWN);
    let waited: Vec<_> = open.iter().filter(waited).map(|item| item.document.id).collect();
    if waited.is_empty() && restricted.is_empty() && unknown.is_empty() {
        return Ok(());
    }
    let found = |item: &Item| Found { id: item.document.id, is_live: item.live.is_some(), is_due: true };
    let restricted: Vec<Found> = restricted.iter().map(found).collect();
    let wait: Vec<_> = unknown.iter().map(|item| item.document.id).collect();
    // Before the next tick, whenever in this one it is.
    let retry_at = now + TimeDelta::seconds(i64::from(run.source().interval_seconds) / 2);
    let tx = run.begin().await?;
    kept_out::go_on(&tx, &waited).await?;
    kept_out::wait(&tx, &wait, retry_at, now).await?;
    take_out(run, &tx, &restricted).await?;
    run.commit(tx).await?;
    for document in wait {
        run.tried(document);
    }
    Ok(())
}

fn evidence(run: &Run) -> Evidence {
    let call = "GET /content/search?expand=restrictions.read… named readers of it or of something above it";
    Evidence { kind: EvidenceKind::Restricted, at: run.now(), call: call.to_owned() }
}

/// Keeps documents out, and lists it.
async fn take_out(run: &Run, tx: &DatabaseTransaction, found: &[Found]) -> Result<(), Stop> {
    let (evidence, now) = (evidence(run), run.now());
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    kept_out::keep_out(tx, run.source().id, &ids, &evidence, now).await?;
    let line = |found: &Found| {
        let (kind, outcome) = if found.is_live {
            (ChangeKind::Remove, ChangeOutcome::Removed)
        } else {
            (ChangeKind::Create, ChangeOutcome::Skipped)
        };
        Line {
            reason: Some(kept_out::RESTRICTED.to_owned()),
            evidence: Some(evidence.clone()),
            ..Line::of(found.id, kind, outcome)
        }
    };
    changes::add(tx, run.sync(), found.iter().map(line).collect(), now).await?;
    let live = found.iter().filter(|found| found.is_live).count() as u64;
    run.want(found.iter().filter(|found| !found.is_due).count());
    run.count(found.len(), |counts| {
        counts.removed += live;
        counts.skipped += found.len() as u64 - live;
    });
    Ok(())
}

/// Reads again what was asked for longest ago, up to `share` of it, and what is in the store and was never asked for.
pub async fn read_again(run: &Run, share: usize, before: DateTime<Utc>) -> Result<(), Stop> {
    let (db, source) = (run.app.db.read(), run.source().id);
    if !run.skips_restricted() {
        if !run.only_plans() && !kept::is_new(db, source).await? {
            let tx = run.begin().await?;
            kept::forget_all(&tx, source).await?;
            tx.commit().await?;
        }
        return Ok(());
    }
    if share == 0 {
        return Ok(());
    }
    let mut reader = run.restrictions.lock().await;
    let unread = share.max(MOST_UNREAD.min(budget::half_of_what_is_left(run)));
    let mut ids = kept::unread(db, source, false, unread as u64).await?;
    let most = share.max(ids.len());
    // Those that come next are needed in a moment.
    ids.extend(kept::unread(db, source, true, run.loadable().min(share as u64)).await?);
    ids.extend(kept::oldest(db, source, before, share as u64).await?);
    let unused: HashSet<String> = kept::unused(db, source, &ids).await?.into_iter().collect();
    if !unused.is_empty() {
        let tx = run.begin().await?;
        kept::forget(&tx, source, &unused.iter().cloned().collect::<Vec<_>>()).await?;
        tx.commit().await?;
    }
    let mut met = unused;
    ids.retain(|id| met.insert(id.clone()));
    ids.truncate(most);
    let read = reader.read(run, &ids).await?;
    if !reader.is_hindered() {
        ids.retain(|id| !read.contains_key(id));
        let tx = run.begin().await?;
        kept::pass_over(&tx, source, &ids, run.now()).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Lets what is known decide: what is hidden leaves, whatever is still to be done for it, and what no longer is comes
/// back. A sync that only plans lists it; one that applies a plan lets back what was planned.
pub async fn decide(run: &Run) -> Result<(), Stop> {
    let (db, source) = (run.app.db.read(), run.source().id);
    let hidden = if run.skips_restricted() { kept::hidden(db, source).await? } else { HashSet::new() };
    let leave = kept_out::still_in(db, source, &hidden).await?;
    let mut back = kept_out::no_longer_hidden(db, source, &hidden).await?;
    if let Some(approved) = &run.approved {
        back.retain(|(_, page)| approved.creates(page));
    }
    if leave.is_empty() && back.is_empty() {
        return Ok(());
    }
    let back = back.into_iter().map(|(document, _)| document).collect::<Vec<_>>();
    if run.only_plans() {
        let live = leave.iter().filter(|found| found.is_live).map(|found| found.id);
        return planned::by_restrictions(run, live, &back, &evidence(run)).await;
    }
    let tx = run.begin().await?;
    take_out(run, &tx, &leave).await?;
    kept_out::let_back(&tx, &back, run.now()).await?;
    run.want(back.len());
    run.commit(tx).await?;
    run.more.notify_one();
    Ok(())
}
