//! Pages from a file of JSON lines: `{"id", "title", "storage"}` each, laid out as spaces with a tree and some folders.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use super::LoadError;
use crate::clock::Millis;
use crate::confluence::{Body, Confluence, Id, Kind, NewNode, Place, Site};

/// Pages in one space.
const PAGES_PER_SPACE: usize = 200;
/// Every so many pages a folder begins.
const PAGES_PER_FOLDER: usize = 40;
/// Children a page gets before its next sibling does.
const FAN_OUT: usize = 6;
/// The longest title the vendor takes.
const LONGEST_TITLE: usize = 255;

#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    title: String,
    storage: String,
}

/// Where a line of the file has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPage {
    pub corpus_id: String,
    pub space: Id,
    pub page: Id,
}

/// Fills a site from a file; spaces get the keys `CORPUS1`, `CORPUS2`, ….
pub fn load(
    cloud: &mut Confluence,
    site: &str,
    path: &Path,
    now: Millis,
) -> Result<Vec<LoadedPage>, LoadError> {
    let shown = || path.display().to_string();
    let file = File::open(path).map_err(|source| LoadError::Unreadable { path: shown(), source })?;
    cloud.add_site(site);
    let mut layout = Layout { site: cloud.site_mut(site)?, now, space: 0, folder: None, own: Vec::new() };
    let mut loaded = Vec::new();
    for (number, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|source| LoadError::Unreadable { path: shown(), source })?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line)
            .map_err(|error| LoadError::malformed(format!("{}:{}", path.display(), number + 1), error))?;
        loaded.push(layout.add(loaded.len(), line)?);
    }
    Ok(loaded)
}

/// Where the next page goes.
struct Layout<'a> {
    site: &'a mut Site,
    now: Millis,
    space: Id,
    folder: Option<Id>,
    /// Pages since the last folder or space began.
    own: Vec<Id>,
}

impl Layout<'_> {
    fn add(&mut self, number: usize, line: Line) -> Result<LoadedPage, LoadError> {
        let in_space = number % PAGES_PER_SPACE;
        if in_space == 0 {
            let space = number / PAGES_PER_SPACE + 1;
            let (key, name) = (format!("CORPUS{space}"), format!("Corpus {space}"));
            self.space = self.site.add_space(&key, &name, self.now)?;
            (self.folder, self.own) = (None, Vec::new());
        } else if in_space.is_multiple_of(PAGES_PER_FOLDER) {
            let title = format!("Folder {}", in_space / PAGES_PER_FOLDER);
            let place = Place::Top { space: self.space };
            let new = NewNode { kind: Kind::Folder, place, title, body: Body::from("") };
            (self.folder, self.own) = (Some(self.site.add(new, self.now)?), Vec::new());
        }
        let above = self.own.len().checked_sub(1).and_then(|last| self.own.get(last / FAN_OUT)).copied();
        let place = above.or(self.folder).map_or(Place::Top { space: self.space }, Place::Under);
        let title = self.free_title(&line.title);
        let page =
            self.site.add(NewNode { kind: Kind::Page, place, title, body: line.storage.into() }, self.now)?;
        self.own.push(page);
        Ok(LoadedPage { corpus_id: line.id, space: self.space, page })
    }

    /// The title, numbered when the space has it already.
    fn free_title(&self, title: &str) -> String {
        let title = if title.trim().is_empty() { "Untitled" } else { title.trim() };
        let cut = |room: usize| title.chars().take(LONGEST_TITLE - room).collect::<String>();
        let mut free = cut(0);
        let mut copy = 1;
        while self.site.page_titled(self.space, &free).is_some() {
            copy += 1;
            free = format!("{} ({copy})", cut(8));
        }
        free
    }
}

/// The pages of a loaded file by their own ids.
#[must_use]
pub fn by_corpus_id(loaded: &[LoadedPage]) -> HashMap<&str, &LoadedPage> {
    loaded.iter().map(|page| (page.corpus_id.as_str(), page)).collect()
}
