//! Authority in the signature: a handler that takes `Require<Manage>` is only reached with that scope.

use std::{future::Future, marker::PhantomData, ops::Deref, pin::Pin};

use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, WWW_AUTHENTICATE},
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
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let principal = principal(&request).await?;
            if let Some(scope) = S::SCOPE.filter(|scope| !principal.scopes.contain(*scope)) {
                return Err(lacks(scope));
            }
            Ok(Self { principal, scope: PhantomData })
        })
    }
}

/// The principal of a request, looked up once.
pub async fn principal(request: &HttpRequest) -> Result<Principal, Problem> {
    if let Some(principal) = request.extensions().get::<Principal>() {
        return Ok(principal.clone());
    }
    let app =
        request.app_data::<web::Data<App>>().ok_or_else(|| Problem::internal("no App in the server"))?;
    let secret = bearer(request).ok_or(Refusal::Missing)?;
    let principal = authenticate(app, secret).await?;
    request.extensions_mut().insert(principal.clone());
    Ok(principal)
}

/// The problem of a key without `scope`.
#[must_use]
pub fn lacks(scope: Scope) -> Problem {
    Problem::new(Kind::Forbidden, format!("This needs an API key with the scope `{scope}`."))
        .with("required_scope", scope.name())
        .header(WWW_AUTHENTICATE, format!(r#"Bearer error="insufficient_scope", scope="{scope}""#))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, secret) = request.headers().get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let secret = secret.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => {
                Self::new(Kind::Unauthorized, "Send an API key: `Authorization: Bearer tg_…`.")
                    .header(WWW_AUTHENTICATE, r#"Bearer realm="tidegate""#)
            }
            Refusal::Invalid => Self::new(Kind::Unauthorized, "The API key is unknown, revoked or expired.")
                .header(WWW_AUTHENTICATE, r#"Bearer realm="tidegate", error="invalid_token""#),
            Refusal::Db(error) => error.into(),
        }
    }
}
