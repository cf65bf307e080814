//! The one redirect URI: where Atlassian sends browsers back to.

use actix_web::{
    HttpResponse, get,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
    web,
};
use secrecy::ExposeSecret;
use url::Url;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Callback, Landing, land, page};
use crate::{
    app::App,
    connections::bodies::FinishOauth,
    http::{Problem, Query},
    ids::ConnectionId,
};

/// Registers the operation.
pub fn configure(config: &mut ServiceConfig) {
    config.service(finish_oauth);
}

/// Takes a browser back from Atlassian.
///
/// The one redirect URI to register. It logs nobody in and connects nothing: it parks the authorization and hands out a
/// code, by `return_url?connection_id=…&code=…` (or `…&error=…`), or on a page.
#[utoipa::path(
    tag = "connections",
    security(()),
    params(FinishOauth),
    responses(
        (status = 200, description = "A page with the code, or with what went wrong.", body = String, content_type = "text/html", example = json!("<!doctype html><title>Connected</title><p>Copy this code …</p>")),
        (status = 303, description = "To the `return_url`."),
    ),
)]
#[get("/v1/oauth/callback")]
async fn finish_oauth(
    app: web::Data<App>,
    Query(query): Query<FinishOauth>,
) -> Result<HttpResponse, Problem> {
    let callback =
        Callback { state: query.state.map(Into::into), code: query.code.map(Into::into), error: query.error };
    Ok(match land(&app, callback).await? {
        Landing::Authorized { visit, account_name, code } => match &visit.return_url {
            Some(url) => redirect(url, visit.connection_id, "code", code.expose_secret())?,
            None => show(page::authorized(&visit.workspace_name, account_name.as_deref(), &code)),
        },
        Landing::Failed { visit, problem } => match &visit.return_url {
            Some(url) => redirect(url, visit.connection_id, "error", &problem.code)?,
            None => show(page::failed(&visit.workspace_name, &problem)),
        },
        Landing::Unknown => show(page::unknown()),
    })
}

fn redirect(return_url: &str, id: ConnectionId, name: &str, value: &str) -> Result<HttpResponse, Problem> {
    let mut url = Url::parse(return_url).map_err(Problem::internal)?;
    url.query_pairs_mut().append_pair("connection_id", &id.to_string()).append_pair(name, value);
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, url.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish())
}

fn show(page: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY.as_str()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(page)
}
