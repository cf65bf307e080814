//! Connections with an account's e-mail address and API token, checked at once against the site.

use std::time::Duration;

use sea_orm::DbErr;
use url::Url;

use super::{NewConnection, Site, store, tokens::ApiToken};
use crate::{
    app::App,
    confluence::{self, account},
    entity::{
        connection,
        connection::{ConnectionAuth, ConnectionStatus},
    },
    ids::ConnectionId,
};

/// Why an API token does not make a connection.
#[derive(Debug, thiserror::Error)]
pub enum ApiTokenError {
    /// The address is not one that this installation may call.
    #[error("the site's host is not allowed")]
    HostNotAllowed,
    /// Nothing there says that it is a Confluence Cloud site.
    #[error("there is no Confluence Cloud site")]
    NotASite,
    /// The site does not accept the e-mail address and token.
    #[error("the e-mail address and token are not accepted")]
    Refused,
    /// Later.
    #[error("the site does not answer")]
    Unavailable(Option<Duration>, #[source] confluence::Error),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A new connection, active with its one site.
pub async fn connect_with_token(
    app: &App,
    new: NewConnection,
    site_url: &Url,
    credential: &ApiToken,
) -> Result<connection::Model, ApiTokenError> {
    let site_url = root_of(site_url);
    if !app.settings.confluence_allowed_hosts.allow(&site_url) {
        return Err(ApiTokenError::HostNotAllowed);
    }
    let checked = check(app, &site_url, credential).await?;
    let (id, now) = (ConnectionId::new(), app.clock.now());
    let url = site_url.as_str().trim_end_matches('/').to_owned();
    let connection = connection::Model {
        id,
        workspace_id: new.workspace_id,
        auth: ConnectionAuth::ApiToken,
        status: ConnectionStatus::Active,
        owner: new.owner,
        grant_id: None,
        account_id: Some(checked.account.account_id),
        account_name: checked.account.display_name,
        site_url: Some(url.clone()),
        credential: Some(credential.seal(&app.sealer, id)),
        problem: None,
        external_id: new.external_id,
        metadata: new.metadata,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let name = site_url.host_str().unwrap_or_default().trim_end_matches(".atlassian.net").to_owned();
    let site = Site { id: checked.cloud_id, name, url };
    store::create_active(&app.db, connection.clone(), site).await?;
    Ok(connection)
}

/// Another e-mail address or token for the same site.
pub async fn reconnect_with_token(
    app: &App,
    connection: &connection::Model,
    credential: &ApiToken,
) -> Result<connection::Model, ApiTokenError> {
    let site_url =
        connection.site_url.as_deref().and_then(|url| url.parse().ok()).ok_or(ApiTokenError::NotASite)?;
    if !app.settings.confluence_allowed_hosts.allow(&site_url) {
        return Err(ApiTokenError::HostNotAllowed);
    }
    let checked = check(app, &site_url, credential).await?;
    let sites = store::sites(app.db.read(), connection.id).await?;
    if sites.iter().all(|site| site.cloud_id != checked.cloud_id) {
        return Err(ApiTokenError::NotASite);
    }
    let account = (checked.account.account_id, checked.account.display_name);
    let sealed = credential.seal(&app.sealer, connection.id);
    Ok(store::replace_credential(&app.db, connection.id, account, sealed, app.clock.now()).await?)
}

struct Checked {
    cloud_id: String,
    account: account::CurrentUser,
}

async fn check(app: &App, site_url: &Url, credential: &ApiToken) -> Result<Checked, ApiTokenError> {
    let timing = app.settings.timing.clients();
    let cloud_id = account::cloud_id(&app.http, site_url, &timing).await.map_err(|error| {
        let transient = error.is_transient();
        if transient { unavailable(error) } else { ApiTokenError::NotASite }
    })?;
    let auth = confluence::Auth::Basic { email: credential.email.clone(), token: credential.token.clone() };
    let client =
        confluence::Client::new(app.http.clone(), super::access::below(site_url, "wiki"), auth, timing);
    let account = client.current_user().await.map_err(|error| match error {
        // Somebody unknown may be answered as a guest, who has no account id.
        confluence::Error::Unauthorized { .. }
        | confluence::Error::Forbidden { .. }
        | confluence::Error::Malformed { .. } => ApiTokenError::Refused,
        error if error.is_transient() => unavailable(error),
        _ => ApiTokenError::NotASite,
    })?;
    Ok(Checked { cloud_id, account })
}

fn unavailable(error: confluence::Error) -> ApiTokenError {
    ApiTokenError::Unavailable(error.retry_after(), error)
}

/// What people paste may lead to a page of the site: what is before `/wiki` is the site.
fn root_of(pasted: &Url) -> Url {
    let mut root = pasted.clone();
    root.set_query(None);
    root.set_fragment(None);
    let path = pasted.path();
    let before_wiki = path.split("/wiki").next().unwrap_or_default();
    root.set_path(if pasted.scheme() == "https" { "" } else { before_wiki });
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_leads_to_the_site() {
        let root = |pasted: &str| root_of(&pasted.parse().unwrap()).to_string();
        assert_eq!(root("https://acme.atlassian.net"), "https://acme.atlassian.net/");
        assert_eq!(
            root("https://acme.atlassian.net/wiki/spaces/ENG/pages/1?x=1#a"),
            "https://acme.atlassian.net/"
        );
        assert_eq!(root("http://127.0.0.1:8090/wiki/"), "http://127.0.0.1:8090/");
    }
}
