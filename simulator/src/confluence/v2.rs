//! The v2 API: spaces and pages.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::caller::Caller;
use super::cursor::{Page, Walk, public_path};
use super::listing::{PageQuery, SortField};
use super::node::{Id, Kind, Space, Status};
use super::params::{Params, id};
use super::refusal::Refusal;
use super::shapes::{NodeShape, SpaceShape};
use super::v2_tree;

pub type Answer = Result<HttpResponse, Refusal>;

const READ_SPACE: &[&str] = &["read:space:confluence"];
const READ_PAGE: &[&str] = &["read:page:confluence"];

/// The v2 routes below `/wiki/api/v2`.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/spaces", web::get().to(list_spaces))
        .route("/spaces/{id}", web::get().to(read_space))
        .route("/spaces/{id}/pages", web::get().to(list_space_pages))
        .route("/pages", web::get().to(list_pages))
        .route("/pages/{id}", web::get().to(read_page));
    v2_tree::configure(routes);
    routes.default_service(web::to(no_route));
}

async fn no_route() -> Answer {
    Err(Refusal::not_found())
}

async fn list_spaces(caller: Caller) -> Answer {
    caller.need(READ_SPACE)?;
    let documented = [
        "ids",
        "keys",
        "type",
        "status",
        "labels",
        "favorited-by",
        "not-favorited-by",
        "sort",
        "description-format",
        "include-icon",
        "cursor",
        "limit",
    ];
    let params = Params::read(caller.request.query_string(), &documented)?;
    let cloud = caller.cloud();
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, params.limit()?)?;
    let ids = params.ids("ids", 250)?;
    let keys: Vec<&str> = params.all("keys").collect();
    if keys.len() > 250 {
        return Err(Refusal::parameter("Parameter 'keys' takes at most 250 values."));
    }
    let (kind, status) = (params.one("type")?, params.one("status")?);
    let fits = |space: &&Space| {
        space.visible_to(&caller.account)
            && ids.as_ref().is_none_or(|ids| ids.contains(&space.id))
            && (keys.is_empty() || keys.contains(&space.key.as_str()))
            && kind.is_none_or(|kind| kind == space.kind)
            && status.is_none_or(|status| (status == "archived") == space.archived)
    };
    let mut spaces: Vec<&Space> = caller.site(&cloud).spaces.values().filter(fits).collect();
    match params.one("sort")? {
        None | Some("id") => {}
        Some("-id") => spaces.reverse(),
        Some("key") => spaces.sort_by(|a, b| a.key.cmp(&b.key)),
        Some("-key") => spaces.sort_by(|a, b| b.key.cmp(&a.key)),
        Some("name") => spaces.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("-name") => spaces.sort_by(|a, b| b.name.cmp(&a.name)),
        Some(_) => return Err(Refusal::parameter("Provided value for 'sort' is not a SpaceSortOrder.")),
    }
    let described = described(&params)?;
    let more = spaces.len() > walk.offset() + walk.limit;
    let shapes: Vec<SpaceShape<'_>> = spaces
        .into_iter()
        .skip(walk.offset())
        .take(walk.limit)
        .map(|space| SpaceShape::new(space, described))
        .collect();
    caller.report(shapes.len(), 1, None);
    let page = Page { count: shapes.len(), more, last: None, results: json(&shapes)? };
    Ok(walk.answer(&caller.request, &caller.base(&cloud), page))
}

fn described(params: &Params) -> Result<bool, Refusal> {
    match params.one("description-format")? {
        None => Ok(false),
        Some("plain" | "view") => Ok(true),
        Some(_) => Err(Refusal::parameter("Provided value for 'description-format' is not known.")),
    }
}

async fn read_space(caller: Caller) -> Answer {
    caller.need(READ_SPACE)?;
    let params = Params::read(caller.request.query_string(), &["description-format", "include-icon"])?;
    let cloud = caller.cloud();
    let space = caller.site(&cloud).space(path_id(&caller)?);
    let space = space.filter(|space| space.visible_to(&caller.account)).ok_or_else(Refusal::not_found)?;
    caller.report(1, 1, None);
    Ok(HttpResponse::Ok().json(SpaceShape::new(space, described(&params)?)))
}

async fn list_pages(caller: Caller) -> Answer {
    caller.need(READ_PAGE)?;
    let documented =
        ["id", "space-id", "sort", "status", "title", "body-format", "subtype", "cursor", "limit"];
    let params = Params::read(caller.request.query_string(), &documented)?;
    let query = page_query(&params)?;
    let query = PageQuery { ids: params.ids("id", 250)?, spaces: params.ids("space-id", 100)?, ..query };
    answer_pages(&caller, &params, &query)
}

async fn list_space_pages(caller: Caller) -> Answer {
    caller.need(READ_PAGE)?;
    let documented = ["depth", "sort", "status", "title", "body-format", "cursor", "limit"];
    let params = Params::read(caller.request.query_string(), &documented)?;
    let space = path_id(&caller)?;
    {
        let cloud = caller.cloud();
        let found = caller.site(&cloud).space(space);
        found.filter(|space| space.visible_to(&caller.account)).ok_or_else(Refusal::not_found)?;
    }
    let top_only = match params.one("depth")? {
        None | Some("all") => false,
        Some("root") => true,
        Some(_) => return Err(Refusal::parameter("Provided value for 'depth' is not known.")),
    };
    let query = PageQuery { spaces: Some(vec![space]), top_only, ..page_query(&params)? };
    answer_pages(&caller, &params, &query)
}

fn page_query(params: &Params) -> Result<PageQuery, Refusal> {
    let sort = params.one("sort")?.unwrap_or("id");
    let (name, descending) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
    let sort = match name {
        "id" => SortField::Id,
        "created-date" => SortField::Created,
        "modified-date" => SortField::Modified,
        "title" => SortField::Title,
        _ => return Err(Refusal::parameter("Provided value for 'sort' is not a PageSortOrder.")),
    };
    let title = params.one("title")?.map(ToOwned::to_owned);
    Ok(PageQuery {
        ids: None,
        spaces: None,
        statuses: params.statuses()?,
        title,
        top_only: false,
        sort,
        descending,
    })
}

fn answer_pages(caller: &Caller, params: &Params, query: &PageQuery) -> Answer {
    let with_body = params.wants_body()?;
    let cloud = caller.cloud();
    let most = cloud.habits.pages_with_body.filter(|_| with_body);
    let most = most.or(cloud.habits.pages_listed.filter(|_| query.ids.is_none()));
    let limit = params.limit()?.min(most.unwrap_or(usize::MAX));
    let walk = Walk::read(&cloud, public_path(caller.request.path()), params, limit)?;
    let site = caller.site(&cloud);
    let mut found = site.pages(query, &caller.account, &walk.from, limit + 1);
    let more = found.len() > limit;
    found.truncate(limit);
    let shapes: Vec<NodeShape<'_>> =
        found.iter().map(|(_, page)| NodeShape::page(site, page, with_body, None)).collect();
    caller.report(shapes.len(), 1, with_body.then_some(shapes.len()));
    let results = json(&shapes)?;
    let page = Page { count: shapes.len(), more, last: found.pop().map(|(key, _)| key), results };
    Ok(walk.answer(&caller.request, &caller.base(&cloud), page))
}

async fn read_page(caller: Caller) -> Answer {
    caller.need(READ_PAGE)?;
    let params = Params::read(caller.request.query_string(), &["body-format", "status", "include-version"])?;
    let with_body = params.wants_body()?;
    let cloud = caller.cloud();
    let site = caller.site(&cloud);
    let page = site.seen(path_id(&caller)?, &caller.account).filter(|node| node.kind == Kind::Page);
    let wanted = |status: Status| {
        params.all("status").next().is_none() || params.statuses().is_ok_and(|all| all.contains(&status))
    };
    let page = page.filter(|page| wanted(page.status)).ok_or_else(Refusal::not_found)?;
    caller.report(1, 1, with_body.then_some(1));
    let base = caller.base(&cloud);
    Ok(HttpResponse::Ok().json(NodeShape::page(site, page, with_body, Some(&base))))
}

/// The `{id}` of the path.
pub fn path_id(caller: &Caller) -> Result<Id, Refusal> {
    id("id", caller.request.match_info().get("id").unwrap_or_default())
}

/// JSON of an answer.
pub fn json(shapes: &impl serde::Serialize) -> Result<Vec<u8>, Refusal> {
    serde_json::to_vec(shapes)
        .map_err(|error| Refusal::v2(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", &error.to_string()))
}
