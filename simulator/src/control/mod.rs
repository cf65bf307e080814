//! The control API: what a person or a test in another process does to the models.

use actix_web::web;

pub(crate) fn configure(_: &mut web::ServiceConfig) {}
