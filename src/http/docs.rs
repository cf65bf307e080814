//! Swagger UI at `/docs` and the document at `/openapi.json`.

use actix_web::{
    HttpResponse,
    http::header::ContentType,
    web::{self, Bytes},
};
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

const DOCUMENT: &str = "/openapi.json";

/// The document as it is served, committed and printed by `tidegate openapi`.
pub fn render(document: &OpenApi) -> serde_json::Result<String> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// Registers both.
pub fn configure(document: Bytes) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let ui = Config::new([DOCUMENT])
            .persist_authorization(true)
            .try_it_out_enabled(true)
            .display_request_duration(true)
            .deep_linking(true)
            .filter(true)
            .doc_expansion("list")
            .default_models_expand_depth(0);
        let answer = move || {
            let document = document.clone();
            async move { HttpResponse::Ok().content_type(ContentType::json()).body(document) }
        };
        config
            .route(DOCUMENT, web::get().to(answer))
            .service(web::redirect("/docs", "/docs/"))
            .service(web::redirect("/", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").config(ui));
    }
}
