//! What a page picker needs of a site: its spaces, and its tree page by page.
//!
//! * answers are kept for a minute, for the connection that asked only;
//! * people who browse spend a bounded share of an app's points;
//! * what is not known cheaply is said to be unknown.

mod cache;
pub mod routes;
mod tree;

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sea_orm::DbErr;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Access, AccessError, store};
use crate::{
    app::App,
    confluence::{self, Cursor, SpaceQuery},
    ids::ConnectionId,
};

pub use cache::Browsed;
use cache::Kept;

/// One connection may spend this part of an app's points on browsing: a twentieth.
const SHARE: u64 = 20;
/// A search among the spaces reads on until it found something, but never more than this at once.
const MOST_REQUESTS: u32 = 10;

/// A space of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpaceItem {
    /// Lasts as long as the space.
    #[schema(examples("65537"))]
    pub id: String,
    /// Can be renamed.
    #[schema(examples("ENG"))]
    pub key: String,
    #[schema(examples("Engineering"))]
    pub name: String,
    /// What kind of space it is, in Confluence's words; more may come.
    #[serde(rename = "type")]
    #[schema(examples("global"))]
    pub kind: Option<String>,
    #[schema(examples("https://acme.atlassian.net/wiki/spaces/ENG"))]
    pub url: String,
}

/// A node of the tree of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NodeItem {
    #[schema(examples("98306"))]
    pub id: String,
    #[schema(examples("Runbooks"))]
    pub title: String,
    /// `page`, `folder`, `whiteboard`, `database`, `embed`; more may come.
    #[schema(examples("page"))]
    pub kind: String,
    /// The node above it; `null` at the top of a space.
    #[schema(examples("98304"))]
    pub parent_id: Option<String>,
    #[schema(examples("65537"))]
    pub space_id: Option<String>,
    /// Whether there is something below it; `null` when that is not known yet: ask with its id as `parent_id`.
    #[schema(examples(true))]
    pub has_children: Option<bool>,
    /// Whether it can be chosen in a selection.
    #[schema(examples(true))]
    pub selectable: bool,
    /// Where people read it, if it has an address of its own.
    #[schema(examples("https://acme.atlassian.net/wiki/spaces/ENG/pages/98306"))]
    pub url: Option<String>,
}

/// Items and where they go on.
#[derive(Clone, Debug)]
pub struct Part<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// Which spaces are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SpacesWanted {
    /// A part of the name or key.
    pub text: Option<String>,
    pub limit: u32,
    pub cursor: Option<Cursor>,
}

/// Which nodes are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodesWanted {
    /// At the top of a space.
    Roots { space_id: String, limit: u32, cursor: Option<Cursor> },
    /// Directly below a node.
    Children {
        parent_id: String,
        parent_kind: Option<String>,
        space_id: Option<String>,
        limit: u32,
        cursor: Option<Cursor>,
    },
    /// Pages by words of their titles.
    Titled { text: String, space_id: Option<String>, limit: u32 },
}

/// Why a site cannot be browsed.
#[derive(Debug, thiserror::Error)]
pub enum BrowseError {
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The space or node is not there, or not visible to the connection.
    #[error("nothing there is visible")]
    NotFound,
    /// The cursor is not one of the vendor's, or too old.
    #[error("the cursor is not known any more")]
    CursorExpired,
    /// The connection has browsed so much that there is no share left until the hour ends.
    #[error("the share of points for browsing is used up")]
    ShareUsedUp { retry_after: Duration },
    #[error("Confluence could not be asked")]
    Confluence(#[source] confluence::Error),
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl From<confluence::Error> for BrowseError {
    fn from(error: confluence::Error) -> Self {
        match error {
            confluence::Error::NotFound { .. } | confluence::Error::Forbidden { .. } => Self::NotFound,
            confluence::Error::CursorExpired { .. } => Self::CursorExpired,
            error @ confluence::Error::ScopeMissing { .. } => Self::Access(super::access::unavailable(error)),
            error => Self::Confluence(error),
        }
    }
}

/// Spaces of a site, in the vendor's order. A search may answer nothing and still go on.
pub async fn spaces(
    app: &App,
    id: ConnectionId,
    cloud_id: &str,
    wanted: SpacesWanted,
) -> Result<Part<SpaceItem>, BrowseError> {
    let access = Access::open(app, id, cloud_id).await?;
    let key = (id, cloud_id.to_owned(), cache::Wanted::Spaces(wanted.clone()));
    if let Some(Kept::Spaces(part)) = app.browsed.find(&key, app.clock.now()) {
        return Ok(part);
    }
    let part = metered(app, &access, id, read_spaces(&access, &wanted)).await?;
    app.browsed.keep(key, Kept::Spaces(part.clone()), app.clock.now());
    Ok(part)
}

/// Nodes of a site's tree.
pub async fn nodes(
    app: &App,
    id: ConnectionId,
    cloud_id: &str,
    wanted: NodesWanted,
) -> Result<Part<NodeItem>, BrowseError> {
    let access = Access::open(app, id, cloud_id).await?;
    let key = (id, cloud_id.to_owned(), cache::Wanted::Nodes(wanted.clone()));
    if let Some(Kept::Nodes(part)) = app.browsed.find(&key, app.clock.now()) {
        return Ok(part);
    }
    let part = metered(app, &access, id, tree::read(&access, &wanted)).await?;
    app.browsed.keep(key, Kept::Nodes(part.clone()), app.clock.now());
    Ok(part)
}

/// Runs `work` if the connection has a share left, and writes down what it cost, whatever came of it.
async fn metered<T>(
    app: &App,
    access: &Access,
    id: ConnectionId,
    work: impl Future<Output = Result<T, BrowseError>>,
) -> Result<T, BrowseError> {
    let Some(quota_of) = access.quota_of().await? else { return work.await };
    let (now, consumer) = (app.clock.now(), format!("browse:{id}"));
    let spent = store::points_spent(app.db.read(), &quota_of, now, Some(&consumer)).await?;
    if spent * SHARE >= u64::from(app.settings.confluence_points_per_hour) {
        return Err(BrowseError::ShareUsedUp { retry_after: rest_of_hour(now) });
    }
    let result = work.await;
    store::spend_points(app.db.write(), &quota_of, now, &consumer, access.meter().points()).await?;
    result
}

fn rest_of_hour(now: DateTime<Utc>) -> Duration {
    let hour = TimeDelta::hours(1);
    let begun = now.duration_trunc(hour).unwrap_or(now);
    (begun + hour - now).to_std().unwrap_or_default()
}

async fn read_spaces(access: &Access, wanted: &SpacesWanted) -> Result<Part<SpaceItem>, BrowseError> {
    let query = SpaceQuery { status: Some("current"), limit: wanted.limit, ..SpaceQuery::default() };
    let (mut cursor, mut items) = (wanted.cursor.clone(), Vec::new());
    for _ in 0..MOST_REQUESTS {
        let listing = access.ask(async |client| client.spaces(&query, cursor.as_ref()).await).await??;
        let spaces = listing.items.into_iter().map(|space| shown_space(access, space));
        items.extend(spaces.filter(|space| wanted.text.as_deref().is_none_or(|text| names(space, text))));
        cursor = listing.next;
        if !items.is_empty() || cursor.is_none() {
            break;
        }
    }
    Ok(Part { items, next: cursor })
}

fn names(space: &SpaceItem, text: &str) -> bool {
    let text = text.to_lowercase();
    space.name.to_lowercase().contains(&text) || space.key.to_lowercase().contains(&text)
}

fn shown_space(access: &Access, space: confluence::Space) -> SpaceItem {
    let url = access.page_url(&format!("spaces/{}", space.key));
    SpaceItem { id: space.id, key: space.key, name: space.name, kind: space.kind, url }
}
