//! Answers of the v2 API as the vendor shapes them.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::node::{Id, Kind, Node, Space, Status, Version};
use super::site::Site;
use crate::clock::rfc3339;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes the field by reference")]
fn text<S: Serializer>(id: &Id, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[expect(clippy::ref_option, reason = "serde passes the field by reference")]
fn optional_text<S: Serializer>(id: &Option<Id>, serializer: S) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

/// `version` of a page or folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionShape<'a> {
    number: u32,
    created_at: String,
    message: &'a str,
    minor_edit: bool,
    author_id: &'a str,
}

impl<'a> std::convert::From<&'a Version> for VersionShape<'a> {
    fn from(version: &'a Version) -> Self {
        Self {
            number: version.number,
            created_at: rfc3339(version.at),
            message: &version.message,
            minor_edit: version.minor,
            author_id: &version.author,
        }
    }
}

#[derive(Debug, Serialize)]
struct Bodies<'a> {
    storage: StorageBody<'a>,
}

#[derive(Debug, Serialize)]
struct StorageBody<'a> {
    representation: &'static str,
    value: Cow<'a, str>,
}

/// Links of a page.
#[derive(Debug, Serialize)]
struct PageLinks<'a> {
    webui: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    editui: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tinyui: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<&'a str>,
}

/// A page as lists and single reads give it; a folder differs by `type` and has no body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeShape<'a> {
    #[serde(serialize_with = "text")]
    id: Id,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    kind: Option<Kind>,
    status: Status,
    title: &'a str,
    #[serde(serialize_with = "text")]
    space_id: Id,
    #[serde(serialize_with = "optional_text")]
    parent_id: Option<Id>,
    parent_type: Option<Kind>,
    position: i64,
    author_id: &'a str,
    owner_id: &'a str,
    last_owner_id: Option<&'a str>,
    created_at: String,
    version: VersionShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Bodies<'a>>,
    #[serde(rename = "_links")]
    links: PageLinks<'a>,
}

impl<'a> NodeShape<'a> {
    /// A page; `base` is given on single reads only, lists have it on their envelope.
    #[must_use]
    pub fn page(site: &'a Site, page: &'a Node, with_body: bool, base: Option<&'a str>) -> Self {
        let body = with_body.then(|| {
            let storage = StorageBody { representation: "storage", value: page.body.text() };
            Bodies { storage }
        });
        let links = PageLinks {
            webui: webui(site, page),
            editui: Some(format!("/pages/resumedraft.action?draftId={}", page.id)),
            tinyui: Some(format!("/x/{:x}", page.id)),
            base,
        };
        Self { body, links, kind: None, ..Self::folder(site, page, base) }
    }

    #[must_use]
    pub fn folder(site: &'a Site, node: &'a Node, base: Option<&'a str>) -> Self {
        let parent_type = node.parent.and_then(|parent| site.node(parent)).map(|parent| parent.kind);
        Self {
            id: node.id,
            kind: Some(node.kind),
            status: node.status,
            title: &node.title,
            space_id: node.space,
            parent_id: node.parent,
            parent_type,
            position: node.position,
            author_id: &node.author,
            owner_id: &node.author,
            last_owner_id: None,
            created_at: rfc3339(node.created_at),
            version: VersionShape::from(&node.version),
            body: None,
            links: PageLinks { webui: webui(site, node), editui: None, tinyui: None, base },
        }
    }
}

/// The path of a node below `_links.base`.
#[must_use]
pub fn webui(site: &Site, node: &Node) -> String {
    let key = site.space(node.space).map_or("", |space| space.key.as_str());
    let slug: String = url::form_urlencoded::byte_serialize(node.title.as_bytes()).collect();
    match node.kind {
        Kind::Page => format!("/spaces/{key}/pages/{}/{slug}", node.id),
        Kind::Folder => format!("/spaces/{key}/folder/{}", node.id),
        Kind::Whiteboard => format!("/spaces/{key}/whiteboard/{}", node.id),
        Kind::Database => format!("/spaces/{key}/database/{}", node.id),
        Kind::Embed => format!("/spaces/{key}/embed/{}", node.id),
    }
}

#[derive(Debug, Serialize)]
struct SpaceLinks {
    webui: String,
}

/// A space as lists and single reads give it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpaceShape<'a> {
    #[serde(serialize_with = "text")]
    id: Id,
    key: &'a str,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'static str,
    current_active_alias: &'a str,
    created_at: String,
    #[serde(serialize_with = "optional_text")]
    homepage_id: Option<Id>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<serde_json::Value>,
    #[serde(rename = "_links")]
    links: SpaceLinks,
}

impl<'a> SpaceShape<'a> {
    #[must_use]
    pub fn new(space: &'a Space, with_description: bool) -> Self {
        let description = with_description
            .then(|| serde_json::json!({"plain": {"representation": "plain", "value": space.description}}));
        Self {
            id: space.id,
            key: &space.key,
            name: &space.name,
            kind: &space.kind,
            status: if space.archived { "archived" } else { "current" },
            current_active_alias: &space.key,
            created_at: rfc3339(space.created_at),
            homepage_id: space.homepage,
            description,
            links: SpaceLinks { webui: format!("/spaces/{}", space.key) },
        }
    }
}

/// A child of a page or folder.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildShape<'a> {
    #[serde(serialize_with = "text")]
    id: Id,
    status: Status,
    title: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(serialize_with = "text")]
    space_id: Id,
    child_position: i64,
}

impl<'a> std::convert::From<&'a Node> for ChildShape<'a> {
    fn from(node: &'a Node) -> Self {
        Self {
            id: node.id,
            status: node.status,
            title: &node.title,
            kind: node.kind,
            space_id: node.space,
            child_position: node.position,
        }
    }
}

/// Something below a page or folder, at its depth.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DescendantShape<'a> {
    #[serde(serialize_with = "text")]
    id: Id,
    status: Status,
    title: &'a str,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(serialize_with = "optional_text")]
    parent_id: Option<Id>,
    depth: u32,
    child_position: i64,
}

impl<'a> DescendantShape<'a> {
    #[must_use]
    pub fn new(depth: u32, node: &'a Node) -> Self {
        Self {
            id: node.id,
            status: node.status,
            title: &node.title,
            kind: node.kind,
            parent_id: node.parent,
            depth,
            child_position: node.position,
        }
    }
}

/// Something above a page or folder.
#[derive(Debug, Serialize)]
pub struct AncestorShape {
    #[serde(serialize_with = "text")]
    id: Id,
    #[serde(rename = "type")]
    kind: Kind,
}

impl std::convert::From<&Node> for AncestorShape {
    fn from(node: &Node) -> Self {
        Self { id: node.id, kind: node.kind }
    }
}
