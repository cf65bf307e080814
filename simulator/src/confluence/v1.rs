//! What is left of the v1 API: search, restrictions, the current user.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use super::caller::Caller;
use super::cql::Cql;
use super::cursor::{Walk, public_path};
use super::listing::{From, SortKey};
use super::node::{Node, Status};
use super::params::{Params, id};
use super::refusal::Refusal;
use super::shapes::webui;
use super::site::Site;
use super::v2::Answer;
use crate::clock::rfc3339;
use crate::shared::Shared;

const SEARCH: &[&str] = &["search:confluence", "read:content-details:confluence"];
const SEARCH_PARAMETERS: &[&str] = &[
    "cql",
    "cqlcontext",
    "cursor",
    "next",
    "prev",
    "limit",
    "start",
    "includeArchivedSpaces",
    "excludeCurrentSpaces",
    "excerpt",
    "expand",
];
const READ_DETAILS: &[&str] = &["read:content-details:confluence", "read:confluence-content.all"];
const READ_USER: &[&str] =
    &["read:content-details:confluence", "read:confluence-user", "read:user:confluence"];

/// The v1 routes below `/wiki/rest/api`.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/search", web::get().to(search))
        .route("/content/search", web::get().to(content_search))
        .route("/content/{id}/restriction/byOperation/read", web::get().to(read_restriction))
        .route("/user/current", web::get().to(current_user))
        .default_service(web::to(no_route));
}

/// `GET /_edge/tenant_info` of a site: its cloud id, for everybody.
pub async fn tenant_info(request: HttpRequest) -> Answer {
    let shared = Shared::of(&request);
    let cloud = shared.confluence();
    let site = cloud.site(request.match_info().get("site").unwrap_or_default());
    let site = site.map_err(|_| Refusal::gateway(StatusCode::NOT_FOUND, "Site temporarily unavailable"))?;
    Ok(HttpResponse::Ok().json(json!({"cloudId": site.cloud_id})))
}

async fn no_route() -> Answer {
    Err(Refusal::v1(StatusCode::NOT_FOUND, "null for uri"))
}

fn bad_request(error: impl std::fmt::Display) -> Refusal {
    Refusal::v1(StatusCode::BAD_REQUEST, &error.to_string())
}

async fn search(caller: Caller) -> Answer {
    caller.need(SEARCH)?;
    let params = Params::read(caller.request.query_string(), SEARCH_PARAMETERS).map_err(bad_request)?;
    let text = params.one("cql").map_err(bad_request)?.unwrap_or_default();
    let cql = Cql::parse(text).map_err(bad_request)?;
    let limit = params.number("limit", 25, 0, 250).map_err(bad_request)? as usize;
    let with_archived_spaces = params.one("includeArchivedSpaces").map_err(bad_request)? == Some("true");
    let (now, cloud) = (caller.shared.clock.now(), caller.cloud());
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, limit).map_err(bad_request)?;
    let site = caller.site(&cloud);
    let in_index = |node: &Node| {
        let open = with_archived_spaces || site.space(node.space).is_some_and(|space| !space.archived);
        open && !cloud.habits.unindexed.contains(&node.id)
    };
    let found = found(&caller, site, |node| cql.accepts(site, node, now) && in_index(node));
    let total = found.len();
    let skip = match walk.from {
        From::Offset(offset) => offset,
        From::Start | From::After(_) => 0,
    };
    let (page, last) = part(found, &walk, skip, limit);
    caller.report(page.len(), 1, None);
    let base = caller.base(&cloud);
    let mut links = json!({"base": base, "context": "/wiki"});
    if last.is_some() {
        links["next"] = walk.next("/rest/api/search", last, page.len()).into();
    }
    let results: Vec<Value> = page.iter().map(|node| hit(site, node)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "size": results.len(),
        "results": results,
        "start": walk.offset(),
        "limit": limit,
        "totalSize": total,
        "cqlQuery": text,
        "searchDuration": 1,
        "_links": links,
    })))
}

/// What the caller sees of the nodes that fit, in the order of their ids.
fn found<'a>(caller: &Caller, site: &'a Site, fits: impl Fn(&Node) -> bool) -> Vec<&'a Node> {
    let mut found: Vec<&Node> =
        site.nodes().filter(|node| fits(node) && site.visible(node, &caller.account)).collect();
    found.sort_unstable_by_key(|node| node.id);
    found
}

/// The part of what was found that a walk shows now, and where the next part begins, if there is one.
fn part<'a>(
    found: Vec<&'a Node>,
    walk: &Walk,
    skip: usize,
    limit: usize,
) -> (Vec<&'a Node>, Option<SortKey>) {
    let behind = |node: &&Node| match &walk.from {
        From::After(key) => SortKey::Number(0, node.id) > *key,
        From::Start | From::Offset(_) => true,
    };
    let mut page: Vec<&Node> = found.into_iter().filter(behind).skip(skip).take(limit + 1).collect();
    let more = page.len() > limit;
    page.truncate(limit);
    let last = page.last().filter(|_| more).map(|node| SortKey::Number(0, node.id));
    (page, last)
}

fn hit(site: &Site, node: &Node) -> Value {
    let space = site.space(node.space);
    json!({
        "content": {
            "id": node.id.to_string(),
            "type": node.kind,
            "status": node.status,
            "title": node.title,
            "_links": {"webui": webui(site, node)},
        },
        "title": node.title,
        "excerpt": "",
        "url": webui(site, node),
        "resultGlobalContainer": {
            "title": space.map(|space| &space.name),
            "displayUrl": space.map(|space| format!("/spaces/{}", space.key)),
        },
        "breadcrumbs": [],
        "entityType": "content",
        "iconCssClass": "aui-icon content-type-page",
        "lastModified": rfc3339(node.version.at),
        "friendlyLastModified": rfc3339(node.version.at),
    })
}

/// Content objects instead of hits; of their expansions only read restrictions.
async fn content_search(caller: Caller) -> Answer {
    caller.need(SEARCH)?;
    let documented = ["cql", "cqlcontext", "cursor", "limit", "expand"];
    let params = Params::read(caller.request.query_string(), &documented).map_err(bad_request)?;
    let cql = Cql::parse(params.one("cql").map_err(bad_request)?.unwrap_or_default()).map_err(bad_request)?;
    let limit = params.number("limit", 25, 0, u32::MAX).map_err(bad_request)? as usize;
    let expand = params.one("expand").map_err(bad_request)?.unwrap_or_default();
    let (now, cloud) = (caller.shared.clock.now(), caller.cloud());
    let limit = limit.min(cloud.habits.content_search_limit.unwrap_or(1_000));
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, limit).map_err(bad_request)?;
    let site = caller.site(&cloud);
    let in_index = |node: &Node| !cloud.habits.unindexed.contains(&node.id);
    let found = found(&caller, site, |node| cql.accepts(site, node, now) && in_index(node));
    let (page, last) = part(found, &walk, 0, limit);
    caller.report(page.len(), 1, None);
    let mut links = json!({"base": caller.base(&cloud), "context": "/wiki"});
    if last.is_some() {
        links["next"] = walk.next("/rest/api/content/search", last, page.len()).into();
    }
    let results: Vec<Value> = page.iter().map(|node| content(node, expand)).collect();
    Ok(HttpResponse::Ok().json(json!({
        "size": results.len(),
        "results": results,
        "limit": limit,
        "_links": links,
    })))
}

fn content(node: &Node, expand: &str) -> Value {
    let mut content = json!({
        "id": node.id.to_string(),
        "type": node.kind,
        "status": node.status,
        "title": node.title,
    });
    if expand.split(',').any(|part| part.starts_with("restrictions.read")) {
        content["restrictions"] = json!({"read": restriction(node)});
    } else {
        content["_expandable"] = json!({"restrictions": ""});
    }
    content
}

fn restriction(node: &Node) -> Value {
    let user = |account: &String| json!({"type": "known", "accountId": account, "accountType": "atlassian"});
    let users: Vec<Value> = node.readers.iter().flatten().map(user).collect();
    let count = users.len();
    json!({
        "operation": "read",
        "restrictions": {
            "user": {"results": users, "start": 0, "limit": 100, "size": count},
            "group": {"results": [], "start": 0, "limit": 100, "size": 0},
        },
    })
}

async fn read_restriction(caller: Caller) -> Answer {
    caller.need(READ_DETAILS)?;
    Params::read(caller.request.query_string(), &["expand", "start", "limit"]).map_err(bad_request)?;
    let id = id("id", caller.request.match_info().get("id").unwrap_or_default()).map_err(bad_request)?;
    let cloud = caller.cloud();
    let node = caller.site(&cloud).seen(id, &caller.account).filter(|node| node.status != Status::Trashed);
    let node = node.ok_or_else(|| {
        let message = format!("No content found with id: {id}");
        Refusal::v1(StatusCode::NOT_FOUND, &message)
    })?;
    caller.report(node.readers.iter().flatten().count(), 2, None);
    let mut answer = restriction(node);
    answer["_expandable"] = json!({"content": format!("/rest/api/content/{id}")});
    answer["_links"] = json!({"base": caller.base(&cloud), "context": "/wiki"});
    Ok(HttpResponse::Ok().json(answer))
}

async fn current_user(caller: Caller) -> Answer {
    caller.need(READ_USER)?;
    let cloud = caller.cloud();
    let account = cloud.accounts.get(&caller.account);
    let account = account.ok_or_else(|| Refusal::v1(StatusCode::FORBIDDEN, "Forbidden"))?;
    caller.report(1, 2, None);
    Ok(HttpResponse::Ok().json(json!({
        "type": "known",
        "accountId": account.id,
        "accountType": "atlassian",
        "email": account.email,
        "publicName": account.name,
        "displayName": account.name,
    })))
}
