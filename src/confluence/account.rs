//! Who connected, and to which sites: the calls outside a single site's API.

use reqwest::header::ACCEPT;
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::{Client, Error, REQUEST_ID_HEADERS, bearer, parse, succeeded};
use crate::vendor::{ANSWER_CAP, Idempotent, Timing, receive, repeat};

/// One entry of a grant: a site, for one product.
#[derive(Clone, Debug, Deserialize)]
pub struct Resource {
    /// The cloud id.
    pub id: String,
    pub name: String,
    pub url: Url,
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Resource {
    /// A grant over several products lists a site once for each.
    #[must_use]
    pub fn is_confluence(&self) -> bool {
        self.scopes.iter().any(|scope| scope.contains("confluence"))
    }
}

/// The account that granted access.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    pub account_id: String,
    #[serde(default)]
    pub name: Option<String>,
}

/// The account behind an API token.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrentUser {
    pub account_id: String,
    #[serde(default)]
    pub display_name: Option<String>,
}

/// The sites that a token reaches, in no order that means anything. `api_url` is the vendor's API host.
pub async fn accessible_resources(
    http: &reqwest::Client,
    api_url: &Url,
    token: &SecretString,
    timing: &Timing,
) -> Result<Vec<Resource>, Error> {
    get(http, api_url, "/oauth/token/accessible-resources", Some(token), timing).await
}

/// Who granted the token. Needs the scope `read:me`.
pub async fn me(
    http: &reqwest::Client,
    api_url: &Url,
    token: &SecretString,
    timing: &Timing,
) -> Result<Account, Error> {
    get(http, api_url, "/me", Some(token), timing).await
}

/// The cloud id of a site, which it tells anybody. The caller has checked that the host is one it may ask.
pub async fn cloud_id(http: &reqwest::Client, site_url: &Url, timing: &Timing) -> Result<String, Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Tenant {
        cloud_id: String,
    }
    get::<Tenant>(http, site_url, "/_edge/tenant_info", None, timing).await.map(|tenant| tenant.cloud_id)
}

impl Client {
    /// The account whose credentials these are. `Forbidden` if it may not use Confluence; `Unauthorized` if the site
    /// takes the caller for nobody in particular, which a site with public pages does with a wrong or expired token.
    /// So this is the proof that an API token is alive.
    pub async fn current_user(&self) -> Result<CurrentUser, Error> {
        #[derive(Deserialize)]
        struct Known {
            #[serde(rename = "type")]
            kind: Option<String>,
        }
        let answer = self.get(&["rest", "api", "user", "current"], &[]).await?;
        // Users cost two points each.
        self.meter.spend(2);
        if parse::<Known>(&answer)?.kind.as_deref() == Some("anonymous") {
            return Err(Error::Unauthorized { request_id: answer.request_id });
        }
        parse(&answer)
    }
}

async fn get<T: DeserializeOwned>(
    http: &reqwest::Client,
    host: &Url,
    path: &str,
    token: Option<&SecretString>,
    timing: &Timing,
) -> Result<T, Error> {
    let mut url = host.clone();
    url.set_path(&format!("{}{path}", host.path().trim_end_matches('/')));
    repeat(timing, Idempotent::Yes, || async {
        let mut request =
            http.get(url.clone()).timeout(timing.request_timeout).header(ACCEPT, "application/json");
        if let Some(token) = token {
            request = bearer(request, token)?;
        }
        let answer = receive(request, &REQUEST_ID_HEADERS, ANSWER_CAP).await?;
        parse(&succeeded(answer)?)
    })
    .await
}
