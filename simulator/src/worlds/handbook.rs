//! A wiki from a directory, or the sample handbook that is built in.
//!
//! `SPACEKEY/space.json` holds name and description; `NN-slug.xml` is a page whose first line is `<!-- title: … -->`; the
//! directory `NN-slug/` beside it holds its children; a directory without such a page is a folder, titled by its
//! `folder.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::LoadError;
use crate::clock::Millis;
use crate::confluence::{Body, Confluence, Id, Kind, NewNode, Place, Site};

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/handbook");

/// A directory with its texts, each by name and so in order.
#[derive(Debug, Default)]
struct Folder {
    files: BTreeMap<String, String>,
    folders: BTreeMap<String, Folder>,
}

#[derive(Debug, Deserialize)]
struct SpaceFile {
    name: String,
    #[serde(default)]
    description: String,
}

#[derive(Debug, Deserialize)]
struct FolderFile {
    title: String,
}

/// Fills a site with the built-in sample; answers how many pages it has.
pub fn load_sample(cloud: &mut Confluence, site: &str, now: Millis) -> Result<usize, LoadError> {
    load_spaces(cloud, site, &embedded(&SAMPLE), now)
}

/// Fills a site from a directory.
pub fn load(cloud: &mut Confluence, site: &str, path: &Path, now: Millis) -> Result<usize, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.display().to_string(), source };
    load_spaces(cloud, site, &on_disk(path).map_err(unreadable)?, now)
}

fn embedded(dir: &Dir<'_>) -> Folder {
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = |file: &include_dir::File<'_>| file.contents_utf8().unwrap_or_default().to_owned();
    Folder {
        files: dir.files().map(|file| (name(file.path()), text(file))).collect(),
        folders: dir.dirs().map(|dir| (name(dir.path()), embedded(dir))).collect(),
    }
}

fn on_disk(path: &Path) -> io::Result<Folder> {
    let mut folder = Folder::default();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            folder.folders.insert(name, on_disk(&entry.path())?);
        } else {
            folder.files.insert(name, fs::read_to_string(entry.path())?);
        }
    }
    Ok(folder)
}

fn load_spaces(cloud: &mut Confluence, site: &str, root: &Folder, now: Millis) -> Result<usize, LoadError> {
    cloud.add_site(site);
    let site = cloud.site_mut(site)?;
    let mut pages = 0;
    for (key, folder) in &root.folders {
        let file: SpaceFile = described(folder, "space.json", key)?;
        let space = site.add_space(key, &file.name, now)?;
        site.space_mut(space)?.description = file.description;
        let mut loading = Loading { site, now, pages: 0 };
        loading.children(folder, Place::Top { space }, key)?;
        pages += loading.pages;
        let home = folder.files.keys().find(|name| name.ends_with("-home.xml"));
        if let Some(home) = home.and_then(|home| title_and_body(&folder.files[home], home).ok()) {
            let home: Option<Id> = site.page_titled(space, home.0).map(|page| page.id);
            site.space_mut(space)?.homepage = home;
        }
    }
    if pages == 0 {
        return Err(LoadError::malformed("the handbook", "there is no page in it"));
    }
    Ok(pages)
}

fn described<T: serde::de::DeserializeOwned>(
    folder: &Folder,
    name: &str,
    path: &str,
) -> Result<T, LoadError> {
    let text = folder.files.get(name).map_or("", String::as_str);
    serde_json::from_str(text).map_err(|error| LoadError::malformed(format!("{path}/{name}"), error))
}

/// The title of the first line, and the storage format below it.
fn title_and_body<'a>(text: &'a str, path: &str) -> Result<(&'a str, &'a str), LoadError> {
    let (first, body) = text.split_once('\n').unwrap_or((text, ""));
    let title = first.trim().strip_prefix("<!-- title:").and_then(|rest| rest.strip_suffix("-->"));
    match title.map(str::trim) {
        Some(title) if !title.is_empty() => Ok((title, body)),
        _ => Err(LoadError::malformed(path, "the first line is not <!-- title: … -->")),
    }
}

struct Loading<'a> {
    site: &'a mut Site,
    now: Millis,
    pages: usize,
}

impl Loading<'_> {
    /// Pages and folders in the order of their names, each followed by what is below it.
    fn children(&mut self, folder: &Folder, place: Place, path: &str) -> Result<(), LoadError> {
        let pages = folder.files.keys().filter_map(|name| name.strip_suffix(".xml"));
        let mut names: Vec<&str> = pages.chain(folder.folders.keys().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let path = format!("{path}/{name}");
            let below = folder.folders.get(name);
            let (kind, title, body) = if let Some(text) = folder.files.get(&format!("{name}.xml")) {
                let (title, body) = title_and_body(text, &path)?;
                self.pages += 1;
                (Kind::Page, title.to_owned(), Body::from(body))
            } else {
                let file: FolderFile = described(below.unwrap_or(folder), "folder.json", &path)?;
                (Kind::Folder, file.title, Body::from(""))
            };
            let id = self.site.add(NewNode { kind, place, title, body }, self.now)?;
            if let Some(below) = below {
                self.children(below, Place::Under(id), &path)?;
            }
        }
        Ok(())
    }
}
