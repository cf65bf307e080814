//! What answers when no route does: 405 with `Allow` if the path is known, else 404.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, dev::ResourceDef, http::header, web};
use utoipa::openapi::{OpenApi, PathItem};

use super::problem::{Kind, Problem};

/// The paths of the API and the methods that each takes.
pub struct Paths(Vec<(ResourceDef, String)>);

impl Paths {
    /// Reads them from the document: it is built from the routes, so it knows all of them.
    #[must_use]
    pub fn of(document: &OpenApi) -> Self {
        let mut paths: BTreeMap<&str, String> = BTreeMap::new();
        for (path, item) in &document.paths.paths {
            paths.insert(path, methods(item).join(", "));
        }
        Self(paths.into_iter().map(|(path, methods)| (ResourceDef::new(path), methods)).collect())
    }
}

fn methods(item: &PathItem) -> Vec<&'static str> {
    let known = [
        ("GET", item.get.is_some()),
        ("POST", item.post.is_some()),
        ("PUT", item.put.is_some()),
        ("PATCH", item.patch.is_some()),
        ("DELETE", item.delete.is_some()),
    ];
    known.into_iter().filter_map(|(name, taken)| taken.then_some(name)).collect()
}

/// The default service.
pub async fn answer(request: HttpRequest, paths: web::Data<Paths>) -> Result<HttpResponse, Problem> {
    let known = paths.0.iter().find(|(pattern, _)| pattern.is_match(request.path()));
    Err(match known {
        Some((_, methods)) => Problem::new(
            Kind::MethodNotAllowed,
            format!("This path takes {methods}, not {}.", request.method()),
        )
        .header(header::ALLOW, methods),
        None => Problem::new(Kind::NotFound, "There is no such path; /docs lists all there are."),
    })
}
