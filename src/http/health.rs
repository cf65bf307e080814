//! Health, for whoever runs the process: no key needed, nothing told but whether it works.

use std::time::Duration;

use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::{Json, Kind, Problem};
use crate::app::App;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config.service(show_liveness).service(show_readiness);
}

/// The service works.
#[derive(Debug, Serialize, ToSchema)]
struct Health {
    /// `live` or `ready`.
    #[schema(examples("ready"))]
    status: &'static str,
}

/// Tells whether the process answers at all.
///
/// If it does not, restart it.
#[utoipa::path(
    tag = "service",
    security(()),
    responses((status = 200, description = "It does.", body = Health)),
)]
#[get("/health/live")]
async fn show_liveness() -> Json<Health> {
    Json(Health { status: "live" })
}

/// Tells whether the service can do its work.
///
/// The database answers and the worker has ticked lately. If not, send requests elsewhere.
#[utoipa::path(
    tag = "service",
    security(()),
    responses(
        (status = 200, description = "It can.", body = Health),
        (status = 503, description = "It cannot; `detail` says why."),
    ),
)]
#[get("/health/ready")]
async fn show_readiness(app: web::Data<App>) -> Result<Json<Health>, Problem> {
    let not_ready = |why: &'static str| Problem::new(Kind::Unavailable, why);
    if app.is_stopping() {
        return Err(not_ready("The service is stopping."));
    }
    let last_tick = tokio::time::timeout(PATIENCE, app.last_tick())
        .await
        .map_err(|_| not_ready("The database does not answer in time."))?
        .map_err(|error| not_ready("The database does not answer.").because(error))?;
    let age = last_tick.and_then(|last| (app.clock.now() - last).to_std().ok().or(Some(Duration::ZERO)));
    match age {
        None => Err(not_ready("The worker has not ticked yet.")),
        Some(age) if age > app.settings.timing.tick_stale_after => {
            Err(not_ready("The worker has not ticked for a while."))
        }
        Some(_) => Ok(Json(Health { status: "ready" })),
    }
}
