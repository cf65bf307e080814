//! Who is calling a site: a bearer token through the gateway, or e-mail and API token on the site itself.

use std::collections::BTreeSet;
use std::future::{Ready, ready};
use std::sync::{Arc, MutexGuard};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::cursor::public_path;
use super::grants::Bearer;
use super::model::{Confluence, ExpiredAnswer};
use super::refusal::Refusal;
use super::site::Site;
use crate::calls::Cost;
use crate::shared::Shared;

/// Under which name the ledger counts what API-token calls would cost.
pub const API_TOKEN: &str = "api-token";

/// An authenticated caller of one site.
#[derive(Debug, Clone)]
pub struct Caller {
    pub shared: Arc<Shared>,
    pub account: String,
    pub request: HttpRequest,
    site: usize,
    /// `None`: an API token, which may do what its owner may.
    scopes: Option<BTreeSet<String>>,
    app: String,
}

impl Caller {
    pub fn cloud(&self) -> MutexGuard<'_, Confluence> {
        self.shared.confluence()
    }

    #[must_use]
    pub fn site<'a>(&self, cloud: &'a Confluence) -> &'a Site {
        &cloud.sites[self.site]
    }

    /// `_links.base` of this site.
    #[must_use]
    pub fn base(&self, cloud: &Confluence) -> String {
        format!("{}/wiki", self.shared.site_url(&self.site(cloud).name))
    }

    /// Refuses a token without any of these scopes.
    pub fn need(&self, scopes: &[&str]) -> Result<(), Refusal> {
        let has = |granted: &BTreeSet<String>| scopes.iter().any(|scope| granted.contains(*scope));
        if self.scopes.as_ref().is_none_or(has) {
            return Ok(());
        }
        Err(Refusal::gateway(StatusCode::UNAUTHORIZED, "Unauthorized; scope does not match"))
    }

    /// Enters what the call costs: one point and one per object (`weight` per object).
    pub fn report(&self, results: usize, weight: usize, bodies: Option<usize>) {
        let cost = Cost {
            points: 1 + (results * weight) as u64,
            results: results as u64,
            bodies: bodies.map(|bodies| bodies as u64),
            app: Some(self.app.clone()),
        };
        self.request.extensions_mut().insert(cost);
    }
}

impl FromRequest for Caller {
    type Error = Refusal;
    type Future = Ready<Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(identify(request))
    }
}

fn identify(request: &HttpRequest) -> Result<Caller, Refusal> {
    let shared = Shared::of(request);
    let caller = {
        let cloud = shared.confluence();
        let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or("");
        match request.match_info().get("cloud_id") {
            Some(cloud_id) => by_bearer(request, &shared, &cloud, cloud_id, header)?,
            None => by_password(request, &shared, &cloud, header)?,
        }
    };
    let cost = Cost { points: 1, app: Some(caller.app.clone()), ..Cost::default() };
    request.extensions_mut().insert(cost);
    Ok(caller)
}

fn by_bearer(
    request: &HttpRequest,
    shared: &Arc<Shared>,
    cloud: &Confluence,
    cloud_id: &str,
    header: &str,
) -> Result<Caller, Refusal> {
    let now = shared.clock.now();
    let unauthorized = || Refusal::gateway(StatusCode::UNAUTHORIZED, "Unauthorized");
    let token = header.strip_prefix("Bearer ").ok_or_else(unauthorized)?;
    let grant = match cloud.grants.bearer(token, now) {
        Bearer::Valid(grant) => grant,
        Bearer::Unknown => return Err(unauthorized()),
        Bearer::Expired => return Err(expired(cloud, public_path(request.path()))),
    };
    let unknown_site = || Refusal::gateway(StatusCode::NOT_FOUND, "Not Found");
    let site = cloud.cloud_index(cloud_id).ok_or_else(unknown_site)?;
    let name = &cloud.sites[site].name;
    let account = cloud.accounts.get(&grant.account);
    if !grant.sites.contains(name) || !account.is_some_and(|account| account.sites.contains(name)) {
        return Err(unknown_site());
    }
    if let Some(limit) = cloud.habits.points_per_hour {
        let used = cloud.points_used(&grant.client_id, now);
        if used >= limit {
            let quota = super::model::Quota { limit, used, resets_at: crate::clock::next_hour(now) };
            return Err(Refusal::quota(quota, now));
        }
    }
    Ok(Caller {
        shared: Arc::clone(shared),
        account: grant.account.clone(),
        request: request.clone(),
        site,
        scopes: Some(grant.scopes.clone()),
        app: grant.client_id.clone(),
    })
}

fn expired(cloud: &Confluence, path: &str) -> Refusal {
    match cloud.habits.expired_token {
        ExpiredAnswer::Unauthorized => Refusal::gateway(StatusCode::UNAUTHORIZED, "Unauthorized"),
        ExpiredAnswer::NotFoundOrForbidden if path.starts_with("/wiki/api/v2/") => Refusal::not_found(),
        ExpiredAnswer::NotFoundOrForbidden => {
            Refusal::v1(StatusCode::FORBIDDEN, "Request rejected because the caller is not authenticated")
        }
    }
}

fn by_password(
    request: &HttpRequest,
    shared: &Arc<Shared>,
    cloud: &Confluence,
    header: &str,
) -> Result<Caller, Refusal> {
    let unauthorized = || {
        let message = "Client must be authenticated to access this resource.";
        Refusal::gateway(StatusCode::UNAUTHORIZED, message)
    };
    let name = request.match_info().get("site").unwrap_or_default();
    let site = cloud.site_index(name);
    let site = site.ok_or_else(|| Refusal::gateway(StatusCode::NOT_FOUND, "Site temporarily unavailable"))?;
    let encoded = header.strip_prefix("Basic ").ok_or_else(unauthorized)?;
    let decoded = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let (email, token) = decoded.as_deref().and_then(|pair| pair.split_once(':')).ok_or_else(unauthorized)?;
    let account = cloud.account_by_token(email, token).ok_or_else(unauthorized)?;
    if !account.sites.contains(name) {
        return Err(Refusal::gateway(StatusCode::FORBIDDEN, "Current user not permitted to use Confluence"));
    }
    Ok(Caller {
        shared: Arc::clone(shared),
        account: account.id.clone(),
        request: request.clone(),
        site,
        scopes: None,
        app: API_TOKEN.to_owned(),
    })
}
