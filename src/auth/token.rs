//! Tokens: short-lived JWTs that an API key makes for one person, so that a browser never holds a key.
//!
//! * Signed with HS256 under a key that is derived from the encryption key which `kid` names: who rotates those rotates
//!   these.
//! * A token may do what it says and its API key still may, and ends with that key.
//! * Only this installation's tokens count: a copy of the database is another issuer once it is an installation of its
//!   own.

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    errors::{Error, ErrorKind},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{Scope, Scopes};
use crate::{app::App, ids::ApiKeyId};

/// For how long a token lives at most.
pub const LONGEST: TimeDelta = TimeDelta::hours(1);
/// What the signing keys are derived for.
pub const PURPOSE: &str = "tokens";
/// Whom tokens are meant for.
pub const AUDIENCE: &str = "tidegate";

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The key that made it.
    pub key_id: ApiKeyId,
    /// The person who holds it.
    pub end_user: String,
    /// What it may do, as far as its key may.
    pub scopes: Scopes,
    /// When it ends; to the second.
    pub ends_at: DateTime<Utc>,
}

/// The same as it is written down (RFC 7519, the scopes as in RFC 8693).
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    azp: ApiKeyId,
    scope: String,
    iat: i64,
    exp: i64,
}

impl Token {
    /// Signs it with the first encryption key.
    pub fn sign(&self, app: &App, now: DateTime<Utc>) -> Result<SecretString, Error> {
        let no_key = || Error::from(ErrorKind::InvalidKeyFormat);
        let kid = app.sealer.key_ids().next().ok_or_else(no_key)?;
        let key = app.sealer.derive(kid, PURPOSE).ok_or_else(no_key)?;
        let names: Vec<&str> = self.scopes.to_vec().into_iter().map(Scope::name).collect();
        let claims = Claims {
            iss: app.installation.to_string(),
            aud: AUDIENCE.to_owned(),
            sub: self.end_user.clone(),
            azp: self.key_id,
            scope: names.join(" "),
            iat: now.timestamp(),
            exp: self.ends_at.timestamp(),
        };
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(&*key)).map(SecretString::from)
    }

    /// Reads what a caller sent; `None` if it is no token of ours that is still good.
    #[must_use]
    pub fn read(app: &App, text: &str, now: DateTime<Utc>) -> Option<Self> {
        let kid = decode_header(text).ok()?.kid?;
        let key = app.sealer.derive(&kid, PURPOSE)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[app.installation]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Our own clock decides.
        rules.validate_exp = false;
        let claims = decode::<Claims>(text, &DecodingKey::from_secret(&*key), &rules).ok()?.claims;
        let ends_at = DateTime::from_timestamp(claims.exp, 0)?;
        (now < ends_at && ends_at - now <= LONGEST).then(|| Self {
            key_id: claims.azp,
            end_user: claims.sub,
            scopes: claims.scope.split(' ').filter_map(|name| name.parse().ok()).collect(),
            ends_at,
        })
    }
}
