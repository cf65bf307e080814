//! The site as a browser sees it: plain pages behind the links that answers carry.

use actix_web::{HttpRequest, HttpResponse, web};

use super::consent::{error_page, escape, layout};
use super::node::Kind;
use super::shapes::webui;
use super::site::Site;
use crate::clock::rfc3339;
use crate::shared::Shared;

/// Most pages that the overview names.
const MOST_LISTED: usize = 1_000;

pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/wiki", web::get().to(overview))
        .route("/wiki/spaces/{key}", web::get().to(overview))
        .route("/wiki/spaces/{key}/{kind}/{id}", web::get().to(node))
        .route("/wiki/spaces/{key}/{kind}/{id}/{slug}", web::get().to(node));
}

fn html(page: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page)
}

fn not_found() -> HttpResponse {
    let page = error_page("There is no such page.");
    HttpResponse::NotFound().content_type("text/html; charset=utf-8").body(page)
}

fn with_site(request: &HttpRequest, show: impl FnOnce(&Site, &str) -> Option<String>) -> HttpResponse {
    let shared = Shared::of(request);
    let name = request.match_info().get("site").unwrap_or_default();
    let base = format!("{}/wiki", shared.site_url(name));
    let cloud = shared.confluence();
    cloud.site(name).ok().and_then(|site| show(site, &base)).map_or_else(not_found, html)
}

/// All pages, or those of one space.
async fn overview(request: HttpRequest) -> HttpResponse {
    let key = request.match_info().get("key");
    with_site(&request, |site, base| {
        let mut nodes: Vec<_> = site
            .nodes()
            .filter(|node| node.kind == Kind::Page)
            .filter(|node| key.is_none_or(|key| site.space_of_key(key) == Ok(node.space)))
            .collect();
        nodes.sort_unstable_by_key(|node| node.id);
        let item = |node: &&super::node::Node| {
            let (link, title) = (escape(&webui(site, node)), escape(&node.title));
            format!("<li><a href=\"{base}{link}\">{title}</a></li>")
        };
        let items: Vec<String> = nodes.iter().take(MOST_LISTED).map(item).collect();
        Some(layout(&site.title, &format!("<p>{} pages</p><ul>{}</ul>", nodes.len(), items.concat())))
    })
}

async fn node(request: HttpRequest) -> HttpResponse {
    let id = request.match_info().get("id").and_then(|id| id.parse().ok());
    with_site(&request, |site, _| {
        let node = site.node(id?)?;
        let body = escape(&node.body.text());
        let (version, at) = (node.version.number, rfc3339(node.version.at));
        let content = format!("<p>{:?}, version {version} of {at}</p><pre>{body}</pre>", node.status);
        Some(layout(&node.title, &content))
    })
}
