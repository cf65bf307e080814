//! What a store should hold, read off the wiki and the selections as the design says it, and as simply as can be.

use std::collections::BTreeMap;

use simulator::{
    Id, Kind, Status,
    confluence::{Node, Site},
};
use tidegate::{
    convert,
    entity::{
        RestrictedPages, SourceOptions,
        selection::{self, SelectionKind, SelectionMode},
    },
};

/// A page that should be in the store.
#[derive(Debug)]
pub struct Wanted {
    pub id: Id,
    pub title: String,
    pub space_key: String,
    /// The titles above it, the top first; absent where one of them cannot be read.
    pub path: Option<String>,
    pub text: String,
}

/// The pages of a site that these selections want, that the account sees (and everybody, unless restricted pages are
/// included), and that have a text.
pub fn wanted(
    site: &Site,
    site_url: &str,
    account: &str,
    selections: &[selection::Model],
    options: &SourceOptions,
) -> BTreeMap<Id, Wanted> {
    let skips = options.restricted_pages == RestrictedPages::Skip;
    let wanted = |page: &&Node| {
        page.kind == Kind::Page
            && page.status == Status::Current
            && sees(site, page, account)
            && !(skips && is_restricted(site, page))
            && is_chosen(site, page, selections)
    };
    let pages = site.nodes().filter(wanted);
    let mut pages: BTreeMap<Id, Wanted> =
        pages.filter_map(|page| Some((page.id, describe(site, site_url, page)?))).collect();
    let ids: std::collections::HashSet<Id> = pages.keys().copied().collect();
    for page in pages.values_mut() {
        if !above(site, site.node(page.id).unwrap()).all(|node| ids.contains(&node.id)) {
            page.path = None;
        }
    }
    pages
}

/// Whether an account may read a node: its space, the node itself and all above it.
pub fn sees(site: &Site, node: &Node, account: &str) -> bool {
    let space = &site.spaces[&node.space];
    let lets = |readers: &Option<std::collections::BTreeSet<String>>| {
        readers.as_ref().is_none_or(|readers| readers.contains(account))
    };
    lets(&space.readers) && std::iter::once(node).chain(above(site, node)).all(|node| lets(&node.readers))
}

/// Whether a node, or anything above it, is for some people only.
fn is_restricted(site: &Site, node: &Node) -> bool {
    std::iter::once(node).chain(above(site, node)).any(|node| node.readers.is_some())
}

/// What is above a node, the nearest first.
pub fn above<'a>(site: &'a Site, node: &'a Node) -> impl Iterator<Item = &'a Node> {
    let parent = |node: &Node| node.parent.and_then(|id| site.node(id));
    std::iter::successors(parent(node), move |node| parent(node))
}

/// The most specific selection wins: the page, then the nearest tree or folder that is there, then the space.
fn is_chosen(site: &Site, page: &Node, selections: &[selection::Model]) -> bool {
    let mode = |kind: SelectionKind, id: Id| {
        let named = selections.iter().filter(|s| s.kind == kind && s.external_id == id.to_string());
        // An exclusion wins over an inclusion of the same.
        named.map(|selection| selection.mode).max_by_key(|mode| *mode == SelectionMode::Exclude)
    };
    let of_page = mode(SelectionKind::Page, page.id);
    let of_tree = || {
        std::iter::once(page).chain(above(site, page)).filter(|root| root.status == Status::Current).find_map(
            |root| match root.kind {
                Kind::Folder => mode(SelectionKind::Folder, root.id),
                _ => mode(SelectionKind::PageTree, root.id),
            },
        )
    };
    let of_space = || mode(SelectionKind::Space, page.space);
    of_page.or_else(of_tree).or_else(of_space) == Some(SelectionMode::Include)
}

fn describe(site: &Site, site_url: &str, page: &Node) -> Option<Wanted> {
    let space_key = site.spaces[&page.space].key.clone();
    let text = text(site_url, page.id, &space_key, &page.title, &page.body.text())?;
    let mut titles: Vec<&str> = above(site, page).map(|node| node.title.as_str()).collect();
    titles.reverse();
    let readable = above(site, page)
        .all(|node| node.status == Status::Current && matches!(node.kind, Kind::Page | Kind::Folder));
    Some(Wanted {
        id: page.id,
        title: page.title.clone(),
        space_key,
        path: readable.then(|| titles.join(" / ")),
        text,
    })
}

/// The text of a body; none if it says nothing.
pub fn text(site_url: &str, page: Id, space_key: &str, title: &str, storage: &str) -> Option<String> {
    let rendering = convert::markdown(&convert::Page {
        title,
        site_url: &format!("{site_url}/wiki"),
        space_key,
        page_id: &page.to_string(),
        storage,
    });
    (!rendering.is_empty).then_some(rendering.markdown)
}
