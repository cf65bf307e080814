//! The v2 API: folders and the tree (children, descendants, ancestors), and the types of ids.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::cursor::{Page, Walk, public_path};
use super::listing::{From, SortKey};
use super::node::{Id, Kind, Node, Status};
use super::params::{Params, id};
use super::refusal::Refusal;
use super::shapes::{AncestorShape, ChildShape, DescendantShape, NodeShape};
use super::site::Site;
use super::v2::{Answer, json as to_json, path_id};

const READ_FOLDER: &[&str] = &["read:folder:confluence"];
const READ_TREE: &[&str] = &["read:hierarchical-content:confluence"];
const READ_METADATA: &[&str] = &["read:content.metadata:confluence"];

/// The path segments of the calls about nodes, and their kinds.
const COLLECTIONS: [(&str, Kind); 4] = [
    ("pages", Kind::Page),
    ("folders", Kind::Folder),
    ("whiteboards", Kind::Whiteboard),
    ("databases", Kind::Database),
];

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/folders/{id}", web::get().to(read_folder))
        .route("/content/convert-ids-to-types", web::post().to(convert_ids));
    for (kind, _) in COLLECTIONS {
        routes
            .route(&format!("/{kind}/{{id}}/direct-children"), web::get().to(list_children))
            .route(&format!("/{kind}/{{id}}/descendants"), web::get().to(list_descendants))
            .route(&format!("/{kind}/{{id}}/ancestors"), web::get().to(list_ancestors));
    }
}

/// The node of the path, if it is of the kind the route names and not in the trash.
fn node_of_path<'a>(caller: &Caller, site: &'a Site) -> Result<&'a Node, Refusal> {
    let path = caller.request.path();
    let named = COLLECTIONS.iter().find(|(name, _)| path.contains(&format!("/{name}/")));
    let node = site.seen(path_id(caller)?, &caller.account);
    node.filter(|node| named.is_some_and(|(_, kind)| node.kind == *kind) && node.status != Status::Trashed)
        .ok_or_else(Refusal::not_found)
}

async fn read_folder(caller: Caller) -> Answer {
    caller.need(READ_FOLDER)?;
    Params::read(caller.request.query_string(), &[])?;
    let cloud = caller.cloud();
    let site = caller.site(&cloud);
    let folder = site.seen(path_id(&caller)?, &caller.account).filter(|node| node.kind == Kind::Folder);
    let folder = folder.ok_or_else(Refusal::not_found)?;
    caller.report(1, 1, None);
    Ok(HttpResponse::Ok().json(NodeShape::folder(site, folder, Some(&caller.base(&cloud)))))
}

async fn list_children(caller: Caller) -> Answer {
    caller.need(READ_TREE)?;
    let params = Params::read(caller.request.query_string(), &["cursor", "limit"])?;
    let cloud = caller.cloud();
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, params.limit()?)?;
    let site = caller.site(&cloud);
    let parent = node_of_path(&caller, site)?;
    let skip = match &walk.from {
        From::Offset(offset) => *offset,
        From::Start | From::After(_) => 0,
    };
    let behind = |child: &&Node| match &walk.from {
        From::After(after) => SortKey::Number(child.position, child.id) > *after,
        From::Start | From::Offset(_) => true,
    };
    let mut children: Vec<&Node> =
        site.children_of(parent.id, &caller.account).filter(behind).skip(skip).take(walk.limit + 1).collect();
    let more = children.len() > walk.limit;
    children.truncate(walk.limit);
    let shapes: Vec<ChildShape<'_>> = children.iter().copied().map(ChildShape::from).collect();
    caller.report(shapes.len(), 1, None);
    let last = children.last().map(|child| SortKey::Number(child.position, child.id));
    let page = Page { count: shapes.len(), more, last, results: to_json(&shapes)? };
    Ok(walk.answer(&caller.request, &caller.base(&cloud), page))
}

async fn list_descendants(caller: Caller) -> Answer {
    caller.need(READ_TREE)?;
    let params = Params::read(caller.request.query_string(), &["cursor", "limit", "depth"])?;
    let depth = params.number("depth", 2, 1, 10)?;
    let cloud = caller.cloud();
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, params.limit()?)?;
    let site = caller.site(&cloud);
    let root = node_of_path(&caller, site)?;
    let found = site.descendants(root.id, depth, &caller.account);
    let more = found.len() > walk.offset() + walk.limit;
    let shapes: Vec<DescendantShape<'_>> = found
        .iter()
        .skip(walk.offset())
        .take(walk.limit)
        .map(|(depth, node)| DescendantShape::new(*depth, node))
        .collect();
    caller.report(shapes.len(), 1, None);
    let page = Page { count: shapes.len(), more, last: None, results: to_json(&shapes)? };
    Ok(walk.answer(&caller.request, &caller.base(&cloud), page))
}

async fn list_ancestors(caller: Caller) -> Answer {
    caller.need(READ_METADATA)?;
    let params = Params::read(caller.request.query_string(), &["limit"])?;
    let cloud = caller.cloud();
    let walk = Walk::read(&cloud, public_path(caller.request.path()), &params, params.limit()?)?;
    let site = caller.site(&cloud);
    let node = node_of_path(&caller, site)?;
    let mut above: Vec<AncestorShape> = site.above(node).take(walk.limit).map(AncestorShape::from).collect();
    above.reverse();
    caller.report(above.len(), 1, None);
    let page = Page { count: above.len(), more: false, last: None, results: to_json(&above)? };
    Ok(walk.answer(&caller.request, &caller.base(&cloud), page))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ContentIds {
    content_ids: Vec<Value>,
}

async fn convert_ids(caller: Caller, _: HttpRequest, body: web::Bytes) -> Answer {
    caller.need(READ_METADATA)?;
    let asked: ContentIds = serde_json::from_slice(&body)
        .map_err(|error| Refusal::v2(StatusCode::BAD_REQUEST, "INVALID_REQUEST_BODY", &error.to_string()))?;
    let cloud = caller.cloud();
    if cloud.habits.convert_limit.is_some_and(|most| asked.content_ids.len() > most) {
        return Err(Refusal::parameter("Too many content ids."));
    }
    let site = caller.site(&cloud);
    let mut types = Map::new();
    for value in &asked.content_ids {
        let id: Id = match value {
            Value::String(text) => id("contentIds", text)?,
            Value::Number(number) => id("contentIds", &number.to_string())?,
            _ => return Err(Refusal::parameter("Provided value for 'contentIds' is not a list of Long.")),
        };
        let node = site.seen(id, &caller.account).filter(|node| node.status != Status::Trashed);
        types.insert(id.to_string(), node.map_or(Value::Null, |node| json!(node.kind)));
    }
    caller.report(0, 1, None);
    Ok(HttpResponse::Ok().json(json!({"results": types})))
}
