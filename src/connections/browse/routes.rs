//! Browsing over HTTP: sites, spaces and the tree, as a page picker needs them.

use actix_web::{get, web};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{BrowseError, NodeItem, NodesWanted, Part, SpaceItem, SpacesWanted};
use crate::{
    app::App,
    auth::{Require, extract::Read},
    confluence::Cursor,
    connections::{bodies::SiteItem, routes::owned, store},
    entity::connection_site,
    http::{FieldError, Json, Kind, Page, Paging, Problem, Query, paging},
    ids::ConnectionId,
};

/// Kinds that have something below them.
const KINDS: [&str; 5] = ["page", "folder", "whiteboard", "database", "embed"];
/// The most pages that a search by title answers.
const MOST_TITLED: u32 = 50;

pub fn configure(config: &mut ServiceConfig) {
    config.service(list_sites).service(list_spaces).service(list_pages);
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListSites {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the sites of a connection.
///
/// They were fixed when it was confirmed. For its owner, and keys with the scope `admin`.
#[utoipa::path(
    tag = "browse",
    security(("bearer" = ["read"])),
    params(ConnectionId, ListSites),
    responses(
        (status = 200, description = "A page of sites.", body = Page<SiteItem>),
        (status = 403, description = "The connection belongs to another principal."),
    ),
)]
#[get("/v1/connections/{id}/sites")]
async fn list_sites(
    app: web::Data<App>,
    caller: Require<Read>,
    id: web::Path<ConnectionId>,
    Query(query): Query<ListSites>,
) -> Result<Json<Page<SiteItem>>, Problem> {
    owned(&app, &caller, *id).await?;
    let paging = Paging::<(String, String)>::parse(query.limit, query.cursor.as_deref())?;
    let key = |site: &connection_site::Model| (site.name.clone(), site.cloud_id.clone());
    let mut sites = store::sites(app.db.read(), *id).await?;
    sites.sort_by_key(key);
    sites.retain(|site| paging.after.as_ref().is_none_or(|after| key(site) > *after));
    let show = |site| SiteItem::from(crate::connections::Site::from(site));
    Ok(Json(paging.page(sites, key, show)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListSpaces {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// A part of the name or key. A page may then be empty and still have a `next_cursor`.
    #[param(max_length = 200)]
    q: Option<String>,
}

/// Lists the spaces of a site.
///
/// Those that the connection's account sees, archived ones left out. For its owner, and keys with the scope `admin`.
#[utoipa::path(
    tag = "browse",
    security(("bearer" = ["read"])),
    params(
        ("id" = ConnectionId, Path, description = "The connection."),
        ("site_id" = String, Path, description = "The site: its cloud id.", example = "11223344-a1b2-3b33-c444-def123456789"),
        ListSpaces,
    ),
    responses(
        (status = 200, description = "A page of spaces.", body = Page<SpaceItem>),
        (status = 403, description = "The connection belongs to another principal."),
        (status = 409, description = "`needs_reconnect`: the connection must be authorized again."),
        (status = 429, description = "The share of Confluence's quota for browsing is used up until the hour ends."),
    ),
)]
#[get("/v1/connections/{id}/sites/{site_id}/spaces")]
async fn list_spaces(
    app: web::Data<App>,
    caller: Require<Read>,
    path: web::Path<(ConnectionId, String)>,
    Query(query): Query<ListSpaces>,
) -> Result<Json<Page<SpaceItem>>, Problem> {
    let (id, site_id) = path.into_inner();
    owned_site(&app, &caller, id, &site_id).await?;
    let (limit, cursor) = part(query.limit, query.cursor.as_deref())?;
    let wanted = SpacesWanted { text: words(query.q)?, limit, cursor };
    Ok(Json(page(super::spaces(&app, id, &site_id, wanted).await?)?))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListPages {
    /// The most items of the page; a search by title answers at most 50.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// The space: alone, the nodes at its top are listed.
    space_id: Option<String>,
    /// The node whose children are listed.
    parent_id: Option<String>,
    /// The `kind` of that node, which saves looking it up.
    #[param(example = "page")]
    parent_kind: Option<String>,
    /// Words of the title, the last of which may be unfinished: pages of the space or the whole site are searched.
    #[param(max_length = 200)]
    q: Option<String>,
}

impl ListPages {
    fn check(self) -> Result<NodesWanted, Problem> {
        let (limit, cursor) = part(self.limit, self.cursor.as_deref())?;
        let mut errors = Vec::new();
        for (name, id) in [("space_id", &self.space_id), ("parent_id", &self.parent_id)] {
            let is_id = |id: &str| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
            if id.as_deref().is_some_and(|id| !is_id(id)) {
                errors.push(FieldError::parameter(name, "invalid", format!("`{name}` must be a number.")));
            }
        }
        if self.parent_kind.as_deref().is_some_and(|kind| !KINDS.contains(&kind)) {
            errors.push(FieldError::parameter(
                "parent_kind",
                "invalid",
                format!("`parent_kind` is one of {}.", KINDS.join(", ")),
            ));
        }
        let text = words(self.q)?;
        if text.is_some() && self.parent_id.is_some() {
            errors.push(FieldError::parameter(
                "q",
                "invalid",
                "`q` searches a space or a site, not below `parent_id`.",
            ));
        }
        if self.space_id.is_none() && self.parent_id.is_none() && text.is_none() {
            errors.push(FieldError::parameter(
                "space_id",
                "required",
                "Name a `space_id`, a `parent_id` or a `q`.",
            ));
        }
        if !errors.is_empty() {
            return Err(Problem::invalid_fields(errors));
        }
        Ok(match (text, self.parent_id, self.space_id) {
            (Some(text), _, space_id) => {
                NodesWanted::Titled { text, space_id, limit: limit.min(MOST_TITLED) }
            }
            (None, Some(parent_id), space_id) => {
                NodesWanted::Children { parent_id, parent_kind: self.parent_kind, space_id, limit, cursor }
            }
            (None, None, space_id) => {
                NodesWanted::Roots { space_id: space_id.unwrap_or_default(), limit, cursor }
            }
        })
    }
}

/// Lists pages of a site, level by level or by title.
///
/// With `space_id` alone: the top of the space. With `parent_id`: what is directly below that node, folders and other
/// kinds included. With `q`: pages by words of their titles, which lag a little behind edits. `has_children` is `null`
/// where it is not known yet. For the connection's owner, and keys with the scope `admin`.
#[utoipa::path(
    tag = "browse",
    security(("bearer" = ["read"])),
    params(
        ("id" = ConnectionId, Path, description = "The connection."),
        ("site_id" = String, Path, description = "The site: its cloud id.", example = "11223344-a1b2-3b33-c444-def123456789"),
        ListPages,
    ),
    responses(
        (status = 200, description = "A page of nodes.", body = Page<NodeItem>),
        (status = 403, description = "The connection belongs to another principal."),
        (status = 409, description = "`needs_reconnect`: the connection must be authorized again."),
        (status = 429, description = "The share of Confluence's quota for browsing is used up until the hour ends."),
    ),
)]
#[get("/v1/connections/{id}/sites/{site_id}/pages")]
async fn list_pages(
    app: web::Data<App>,
    caller: Require<Read>,
    path: web::Path<(ConnectionId, String)>,
    Query(query): Query<ListPages>,
) -> Result<Json<Page<NodeItem>>, Problem> {
    let (id, site_id) = path.into_inner();
    owned_site(&app, &caller, id, &site_id).await?;
    Ok(Json(page(super::nodes(&app, id, &site_id, query.check()?).await?)?))
}

async fn owned_site(
    app: &App,
    caller: &Require<Read>,
    id: ConnectionId,
    site_id: &str,
) -> Result<(), Problem> {
    owned(app, caller, id).await?;
    let sites = store::sites(app.db.read(), id).await?;
    if sites.iter().any(|site| site.cloud_id == site_id) {
        Ok(())
    } else {
        Err(Problem::not_found("site of this connection"))
    }
}

/// How many items from where, in the vendor's own cursors.
fn part(limit: Option<u32>, cursor: Option<&str>) -> Result<(u32, Option<Cursor>), Problem> {
    let paging = Paging::<String>::parse(limit, cursor)?;
    Ok((limit.unwrap_or(paging::DEFAULT_LIMIT), paging.after.map(Cursor::new)))
}

fn words(q: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = q.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.chars().count() > 200 {
        let error = FieldError::parameter("q", "too_long", "May have at most 200 characters.");
        return Err(Problem::invalid_fields(vec![error]));
    }
    Ok(Some(text))
}

fn page<T: utoipa::ToSchema>(part: Part<T>) -> Result<Page<T>, Problem> {
    let next_cursor = part.next.map(|cursor| paging::encode(&cursor.as_str())).transpose()?;
    Ok(Page { items: part.items, next_cursor })
}

impl From<BrowseError> for Problem {
    fn from(error: BrowseError) -> Self {
        match error {
            BrowseError::Access(error) => error.into(),
            BrowseError::NotFound => Self::not_found("space or node that this connection sees"),
            BrowseError::CursorExpired => {
                let error =
                    FieldError::parameter("cursor", "invalid", "The list has changed; begin it anew.");
                Self::invalid_fields(vec![error])
            }
            BrowseError::ShareUsedUp { retry_after } => Self::new(
                Kind::TooManyRequests,
                "The share of Confluence's quota for browsing is used up until the hour ends.",
            )
            .retry_after(retry_after),
            BrowseError::Confluence(error) => {
                Self::vendor_unavailable("Confluence", error.retry_after()).because(error)
            }
            BrowseError::Db(error) => error.into(),
        }
    }
}
