//! Confluence Cloud: authorization, gateway and sites, v2 and what is left of v1.

mod authorization;
mod caller;
mod consent;
mod cql;
mod cursor;
mod grants;
mod listing;
mod model;
mod node;
mod oauth;
mod params;
mod refusal;
mod shapes;
mod site;
mod v1;
mod v2;
mod v2_tree;
mod web;

use actix_web::web::{ServiceConfig, get, scope};

pub use authorization::{Ask, Decision};
pub use grants::{ACCESS_TOKEN_LIFE, App, Bearer, Grant, Grants, LEEWAY, Pair, TokenRefused};
pub use model::{Account, Confluence, CursorStyle, ExpiredAnswer, Habits, Quota};
pub use node::{Body, Id, Kind, Node, Space, Status, Version};
pub use site::{NewNode, Place, Refused, Site};

pub(crate) use cursor::{page_of, public_path};
pub(crate) use oauth::{configure_api, configure_auth};
pub(crate) use refusal::quota_headers;

/// The routes of one site: below the gateway's `/ex/confluence/{cloud_id}` and below the site itself.
pub(crate) fn configure_site(routes: &mut ServiceConfig) {
    routes
        .service(scope("/wiki/api/v2").configure(v2::configure))
        .service(scope("/wiki/rest/api").configure(v1::configure))
        .route("/_edge/tenant_info", get().to(v1::tenant_info))
        .configure(web::configure);
}
