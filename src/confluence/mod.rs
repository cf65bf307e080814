//! A small, tolerant client of the Confluence Cloud calls that Tidegate makes. It reads, it never writes.

pub mod account;
mod error;
mod listing;
mod pages;
mod restrictions;
mod search;
mod sites;
mod spaces;
mod tree;
mod wire;

use std::fmt;
use std::sync::Arc;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::vendor::{ANSWER_CAP, Answer, Idempotent, Room, is_path_id, receive, repeat};

pub use crate::vendor::{Lost, Meter, RequestId, Signals, Timing};
pub use error::Error;
pub use listing::{Cursor, Listing, Walk};
pub use pages::{MOST_IDS, MOST_SPACES, PageQuery, Sort};
pub use restrictions::{Guarded, MOST_FOUND};
pub use search::FoundPage;
pub use sites::Sites;
pub use spaces::SpaceQuery;
pub use tree::DescendantWalk;
pub use wire::{Ancestor, Child, Descendant, Folder, Node, NodeKind, Page, Space, Status, Version};

/// Headers that carry the vendor's name for a request.
const REQUEST_ID_HEADERS: [&str; 2] = ["atl-traceid", "atl-request-id"];

/// How a client proves who it is.
pub enum Auth {
    /// An OAuth access token, for the gateway only.
    Bearer(SecretString),
    /// An account's e-mail address and API token, for the site itself.
    Basic { email: SecretString, token: SecretString },
}

/// One site, as one account sees it. Clones share the connection pool and the meter.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Arc<Url>,
    auth: Arc<Auth>,
    timing: Timing,
    answer_cap: usize,
    meter: Arc<Meter>,
    room: Option<Room>,
}

impl Client {
    /// `base` ends in `/wiki`: `https://api.atlassian.com/ex/confluence/{cloud id}/wiki` with a bearer token, or
    /// `https://{site}/wiki` with an API token. `http` should follow no redirects: these calls have none.
    #[must_use]
    pub fn new(http: reqwest::Client, base: Url, auth: Auth, timing: Timing) -> Self {
        let (base, auth, meter) = (Arc::new(base), Arc::new(auth), Arc::default());
        Self { http, base, auth, timing, answer_cap: ANSWER_CAP, meter, room: None }
    }

    /// Counts into `meter`, which several clients may share.
    #[must_use]
    pub fn with_meter(self, meter: Arc<Meter>) -> Self {
        Self { meter, ..self }
    }

    /// Calls only while there is room for it, which other clients of the site share.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room: Some(room), ..self }
    }

    /// The same site and meter with other credentials, after a refresh.
    #[must_use]
    pub fn with_auth(self, auth: Auth) -> Self {
        Self { auth: Arc::new(auth), ..self }
    }

    /// Reads at most this many bytes of an answer (64 MiB by default).
    #[must_use]
    pub fn with_answer_cap(self, bytes: usize) -> Self {
        Self { answer_cap: bytes, ..self }
    }

    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, Error> {
        self.send(Method::GET, path, query, None).await
    }

    /// A POST that only reads, so that it may be repeated.
    async fn ask(&self, path: &[&str], body: &Value) -> Result<Answer, Error> {
        self.send(Method::POST, path, &[], Some(body)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let url = self.url(path, query)?;
        repeat(&self.timing, Idempotent::Yes, || self.attempt(&method, &url, body)).await
    }

    async fn attempt(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, Error> {
        let request = self.http.request(method.clone(), url.clone()).timeout(self.timing.request_timeout);
        let mut request = authorize(request, &self.auth)?.header(reqwest::header::ACCEPT, "application/json");
        if let Some(body) = body {
            request = request.json(body);
        }
        let _place = match &self.room {
            Some(room) => Some(room.enter().await),
            None => None,
        };
        self.meter.count_request();
        self.meter.spend(1);
        let answer = receive(request, &REQUEST_ID_HEADERS, self.answer_cap).await?;
        self.meter.note(&answer);
        succeeded(answer)
    }

    /// `path` below the base; each element is one segment.
    fn url(&self, path: &[&str], query: &[(&str, String)]) -> Result<Url, Error> {
        if !path.iter().all(|segment| is_path_id(segment)) {
            return Err(Error::refused("invalid_id", "an id holds characters that no id has"));
        }
        let mut url = (*self.base).clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Error::refused("invalid_base_url", "the base URL cannot have a path")),
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("confluence::Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, Error> {
    answer.json().map_err(|what| Error::malformed(what, &answer.request_id))
}

/// A site that lets anybody read answers wrong credentials as it answers nobody: with success and with what is public.
/// Only this header tells, and taking such an answer for the account's view would make every other page seem gone.
fn succeeded(answer: Answer) -> Result<Answer, Error> {
    let login = answer.header("x-seraph-loginreason").unwrap_or_default();
    if login.contains("AUTHENTICATED_FAILED") || login.contains("AUTHENTICATION_DENIED") {
        return Err(Error::Unauthorized { request_id: answer.request_id });
    }
    if answer.status.is_success() { Ok(answer) } else { Err(Error::from_answer(&answer)) }
}

fn authorize(request: reqwest::RequestBuilder, auth: &Auth) -> Result<reqwest::RequestBuilder, Error> {
    match auth {
        Auth::Bearer(token) => bearer(request, token),
        Auth::Basic { email, token } => {
            Ok(request.basic_auth(email.expose_secret(), Some(token.expose_secret())))
        }
    }
}

/// A token that no header can carry is not one that the vendor would accept.
fn bearer(request: reqwest::RequestBuilder, token: &SecretString) -> Result<reqwest::RequestBuilder, Error> {
    if token.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(request.bearer_auth(token.expose_secret()))
    } else {
        Err(Error::Unauthorized { request_id: RequestId::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        let auth = Auth::Bearer("token".into());
        Client::new(reqwest::Client::new(), base.parse().unwrap(), auth, Timing::default())
    }

    #[test]
    fn a_call_keeps_the_gateways_path() {
        for base in [
            "https://api.atlassian.com/ex/confluence/c-1/wiki",
            "https://api.atlassian.com/ex/confluence/c-1/wiki/",
        ] {
            let url =
                client(base).url(&["api", "v2", "pages"], &[("id", "1".to_owned()), ("id", "2".to_owned())]);
            assert_eq!(
                url.unwrap().as_str(),
                "https://api.atlassian.com/ex/confluence/c-1/wiki/api/v2/pages?id=1&id=2"
            );
        }
    }

    #[test]
    fn an_id_cannot_reach_another_call() {
        let error =
            client("https://x.atlassian.net/wiki").url(&["api", "v2", "pages", ".."], &[]).unwrap_err();
        assert!(matches!(error, Error::Rejected { .. }));
    }

    #[test]
    fn nothing_secret_is_printed() {
        assert_eq!(
            format!("{:?}", client("https://x.atlassian.net/wiki")),
            r#"confluence::Client { base: "https://x.atlassian.net/wiki", .. }"#
        );
    }

    #[test]
    fn a_call_can_be_made_from_any_thread() {
        fn movable<T: Send>(_: &T) {}
        let client = client("https://x.atlassian.net/wiki");
        movable(&client.pages_by_id(&[], &[], false));
        movable(&client.ancestors(&Node::page("1")));
        let mut walk = client.walk_pages(&PageQuery::default());
        movable(&walk.next());
        let mut walk = client.descendants(&Node::folder("1")).unwrap();
        movable(&walk.next());
    }
}
