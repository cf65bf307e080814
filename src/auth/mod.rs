//! Who calls and what they may do: API keys and tokens, their scopes, and the principal they stand for.

pub mod extract;
mod known;
pub mod routes;
pub mod scope;
pub mod store;
pub mod token;

use std::fmt;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sea_orm::DbErr;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use extract::Require;
pub use known::Known;
pub use scope::{Scope, Scopes};
pub use token::Token;

use crate::{
    app::App,
    entity::{Metadata, api_key, workspace},
    ids::{ApiKeyId, WorkspaceId},
};

/// What every key that we make begins with, so that leaked ones can be found.
const KEY_PREFIX: &str = "tg_";
/// How much of a key is kept readable, to tell keys apart.
const SHOWN_CHARACTERS: usize = 11;
/// The most bytes of a key or token that a request may send.
const LONGEST_SECRET: usize = 2_048;

/// Who calls.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The only workspace whose things it sees.
    pub workspace_id: WorkspaceId,
    /// The key that was sent, or that made the token that was sent.
    pub key_id: ApiKeyId,
    /// What it may do.
    pub scopes: Scopes,
    /// The person whom a token is for.
    pub end_user: Option<String>,
    /// When the token ends; absent for a key.
    pub token_ends_at: Option<DateTime<Utc>>,
}

impl Principal {
    /// Who calls with a key, or with a token that it made.
    fn of(key: &api_key::Model, token: Option<Token>) -> Self {
        let scopes = Scopes::of(key);
        let (workspace_id, key_id) = (key.workspace_id, key.id);
        match token {
            None => Self { workspace_id, key_id, scopes, end_user: None, token_ends_at: None },
            Some(token) => Self {
                workspace_id,
                key_id,
                scopes: scopes.in_both(&token.scopes),
                end_user: Some(token.end_user),
                token_ends_at: Some(token.ends_at),
            },
        }
    }

    /// The principal as owners are written down: the key, and the person it names.
    #[must_use]
    pub fn owner(&self) -> String {
        self.owner_for(self.end_user.as_deref())
    }

    /// The same for another person that this key speaks for.
    #[must_use]
    pub fn owner_for(&self, end_user: Option<&str>) -> String {
        end_user.map_or_else(|| self.key_id.to_string(), |person| format!("{}/{person}", self.key_id))
    }

    /// Whether it may use what `owner` began: the owner itself, its key when it names no person, and admins.
    #[must_use]
    pub fn may_use_what_belongs_to(&self, owner: &str) -> bool {
        let of_this_key = || owner.strip_prefix(&self.owner()).is_some_and(|rest| rest.starts_with('/'));
        self.scopes.contain(Scope::Admin)
            || owner == self.owner()
            || (self.end_user.is_none() && of_this_key())
    }
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Neither a key nor a token was sent.
    #[error("no API key was sent")]
    Missing,
    /// The key or token is unknown, revoked or expired; callers are not told which.
    #[error("the API key or token is unknown, revoked or expired")]
    Invalid,
    /// The database refused.
    #[error("the API key could not be looked up")]
    Db(#[from] DbErr),
}

/// A key as it is made: the row, and the secret that is shown once.
pub struct NewKey {
    /// What is stored.
    pub row: api_key::Model,
    /// What is shown.
    pub secret: SecretString,
}

/// What a new key shall be.
#[derive(Debug)]
pub struct KeyOrder {
    /// A name for people.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// When it ends.
    pub expires_at: Option<DateTime<Utc>>,
    /// The client's own id.
    pub external_id: Option<String>,
    /// The client's own notes.
    pub metadata: Metadata,
}

impl NewKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn make(workspace_id: WorkspaceId, order: KeyOrder, now: DateTime<Utc>) -> Self {
        Self::of_secret(random_secret(), workspace_id, order, now)
    }

    /// The key that has this secret.
    #[must_use]
    pub fn of_secret(
        secret: SecretString,
        workspace_id: WorkspaceId,
        order: KeyOrder,
        now: DateTime<Utc>,
    ) -> Self {
        let text = secret.expose_secret();
        let shown = if text.starts_with(KEY_PREFIX) { SHOWN_CHARACTERS } else { 0 };
        let row = api_key::Model {
            id: ApiKeyId::new(),
            workspace_id,
            name: order.name,
            prefix: text.chars().take(shown).collect(),
            secret_sha256: hash(text).to_vec(),
            scopes: order.scopes.to_json(),
            bootstrap: false,
            external_id: order.external_id,
            metadata: order.metadata,
            created_at: now,
            expires_at: order.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        Self { row, secret }
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("id", &self.row.id).finish_non_exhaustive()
    }
}

/// The secret of a new key: 256 random bits behind our prefix.
#[must_use]
pub fn random_secret() -> SecretString {
    format!("{KEY_PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())).into()
}

/// The principal that `secret`, an API key or a token, stands for.
pub async fn authenticate(app: &App, secret: &str) -> Result<Principal, Refusal> {
    if secret.len() > LONGEST_SECRET {
        return Err(Refusal::Invalid);
    }
    let hash = hash(secret);
    let now = app.clock.now();
    if let Some(principal) = app.known.find(&hash, now) {
        return Ok(principal);
    }
    let epoch = app.known.epoch();
    let token = Token::read(app, secret, now);
    let found = match &token {
        Some(token) => store::find_with_workspace(app.db.read(), token.key_id).await?,
        None => store::find_by_hash(app.db.read(), &hash).await?.filter(|(key, _)| is_same(key, &hash)),
    };
    let (key, workspace) = found.ok_or(Refusal::Invalid)?;
    let alive = key.revoked_at.is_none()
        && key.expires_at.is_none_or(|end| now < end)
        && workspace.status == workspace::WorkspaceStatus::Active;
    if !alive {
        return Err(Refusal::Invalid);
    }
    store::note_use(&app.db, &key, now).await?;
    let principal = Principal::of(&key, token);
    let ends_at = [key.expires_at, principal.token_ends_at].into_iter().flatten().min();
    app.known.keep(hash, principal.clone(), ends_at, epoch, now);
    Ok(principal)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn is_same(stored: &api_key::Model, given: &[u8; 32]) -> bool {
    stored.secret_sha256.ct_eq(given).into()
}

/// Sees to it that an operator can get in: the key of the settings if there is one (its predecessors are revoked), or,
/// where `may_make` allows it and no such key exists, a new one, which is returned to be shown once.
pub async fn bootstrap(app: &App, may_make: bool) -> Result<Option<SecretString>, DbErr> {
    let now = app.clock.now();
    let workspace_id = crate::workspaces::store::ensure_default(&app.db, now).await?;
    let order = KeyOrder {
        name: "bootstrap".to_owned(),
        scopes: Scopes::all(),
        expires_at: None,
        external_id: None,
        metadata: Metadata::default(),
    };
    if let Some(secret) = &app.settings.bootstrap_api_key {
        let key = NewKey::of_secret(secret.clone(), workspace_id, order, now);
        store::replace_bootstrap(&app.db, key.row, now).await?;
        return Ok(None);
    }
    if !may_make || store::has_bootstrap(app.db.read()).await? {
        return Ok(None);
    }
    let key = NewKey::make(workspace_id, order, now);
    store::replace_bootstrap(&app.db, key.row, now).await?;
    Ok(Some(key.secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(end_user: Option<&str>, scopes: &[Scope]) -> Principal {
        Principal {
            workspace_id: WorkspaceId::new(),
            key_id: ApiKeyId(uuid::Uuid::from_u128(7)),
            scopes: scopes.iter().copied().collect(),
            end_user: end_user.map(str::to_owned),
            token_ends_at: None,
        }
    }

    #[test]
    fn what_a_person_began_is_for_that_person_their_key_and_admins() {
        let alices = principal(Some("alice"), &[Scope::Manage]);
        let owner = alices.owner();
        assert!(alices.may_use_what_belongs_to(&owner));
        assert!(
            principal(None, &[Scope::Manage]).may_use_what_belongs_to(&owner),
            "the key that speaks for alice"
        );
        assert!(!principal(Some("bob"), &[Scope::Manage]).may_use_what_belongs_to(&owner));
        assert!(!alices.may_use_what_belongs_to(&principal(None, &[]).owner()));
        let mut stranger = principal(None, &[Scope::Manage]);
        stranger.key_id = ApiKeyId::new();
        assert!(!stranger.may_use_what_belongs_to(&owner));
        stranger.scopes = [Scope::Admin].into_iter().collect();
        assert!(stranger.may_use_what_belongs_to(&owner));
    }

    #[test]
    fn a_new_key_is_long_named_by_its_prefix_and_stored_as_a_hash() {
        let order = KeyOrder {
            name: "n".to_owned(),
            scopes: Scopes::all(),
            expires_at: None,
            external_id: None,
            metadata: Metadata::default(),
        };
        let key = NewKey::make(WorkspaceId::new(), order, DateTime::UNIX_EPOCH);
        let secret = key.secret.expose_secret();
        assert!(secret.starts_with("tg_") && secret.len() == 46, "{secret}");
        assert!(secret.starts_with(&key.row.prefix) && key.row.prefix.len() == SHOWN_CHARACTERS);
        assert!(is_same(&key.row, &hash(secret)));
        assert!(!format!("{key:?}").contains(secret));
    }
}
