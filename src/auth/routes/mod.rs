//! `GET /v1/me`, tokens and the API keys.

mod keys;
mod me;
mod tokens;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers the operations.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(me::show_me)
        .service(tokens::create_token)
        .service(keys::list_api_keys)
        .service(keys::create_api_key)
        .service(keys::revoke_api_key);
}
