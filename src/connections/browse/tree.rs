//! Reads a level of the tree, or pages by their titles.

use std::collections::{HashMap, HashSet};

use super::{BrowseError, NodeItem, NodesWanted, Part};
use crate::{
    confluence::{Child, Cursor, Descendant, Listing, Node, NodeKind, Page, Status},
    connections::Access,
};

/// A look below the children reads no more than this.
const LOOK: u32 = 100;
/// The top of a space is usually one page; more than this are not looked below.
const FEW_ROOTS: usize = 5;

pub(super) async fn read(access: &Access, wanted: &NodesWanted) -> Result<Part<NodeItem>, BrowseError> {
    match wanted {
        NodesWanted::Roots { space_id, limit, cursor } => {
            roots(access, space_id, *limit, cursor.as_ref()).await
        }
        NodesWanted::Children { parent_id, parent_kind, space_id, limit, cursor } => {
            let parent = node(access, parent_id, parent_kind.as_deref()).await?;
            children(access, &parent, space_id.as_deref(), *limit, cursor.as_ref()).await
        }
        NodesWanted::Titled { text, space_id, limit } => {
            titled(access, text, space_id.as_deref(), *limit).await
        }
    }
}

async fn roots(
    access: &Access,
    space_id: &str,
    limit: u32,
    cursor: Option<&Cursor>,
) -> Result<Part<NodeItem>, BrowseError> {
    let listing = access.ask(async |client| client.root_pages(space_id, limit, cursor).await).await??;
    let mut items: Vec<NodeItem> = listing.items.iter().map(|page| shown_page(access, page)).collect();
    if items.len() <= FEW_ROOTS {
        for item in &mut items {
            let root = Node::page(item.id.as_str());
            let first = access.ask(async |client| client.direct_children(&root, 1, None).await).await??;
            item.has_children = Some(!first.items.is_empty());
        }
    }
    Ok(Part { items, next: listing.next })
}

/// The node with this id; its kind is asked for unless the caller knows it.
async fn node(access: &Access, id: &str, kind: Option<&str>) -> Result<Node, BrowseError> {
    if let Some(kind) = kind {
        return Ok(Node { kind: NodeKind::from(kind.to_owned()), id: id.to_owned() });
    }
    let ids = [id.to_owned()];
    let mut kinds = access.ask(async |client| client.convert_ids_to_types(&ids).await).await??;
    let kind = kinds.remove(id).flatten().ok_or(BrowseError::NotFound)?;
    Ok(Node { kind, id: id.to_owned() })
}

async fn children(
    access: &Access,
    parent: &Node,
    space_id: Option<&str>,
    limit: u32,
    cursor: Option<&Cursor>,
) -> Result<Part<NodeItem>, BrowseError> {
    let listing = access.ask(async |client| client.direct_children(parent, limit, cursor).await).await??;
    let below = access.ask(async |client| client.descendants_once(parent, 2, LOOK).await).await??;
    let known = Known::of(&below);
    let current = listing.items.into_iter().filter(|child| child.status == Status::Current);
    let items = current.map(|child| shown_child(access, parent, space_id, &known, child)).collect();
    Ok(Part { items, next: listing.next })
}

/// What a look below some children showed.
struct Known<'a> {
    parents: HashSet<&'a str>,
    complete: bool,
}

impl<'a> Known<'a> {
    fn of(below: &'a Listing<Descendant>) -> Self {
        let parents = below.items.iter().filter(|node| node.depth > 1).map(|node| node.parent_id.as_str());
        Self { parents: parents.collect(), complete: below.next.is_none() }
    }

    fn has_children(&self, id: &str) -> Option<bool> {
        if self.parents.contains(id) { Some(true) } else { self.complete.then_some(false) }
    }
}

async fn titled(
    access: &Access,
    text: &str,
    space_id: Option<&str>,
    limit: u32,
) -> Result<Part<NodeItem>, BrowseError> {
    let key = match space_id {
        Some(id) => Some(access.ask(async |client| client.space(id).await).await??.key),
        None => None,
    };
    let found = access.ask(async |client| client.search_pages(text, key.as_deref(), limit).await).await??;
    let ids: Vec<String> = found.into_iter().map(|page| page.id).collect();
    // The index lags and knows no parents: what a page is now is read from the pages themselves.
    let pages =
        access.ask(async |client| client.pages_by_id(&ids, &[Status::Current], false).await).await??;
    let mut pages: HashMap<String, Page> = pages.into_iter().map(|page| (page.id.clone(), page)).collect();
    let items = ids.iter().filter_map(|id| pages.remove(id)).map(|page| shown_page(access, &page));
    Ok(Part { items: items.collect(), next: None })
}

fn shown_page(access: &Access, page: &Page) -> NodeItem {
    NodeItem {
        url: Some(access.page_url(&format!("pages/viewpage.action?pageId={}", page.id))),
        id: page.id.clone(),
        title: page.title.clone(),
        kind: NodeKind::Page.as_str().to_owned(),
        parent_id: page.parent_id.clone(),
        space_id: page.space_id.clone(),
        has_children: None,
        selectable: true,
    }
}

fn shown_child(
    access: &Access,
    parent: &Node,
    space_id: Option<&str>,
    known: &Known<'_>,
    child: Child,
) -> NodeItem {
    let is_page = child.kind == NodeKind::Page;
    NodeItem {
        url: is_page.then(|| access.page_url(&format!("pages/viewpage.action?pageId={}", child.id))),
        has_children: known.has_children(&child.id),
        kind: child.kind.as_str().to_owned(),
        parent_id: Some(parent.id.clone()),
        space_id: child.space_id.or_else(|| space_id.map(str::to_owned)),
        selectable: matches!(child.kind, NodeKind::Page | NodeKind::Folder),
        id: child.id,
        title: child.title,
    }
}
