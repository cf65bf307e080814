//! What selections name: spaces, and pages that are selected by themselves or held by a wanted tree.

use std::collections::HashSet;

use super::Observation;
use crate::{
    confluence::{Error as E, MOST_IDS, SpaceQuery, Status},
    engine::{
        facts::Coverage,
        stop::Stop,
        store::{self, observed},
    },
    entity::selection::{self, SelectionKind, SelectionMode, SelectionStatus},
};

impl Observation<'_> {
    /// Learns which spaces can be seen at all, of those that are selected or were met before.
    pub(super) async fn name_spaces(&mut self) -> Result<(), Stop> {
        let mut ids: HashSet<String> = self.spaces.keys().cloned().collect();
        ids.extend(self.selections.iter().filter_map(|selection| match selection.kind {
            SelectionKind::Space => Some(selection.external_id.clone()),
            _ => selection.space_id.clone(),
        }));
        self.read_spaces(ids).await?;
        let tx = self.run.begin().await?;
        for selection in &self.selections {
            let excludes = selection.mode == SelectionMode::Exclude;
            match selection.kind {
                SelectionKind::Space if self.visible.contains(&selection.external_id) => {
                    observed::set_status(&tx, selection, SelectionStatus::Ok, self.run.now()).await?;
                    if excludes {
                        self.coverage.insert(selection.id, Coverage::Complete);
                    }
                }
                SelectionKind::Space => {
                    let status = SelectionStatus::Unreachable;
                    observed::set_status(&tx, selection, status, self.run.now()).await?;
                    self.coverage.insert(selection.id, Coverage::Partial);
                    self.closed_spaces.extend(excludes.then(|| selection.external_id.clone()));
                }
                // What keeps a page out names it: there is nothing to list.
                SelectionKind::Page if excludes => {
                    self.coverage.insert(selection.id, Coverage::Complete);
                }
                SelectionKind::Page | SelectionKind::PageTree | SelectionKind::Folder => {}
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Reads keys and names of spaces, and keeps them.
    pub(super) async fn read_spaces(&mut self, ids: HashSet<String>) -> Result<(), Stop> {
        let ids: Vec<String> = ids.into_iter().collect();
        for some in ids.chunks(MOST_IDS) {
            let query = SpaceQuery { ids: some.to_vec(), ..SpaceQuery::default() };
            let found = self.run.ask(|client| {
                let query = query.clone();
                Box::pin(async move { client.walk_spaces(&query).rest().await })
            });
            let found = found.await?;
            if let Err(E::Unauthorized { .. } | E::Forbidden { .. } | E::NotFound { .. }) = &found {
                // Not even spaces are shown: if the site has left the grant, that is for a person to mend.
                self.run.access.prove_healthy(None).await?;
            }
            let found = found?;
            let tx = self.run.begin().await?;
            for space in found {
                observed::keep_space(&tx, self.run.source().id, &space.id, &space.key, &space.name).await?;
                self.visible.insert(space.id);
            }
            let hidden = some.iter().filter(|id| !self.visible.contains(*id)).map(String::as_str);
            let hidden: Vec<&str> = hidden.collect();
            observed::hide_spaces(&tx, self.run.source().id, &hidden, self.run.now()).await?;
            tx.commit().await?;
        }
        self.spaces = observed::spaces(self.run.app.db.read(), self.run.source().id).await?;
        Ok(())
    }

    /// Reads the pages that a selection names, or that a wanted tree holds, by their ids.
    pub(super) async fn read_named_pages(&mut self) -> Result<(), Stop> {
        let is_included = |selection: &&selection::Model| selection.mode == SelectionMode::Include;
        let named: Vec<selection::Model> =
            self.of_kind(SelectionKind::Page).filter(is_included).cloned().collect();
        let mut ids: Vec<String> = named.iter().map(|selection| selection.external_id.clone()).collect();
        ids.extend(self.scopes.wanted_in_trees().map(str::to_owned));
        ids.sort_unstable();
        ids.dedup();
        for some in ids.chunks(MOST_IDS) {
            if self.run.is_halted() {
                return Err(Stop::HandOver);
            }
            let pages = self.pages_by_id(some, &[Status::Current]).await??;
            self.absorb(pages.into_iter().filter_map(|page| self.fact(page)).collect()).await?;
        }
        self.note_named(&named).await
    }

    /// Notes which of the pages that are selected by themselves were found.
    async fn note_named(&mut self, named: &[selection::Model]) -> Result<(), Stop> {
        let (db, source) = (self.run.app.db.read(), self.run.source().id);
        let ids: Vec<&str> = named.iter().map(|selection| selection.external_id.as_str()).collect();
        let known = store::documents::by_pages(db, source, &ids).await?;
        let tx = self.run.begin().await?;
        for selection in named {
            let document = known.get(&selection.external_id);
            let space = document.map(|document| &document.space_id).or(selection.space_id.as_ref());
            let (status, coverage) = if self.seen.contains(&selection.external_id) {
                (SelectionStatus::Ok, Coverage::Complete)
            } else if space.is_some_and(|space| !self.visible.contains(space)) {
                (SelectionStatus::Unreachable, Coverage::Partial)
            } else {
                (SelectionStatus::Missing, Coverage::Complete)
            };
            observed::set_status(&tx, selection, status, self.run.now()).await?;
            self.coverage.insert(selection.id, coverage);
        }
        tx.commit().await?;
        Ok(())
    }
}
