//! Short-lived tokens for people's browsers.

use actix_web::{HttpResponse, http::header::CACHE_CONTROL, post, web};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::{
        Principal, Require, Scope, Scopes, Token,
        extract::{Anyone, lacks, needs_key},
        token::LONGEST,
    },
    http::{Check, Json, Problem},
};

/// What a token shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateToken {
    /// The person who will hold it, by your own id; it is the `sub` of the token.
    #[schema(examples("user-4711"), min_length = 1, max_length = 255)]
    end_user: String,
    /// What it may do; no more than the key that makes it.
    #[schema(examples(json!(["read", "manage"])), min_items = 1)]
    scopes: Vec<Scope>,
    /// For how long it is good.
    #[serde(default = "default_lifetime")]
    #[schema(minimum = 60, maximum = 3600, default = 900)]
    expires_in_seconds: u32,
}

/// The shortest life of a token, in seconds.
const SHORTEST_LIFETIME: u32 = 60;

fn default_lifetime() -> u32 {
    900
}

impl CreateToken {
    fn check(self, caller: &Principal, now: DateTime<Utc>) -> Result<Token, Problem> {
        let mut check = Check::default();
        check.text("/end_user", &self.end_user, 1..=255);
        check.that(!self.scopes.is_empty(), "/scopes", "required", "Name at least one scope.");
        let lifetime = TimeDelta::seconds(self.expires_in_seconds.into());
        check.that(
            self.expires_in_seconds >= SHORTEST_LIFETIME && lifetime <= LONGEST,
            "/expires_in_seconds",
            "out_of_range",
            "Must be from 60 to 3600.",
        );
        check.done()?;
        let scopes: Scopes = self.scopes.into_iter().collect();
        if let Some(scope) = caller.scopes.lacking(&scopes) {
            return Err(lacks(scope));
        }
        let ends_at = (now + lifetime).trunc_subsecs(0);
        Ok(Token { key_id: caller.key_id, end_user: self.end_user, scopes, ends_at })
    }
}

/// A token for one person.
#[derive(Serialize, ToSchema)]
struct CreatedToken {
    /// What the person's browser sends as `Authorization: Bearer …`; a JWT, to be treated as opaque.
    #[schema(examples(
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ1c2VyLTQ3MTEifQ.c2lnbmF0dXJl"
    ))]
    token: String,
    /// Always `Bearer`.
    #[schema(examples("Bearer"))]
    token_type: &'static str,
    #[schema(examples("user-4711"))]
    end_user: String,
    scopes: Vec<Scope>,
    /// When it ends, unless its key ends before.
    #[schema(examples("2026-03-04T09:30:00Z"))]
    expires_at: DateTime<Utc>,
}

/// Makes a token for one person.
///
/// For browsers, which must not hold an API key: your backend makes a token with its key and hands it to the person's
/// page. What the person begins, such as a connection, is theirs, and another person's token cannot use it. A token makes
/// neither tokens nor keys, and ends with its key: within ten seconds of its revocation on all replicas.
#[utoipa::path(
    tag = "tokens",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The token.", body = CreatedToken),
        (status = 403, description = "The key may not do what is asked for, or a token was sent."),
    ),
)]
#[post("/v1/tokens")]
pub(super) async fn create_token(
    app: web::Data<App>,
    caller: Require<Anyone>,
    Json(body): Json<CreateToken>,
) -> Result<HttpResponse, Problem> {
    needs_key(&caller)?;
    let now = app.clock.now();
    let token = body.check(&caller, now)?;
    let secret = token.sign(&app, now).map_err(Problem::internal)?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(CreatedToken {
        token: secret.expose_secret().to_owned(),
        token_type: "Bearer",
        end_user: token.end_user,
        scopes: token.scopes.to_vec(),
        expires_at: token.ends_at,
    }))
}
