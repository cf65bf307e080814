//! Control of wikis: sites, spaces, and the life of pages and folders.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Problem, done, part, read, shared};
use crate::clock::rfc3339;
use crate::confluence::{Id, Kind, Node, Place, Refused};
use crate::handle::SiteHandle;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/sites", web::post().to(add_site))
        .route("/sites/{site}/spaces", web::get().to(list_spaces))
        .route("/sites/{site}/spaces", web::post().to(add_space))
        .route("/sites/{site}/spaces/{space}/{verb}", web::post().to(change_space))
        .route("/sites/{site}/pages", web::get().to(list_pages))
        .route("/sites/{site}/pages", web::post().to(add_page))
        .route("/sites/{site}/pages/{page}", web::get().to(read_page))
        .route("/sites/{site}/pages/{page}/{verb}", web::post().to(change_page));
}

fn site(request: &HttpRequest) -> Result<SiteHandle, Problem> {
    let (shared, name) = (shared(request), part(request, "site"));
    let cloud_id = shared.confluence().site(name)?.cloud_id.clone();
    Ok(SiteHandle::new(shared, name, cloud_id))
}

/// A space named by its id or key.
fn space_id(site: &SiteHandle, name: &str) -> Result<Id, Problem> {
    let known = |id: Id| site.with(|site| Ok(site.space(id).is_some()));
    match name.parse() {
        Ok(id) if known(id)? => Ok(id),
        _ => Ok(site.with(|site| site.space_of_key(name))?),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSite {
    name: String,
}

async fn add_site(request: HttpRequest, body: web::Bytes) -> Answer {
    let new: NewSite = read(&body)?;
    if new.name.is_empty() || !new.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(Problem::bad("a site's name is letters, digits and hyphens"));
    }
    let shared = shared(&request);
    let cloud_id = shared.confluence().add_site(&new.name);
    let url = shared.site_url(&new.name);
    Ok(HttpResponse::Created().json(json!({"name": new.name, "cloud_id": cloud_id, "url": url})))
}

async fn list_spaces(request: HttpRequest) -> Answer {
    let spaces: Vec<Value> = site(&request)?.with(|site| {
        let shape = |space: &crate::confluence::Space| {
            json!({
                "id": space.id.to_string(),
                "key": space.key,
                "name": space.name,
                "archived": space.archived,
                "pages": space.page_count(),
                "readers": space.readers,
            })
        };
        Ok(site.spaces.values().map(shape).collect())
    })?;
    Ok(HttpResponse::Ok().json(spaces))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSpace {
    key: String,
    name: String,
}

async fn add_space(request: HttpRequest, body: web::Bytes) -> Answer {
    let new: NewSpace = read(&body)?;
    let id = site(&request)?.add_space(&new.key, &new.name)?;
    Ok(HttpResponse::Created().json(json!({"id": id.to_string()})))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Change {
    storage: Option<String>,
    title: Option<String>,
    parent: Option<String>,
    space: Option<String>,
    readers: Option<Vec<String>>,
}

impl Change {
    fn text<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, Problem> {
        value.map(String::as_str).ok_or_else(|| Problem::bad(format!("{name} is missing")))
    }

    fn readers(&self) -> Result<Vec<&str>, Problem> {
        let readers = self.readers.as_ref().ok_or_else(|| Problem::bad("readers is missing"))?;
        Ok(readers.iter().map(String::as_str).collect())
    }

    /// Below `parent`, else at the top of `space`.
    fn place(&self, site: &SiteHandle) -> Result<Place, Problem> {
        match (&self.parent, &self.space) {
            (Some(parent), _) => Ok(Place::Under(parent.parse().map_err(Problem::bad)?)),
            (None, Some(space)) => Ok(Place::Top { space: space_id(site, space)? }),
            (None, None) => Err(Problem::bad("parent or space is missing")),
        }
    }
}

async fn change_space(request: HttpRequest, body: web::Bytes) -> Answer {
    let (change, site) = (read::<Change>(&body)?, site(&request)?);
    let space = space_id(&site, part(&request, "space"))?;
    match part(&request, "verb") {
        "limit" => site.limit_space(space, &change.readers()?)?,
        "open" => site.open_space(space)?,
        "archive" => site.archive_space(space, true)?,
        "unarchive" => site.archive_space(space, false)?,
        "delete" => site.delete_space(space)?,
        other => return Err(Problem::missing(format!("spaces have no verb {other}"))),
    }
    Ok(done())
}

fn shape(node: &Node, with_body: bool) -> Value {
    json!({
        "id": node.id.to_string(),
        "kind": node.kind,
        "status": node.status,
        "title": node.title,
        "space": node.space.to_string(),
        "parent": node.parent.map(|parent| parent.to_string()),
        "version": node.version.number,
        "modified_at": rfc3339(node.version.at),
        "readers": node.readers,
        "storage": with_body.then(|| node.body.text()),
    })
}

async fn list_pages(request: HttpRequest) -> Answer {
    let pages: Vec<Value> = site(&request)?.with(|site| {
        let mut nodes: Vec<&Node> = site.nodes().collect();
        nodes.sort_unstable_by_key(|node| node.id);
        Ok(nodes.into_iter().map(|node| shape(node, false)).collect())
    })?;
    Ok(HttpResponse::Ok().json(pages))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPage {
    space: Option<String>,
    parent: Option<String>,
    title: String,
    #[serde(default)]
    storage: String,
    #[serde(default = "page")]
    kind: Kind,
}

fn page() -> Kind {
    Kind::Page
}

async fn add_page(request: HttpRequest, body: web::Bytes) -> Answer {
    let (new, site) = (read::<NewPage>(&body)?, site(&request)?);
    let change = Change { parent: new.parent, space: new.space, ..Change::default() };
    let id = site.add(new.kind, change.place(&site)?, &new.title, new.storage)?;
    Ok(HttpResponse::Created().json(json!({"id": id.to_string()})))
}

fn page_id(request: &HttpRequest) -> Result<Id, Problem> {
    part(request, "page").parse().map_err(Problem::bad)
}

async fn read_page(request: HttpRequest) -> Answer {
    let node = site(&request)?.node(page_id(&request)?)?;
    Ok(HttpResponse::Ok().json(shape(&node, true)))
}

async fn change_page(request: HttpRequest, body: web::Bytes) -> Answer {
    let (change, site, id) = (read::<Change>(&body)?, site(&request)?, page_id(&request)?);
    match part(&request, "verb") {
        "edit" => drop(site.edit(id, Change::text(change.storage.as_ref(), "storage")?)?),
        "rename" => drop(site.rename(id, Change::text(change.title.as_ref(), "title")?)?),
        "move" => site.move_to(id, change.place(&site)?)?,
        "archive" => site.archive(id)?,
        "unarchive" => site.unarchive(id)?,
        "trash" => site.trash(id)?,
        "restore" => drop(site.restore(id)?),
        "purge" => site.purge(id)?,
        "restrict" => site.restrict(id, &change.readers()?)?,
        "unrestrict" => site.unrestrict(id)?,
        other => return Err(Problem::missing(format!("pages have no verb {other}"))),
    }
    match site.node(id) {
        Ok(node) => Ok(HttpResponse::Ok().json(shape(&node, false))),
        Err(Refused::NoNode(_)) => Ok(done()),
        Err(refused) => Err(refused.into()),
    }
}
