//! Confluence: listings and their cursors, pages by id, credentials, limits and lost answers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use simulator::{Fault, Options, Simulator, SiteHandle};
use tidegate::confluence::{account, *};
use url::Url;

use super::{http, nowhere, once, quick};

/// A simulator with a site, and a client with an API token.
pub(super) struct Wiki {
    pub simulator: Simulator,
    pub site: SiteHandle,
    pub space: u64,
    pub client: Client,
}

impl Wiki {
    pub fn start() -> Self {
        let simulator = Simulator::start(Options::default()).unwrap();
        let site = simulator.add_site("acme");
        let space = site.add_space("ENG", "Engineering").unwrap();
        let client = client(&simulator, &site, quick());
        Self { simulator, site, space, client }
    }

    fn with_pages(count: usize) -> (Self, Vec<String>) {
        let wiki = Self::start();
        let add =
            |n| wiki.site.add_page(wiki.space, &format!("Page {n}"), format!("<p>Text {n}</p>")).unwrap();
        let ids = (0..count).map(|n| add(n).to_string()).collect();
        (wiki, ids)
    }

    /// The same account, but every fault shows.
    pub fn fragile(&self) -> Client {
        client(&self.simulator, &self.site, once())
    }

    /// The access token of a user who consented to these scopes.
    async fn token(&self, scopes: &str) -> SecretString {
        let options = self.simulator.options();
        let callback = "http://localhost/callback";
        let mut ask = Url::parse(&format!("{}/authorize", self.simulator.auth_url())).unwrap();
        ask.query_pairs_mut().extend_pairs([
            ("audience", "api.atlassian.com"),
            ("response_type", "code"),
            ("prompt", "consent"),
            ("client_id", &options.client_id),
            ("redirect_uri", callback),
            ("scope", scopes),
            ("state", "s"),
        ]);
        let back: Url = self.simulator.accept(ask.as_str(), None, &[]).unwrap().parse().unwrap();
        let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &options.client_id),
            ("client_secret", &options.client_secret),
            ("code", &code),
            ("redirect_uri", callback),
        ];
        let answer =
            http().post(format!("{}/oauth/token", self.simulator.auth_url())).form(&form).send().await;
        let pair: serde_json::Value = answer.unwrap().json().await.unwrap();
        pair["access_token"].as_str().unwrap().into()
    }

    fn through_the_gateway(&self, token: SecretString) -> Client {
        let base = format!("{}/ex/confluence/{}/wiki", self.simulator.api_url(), self.site.cloud_id());
        Client::new(http(), base.parse().unwrap(), Auth::Bearer(token), quick())
    }
}

fn client(simulator: &Simulator, site: &SiteHandle, timing: Timing) -> Client {
    let base = format!("{}/wiki", site.url()).parse().unwrap();
    let options = simulator.options();
    let (email, token) = (options.account_email.as_str().into(), options.api_token.as_str().into());
    Client::new(http(), base, Auth::Basic { email, token }, timing)
}

fn of_space(wiki: &Wiki, limit: u32) -> PageQuery {
    PageQuery { space_ids: vec![wiki.space.to_string()], limit, ..PageQuery::default() }
}

async fn whole(mut walk: Walk<Page>) -> Result<Vec<String>, Error> {
    Ok(walk.rest().await?.into_iter().map(|page| page.id).collect())
}

#[tokio::test]
async fn a_walk_gives_each_page_once_and_counts_its_points() {
    let (wiki, ids) = Wiki::with_pages(60);
    let walked = whole(wiki.client.walk_pages(&of_space(&wiki, 25))).await.unwrap();
    assert_eq!(walked, ids);
    assert_eq!((wiki.client.meter().requests(), wiki.client.meter().points()), (3, 63));
    assert_eq!(wiki.simulator.calls().points["api-token"], 63);
}

#[tokio::test]
async fn the_feed_shows_the_newest_change_first_by_the_vendors_clock() {
    let (wiki, ids) = Wiki::with_pages(8);
    wiki.simulator.advance(Duration::from_mins(1));
    wiki.site.edit(ids[2].parse().unwrap(), "<p>New</p>").unwrap();
    let query = PageQuery { sort: Some(Sort::NewestChangeFirst), with_body: true, ..of_space(&wiki, 5) };
    let feed = wiki.client.pages_once(&query, None).await.unwrap();
    let newest = &feed.items[0];
    assert_eq!(
        (newest.id.as_str(), newest.version.number, newest.storage()),
        (ids[2].as_str(), 2, Some("<p>New</p>"))
    );
    let date = feed.date.unwrap();
    assert!((date - newest.version.created_at).abs() < chrono::TimeDelta::seconds(30));
    assert_eq!(wiki.client.meter().signals().vendor_time, Some(date));
    assert!(feed.next.is_some() && feed.base.unwrap().ends_with("/wiki"));
}

#[tokio::test]
async fn a_listing_that_breaks_the_paging_rules_fails_and_stays_failed() {
    let (wiki, _) = Wiki::with_pages(60);
    let listing = || Fault::on("GET", "/wiki/api/v2/pages");
    let faults = [
        listing().page(2).next_loop(),
        listing().page(2).next_without_cursor(),
        listing().page(1).foreign_next("evil.example"),
        listing().page(2).malformed(),
    ];
    for fault in faults {
        let label = format!("{fault:?}");
        wiki.simulator.fault(fault);
        let mut walk = wiki.client.walk_pages(&of_space(&wiki, 25));
        let error = walk.rest().await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{label}: {error:?}");
        assert!(walk.next().await.is_err(), "{label}");
        wiki.simulator.clear_faults();
    }
}

#[tokio::test]
async fn short_troubles_heal_within_the_call() {
    let (wiki, ids) = Wiki::with_pages(60);
    let second = || Fault::on("GET", "/wiki/api/v2/pages").page(2);
    let faults = [
        second().once().drop_before(),
        second().times(2).drop_after(),
        second().times(3).status(503),
        second().once().status(408),
        second().once().truncate(40),
        second().once().rate_limited(Some(0)),
    ];
    for fault in faults {
        let label = format!("{fault:?}");
        let fault = wiki.simulator.fault(fault);
        let walked = whole(wiki.client.walk_pages(&of_space(&wiki, 25))).await;
        assert_eq!(walked.unwrap(), ids, "{label}");
        assert!(wiki.simulator.hits(fault) > 0, "{label}");
        wiki.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_listing_cut_by_trouble_is_an_error_never_a_shorter_listing() {
    let (wiki, _) = Wiki::with_pages(60);
    let second = || Fault::on("GET", "/wiki/api/v2/pages").page(2);
    for fault in
        [second().drop_before(), second().truncate(40), second().status(500), second().rate_limited(None)]
    {
        let label = format!("{fault:?}");
        wiki.simulator.fault(fault);
        let error = whole(wiki.fragile().walk_pages(&of_space(&wiki, 25))).await.unwrap_err();
        assert!(error.is_transient(), "{label}: {error:?}");
        wiki.simulator.clear_faults();
    }
}

#[tokio::test]
async fn a_long_pause_is_handed_to_the_caller() {
    let (wiki, _) = Wiki::with_pages(1);
    wiki.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").rate_limited(Some(90)));
    let before = tokio::time::Instant::now();
    let error = wiki.client.pages_once(&of_space(&wiki, 5), None).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { quota: false, .. }), "{error:?}");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(90)));
    assert_eq!(wiki.client.meter().requests(), 1);
    assert!(wiki.client.meter().signals().paused_until >= Some(before + Duration::from_secs(90)));
}

#[tokio::test]
async fn a_cursor_that_went_stale_asks_for_a_new_start() {
    let (wiki, _) = Wiki::with_pages(60);
    let mut walk = wiki.client.walk_pages(&of_space(&wiki, 25));
    walk.next().await.unwrap().unwrap();
    wiki.simulator.confluence().expire_cursors();
    assert!(matches!(walk.next().await, Err(Error::CursorExpired { .. })));
}

#[tokio::test]
async fn an_answer_beyond_the_cap_is_not_read() {
    let (wiki, _) = Wiki::with_pages(60);
    let error =
        wiki.client.clone().with_answer_cap(1_000).pages_once(&of_space(&wiki, 60), None).await.unwrap_err();
    assert!(error.is_too_large() && !error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn pages_by_id_tell_what_became_of_each() {
    let (wiki, ids) = Wiki::with_pages(5);
    let number = |n: usize| ids[n].parse::<u64>().unwrap();
    wiki.site.trash(number(0)).unwrap();
    wiki.site.archive(number(1)).unwrap();
    wiki.site.trash(number(2)).unwrap();
    wiki.site.purge(number(2)).unwrap();
    wiki.site.restrict(number(3), &[]).unwrap();
    let statuses = [Status::Current, Status::Archived, Status::Trashed];
    let mut seen = wiki.client.pages_by_id(&ids, &statuses, false).await.unwrap();
    seen.sort_by(|a, b| a.id.cmp(&b.id));
    let seen: Vec<_> = seen.into_iter().map(|page| (page.id, page.status)).collect();
    let expected = [(0, Status::Trashed), (1, Status::Archived), (4, Status::Current)];
    assert_eq!(seen, expected.map(|(n, status)| (ids[n].clone(), status)));
    assert_eq!(wiki.client.page(&ids[0]).await.unwrap().status, Status::Trashed);
    for gone in [2, 3] {
        assert!(wiki.client.page(&ids[gone]).await.unwrap_err().is_not_found());
    }
}

#[tokio::test]
async fn a_bulk_read_that_the_vendor_shortens_still_gives_every_page() {
    let (wiki, ids) = Wiki::with_pages(30);
    wiki.simulator.confluence().habits.pages_with_body = Some(10);
    let pages = wiki.client.pages_by_id(&ids, &[Status::Current], true).await.unwrap();
    assert!(pages.iter().all(|page| page.storage().is_some_and(|body| body.starts_with("<p>Text"))));
    assert_eq!(pages.into_iter().map(|page| page.id).collect::<BTreeSet<_>>(), ids.iter().cloned().collect());
}

#[tokio::test]
async fn no_ids_are_no_question_and_too_many_are_refused() {
    let wiki = Wiki::start();
    assert!(wiki.client.pages_by_id(&[], &[], false).await.unwrap().is_empty());
    let many: Vec<String> = (1..=251).map(|id| id.to_string()).collect();
    assert!(matches!(wiki.client.pages_by_id(&many, &[], false).await, Err(Error::Rejected { .. })));
    assert!(matches!(wiki.client.page("1/../2").await, Err(Error::Rejected { .. })));
    assert_eq!(wiki.client.meter().requests(), 0);
}

#[tokio::test]
async fn an_api_token_is_checked_and_finds_its_site() {
    let wiki = Wiki::start();
    let site: Url = wiki.site.url().parse().unwrap();
    assert_eq!(account::cloud_id(&http(), &site, &quick()).await.unwrap(), wiki.site.cloud_id());
    assert_eq!(wiki.client.current_user().await.unwrap().account_id, wiki.simulator.account_id());
    let spaces = wiki.client.spaces(&SpaceQuery { limit: 1, ..SpaceQuery::default() }, None).await.unwrap();
    assert_eq!((spaces.items[0].key.as_str(), spaces.items[0].name.as_str()), ("ENG", "Engineering"));
    assert_eq!(wiki.client.space(&wiki.space.to_string()).await.unwrap().key, "ENG");
    assert!(wiki.client.space("1").await.unwrap_err().is_not_found());
    let wrong = Auth::Basic { email: "ada@example.com".into(), token: "wrong".into() };
    let error = wiki.client.with_auth(wrong).current_user().await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
}

#[tokio::test]
async fn what_a_public_site_shows_to_a_dead_token_is_not_the_accounts_view() {
    let (wiki, _) = Wiki::with_pages(1);
    let anonymous = [("x-seraph-loginreason", "AUTHENTICATED_FAILED")];
    wiki.simulator.fault(Fault::on("GET", "/wiki/api/v2/pages").respond(
        200,
        &anonymous,
        r#"{"results":[]}"#,
    ));
    let error = wiki.client.pages_once(&of_space(&wiki, 5), None).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }));
}

#[tokio::test]
async fn a_grant_reaches_its_sites_through_the_gateway() {
    let (wiki, ids) = Wiki::with_pages(30);
    let token = wiki.token("read:me read:page:confluence").await;
    let api: Url = wiki.simulator.api_url().parse().unwrap();
    let sites = account::accessible_resources(&http(), &api, &token, &quick()).await.unwrap();
    assert_eq!((sites[0].id.as_str(), sites[0].is_confluence()), (wiki.site.cloud_id(), true));
    let me = account::me(&http(), &api, &token, &quick()).await.unwrap();
    assert_eq!(me.account_id, wiki.simulator.account_id());
    let client = wiki.through_the_gateway(token);
    assert_eq!(whole(client.walk_pages(&of_space(&wiki, 25))).await.unwrap(), ids);
    let error = client.spaces(&SpaceQuery::default(), None).await.unwrap_err();
    assert!(matches!(error, Error::ScopeMissing { .. }), "{error:?}");
}

#[tokio::test]
async fn an_expired_token_looks_like_a_missing_page_and_is_only_reported() {
    let (wiki, ids) = Wiki::with_pages(1);
    let client = wiki.through_the_gateway(wiki.token("read:page:confluence").await);
    client.page(&ids[0]).await.unwrap();
    wiki.simulator.expire_tokens();
    assert!(client.page(&ids[0]).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a_used_up_quota_is_told_with_its_end() {
    let (wiki, _) = Wiki::with_pages(10);
    let meter = Arc::new(Meter::default());
    let token = wiki.token("read:page:confluence").await;
    let client = wiki.through_the_gateway(token).with_meter(Arc::clone(&meter));
    wiki.simulator.confluence().habits.points_per_hour = Some(15);
    client.pages_once(&of_space(&wiki, 11), None).await.unwrap();
    client.pages_once(&of_space(&wiki, 2), None).await.unwrap();
    let signals = meter.signals();
    assert_eq!((meter.points(), signals.near_limit, signals.remaining), (14, true, Some(1)));
    assert!(signals.resets_at.is_some());
    client.pages_once(&of_space(&wiki, 1), None).await.unwrap();
    let error = client.pages_once(&of_space(&wiki, 1), None).await.unwrap_err();
    assert!(matches!(error, Error::RateLimited { quota: true, retry_after: Some(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_request_that_was_never_sent_had_no_effect() {
    let auth = Auth::Bearer("token".into());
    let client = Client::new(http(), nowhere().parse().unwrap(), auth, quick());
    let error = client.page("1").await.unwrap_err();
    assert!(matches!(error, Error::Transport(Lost::NotSent(_))), "{error:?}");
    assert!(error.is_transient() && !error.effect_unknown());
    assert_eq!(client.meter().requests(), 5);
}
