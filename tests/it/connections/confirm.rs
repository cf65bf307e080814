//! Who may confirm, what a confirmation does to grants and sites, and how a connection ends.

use serde_json::{Value, json};

use super::town::{RETURN_URL, Town, parameter, path};
use tidegate::{connections::store, ids::ConnectionId};

#[tokio::test]
async fn a_code_may_be_wrong_four_times_but_not_five() {
    let town = Town::start().await;
    let (patient, hasty) = (town.begin().await, town.begin().await);
    let (patients, hastys) = (town.code(&patient, &[]).await, town.code(&hasty, &[]).await);
    for left in [4, 3, 2, 1] {
        let wrong = town.confirm(&patient, "0123456789abcdef0123456789abcdef").await.expect(422);
        assert_eq!(
            (wrong["tries_left"].as_i64(), &wrong["errors"][0]["pointer"]),
            (Some(left), &json!("/code"))
        );
        town.confirm(&hasty, &patients).await.expect(422);
    }
    town.confirm(&patient, &patients).await.expect(200);
    assert_eq!(town.confirm(&hasty, "wrong").await.expect(422)["tries_left"], 0);
    assert_eq!(town.confirm(&hasty, &hastys).await.problem(409), "nothing_to_confirm");
    let failed = town.connection(hasty["id"].as_str().unwrap()).await;
    assert_eq!(
        (failed["status"].as_str(), failed["problem"]["code"].as_str()),
        (Some("failed"), Some("too_many_tries"))
    );
}

#[tokio::test]
async fn only_who_began_can_confirm() {
    let town = Town::start().await;
    let begun = town
        .post("/v1/connections", json!({"auth": "oauth", "return_url": RETURN_URL, "end_user": "ada"}))
        .await
        .expect(201);
    assert!(begun["owner"].as_str().unwrap().ends_with("/ada"), "{begun}");
    let code = town.code(&begun, &[]).await;
    let other = town.key().await;
    let confirm = path(&begun, "confirm");
    let ada = |code: &str| json!({"code": code, "end_user": "ada"});
    assert_eq!(town.post_as(&other, &confirm, ada(&code)).await.problem(403), "forbidden");
    let for_bob = json!({"code": code, "end_user": "bob"});
    assert_eq!(town.post(&confirm, for_bob).await.problem(403), "forbidden");
    assert_eq!(town.post(&confirm, json!({"code": code})).await.problem(403), "forbidden");
    assert_eq!(town.post(&confirm, ada(&code)).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn nothing_can_be_confirmed_before_it_was_authorized_or_twice() {
    let town = Town::start().await;
    let begun = town.begin().await;
    assert_eq!(town.confirm(&begun, "anything").await.problem(409), "nothing_to_confirm");
    let code = town.code(&begun, &[]).await;
    town.confirm(&begun, &code).await.expect(200);
    assert_eq!(town.confirm(&begun, &code).await.problem(409), "nothing_to_confirm");
}

#[tokio::test]
async fn two_connections_of_one_account_share_its_grant_until_the_last_has_gone() {
    let town = Town::start().await;
    let (first, second) = (town.connect().await, town.connect().await);
    let grant = grant_of(&town, &first).await.unwrap();
    assert_eq!(grant_of(&town, &second).await, Some(grant));
    let forgotten =
        town.delete(&format!("/v1/connections/{}", first["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(forgotten["revoke_at"], "https://id.atlassian.com/manage-profile/apps");
    assert!(store::grant(town.app.db.read(), grant).await.unwrap().is_some());
    assert!(town.access(&second).await.prove_healthy(None).await.is_ok());
    town.delete(&format!("/v1/connections/{}", second["id"].as_str().unwrap())).await.expect(200);
    assert!(
        store::grant(town.app.db.read(), grant).await.unwrap().is_none(),
        "the grant died with its last connection"
    );
}

#[tokio::test]
async fn where_the_account_serves_another_workspace_its_sites_are_chosen() {
    let town = Town::start().await;
    let globex = town.simulator.add_site("globex");
    town.connect().await;
    let stranger = town.stranger().await;
    let begun = town
        .post_as(&stranger, "/v1/connections", json!({"auth": "oauth", "return_url": RETURN_URL}))
        .await
        .expect(201);
    let code = town.code(&begun, &["globex"]).await;
    let confirm = path(&begun, "confirm");
    let choice = town.post_as(&stranger, &confirm, json!({"code": code})).await.expect(409);
    assert_eq!(
        (choice["code"].as_str(), choice["sites"].as_array().unwrap().len()),
        (Some("choose_sites"), 2)
    );
    let wrong =
        town.post_as(&stranger, &confirm, json!({"code": code, "site_ids": [globex.cloud_id(), "x"]})).await;
    assert_eq!(wrong.expect(422)["errors"][0]["pointer"], "/site_ids/1");
    let chosen =
        town.post_as(&stranger, &confirm, json!({"code": code, "site_ids": [globex.cloud_id()]})).await;
    let sites = chosen.expect(200)["sites"].clone();
    assert_eq!((sites.as_array().unwrap().len(), &sites[0]["id"]), (1, &json!(globex.cloud_id())));
}

#[tokio::test]
async fn an_unconfirmed_attempt_changes_nothing_about_a_living_connection() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let before = grant_row(&town, &connection).await;
    let begun =
        town.post(&path(&connection, "reconnect"), json!({"return_url": RETURN_URL})).await.expect(200);
    assert_eq!(
        (begun["status"].as_str(), begun["attempt"]["status"].as_str()),
        (Some("active"), Some("pending"))
    );
    let code = town.code(&begun, &[]).await;
    assert_eq!(town.connection(begun["id"].as_str().unwrap()).await["attempt"]["status"], "authorized");
    assert_eq!(grant_row(&town, &connection).await, before, "the living pair is untouched");
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
    let confirmed = town.confirm(&begun, &code).await.expect(200);
    assert!(confirmed["attempt"].is_null());
    let after = grant_row(&town, &connection).await;
    assert_eq!(
        (after.id, after.generation),
        (before.id, before.generation + 1),
        "the newest consent's pair is used"
    );
}

#[tokio::test]
async fn a_failed_attempt_leaves_a_living_connection_alive() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let begun =
        town.post(&path(&connection, "reconnect"), json!({"return_url": RETURN_URL})).await.expect(200);
    let back = town.simulator.cancel(begun["authorize_url"].as_str().unwrap()).unwrap();
    town.come_back(&back).await;
    let connection = town.connection(begun["id"].as_str().unwrap()).await;
    assert_eq!((connection["status"].as_str(), connection["problem"].is_null()), (Some("active"), true));
}

#[tokio::test]
async fn a_newer_attempt_takes_the_place_of_an_older_one() {
    let town = Town::start().await;
    let begun = town.begin().await;
    let again = town.post(&path(&begun, "reconnect"), json!({"return_url": RETURN_URL})).await.expect(200);
    assert_eq!(again["status"], "pending");
    let older = town.say_yes(&begun, &[]).await;
    assert!(older.text.contains("This link does not work"), "{}", older.text);
    let code = town.code(&again, &[]).await;
    assert_eq!(town.confirm(&again, &code).await.expect(200)["status"], "active");
}

#[tokio::test]
async fn a_connection_that_feeds_a_source_is_not_deleted() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let source = town.feed(&connection).await;
    let refused =
        town.delete(&format!("/v1/connections/{}", connection["id"].as_str().unwrap())).await.expect(409);
    assert_eq!((refused["code"].as_str(), &refused["source_ids"]), (Some("in_use"), &json!([source])));
    assert_eq!(town.connection(connection["id"].as_str().unwrap()).await["status"], "active");
}

#[tokio::test]
async fn another_account_must_cover_every_site_that_sources_use() {
    let town = Town::start().await;
    let connection = town.connect().await;
    town.feed(&connection).await;
    let globex = town.simulator.add_site("globex");
    let grace =
        town.simulator.confluence().add_account("grace@example.com", "Grace Example", "another-token");
    let as_grace = async |sites: &[&str]| {
        let begun =
            town.post(&path(&connection, "reconnect"), json!({"return_url": RETURN_URL})).await.expect(200);
        let url = begun["authorize_url"].as_str().unwrap();
        let landed = town.come_back(&town.simulator.accept(url, Some(&grace), sites).unwrap()).await;
        town.confirm(&begun, &parameter(&landed.location(), "code").unwrap()).await
    };
    let refused = as_grace(&[globex.name()]).await.expect(409);
    assert_eq!(
        (refused["code"].as_str(), &refused["sites"][0]["id"]),
        (Some("sites_in_use"), &json!(town.site.cloud_id()))
    );
    assert_eq!(town.connection(connection["id"].as_str().unwrap()).await["account"]["name"], "Ada Example");
    let before = grant_of(&town, &connection).await.unwrap();
    let changed = as_grace(&["acme"]).await.expect(200);
    assert_eq!(
        (changed["account"]["name"].as_str(), changed["status"].as_str()),
        (Some("Grace Example"), Some("active"))
    );
    assert!(
        store::grant(town.app.db.read(), before).await.unwrap().is_none(),
        "the former account's grant has no use"
    );
    assert!(town.access(&connection).await.prove_healthy(None).await.is_ok());
}

#[tokio::test]
async fn another_principal_may_look_but_not_touch() {
    let town = Town::start().await;
    let connection = town.connect().await;
    let other = town.key().await;
    let id = connection["id"].as_str().unwrap();
    let send = |method: &'static str, path: String, body: Option<Value>| {
        let (town, other) = (&town, &other);
        async move { town.send(method.parse().unwrap(), &path, Some(other), body.as_ref()).await }
    };
    send("GET", format!("/v1/connections/{id}"), None).await.expect(200);
    assert_eq!(send("GET", format!("/v1/connections/{id}/sites"), None).await.problem(403), "forbidden");
    assert_eq!(
        send("POST", format!("/v1/connections/{id}/reconnect"), Some(json!({}))).await.problem(403),
        "forbidden"
    );
    assert_eq!(send("DELETE", format!("/v1/connections/{id}"), None).await.problem(403), "forbidden");
}

async fn grant_of(town: &Town, connection: &Value) -> Option<tidegate::ids::GrantId> {
    let id: ConnectionId = connection["id"].as_str().unwrap().parse().unwrap();
    store::connection_by_id(town.app.db.read(), id).await.unwrap().unwrap().grant_id
}

async fn grant_row(town: &Town, connection: &Value) -> tidegate::entity::grant::Model {
    let id = grant_of(town, connection).await.unwrap();
    store::grant(town.app.db.read(), id).await.unwrap().unwrap()
}
