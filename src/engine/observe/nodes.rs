//! What paths go through that is no document: folders, and pages that are not selected.
//!
//! * A listing that shows such a node tells its title and place by the way.
//! * The others are read again in turn, the one read longest ago first, so that the path of a page tells the new name of a
//!   folder above it within twelve hours, and sooner where there are few.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;

use super::Observation;
use crate::{
    confluence::{self, MOST_IDS, NodeKind, Status},
    engine::{
        facts::Fact,
        stop::Stop,
        store::{
            self,
            nodes::{self, Above, Node, PAGE_NODE},
        },
    },
};

impl Observation<'_> {
    /// Keeps nodes that a listing showed.
    pub(super) async fn keep_nodes(&self, nodes: Vec<(String, String, Above)>) -> Result<(), Stop> {
        if nodes.is_empty() || self.run.only_plans() {
            return Ok(());
        }
        lock(&self.met_nodes).extend(nodes.iter().map(|(id, ..)| id.clone()));
        let source = self.run.source().id;
        let tx = self.run.begin().await?;
        let changed = store::nodes::keep(&tx, source, nodes, self.run.now()).await?;
        store::restrictions::outdate(&tx, source, &changed).await?;
        let moved = if changed.is_empty() {
            0
        } else {
            store::documents::want_paths_below(&tx, source, changed).await?
        };
        tx.commit().await?;
        if moved > 0 {
            self.run.want(usize::try_from(moved).unwrap_or(usize::MAX));
            self.run.more.notify_one();
        }
        Ok(())
    }

    /// Keeps the pages of a listing that are above documents without being wanted themselves.
    pub(super) async fn meet_pages_above(&self, facts: &[Fact]) -> Result<(), Stop> {
        let pages: HashSet<&str> =
            self.nodes.iter().filter(|node| node.kind == PAGE_NODE).map(|node| node.id.as_str()).collect();
        if pages.is_empty() {
            return Ok(());
        }
        let met = facts.iter().filter(|fact| pages.contains(fact.page_id.as_str()));
        let node = |fact: &Fact| {
            let above = Above {
                title: fact.title.clone(),
                parent_id: fact.parent_id.clone(),
                parent_kind: fact.parent_kind.clone(),
            };
            (fact.page_id.clone(), PAGE_NODE.to_owned(), above)
        };
        self.keep_nodes(met.map(node).collect()).await
    }

    /// Reads some of the nodes again that no listing showed, and forgets those that nothing is below any more.
    pub(super) async fn read_nodes_again(&self) -> Result<(), Stop> {
        if self.run.only_plans() {
            return Ok(());
        }
        let share = self.budget.nodes_to_read(self.run, self.nodes.len());
        let unmet = |node: &&Node| !lock(&self.met_nodes).contains(&node.id);
        let due: Vec<&Node> = self.nodes.iter().filter(unmet).take(share).collect();
        if due.is_empty() || self.run.is_halted() {
            return Ok(());
        }
        let (source, now) = (self.run.source().id, self.run.now());
        let ids: Vec<String> = due.iter().map(|node| node.id.clone()).collect();
        let used = nodes::with_something_below(self.run.app.db.read(), source, &ids).await?;
        let (used, unused): (Vec<&Node>, Vec<&Node>) =
            due.into_iter().partition(|node| used.contains(&node.id));
        let (pages, others): (Vec<&Node>, Vec<&Node>) =
            used.into_iter().partition(|node| node.kind == PAGE_NODE);
        let mut read = self.read_pages_above(&pages).await?;
        read.extend(self.read_folders(&others).await?);
        let asked: Vec<String> = read.iter().map(|(id, _)| id.clone()).collect();
        let found = read.into_iter().filter_map(|(id, found)| found.map(|(kind, above)| (id, kind, above)));
        self.keep_nodes(found.collect()).await?;
        let unused: Vec<String> = unused.into_iter().map(|node| node.id.clone()).collect();
        let tx = self.run.begin().await?;
        nodes::forget(&tx, source, &unused).await?;
        nodes::touch(&tx, source, &asked, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads pages in bulk; those that are not shown keep the title they had.
    async fn read_pages_above(&self, nodes: &[&Node]) -> Result<Vec<Reading>, Stop> {
        let mut read = Vec::with_capacity(nodes.len());
        for some in nodes.chunks(MOST_IDS) {
            let ids: Vec<String> = some.iter().map(|node| node.id.clone()).collect();
            let pages = match self.pages_by_id(&ids, &[Status::Current]).await? {
                Ok(pages) => pages,
                Err(error) => {
                    self.interrupted(error, "pages above documents").await?;
                    break;
                }
            };
            let found: HashSet<String> = pages.iter().map(|page| page.id.clone()).collect();
            read.extend(pages.into_iter().map(|page| {
                let parent_kind = page.parent_type.map(|kind| kind.as_str().to_owned());
                let above = Above { title: page.title, parent_id: page.parent_id, parent_kind };
                (page.id, Some((PAGE_NODE.to_owned(), above)))
            }));
            read.extend(ids.into_iter().filter(|id| !found.contains(id)).map(|id| (id, None)));
        }
        Ok(read)
    }

    /// Reads folders and others one by one; those that are not shown stay what they were.
    async fn read_folders(&self, nodes: &[&Node]) -> Result<Vec<Reading>, Stop> {
        let mut read = Vec::with_capacity(nodes.len());
        for node in nodes {
            if self.run.is_halted() {
                break;
            }
            match self.read_node(node).await? {
                Ok(above) => read.push((node.id.clone(), Some((node.kind.clone(), above)))),
                Err(error) if error.is_not_found() => read.push((node.id.clone(), None)),
                Err(error) => {
                    self.interrupted(error, "folders above documents").await?;
                    break;
                }
            }
        }
        Ok(read)
    }

    async fn read_node(&self, node: &Node) -> Result<Result<Above, confluence::Error>, Stop> {
        let kind = NodeKind::from(node.kind.clone());
        if kind == NodeKind::Folder {
            let id = node.id.as_str();
            let folder = self.run.ask(|client| async move { client.folder(id).await }.boxed()).await?;
            return Ok(folder.map(|folder| Above {
                title: folder.title,
                parent_id: folder.parent_id,
                parent_kind: folder.parent_type.map(|kind| kind.as_str().to_owned()),
            }));
        }
        let node = &confluence::Node { kind, id: node.id.clone() };
        let chain = self.run.ask(|client| async move { client.ancestors(node).await }.boxed()).await?;
        Ok(chain.map(|mut chain| {
            let parent = chain.pop().map(|parent| (parent.id, parent.kind.as_str().to_owned()));
            let (parent_id, parent_kind) = parent.unzip();
            // Of what is neither page nor folder no title is asked for.
            Above { title: String::new(), parent_id, parent_kind }
        }))
    }
}

/// A node that was asked for, and what it is now if it is shown.
type Reading = (String, Option<(String, Above)>);

fn lock(mutex: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
