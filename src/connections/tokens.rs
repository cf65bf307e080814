//! The secrets of connections as they are sealed at rest, each for one row: they open nowhere else.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::oauth::{OAuthApp, Tokens};
use crate::{
    ids::{AttemptId, ConnectionId, GrantId},
    seal::{OpenError, Sealer},
};

/// No access token is trusted for longer, whatever the vendor says.
const LONGEST_LIFE: Duration = Duration::from_hours(24);

/// Where a pair of tokens is kept.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// While it waits for confirmation.
    Attempt(AttemptId),
    Grant(GrantId),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempt(id) => write!(f, "connection_attempts.parked:{id}"),
            Self::Grant(id) => write!(f, "grants.tokens:{id}"),
        }
    }
}

/// An access token and the refresh token that follows it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The OAuth app they were given to.
    pub client_id: String,
    pub access: SecretString,
    pub refresh: SecretString,
    pub scopes: String,
    /// When they were asked for.
    pub obtained_at: DateTime<Utc>,
    pub access_expires_at: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct PlainPair<S> {
    client_id: S,
    access: S,
    refresh: S,
    scopes: S,
    obtained_at: DateTime<Utc>,
    access_expires_at: DateTime<Utc>,
}

impl Pair {
    /// What `oauth` was given for a request of `asked_at`. It expires no later than we say.
    #[must_use]
    pub fn new(oauth: &OAuthApp, tokens: Tokens, asked_at: DateTime<Utc>) -> Self {
        let life = tokens.expires_in.min(LONGEST_LIFE);
        Self {
            client_id: oauth.client_id().to_owned(),
            access: tokens.access,
            refresh: tokens.refresh,
            scopes: tokens.scopes,
            obtained_at: asked_at,
            access_expires_at: asked_at + life,
        }
    }

    #[must_use]
    pub fn seal(&self, sealer: &Sealer, place: Place) -> Vec<u8> {
        let plain = PlainPair {
            client_id: self.client_id.as_str(),
            access: self.access.expose_secret(),
            refresh: self.refresh.expose_secret(),
            scopes: self.scopes.as_str(),
            obtained_at: self.obtained_at,
            access_expires_at: self.access_expires_at,
        };
        seal(sealer, &place.to_string(), &plain)
    }

    pub fn open(sealer: &Sealer, place: Place, ciphertext: &[u8]) -> Result<Self, OpenError> {
        let plain: PlainPair<String> = open(sealer, &place.to_string(), ciphertext)?;
        Ok(Self {
            client_id: plain.client_id,
            access: plain.access.into(),
            refresh: plain.refresh.into(),
            scopes: plain.scopes,
            obtained_at: plain.obtained_at,
            access_expires_at: plain.access_expires_at,
        })
    }
}

/// What an API-token connection proves itself with.
#[derive(Clone, Debug)]
pub struct ApiToken {
    pub email: SecretString,
    pub token: SecretString,
}

#[derive(Serialize, Deserialize)]
struct PlainApiToken<S> {
    email: S,
    token: S,
}

impl ApiToken {
    #[must_use]
    pub fn seal(&self, sealer: &Sealer, id: ConnectionId) -> Vec<u8> {
        let plain = PlainApiToken { email: self.email.expose_secret(), token: self.token.expose_secret() };
        seal(sealer, &credential_of(id), &plain)
    }

    pub fn open(sealer: &Sealer, id: ConnectionId, ciphertext: &[u8]) -> Result<Self, OpenError> {
        let plain: PlainApiToken<String> = open(sealer, &credential_of(id), ciphertext)?;
        Ok(Self { email: plain.email.into(), token: plain.token.into() })
    }
}

/// What the API token of a connection is sealed for.
#[must_use]
pub fn credential_of(id: ConnectionId) -> String {
    format!("connections.credential:{id}")
}

fn seal(sealer: &Sealer, purpose: &str, plain: &impl Serialize) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "texts and times always serialize")]
    let plain = Zeroizing::new(serde_json::to_vec(plain).expect("a struct of texts serializes"));
    sealer.seal(purpose, &plain)
}

fn open<T: DeserializeOwned>(sealer: &Sealer, purpose: &str, ciphertext: &[u8]) -> Result<T, OpenError> {
    let plain = sealer.open(purpose, ciphertext)?;
    serde_json::from_slice(&plain).map_err(|_| OpenError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::EncryptionKey;

    fn sealer() -> Sealer {
        Sealer::new(&[EncryptionKey { id: "k".to_owned(), secret: vec![7; 32].into() }]).unwrap()
    }

    fn pair() -> Pair {
        Pair {
            client_id: "app".to_owned(),
            access: "access".into(),
            refresh: "refresh".into(),
            scopes: "read:me".to_owned(),
            obtained_at: DateTime::UNIX_EPOCH,
            access_expires_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_pair_opens_only_in_its_place() {
        let (sealer, attempt, grant) = (sealer(), AttemptId::new(), GrantId::new());
        let ciphertext = pair().seal(&sealer, Place::Attempt(attempt));
        let opened = Pair::open(&sealer, Place::Attempt(attempt), &ciphertext).unwrap();
        assert_eq!(opened.refresh.expose_secret(), "refresh");
        assert_eq!(Pair::open(&sealer, Place::Grant(grant), &ciphertext).unwrap_err(), OpenError::Damaged);
        assert!(Pair::open(&sealer, Place::Attempt(AttemptId::new()), &ciphertext).is_err());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let printed = format!("{:?}", pair());
        assert!(!printed.contains("access\"") && !printed.contains("refresh\""), "{printed}");
    }
}
