//! What clients send and see of connections.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::{IntoParams, ToSchema};

use super::{ApiToken, Begun, Site};
use crate::{
    entity::{
        Metadata, Problem, connection,
        connection::{ConnectionAuth, ConnectionStatus},
        connection_attempt,
        connection_attempt::AttemptStatus,
    },
    http::{self, Check},
    ids::ConnectionId,
};

/// The most characters of a credential or address.
const LONGEST: usize = 2048;

/// How to connect: through OAuth, or with an API token.
#[derive(Deserialize, ToSchema)]
#[schema(examples(
    json!({"auth": "oauth", "return_url": "https://app.example.com/connected"}),
    json!({"auth": "api_token", "site_url": "https://acme.atlassian.net", "email": "ada@example.com", "token": "ATATT3x…"}),
))]
#[serde(tag = "auth", rename_all = "snake_case", deny_unknown_fields)]
pub enum CreateConnection {
    /// A person authorizes in the browser; then the caller confirms.
    #[schema(title = "CreateOauthConnection")]
    Oauth {
        /// Where the browser goes afterwards: exactly an entry of the installation's list. Without it a page shows the
        /// code.
        #[schema(format = Uri)]
        return_url: Option<String>,
        /// The person on whose behalf a program begins. Whoever confirms must name the same.
        #[schema(min_length = 1, max_length = 255)]
        end_user: Option<String>,
        /// Your own id for it.
        #[schema(max_length = 255)]
        external_id: Option<String>,
        /// Your own notes.
        #[serde(default)]
        metadata: Metadata,
    },
    /// Checked at once: the connection is active, or there is none.
    #[schema(title = "CreateApiTokenConnection")]
    ApiToken {
        /// The site, such as `https://acme.atlassian.net`; the address of a page of it will do.
        #[schema(value_type = String, format = Uri)]
        site_url: Url,
        /// The e-mail address of the Atlassian account.
        #[schema(format = Email)]
        email: String,
        /// The account's API token.
        #[schema(format = Password, write_only)]
        token: String,
        /// The person on whose behalf a program connects.
        #[schema(min_length = 1, max_length = 255)]
        end_user: Option<String>,
        /// Your own id for it.
        #[schema(max_length = 255)]
        external_id: Option<String>,
        /// Your own notes.
        #[serde(default)]
        metadata: Metadata,
    },
}

/// The same as it arrives, so that every mistake can be named by its field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateConnectionFields {
    auth: ConnectionAuth,
    return_url: Option<String>,
    site_url: Option<String>,
    email: Option<String>,
    token: Option<String>,
    end_user: Option<String>,
    external_id: Option<String>,
    #[serde(default)]
    metadata: Metadata,
}

impl CreateConnectionFields {
    /// The body, or everything that is wrong with it.
    pub fn check(self) -> Result<CreateConnection, http::Problem> {
        let mut check = Check::default();
        check.labels(self.external_id.as_deref(), &self.metadata);
        check_end_user(&mut check, self.end_user.as_deref());
        let (external_id, metadata, end_user) = (self.external_id, self.metadata, self.end_user);
        match self.auth {
            ConnectionAuth::Oauth => {
                let foreign =
                    [("/site_url", &self.site_url), ("/email", &self.email), ("/token", &self.token)];
                refuse_foreign(&mut check, &foreign);
                check.done()?;
                Ok(CreateConnection::Oauth { return_url: self.return_url, end_user, external_id, metadata })
            }
            ConnectionAuth::ApiToken => {
                refuse_foreign(&mut check, &[("/return_url", &self.return_url)]);
                let site_url = require(&mut check, "/site_url", self.site_url);
                let (email, token) = check_credential(&mut check, self.email, self.token);
                let site_url = site_url.parse::<Url>();
                check.that(
                    site_url.is_ok(),
                    "/site_url",
                    "invalid",
                    "`site_url` must be an address such as `https://acme.atlassian.net`.",
                );
                check.done()?;
                let site_url = site_url.map_err(http::Problem::internal)?;
                Ok(CreateConnection::ApiToken { site_url, email, token, end_user, external_id, metadata })
            }
        }
    }
}

fn refuse_foreign(check: &mut Check, fields: &[(&str, &Option<String>)]) {
    for (pointer, field) in fields {
        check.that(
            field.is_none(),
            pointer,
            "unknown_field",
            "This field belongs to the other kind of `auth`.",
        );
    }
}

fn require(check: &mut Check, pointer: &str, field: Option<String>) -> String {
    let Some(text) = field else {
        check.refuse(pointer, "required", format!("`{}` is required.", pointer.trim_start_matches('/')));
        return String::new();
    };
    check.text(pointer, &text, 1..=LONGEST);
    text
}

fn check_credential(check: &mut Check, email: Option<String>, token: Option<String>) -> (String, String) {
    let email = require(check, "/email", email);
    // A colon would end the user name of the header that carries both.
    let plausible = email.is_empty() || (email.contains('@') && !email.contains(':'));
    check.that(plausible, "/email", "invalid", "`email` must be an e-mail address.");
    (email, require(check, "/token", token))
}

fn check_end_user(check: &mut Check, end_user: Option<&str>) {
    if let Some(end_user) = end_user {
        check.text("/end_user", end_user, 1..=255);
    }
}

/// How to connect anew: for OAuth `return_url` and `end_user` as when it was made, for an API token the new credential.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconnectConnection {
    /// Where the browser goes afterwards (OAuth).
    #[schema(format = Uri, examples("https://app.example.com/connected"))]
    pub return_url: Option<String>,
    /// The person on whose behalf a program begins (OAuth).
    #[schema(min_length = 1, max_length = 255)]
    pub end_user: Option<String>,
    /// The e-mail address of the Atlassian account (API token).
    #[schema(format = Email)]
    pub email: Option<String>,
    /// The account's API token (API token).
    #[schema(format = Password, write_only)]
    pub token: Option<String>,
}

impl ReconnectConnection {
    /// What is needed to send a person to Atlassian: `return_url` and `end_user`.
    pub fn check_oauth(self) -> Result<(Option<String>, Option<String>), http::Problem> {
        let mut check = Check::default();
        refuse_foreign(&mut check, &[("/email", &self.email), ("/token", &self.token)]);
        check_end_user(&mut check, self.end_user.as_deref());
        check.done()?;
        Ok((self.return_url, self.end_user))
    }

    /// A new credential.
    pub fn check_api_token(self) -> Result<ApiToken, http::Problem> {
        let mut check = Check::default();
        refuse_foreign(&mut check, &[("/return_url", &self.return_url), ("/end_user", &self.end_user)]);
        let (email, token) = check_credential(&mut check, self.email, self.token);
        check.done()?;
        Ok(ApiToken { email: email.into(), token: token.into() })
    }
}

/// The proof that whoever began also got the code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmConnection {
    /// The code from the `return_url` or the page.
    #[schema(examples("3f7a0c9be2d14568a1b2c3d4e5f60718"), min_length = 1, max_length = 100)]
    code: String,
    /// The same person as when it was begun.
    #[schema(min_length = 1, max_length = 255)]
    pub end_user: Option<String>,
    /// Which sites of the consent the connection shall see; absent: all. Must be given where the Atlassian account is
    /// connected to another workspace, too: the answer `choose_sites` names them.
    #[schema(min_items = 1, max_items = 200)]
    pub site_ids: Option<Vec<String>>,
}

impl ConfirmConnection {
    /// The code, if the body makes sense.
    pub fn check(&self) -> Result<SecretString, http::Problem> {
        let mut check = Check::default();
        check.text("/code", &self.code, 1..=100);
        check_end_user(&mut check, self.end_user.as_deref());
        if let Some(ids) = &self.site_ids {
            check.that((1..=200).contains(&ids.len()), "/site_ids", "invalid", "Name 1 to 200 sites.");
        }
        check.done()?;
        Ok(self.code.trim().into())
    }
}

/// A Confluence Cloud site.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SiteItem {
    /// Its cloud id.
    #[schema(examples("11223344-a1b2-3b33-c444-def123456789"))]
    pub id: String,
    #[schema(examples("acme"))]
    pub name: String,
    #[schema(examples("https://acme.atlassian.net"))]
    pub url: String,
}

impl From<Site> for SiteItem {
    fn from(site: Site) -> Self {
        Self { id: site.id, name: site.name, url: site.url }
    }
}

/// The Atlassian account behind a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    #[schema(examples("712020:8d1c4f5e-2a7b-4c90-b1de-77a01f3c2e5d"))]
    pub id: String,
    #[schema(examples("Ada Example"))]
    pub name: Option<String>,
}

/// A walk through the OAuth flow that is not finished.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// `pending`: nobody has come back from Atlassian; `authorized`: it waits for the code.
    pub status: AttemptStatus,
    #[schema(examples("2026-03-04T09:25:00Z"))]
    pub expires_at: DateTime<Utc>,
}

/// One authorization to read Confluence.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionView {
    pub id: ConnectionId,
    pub auth: ConnectionAuth,
    pub status: ConnectionStatus,
    /// The principal that began it: it, and keys with the scope `admin`, may use it.
    #[schema(examples("key_019ab2c4d5e67f8091a2b3c4d5e6f708/ada"))]
    pub owner: String,
    /// Where to send the person; only in the answer that begins an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Uri)]
    pub authorize_url: Option<Url>,
    /// Until when the unfinished attempt is good.
    pub expires_at: Option<DateTime<Utc>>,
    /// The unfinished attempt, also beside a connection that works.
    pub attempt: Option<AttemptView>,
    /// The account that authorized it.
    pub account: Option<AccountView>,
    /// The sites it sees.
    pub sites: Vec<SiteItem>,
    /// Why it does not work, and what to do.
    pub problem: Option<Problem>,
    pub external_id: Option<String>,
    pub metadata: Metadata,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl ConnectionView {
    /// A connection with its sites and its open attempt.
    pub fn of(
        row: connection::Model,
        sites: Vec<SiteItem>,
        attempt: Option<connection_attempt::Model>,
    ) -> Self {
        let attempt = attempt.map(|open| AttemptView { status: open.status, expires_at: open.expires_at });
        Self {
            id: row.id,
            auth: row.auth,
            status: row.status,
            owner: row.owner,
            authorize_url: None,
            expires_at: attempt.as_ref().map(|attempt| attempt.expires_at),
            attempt,
            account: row.account_id.map(|id| AccountView { id, name: row.account_name }),
            sites,
            problem: row.problem,
            external_id: row.external_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }

    /// A connection whose attempt has just begun.
    pub fn begun(begun: Begun, sites: Vec<SiteItem>) -> Self {
        let attempt = AttemptView { status: AttemptStatus::Pending, expires_at: begun.expires_at };
        Self {
            authorize_url: Some(begun.authorize_url),
            expires_at: Some(begun.expires_at),
            attempt: Some(attempt),
            ..Self::of(begun.connection, sites, None)
        }
    }
}

/// What was forgotten, and what only a person can do.
#[derive(Debug, Serialize, ToSchema)]
pub struct ForgottenView {
    pub id: ConnectionId,
    /// Where to take back what Tidegate can only forget.
    #[schema(examples("https://id.atlassian.com/manage-profile/apps"))]
    pub revoke_at: &'static str,
    /// The same in a sentence.
    #[schema(examples(
        "Tidegate has forgotten its tokens. What Atlassian remembers of it is taken back on that page."
    ))]
    pub message: &'static str,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListConnections {
    /// The most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Only connections with this `external_id`.
    pub external_id: Option<String>,
    /// Only connections in this status.
    pub status: Option<ConnectionStatus>,
}

/// What the browser brings back from Atlassian; anything else is ignored.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FinishOauth {
    /// Which attempt it is.
    pub state: Option<String>,
    /// What is exchanged for tokens.
    pub code: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
}
