//! Authority in the signature: a handler that takes `Require<Manage>` is only reached with that scope.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    ops::Deref,
};

use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, EitherBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{AUTHORIZATION, HeaderMap, WWW_AUTHENTICATE},
    middleware::Next,
    web,
};

use super::{Principal, Refusal, Scope, authenticate};
use crate::{
    app::App,
    http::{Kind, Problem},
};

/// The principal of a request whose key has the scope `S`; it reads like a [`Principal`].
#[derive(Clone, Debug)]
pub struct Require<S> {
    principal: Principal,
    scope: PhantomData<S>,
}

impl<S> Deref for Require<S> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

/// A type that stands for a scope.
pub trait Needs: 'static {
    /// The scope; `None` is satisfied by every key.
    const SCOPE: Option<Scope>;
}

macro_rules! needs {
    ($($(#[$doc:meta])* $name:ident = $scope:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Needs for $name {
            const SCOPE: Option<Scope> = $scope;
        }
    )+};
}

needs! {
    /// Any valid key.
    Anyone = None;
    /// See everything but text.
    Read = Some(Scope::Read);
    /// See text, and search.
    Content = Some(Scope::Content);
    /// Start and steer syncs.
    Sync = Some(Scope::Sync);
    /// Create, change and delete.
    Manage = Some(Scope::Manage);
    /// Manage keys.
    Admin = Some(Scope::Admin);
    /// Run the installation.
    Operator = Some(Scope::Operator);
}

impl<S: Needs> FromRequest for Require<S> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(principal(request).and_then(|principal| {
            match S::SCOPE.filter(|scope| !principal.scopes.contain(*scope)) {
                Some(scope) => Err(lacks(scope)),
                None => Ok(Self { principal, scope: PhantomData }),
            }
        }))
    }
}

/// The layer that looks up who calls, before anything of the request is read: so that a caller without a valid key is
/// told that and nothing else.
pub async fn identify<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, Error> {
    match look_up(&request).await {
        Ok(()) => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Err(problem) => Ok(request.error_response(problem).map_into_right_body()),
    }
}

async fn look_up(request: &ServiceRequest) -> Result<(), Problem> {
    let Some(secret) = bearer(request.headers()) else { return Ok(()) };
    let app =
        request.app_data::<web::Data<App>>().ok_or_else(|| Problem::internal("no App in the server"))?;
    match authenticate(app, secret).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            Ok(())
        }
        // Whether that matters is for the route to say.
        Err(Refusal::Missing | Refusal::Invalid) => Ok(()),
        Err(refusal @ Refusal::Db(_)) => Err(refusal.into()),
    }
}

/// The principal of a request.
pub fn principal(request: &HttpRequest) -> Result<Principal, Problem> {
    let known = request.extensions().get::<Principal>().cloned();
    let refusal = || if bearer(request.headers()).is_some() { Refusal::Invalid } else { Refusal::Missing };
    known.ok_or_else(|| refusal().into())
}

/// The problem of a key without `scope`.
#[must_use]
pub fn lacks(scope: Scope) -> Problem {
    Problem::new(Kind::Forbidden, format!("This needs an API key or token with the scope `{scope}`."))
        .with("required_scope", scope.name())
        .header(WWW_AUTHENTICATE, format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
}

/// Tokens make neither tokens nor keys: who finds one in a browser has it for its hour and no longer.
pub fn needs_key(caller: &Principal) -> Result<(), Problem> {
    match caller.token_ends_at {
        None => Ok(()),
        Some(_) => Err(Problem::new(Kind::Forbidden, "This needs an API key, not a token.")),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => {
                Self::new(Kind::Unauthorized, "Send an API key or a token: `Authorization: Bearer tg_…`.")
                    .header(WWW_AUTHENTICATE, r#"Bearer realm="tidegate""#)
            }
            Refusal::Invalid => {
                Self::new(Kind::Unauthorized, "The API key or token is unknown, revoked or expired.")
                    .header(WWW_AUTHENTICATE, r#"Bearer realm="tidegate", error="invalid_token""#)
            }
            Refusal::Db(error) => error.into(),
        }
    }
}
