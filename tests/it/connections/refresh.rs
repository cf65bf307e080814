//! Tokens that expire, rotate, get lost or die.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use simulator::Fault;
use tidegate::{
    confluence::SpaceQuery,
    connections::{Access, AccessError},
    ids::ReplicaId,
};

use super::town::{RETURN_URL, Town, path};

/// How many spaces the connection sees, asked as the engine does.
async fn count_spaces(access: &Access) -> usize {
    let query = SpaceQuery::default();
    let listing = access.ask(async |client| client.spaces(&query, None).await).await.unwrap().unwrap();
    listing.items.len()
}

async fn status(town: &Town, connection: &Value) -> String {
    town.connection(connection["id"].as_str().unwrap()).await["status"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_expired_token_that_is_answered_as_not_found_or_forbidden_is_refreshed() {
    let town = Town::start().await;
    let space = town.site.add_space("ENG", "Engineering").unwrap();
    town.site.add_page(space, "Runbook", "<p>Turn it off and on.</p>").unwrap();
    let connection = town.connect().await;
    town.simulator.expire_tokens();
    assert_eq!(count_spaces(&town.access(&connection).await).await, 1, "404 on a v2 path");
    assert_eq!(town.token_calls(), 2);
    town.simulator.expire_tokens();
    let found = town.access(&connection).await;
    let found =
        found.ask(async |client| client.search_pages("runbook", None, 10).await).await.unwrap().unwrap();
    assert_eq!((found.len(), town.token_calls()), (1, 3), "403 on a v1 path");
}

#[tokio::test]
async fn a_page_that_is_really_missing_costs_no_refresh() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let access = town.access(&connection).await;
    let missing = access.ask(async |client| client.page("4711").await).await.unwrap();
    assert!(missing.unwrap_err().is_not_found());
    assert_eq!(town.token_calls(), 1);
}

#[tokio::test]
async fn fifty_needs_on_two_replicas_make_one_refresh() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    let here = town.access(&connection).await;
    let mut elsewhere = town.app.clone();
    elsewhere.replica = ReplicaId::new();
    let id = connection["id"].as_str().unwrap().parse().unwrap();
    let elsewhere = Access::open(&elsewhere, id, town.site.cloud_id()).await.unwrap();
    let needs = (0..50).map(|need| if need % 2 == 0 { here.client() } else { elsewhere.client() });
    for client in join_all(needs).await {
        client.unwrap();
    }
    assert_eq!(town.token_calls(), 2, "one for the code, one for the refresh");
    assert!(here.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let access = town.access(&connection).await;
    town.later(TimeDelta::minutes(54));
    access.client().await.unwrap();
    assert_eq!(town.token_calls(), 1);
    town.later(TimeDelta::minutes(1));
    access.client().await.unwrap();
    assert_eq!(town.token_calls(), 2);
}

#[tokio::test]
async fn a_token_that_has_minutes_left_bridges_an_outage_of_the_authorization_server() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(56));
    let outage = town.simulator.fault(Fault::on("POST", "/oauth/token").status(503));
    let access = town.access(&connection).await;
    access.client().await.unwrap();
    assert_eq!(town.simulator.hits(outage), 1);
    town.later(TimeDelta::minutes(4));
    assert!(matches!(access.client().await, Err(AccessError::Unavailable { .. })));
    town.simulator.clear_faults();
    assert!(access.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_repeated_with_the_same_token() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().drop_after());
    let access = town.access(&connection).await;
    assert!(matches!(access.client().await, Err(AccessError::Unavailable { .. })));
    town.later(TimeDelta::minutes(7));
    assert!(access.prove_healthy(None).await.is_ok());
    assert_eq!(status(&town, &connection).await, "active");
}

#[tokio::test]
async fn the_tick_repeats_a_lost_refresh_while_the_vendor_still_honours_it() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().drop_after());
    assert!(town.access(&connection).await.client().await.is_err());
    town.later(TimeDelta::minutes(1));
    town.tend().await;
    assert_eq!(town.token_calls(), 3);
    town.tend().await;
    assert_eq!(town.token_calls(), 3, "it is found once and then left alone");
    town.later(TimeDelta::minutes(30));
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn the_tick_asks_a_failing_authorization_server_once_a_minute() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    let outage = town.simulator.fault(Fault::on("POST", "/oauth/token").status(500));
    assert!(town.access(&connection).await.client().await.is_err());
    for hits in [2, 3] {
        town.later(TimeDelta::minutes(1));
        for _ in 0..3 {
            town.tend().await;
        }
        assert_eq!(town.simulator.hits(outage), hits);
    }
}

#[tokio::test]
async fn after_the_leeway_a_lost_refresh_is_tried_once_and_then_a_person_is_needed() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().drop_after());
    let access = town.access(&connection).await;
    assert!(access.client().await.is_err());
    town.later(TimeDelta::minutes(11));
    town.tend().await;
    assert_eq!(town.token_calls(), 2, "nobody tries while nobody needs it");
    assert!(matches!(access.client().await, Err(AccessError::NeedsReconnect(_))));
    assert_eq!((town.token_calls(), status(&town, &connection).await.as_str()), (3, "needs_reconnect"));
}

#[tokio::test]
async fn a_refresh_that_never_arrived_leaves_the_token_good_for_as_long_as_it_takes() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().drop_before());
    let access = town.access(&connection).await;
    assert!(access.client().await.is_err());
    town.later(TimeDelta::minutes(45));
    assert!(access.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn a_grant_that_was_taken_back_needs_a_person_and_is_asked_about_once() {
    let town = Town::start().await;
    let (first, second) = (town.connect().await, town.connect().await);
    let space = town.site.add_space("ENG", "Engineering").unwrap();
    town.simulator.revoke_grants();
    town.later(TimeDelta::minutes(61));
    let access = town.access(&first).await;
    let Err(AccessError::NeedsReconnect(problem)) = access.client().await else { panic!("it is dead") };
    assert_eq!(problem.code, "connection_needs_reconnect");
    let calls = town.token_calls();
    assert!(matches!(access.client().await, Err(AccessError::NeedsReconnect(_))));
    assert_eq!(town.token_calls(), calls, "a dead grant is not asked about again");
    for connection in [&first, &second] {
        assert_eq!(status(&town, connection).await, "needs_reconnect");
    }
    let spaces = path(&first, &format!("sites/{}/spaces", town.site.cloud_id()));
    assert_eq!(town.get(&spaces).await.problem(409), "needs_reconnect");
    let begun = town.post(&path(&first, "reconnect"), json!({"return_url": RETURN_URL})).await.expect(200);
    assert_eq!(begun["status"], "needs_reconnect");
    let code = town.code(&begun, &[]).await;
    town.confirm(&begun, &code).await.expect(200);
    assert_eq!(status(&town, &second).await, "active", "the account's other connection works again, too");
    assert_eq!(town.get(&spaces).await.expect(200)["items"][0]["id"], space.to_string());
}

#[tokio::test]
async fn a_wrong_client_secret_is_the_operators_and_keeps_the_grant() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    let options = town.simulator.options();
    let secret = |secret: &str| {
        town.simulator.confluence().grants.app_mut(&options.client_id).unwrap().client_secret =
            secret.to_owned();
    };
    secret("rotated by somebody else");
    let access = town.access(&connection).await;
    assert!(matches!(access.client().await, Err(AccessError::Misconfigured(_))));
    assert_eq!(status(&town, &connection).await, "active");
    secret(&options.client_secret);
    assert!(access.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn a_refused_pace_is_waited_out_with_the_same_token() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.later(TimeDelta::minutes(61));
    town.simulator.fault(Fault::on("POST", "/oauth/token").once().rate_limited(Some(30)));
    let access = town.access(&connection).await;
    let Err(AccessError::Unavailable { retry_after, .. }) = access.client().await else {
        panic!("it was refused")
    };
    assert_eq!(retry_after.unwrap().as_secs(), 30);
    assert!(access.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn a_site_that_the_grant_lost_is_gone_and_not_its_pages() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let access = town.access(&connection).await;
    town.simulator.confluence().grants.lose_site("acme");
    assert!(matches!(access.prove_healthy(None).await, Err(AccessError::SiteGone(_))));
    assert_eq!(status(&town, &connection).await, "active");
}

#[tokio::test]
async fn a_grant_that_nobody_uses_is_kept_alive() {
    let town = Town::start().await;
    let connection = town.connect().await;
    for _ in 0..4 {
        town.later(TimeDelta::days(31));
        town.tend().await;
    }
    assert_eq!(town.token_calls(), 5);
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
}
