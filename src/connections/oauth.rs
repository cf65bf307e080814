//! Atlassian's authorization server: where to send a person, and how codes and refresh tokens become tokens.
//!
//! * a refusal is sorted by what it means for the grant, not by its status or code alone (both mean two things there);
//! * an answer that may have been lost is told from one that never came to be;
//! * nothing of an answer is ever printed.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, RedirectUrl, RefreshToken, RequestTokenError, Scope, TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponse, BasicErrorResponseType, BasicTokenResponse},
};
use reqwest::{StatusCode, header::RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{
    app::App,
    config::{AtlassianApp, Settings},
};

/// Atlassian's tokens have a few kilobytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// What a code or a refresh token was exchanged for.
#[derive(Debug)]
pub struct Tokens {
    pub access: SecretString,
    pub refresh: SecretString,
    pub expires_in: Duration,
    pub scopes: String,
}

/// Why there are no tokens, sorted by what follows.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The code or refresh token is no longer good: a person must authorize again.
    #[error("Atlassian no longer accepts the authorization ({0})")]
    Refused(String),
    /// The app's id, secret, redirect URI or scopes are wrong: the operator must act, and the grant is untouched.
    #[error("Atlassian does not accept the app ({0})")]
    Misconfigured(String),
    /// Later. The token that was sent has not been used.
    #[error("Atlassian's authorization server is not available")]
    Unavailable { retry_after: Option<Duration>, source: Option<reqwest::Error> },
    /// The token that was sent may have been used, and the new ones lost.
    #[error("the answer of Atlassian's authorization server was lost: {0}")]
    AnswerLost(&'static str),
}

type Inner = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

/// The configured app at the authorization server.
#[derive(Clone, Debug)]
pub struct OAuthApp {
    inner: Inner,
    http: reqwest::Client,
    scopes: Vec<Scope>,
    timeout: Duration,
}

impl OAuthApp {
    /// The app of the settings; `None` when none is configured.
    #[must_use]
    pub fn of(app: &App) -> Option<Self> {
        let configured = app.settings.atlassian.app.as_ref()?;
        match Self::new(&app.settings, configured, app.http.clone()) {
            Ok(oauth) => Some(oauth),
            Err(error) => {
                tracing::error!(%error, "the addresses of the OAuth app make no sense");
                None
            }
        }
    }

    fn new(settings: &Settings, app: &AtlassianApp, http: reqwest::Client) -> Result<Self, url::ParseError> {
        let atlassian = &settings.atlassian;
        let host = atlassian.auth_url.as_str().trim_end_matches('/');
        let inner = BasicClient::new(ClientId::new(app.client_id.clone()))
            .set_client_secret(ClientSecret::new(app.client_secret.expose_secret().to_owned()))
            .set_auth_type(AuthType::RequestBody)
            .set_auth_uri(AuthUrl::new(format!("{host}/authorize"))?)
            .set_token_uri(TokenUrl::new(format!("{host}/oauth/token"))?)
            .set_redirect_uri(RedirectUrl::new(settings.redirect_uri())?);
        let scopes = atlassian.scopes.iter().cloned().map(Scope::new).collect();
        Ok(Self { inner, http, scopes, timeout: settings.timing.request_timeout })
    }

    #[must_use]
    pub fn client_id(&self) -> &str {
        self.inner.client_id()
    }

    /// Where a person says yes or no. `state` comes back with the browser.
    #[must_use]
    pub fn authorize_url(&self, state: &SecretString) -> Url {
        let state = CsrfToken::new(state.expose_secret().to_owned());
        let (mut url, _) = self
            .inner
            .authorize_url(|| state)
            .add_scopes(self.scopes.iter().cloned())
            .add_extra_param("audience", "api.atlassian.com")
            .add_extra_param("prompt", "consent")
            .url();
        // A space is sure to be understood only as %20; a literal plus is %2B already.
        let query = url.query().unwrap_or_default().replace('+', "%20");
        url.set_query(Some(&query));
        url
    }

    /// Exchanges the code of a callback. A code is good once.
    pub async fn exchange_code(&self, code: SecretString) -> Result<Tokens, Error> {
        let code = AuthorizationCode::new(code.expose_secret().to_owned());
        let send = self.sender();
        tokens(self.inner.exchange_code(code).request_async(&send).await)
    }

    /// Exchanges a refresh token, which is good once and for ten minutes more.
    pub async fn refresh(&self, token: &SecretString) -> Result<Tokens, Error> {
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let send = self.sender();
        tokens(self.inner.exchange_refresh_token(&token).request_async(&send).await)
    }

    /// Owns what it needs: a future that borrows across `request_async` is not known to be `Send`.
    fn sender(&self) -> impl Fn(HttpRequest) -> BoxFuture<'static, Result<HttpResponse, Error>> + use<> {
        let app = self.clone();
        move |request| {
            let app = app.clone();
            async move { app.send(request).await }.boxed()
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let mut request = reqwest::Request::try_from(request).map_err(not_sent)?;
        *request.timeout_mut() = Some(self.timeout);
        let mut response = self.http.execute(request).await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                not_sent(error)
            } else {
                Error::AnswerLost("no answer came")
            }
        })?;
        match response.status() {
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(Error::Unavailable { retry_after: retry_after(&response), source: None });
            }
            status if status.is_server_error() => return Err(Error::AnswerLost("the server failed")),
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|_| Error::AnswerLost("the answer broke off"))?
        {
            if body.len() + chunk.len() > LONGEST_ANSWER {
                return Err(Error::AnswerLost("the answer is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn not_sent(error: reqwest::Error) -> Error {
    Error::Unavailable { retry_after: None, source: Some(error.without_url()) }
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn tokens(
    answer: Result<BasicTokenResponse, RequestTokenError<Error, BasicErrorResponse>>,
) -> Result<Tokens, Error> {
    let answer = answer.map_err(sort)?;
    let Some(refresh) = answer.refresh_token() else {
        return Err(Error::Misconfigured("no refresh token: the scope offline_access is missing".to_owned()));
    };
    let scopes: Vec<&str> = answer.scopes().into_iter().flatten().map(|scope| scope.as_str()).collect();
    Ok(Tokens {
        access: answer.access_token().secret().as_str().into(),
        refresh: refresh.secret().as_str().into(),
        expires_in: answer.expires_in().unwrap_or(Duration::from_hours(1)),
        scopes: scopes.join(" "),
    })
}

/// A dead grant is `invalid_grant` or `unauthorized_client`; a wrong client secret is `access_denied`, which elsewhere
/// means that a person said no.
fn sort(error: RequestTokenError<Error, BasicErrorResponse>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => {
            let code = answer.error().as_ref().chars().filter(char::is_ascii_graphic).take(64).collect();
            match answer.error() {
                BasicErrorResponseType::InvalidGrant | BasicErrorResponseType::UnauthorizedClient => {
                    Error::Refused(code)
                }
                _ => Error::Misconfigured(code),
            }
        }
        // Both kinds hold the answer, tokens included, and so must end here.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            Error::AnswerLost("the answer makes no sense")
        }
    }
}
