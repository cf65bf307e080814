//! What Confluence answers, as far as we read it: unknown fields ignored, enums open, ids as text.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};

/// Where a page is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    Current,
    Archived,
    Trashed,
    Deleted,
    Draft,
    Historical,
    /// A word this client does not know.
    Other(String),
}

impl Status {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Current => "current",
            Self::Archived => "archived",
            Self::Trashed => "trashed",
            Self::Deleted => "deleted",
            Self::Draft => "draft",
            Self::Historical => "historical",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "current" => Self::Current,
            "archived" => Self::Archived,
            "trashed" => Self::Trashed,
            "deleted" => Self::Deleted,
            "draft" => Self::Draft,
            "historical" => Self::Historical,
            _ => Self::Other(word),
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// What a node of the content tree is. Each known kind can have children.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    Page,
    Folder,
    Whiteboard,
    Database,
    Embed,
    /// A word this client does not know, such as `blogpost` or a custom content type.
    Other(String),
}

impl NodeKind {
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Page => "page",
            Self::Folder => "folder",
            Self::Whiteboard => "whiteboard",
            Self::Database => "database",
            Self::Embed => "embed",
            Self::Other(word) => word,
        }
    }

    /// The path segment of the calls about nodes of this kind.
    pub(super) fn collection(&self) -> Option<&'static str> {
        match self {
            Self::Page => Some("pages"),
            Self::Folder => Some("folders"),
            Self::Whiteboard => Some("whiteboards"),
            Self::Database => Some("databases"),
            Self::Embed => Some("embeds"),
            Self::Other(_) => None,
        }
    }
}

impl From<String> for NodeKind {
    fn from(word: String) -> Self {
        match word.as_str() {
            "page" => Self::Page,
            "folder" => Self::Folder,
            "whiteboard" => Self::Whiteboard,
            "database" => Self::Database,
            "embed" => Self::Embed,
            _ => Self::Other(word),
        }
    }
}

impl<'de> Deserialize<'de> for NodeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A node of the content tree, by kind and id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub kind: NodeKind,
    pub id: String,
}

impl Node {
    pub fn page(id: impl Into<String>) -> Self {
        Self { kind: NodeKind::Page, id: id.into() }
    }

    pub fn folder(id: impl Into<String>) -> Self {
        Self { kind: NodeKind::Folder, id: id.into() }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Space {
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// Can be renamed: the id is what lasts.
    pub key: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub status: Option<Status>,
    #[serde(default, deserialize_with = "optional_id")]
    pub homepage_id: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    #[serde(deserialize_with = "id")]
    pub id: String,
    pub status: Status,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "optional_id")]
    pub space_id: Option<String>,
    #[serde(default, deserialize_with = "optional_id")]
    pub parent_id: Option<String>,
    pub parent_type: Option<NodeKind>,
    pub version: Version,
    #[serde(default, deserialize_with = "or_default")]
    body: Body,
    #[serde(default, deserialize_with = "or_default", rename = "_links")]
    links: Links,
}

impl Page {
    /// The storage format, if it was asked for.
    #[must_use]
    pub fn storage(&self) -> Option<&str> {
        self.body.storage.as_ref().map(|body| body.value.as_str())
    }

    /// Takes the storage format out, so that it need not be copied.
    pub fn take_storage(&mut self) -> Option<String> {
        self.body.storage.take().map(|body| body.value)
    }

    /// The page's address below the site's base, such as `/spaces/ENG/pages/123/Title`.
    #[must_use]
    pub fn webui(&self) -> Option<&str> {
        self.links.webui.as_deref()
    }

    /// The site's base (`https://{site}/wiki`). A single page knows it; in a listing the listing does.
    #[must_use]
    pub fn base(&self) -> Option<&str> {
        self.links.base.as_deref()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub number: i64,
    /// The vendor's clock.
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Body {
    storage: Option<Storage>,
}

#[derive(Clone, Debug, Deserialize)]
struct Storage {
    value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Links {
    pub webui: Option<String>,
    pub base: Option<String>,
    pub next: Option<String>,
}

/// A direct child.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Child {
    #[serde(deserialize_with = "id")]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: NodeKind,
    pub status: Status,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "optional_id")]
    pub space_id: Option<String>,
}

/// A node somewhere below another.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descendant {
    #[serde(deserialize_with = "id")]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: NodeKind,
    pub status: Status,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(deserialize_with = "id")]
    pub parent_id: String,
    /// Levels below the node that was asked for; its children are at 1.
    pub depth: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Ancestor {
    #[serde(deserialize_with = "id")]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: NodeKind,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Folder {
    #[serde(deserialize_with = "id")]
    pub id: String,
    pub status: Status,
    #[serde(default, deserialize_with = "or_default")]
    pub title: String,
    #[serde(default, deserialize_with = "optional_id")]
    pub space_id: Option<String>,
    #[serde(default, deserialize_with = "optional_id")]
    pub parent_id: Option<String>,
    pub parent_type: Option<NodeKind>,
}

/// Ids are numeric strings; a server that sends numbers is understood.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        match id {
            Id::Text(text) => text,
            Id::Number(number) => number.to_string(),
        }
    }
}

fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Id::deserialize(deserializer).map(String::from)
}

fn optional_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<Id>::deserialize(deserializer).map(|id| id.map(String::from))
}

/// `null` means what absence means.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(json: &str) -> Page {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_page_is_read_whatever_else_is_said_about_it() {
        let page = page(
            r#"{"id": "98306", "status": "current", "title": "On call", "spaceId": "1", "parentId": null,
                "parentType": null, "position": 3, "ownerId": null, "subtype": "live",
                "version": {"number": 7, "createdAt": "2026-11-22T10:00:00.123Z", "ncsStepVersion": "x"},
                "body": {"storage": {"representation": "storage", "value": "<p/>"}},
                "_links": {"webui": "/spaces/E/pages/98306", "edituiv2": "/x"}}"#,
        );
        assert_eq!((page.parent_id.as_deref(), page.parent_type.as_ref()), (None, None));
        assert_eq!((page.version.number, page.version.created_at.timestamp_millis()), (7, 1_795_341_600_123));
        assert_eq!(
            (page.storage(), page.webui(), page.base()),
            (Some("<p/>"), Some("/spaces/E/pages/98306"), None)
        );
    }

    #[test]
    fn ids_may_be_numbers_words_may_be_new_and_null_is_nothing() {
        let page = page(
            r#"{"id": 98306, "status": "frozen", "title": null, "spaceId": 1, "parentId": 5, "parentType": "slide",
                "version": {"number": 1, "createdAt": "2026-11-22T10:00:00Z"}, "body": null, "_links": null}"#,
        );
        assert_eq!(
            (page.id.as_str(), page.space_id.as_deref(), page.parent_id.as_deref()),
            ("98306", Some("1"), Some("5"))
        );
        assert_eq!(page.status, Status::Other("frozen".to_owned()));
        assert_eq!(page.parent_type, Some(NodeKind::Other("slide".to_owned())));
        assert_eq!((page.title.as_str(), page.storage()), ("", None));
    }

    #[test]
    fn a_page_without_a_version_is_no_page() {
        assert!(serde_json::from_str::<Page>(r#"{"id": "1", "status": "current", "title": "t"}"#).is_err());
    }
}
