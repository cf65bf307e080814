//! Keeps grants alive: one refresh at a time for each, whoever asks and on whichever replica.
//!
//! * a token is refreshed before it expires, and never sent at or past its end;
//! * one holder of the row's lease refreshes, no transaction is open meanwhile, everybody else waits for the row;
//! * a new pair is in the database before anybody uses it;
//! * when an answer is lost the same refresh token is sent again: by [`keep_alive`] for 8 minutes, within which the
//!   vendor still honours a token it has rotated, and after that once whenever somebody needs the grant;
//! * only the vendor's word about the newest generation of tokens makes a grant dead.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use sea_orm::DbErr;
use secrecy::SecretString;
use tokio::time::Instant;

use super::{
    access::AccessError,
    oauth::{self, OAuthApp},
    problems, store,
    tokens::{Pair, Place},
};
use crate::{
    app::App,
    entity::{grant, grant::GrantStatus},
    ids::GrantId,
};

/// Tokens are refreshed this long before they expire, or at half of their life if that is later.
const EARLY: TimeDelta = TimeDelta::minutes(5);
/// For how long a refresh token that may have been used is sent again. The vendor allows ten minutes.
const LEEWAY: TimeDelta = TimeDelta::minutes(8);
/// A refresh token dies when nobody uses it for 90 days.
const IDLE: TimeDelta = TimeDelta::days(30);

/// After a refresh that failed, nobody who is not in need tries again for this long.
const PAUSE: TimeDelta = TimeDelta::minutes(1);

/// An access token that is good for the next call.
#[derive(Clone, Debug)]
pub struct Token {
    pub access: SecretString,
    /// Which pair of the grant it is from.
    pub generation: i64,
}

/// What the caller has to have.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// A token that is not about to expire.
    Fresh,
    /// A token of a later generation than one that was refused.
    NewerThan(i64),
    /// A new pair, so that the grant lives on.
    Refreshed(i64),
}

/// A token that outlasts the next call, refreshed if need be.
pub async fn token(app: &App, id: GrantId) -> Result<Token, AccessError> {
    obtain(app, id, Wanted::Fresh).await
}

/// A token to take the place of one that the vendor refused.
pub async fn token_newer_than(app: &App, id: GrantId, generation: i64) -> Result<Token, AccessError> {
    obtain(app, id, Wanted::NewerThan(generation)).await
}

/// Refreshes grants that would be lost otherwise: those of which an answer was lost, and those nobody uses.
pub async fn keep_alive(app: &App, now: DateTime<Utc>) -> Result<(), DbErr> {
    let Some(configured) = &app.settings.atlassian.app else { return Ok(()) };
    let due = store::to_keep_alive(app.db.read(), &configured.client_id, LEEWAY, IDLE, now).await?;
    join_all(due.into_iter().map(|id| keep_one_alive(app, id))).await.into_iter().collect()
}

async fn keep_one_alive(app: &App, id: GrantId) -> Result<(), DbErr> {
    let Some(grant) = store::grant(app.db.read(), id).await? else { return Ok(()) };
    match obtain(app, id, Wanted::Refreshed(grant.generation)).await {
        Err(AccessError::Db(error)) => Err(error),
        Err(error) => {
            tracing::info!(grant.id = %id, %error, "a grant could not be refreshed yet");
            Ok(())
        }
        Ok(_) => Ok(()),
    }
}
async fn obtain(app: &App, id: GrantId, wanted: Wanted) -> Result<Token, AccessError> {
    let begun = Instant::now();
    loop {
        let now = app.clock.now();
        let grant = store::grant(app.db.read(), id).await?;
        let grant = grant.ok_or_else(|| AccessError::NeedsReconnect(problems::gone()))?;
        if grant.status == GrantStatus::Dead {
            return Err(AccessError::NeedsReconnect(problems::grant_dead()));
        }
        if !wanted.asks_for_refresh(&grant, now) {
            return Ok(Token { access: open(app, &grant)?.access, generation: grant.generation });
        }
        // Rare, and large for a future: kept out of everybody's way.
        let refreshed = Box::pin(refresh(app, &grant, now)).await;
        // A token that is about to expire, but has not, is better than none.
        let still_good = grant.access_expires_at > now + app.settings.timing.request_timeout;
        match refreshed {
            Ok(Some(token)) => return Ok(token),
            Ok(None) | Err(AccessError::Unavailable { .. })
                if still_good && matches!(wanted, Wanted::Fresh) =>
            {
                return Ok(Token { access: open(app, &grant)?.access, generation: grant.generation });
            }
            Ok(None) => {}
            Err(error) => return Err(error),
        }
        if begun.elapsed() > lease(app) {
            return Err(AccessError::Unavailable {
                retry_after: None,
                source: "a refresh goes on elsewhere".into(),
            });
        }
        tokio::time::sleep(app.settings.timing.poll_pause).await;
    }
}

impl Wanted {
    fn asks_for_refresh(self, grant: &grant::Model, now: DateTime<Utc>) -> bool {
        let life = grant.access_expires_at - grant.updated_at;
        let about_to_expire = grant.access_expires_at - EARLY.min(life / 2) <= now;
        match self {
            Self::Fresh => about_to_expire,
            Self::NewerThan(generation) => grant.generation <= generation || about_to_expire,
            Self::Refreshed(generation) => grant.generation <= generation,
        }
    }
}

/// Refreshes if nobody else does. `None`: the row has changed or will, look again.
async fn refresh(app: &App, grant: &grant::Model, now: DateTime<Utc>) -> Result<Option<Token>, AccessError> {
    let oauth = configured(app, grant)?;
    let pair = open(app, grant)?;
    let sent_at = grant.refresh_sent_at.filter(|sent_at| now - *sent_at < LEEWAY).unwrap_or(now);
    let db = app.db.write();
    if !store::take_lease(db, grant, app.replica, sent_at, now + lease(app), now).await? {
        return Ok(None);
    }
    match oauth.refresh(&pair.refresh).await {
        Ok(tokens) => persist(app, grant, Pair::new(&oauth, tokens, now)).await,
        Err(oauth::Error::Refused(code)) => {
            if store::kill(&app.db, grant, &problems::grant_dead(), now).await? {
                tracing::warn!(grant.id = %grant.id, error = code, "Atlassian ended a grant; its connections need a person");
            }
            Ok(None)
        }
        Err(oauth::Error::Misconfigured(code)) => {
            store::release(db, grant, app.replica, grant.refresh_sent_at, now + PAUSE).await?;
            tracing::error!(
                error = code,
                "Atlassian does not accept the OAuth app: check ATLASSIAN_CLIENT_ID and ATLASSIAN_CLIENT_SECRET"
            );
            Err(AccessError::Misconfigured(problems::misconfigured()))
        }
        Err(error @ oauth::Error::Unavailable { retry_after, .. }) => {
            store::release(db, grant, app.replica, grant.refresh_sent_at, now + PAUSE).await?;
            Err(AccessError::Unavailable { retry_after, source: error.into() })
        }
        Err(error @ oauth::Error::AnswerLost(_)) => {
            store::release(db, grant, app.replica, Some(sent_at), now + PAUSE).await?;
            Err(AccessError::Unavailable { retry_after: None, source: error.into() })
        }
    }
}

async fn persist(app: &App, grant: &grant::Model, pair: Pair) -> Result<Option<Token>, AccessError> {
    let rotated = store::Rotated {
        tokens: pair.seal(&app.sealer, Place::Grant(grant.id)),
        scopes: pair.scopes,
        access_expires_at: pair.access_expires_at,
        obtained_at: pair.obtained_at,
    };
    // If a newer pair got there first, this one is forgotten unused.
    let kept = store::rotate(app.db.write(), grant, rotated).await?;
    Ok(kept.then_some(Token { access: pair.access, generation: grant.generation + 1 }))
}

/// The app that the grant was given to, if it still is the configured one: any other would be refused, and the grant
/// taken for dead.
fn configured(app: &App, grant: &grant::Model) -> Result<OAuthApp, AccessError> {
    let oauth = OAuthApp::of(app).ok_or_else(|| AccessError::Misconfigured(problems::not_configured()))?;
    if oauth.client_id() == grant.client_id {
        Ok(oauth)
    } else {
        Err(AccessError::Misconfigured(problems::another_app()))
    }
}

fn open(app: &App, grant: &grant::Model) -> Result<Pair, AccessError> {
    Pair::open(&app.sealer, Place::Grant(grant.id), &grant.tokens).map_err(|error| {
        tracing::error!(grant.id = %grant.id, %error, "the tokens of a grant cannot be opened");
        AccessError::Misconfigured(problems::unreadable())
    })
}

/// Outlasts the call to the vendor and the write that follows.
fn lease(app: &App) -> Duration {
    2 * app.settings.timing.request_timeout
}
