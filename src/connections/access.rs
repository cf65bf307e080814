//! One connection on one site, as whoever calls Confluence holds it.
//!
//! * no token is sent at or past its end;
//! * an answer that an expired token explains is told from one that it does not, by asking where the two differ;
//! * a connection is called dead only after the vendor said so of its credentials themselves.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use sea_orm::DbErr;
use url::Url;

use super::{
    grants::{self, Token},
    problems, store,
    tokens::ApiToken,
};
use crate::{
    app::App,
    confluence::{self, account},
    entity::{Problem, connection, connection::ConnectionStatus},
    ids::{ConnectionId, GrantId},
};

/// Why a site cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A person must reconnect.
    #[error("the connection needs a person: {}", .0.code)]
    NeedsReconnect(Problem),
    /// The connection works, but not for this site.
    #[error("the site is out of reach: {}", .0.code)]
    SiteGone(Problem),
    /// The operator must act.
    #[error("the installation needs its operator: {}", .0.code)]
    Misconfigured(Problem),
    /// Later, without anybody doing anything.
    #[error("Atlassian is not available")]
    Unavailable {
        /// How long it asked to stay away.
        retry_after: Option<Duration>,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The database refused.
    #[error("the database refused")]
    Db(#[from] DbErr),
}

/// One connection on one site. Clones share the meter.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    app: App,
    connection_id: ConnectionId,
    account_id: Option<String>,
    cloud_id: String,
    site_url: Url,
    credential: Credential,
    meter: Arc<confluence::Meter>,
}

enum Credential {
    Grant {
        id: GrantId,
        /// Of the token that was last handed out.
        generation: AtomicI64,
    },
    ApiToken(ApiToken),
}

impl Access {
    /// The way of an active connection to one of its sites. Asks nobody but the database.
    pub async fn open(app: &App, connection_id: ConnectionId, cloud_id: &str) -> Result<Self, AccessError> {
        let connection = store::connection_by_id(app.db.read(), connection_id).await?;
        let connection = connection.ok_or_else(|| AccessError::NeedsReconnect(problems::gone()))?;
        if connection.status != ConnectionStatus::Active {
            let problem = connection.problem.unwrap_or_else(problems::not_active);
            return Err(AccessError::NeedsReconnect(problem));
        }
        let sites = store::sites(app.db.read(), connection_id).await?;
        let site = sites.into_iter().find(|site| site.cloud_id == cloud_id);
        let site = site.ok_or_else(|| AccessError::SiteGone(problems::site_not_fixed()))?;
        let site_url = site.url.parse().map_err(|_| AccessError::SiteGone(problems::site_not_fixed()))?;
        Ok(Self(Arc::new(Inner {
            app: app.clone(),
            connection_id,
            cloud_id: site.cloud_id,
            site_url,
            credential: credential(app, &connection)?,
            account_id: connection.account_id,
            meter: Arc::default(),
        })))
    }

    /// The Atlassian account that sees the site, as far as the connection knows it.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.0.account_id.as_deref()
    }

    /// A client whose token outlasts the next call.
    pub async fn client(&self) -> Result<confluence::Client, AccessError> {
        let Inner { app, .. } = &*self.0;
        let (base, auth) = match &self.0.credential {
            Credential::Grant { id, .. } => {
                let token = grants::token(app, *id).await?;
                self.handed_out(&token);
                (self.gateway()?, confluence::Auth::Bearer(token.access))
            }
            Credential::ApiToken(ApiToken { email, token }) => {
                let auth = confluence::Auth::Basic { email: email.clone(), token: token.clone() };
                (below(&self.0.site_url, "wiki"), auth)
            }
        };
        let client = confluence::Client::new(app.http.clone(), base, auth, app.settings.timing.clients());
        Ok(client.with_meter(self.0.meter.clone()).with_room(app.sites.room(&self.0.cloud_id)))
    }

    /// After a 401, 403 or 404 that could be an expired token: true if there is a newer token, so that the call is worth
    /// repeating once. The gateway answers an expired token on content calls as it answers missing pages, so the token
    /// is tried where the two differ.
    pub async fn refreshed(&self) -> Result<bool, AccessError> {
        let Credential::Grant { id, generation } = &self.0.credential else {
            return self.check_api_token().await.map(|()| false);
        };
        let refused = generation.load(Ordering::Relaxed);
        let token = grants::token(&self.0.app, *id).await?;
        self.handed_out(&token);
        if token.generation > refused {
            return Ok(true);
        }
        match self.resources(&token).await {
            Ok(_) => Ok(false),
            Err(confluence::Error::Unauthorized { .. } | confluence::Error::Forbidden { .. }) => {
                let token = grants::token_newer_than(&self.0.app, *id, refused).await?;
                self.handed_out(&token);
                Ok(true)
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Proof of health in this run: the site is listed (or answers) and a space answers, `space_id` if one is named. False
    /// when no space does.
    pub async fn prove_healthy(&self, space_id: Option<&str>) -> Result<bool, AccessError> {
        match &self.0.credential {
            Credential::Grant { id, .. } => self.check_listed(*id).await?,
            Credential::ApiToken(_) => self.check_api_token().await?,
        }
        let client = self.client().await?;
        let answer = if let Some(id) = space_id {
            client.space(id).await.map(|space| space.id == id)
        } else {
            let one = confluence::SpaceQuery { limit: 1, ..Default::default() };
            client.spaces(&one, None).await.map(|spaces| !spaces.items.is_empty())
        };
        match answer {
            Err(confluence::Error::NotFound { .. } | confluence::Error::Forbidden { .. }) => Ok(false),
            answer => answer.map_err(unavailable),
        }
    }

    /// Asks, and once more with a newer token if the first answer was that of an expired one.
    pub async fn ask<T>(
        &self,
        question: impl AsyncFn(confluence::Client) -> Result<T, confluence::Error>,
    ) -> Result<Result<T, confluence::Error>, AccessError> {
        let answer = question(self.client().await?).await;
        let suspicious = matches!(
            answer,
            Err(confluence::Error::Unauthorized { .. }
                | confluence::Error::Forbidden { .. }
                | confluence::Error::NotFound { .. })
        );
        if suspicious && Box::pin(self.refreshed()).await? {
            Ok(question(self.client().await?).await)
        } else {
            Ok(answer)
        }
    }

    /// What was asked so far, by all clones.
    #[must_use]
    pub fn meter(&self) -> &confluence::Meter {
        &self.0.meter
    }

    /// Whether the calls count against an app's quota.
    #[must_use]
    pub fn is_metered(&self) -> bool {
        matches!(self.0.credential, Credential::Grant { .. })
    }

    /// The app whose quota the calls count against, as the ledger of points names it.
    pub async fn quota_of(&self) -> Result<Option<String>, AccessError> {
        let Credential::Grant { id, .. } = &self.0.credential else { return Ok(None) };
        let grant = store::grant(self.0.app.db.read(), *id).await?;
        Ok(grant.map(|grant| grant.client_id))
    }

    /// An address that people open: `path` below the site's `/wiki`.
    #[must_use]
    pub fn page_url(&self, path: &str) -> String {
        format!("{}/wiki/{path}", self.0.site_url.as_str().trim_end_matches('/'))
    }

    fn handed_out(&self, token: &Token) {
        if let Credential::Grant { generation, .. } = &self.0.credential {
            generation.store(token.generation, Ordering::Relaxed);
        }
    }

    fn gateway(&self) -> Result<Url, AccessError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if !self.0.cloud_id.chars().all(plain) {
            return Err(AccessError::SiteGone(problems::site_not_fixed()));
        }
        let path = format!("ex/confluence/{}/wiki", self.0.cloud_id);
        Ok(below(&self.0.app.settings.atlassian.api_url, &path))
    }

    async fn resources(&self, token: &Token) -> Result<Vec<account::Resource>, confluence::Error> {
        let app = &self.0.app;
        let api_url = &app.settings.atlassian.api_url;
        account::accessible_resources(&app.http, api_url, &token.access, &app.settings.timing.clients()).await
    }

    async fn check_listed(&self, id: GrantId) -> Result<(), AccessError> {
        let token = grants::token(&self.0.app, id).await?;
        let mut listed = self.resources(&token).await;
        if let Err(confluence::Error::Unauthorized { .. }) = listed {
            let token = grants::token_newer_than(&self.0.app, id, token.generation).await?;
            listed = self.resources(&token).await;
        }
        let is_ours = |site: &account::Resource| site.id == self.0.cloud_id && site.is_confluence();
        if listed.map_err(unavailable)?.iter().any(is_ours) {
            Ok(())
        } else {
            Err(AccessError::SiteGone(problems::site_gone()))
        }
    }

    async fn check_api_token(&self) -> Result<(), AccessError> {
        let app = &self.0.app;
        match self.client().await?.current_user().await {
            Ok(_) => Ok(()),
            Err(confluence::Error::Unauthorized { .. } | confluence::Error::Forbidden { .. }) => {
                let problem = problems::token_dead();
                store::mark_needs_reconnect(&app.db, self.0.connection_id, &problem, app.clock.now()).await?;
                Err(AccessError::NeedsReconnect(problem))
            }
            Err(error) => Err(unavailable(error)),
        }
    }
}

fn credential(app: &App, connection: &connection::Model) -> Result<Credential, AccessError> {
    if let Some(id) = connection.grant_id {
        return Ok(Credential::Grant { id, generation: AtomicI64::new(0) });
    }
    let sealed = connection.credential.as_deref().unwrap_or_default();
    ApiToken::open(&app.sealer, connection.id, sealed).map(Credential::ApiToken).map_err(|error| {
        tracing::error!(connection.id = %connection.id, %error, "the API token of a connection cannot be opened");
        AccessError::Misconfigured(problems::unreadable())
    })
}

pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

/// A failure that no refresh explains: a missing scope is the operator's, everything else passes.
pub(super) fn unavailable(error: confluence::Error) -> AccessError {
    match error {
        confluence::Error::ScopeMissing { .. } => AccessError::Misconfigured(problems::scope_missing()),
        error => AccessError::Unavailable { retry_after: error.retry_after(), source: error.into() },
    }
}
