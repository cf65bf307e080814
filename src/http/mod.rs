//! The HTTP half: every route, the document built from them, and what surrounds each request.
//!
//! # How to add an operation
//!
//! 1. Write the handler in its domain's `routes.rs`, with the whole path, so that a search for a URL finds it:
//!
//!    ```ignore
//!    /// Lists sources.
//!    ///
//!    /// Newest last. A second paragraph teaches what a reader of the document needs to know.
//!    #[utoipa::path(
//!        tag = "sources",
//!        security(("bearer" = ["read"])),
//!        params(ListSources),
//!        responses((status = 200, description = "A page of sources.", body = Page<SourceView>)),
//!    )]
//!    #[get("/v1/sources")]
//!    async fn list_sources(
//!        app: web::Data<App>, caller: Require<Read>, Query(query): Query<ListSources>,
//!    ) -> Result<Json<Page<SourceView>>, Problem> { … }
//!    ```
//!
//!    The name is the operation id, the doc comment its summary and description. All parameters are named:
//!    `params(SourceId)` is the path's `{id}`, `params(ListSources)` the query, `params(IfMatch)` a header; two ids in one
//!    path are spelt out, as `("site_id" = String, Path, description = "…")`. Without a key: `security(())`.
//! 2. Declare your own answers only: the 2xx ones, and those errors that need a word, as
//!    `(status = 409, description = "Another source …")` without a body. [`document`] adds the problem body, the headers
//!    and the answers that follow from what the operation takes (400, 401, 403, 404, 412, 413, 415, 422, 500, 503).
//! 3. Take input through [`Json`] and [`Query`] (types with `#[serde(deny_unknown_fields)]`; a query's type derives
//!    `IntoParams` with `#[into_params(parameter_in = Query)]`) and `web::Path<SourceId>`; then check meanings with
//!    [`Check`]. For lists, [`Paging`] and [`Page`]. A POST that creates says
//!    `#[post("/v1/things", wrap = "from_fn(idempotency::once)")]` and `params(IdempotencyKey)`.
//! 4. Return `Result<_, Problem>`. Each domain has `impl From<its store's Error> for Problem` in its `routes.rs`: one
//!    exhaustive `match`. A new kind of problem is a line in `kind.rs`.
//! 5. Add the handler to the domain's `configure`, and a new domain's `configure` to [`routes`].
//! 6. Regenerate the document: `cargo run -- openapi > openapi/openapi.json`.

pub mod body;
pub mod check;
pub mod docs;
pub mod document;
pub mod edge;
pub mod etag;
mod examples;
pub mod fallback;
pub mod health;
pub mod idempotency;
mod kind;
pub mod paging;
pub mod problem;
pub mod store;

use actix_web::{App, web};
use utoipa::openapi::OpenApi;
use utoipa_actix_web::{AppExt, service_config::ServiceConfig};

use crate::{auth, connections, documents, knowledge_bases, reconciles, sources, syncs, workspaces};

pub use body::{Json, Query, present};
pub use check::Check;
pub use etag::{ETag, IfMatch};
pub use idempotency::IdempotencyKey;
pub use paging::{Page, Paging};
pub use problem::{FieldError, Kind, Problem, ProblemDetails};

/// Every route of the API. The router tries one after another, so what clients poll stands in front.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(documents::routes::configure)
        .configure(syncs::routes::configure)
        .configure(sources::routes::configure)
        .configure(knowledge_bases::routes::configure)
        .configure(reconciles::routes::configure)
        .configure(connections::routes::configure)
        .configure(auth::routes::configure)
        .configure(workspaces::routes::configure)
        .configure(health::configure);
}

/// The OpenAPI document. Needs no settings and no database.
#[must_use]
pub fn openapi() -> OpenApi {
    let (_, document) = App::new().into_utoipa_app().configure(routes).split_for_parts();
    document::complete(document)
}

/// Everything that the server's application consists of, apart from its layers.
pub fn configure(document: &OpenApi, rendered: web::Bytes) -> impl FnOnce(&mut web::ServiceConfig) {
    let paths = web::Data::new(fallback::Paths::of(document));
    move |config| {
        config
            .app_data(web::PayloadConfig::new(body::BODY_LIMIT))
            .app_data(
                web::PathConfig::default()
                    .error_handler(|_, _| Problem::new(Kind::NotFound, "Nothing has this id.").into()),
            )
            .app_data(paths)
            .configure(docs::configure(rendered))
            .default_service(web::to(fallback::answer));
        routes(&mut ServiceConfig::new(config));
    }
}
