//! What a page picker is told of a site.

use serde_json::{Value, json};
use simulator::Place;

use super::town::{RETURN_URL, Town, path};

struct Wiki {
    town: Town,
    connection: Value,
    space: String,
    root: String,
    guide: String,
    folder: String,
}

impl Wiki {
    async fn start() -> Self {
        let town = Town::start().await;
        let site = &town.site;
        let space = site.add_space("ENG", "Engineering").unwrap();
        site.add_space("HR", "People").unwrap();
        let root = site.add_page(space, "Home", "<p>home</p>").unwrap();
        let guide = site.add_child(root, "Deployment guide", "<p>guide</p>").unwrap();
        site.add_child(guide, "Rollback", "<p>back</p>").unwrap();
        site.add_child(root, "Glossary", "<p>words</p>").unwrap();
        let folder = site.add_folder(Place::Under(root), "Reviews").unwrap();
        site.add_child(folder, "Review of May", "<p>may</p>").unwrap();
        let connection = town.connect().await;
        let [space, root, guide, folder] = [space, root, guide, folder].map(|id| id.to_string());
        Self { town, connection, space, root, guide, folder }
    }

    fn path(&self, what: &str) -> String {
        path(&self.connection, &format!("sites/{}/{what}", self.town.site.cloud_id()))
    }

    async fn items(&self, what: &str) -> Vec<Value> {
        let answer = self.town.get(&self.path(what)).await.expect(200);
        answer["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn sites_spaces_and_the_tree_can_be_walked_down() {
    let wiki = Wiki::start().await;
    let sites = wiki.town.get(&path(&wiki.connection, "sites")).await.expect(200);
    assert_eq!(
        (&sites["items"][0]["id"], &sites["next_cursor"]),
        (&json!(wiki.town.site.cloud_id()), &Value::Null)
    );
    let spaces = wiki.items("spaces").await;
    assert_eq!(spaces.len(), 2);
    assert_eq!(
        (&spaces[0]["id"], &spaces[0]["key"], &spaces[0]["name"]),
        (&json!(wiki.space), &json!("ENG"), &json!("Engineering"))
    );
    let roots = wiki.items(&format!("pages?space_id={}", wiki.space)).await;
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0]["id"], wiki.root);
    assert_eq!((&roots[0]["parent_id"], &roots[0]["has_children"]), (&Value::Null, &json!(true)));
    let below = wiki.items(&format!("pages?space_id={}&parent_id={}", wiki.space, wiki.root)).await;
    let shown: Vec<_> = below
        .iter()
        .map(|node| {
            (node["title"].as_str().unwrap(), node["kind"].as_str().unwrap(), node["has_children"].as_bool())
        })
        .collect();
    let wanted = [
        ("Deployment guide", "page", Some(true)),
        ("Glossary", "page", Some(false)),
        ("Reviews", "folder", Some(true)),
    ];
    assert_eq!(shown, wanted);
    assert!(below.iter().all(|node| node["selectable"] == true && node["parent_id"] == wiki.root));
    assert!(below.iter().all(|node| node["space_id"] == wiki.space));
    assert!(below[0]["url"].as_str().unwrap().ends_with(&format!("viewpage.action?pageId={}", wiki.guide)));
    let in_folder = wiki.items(&format!("pages?parent_id={}", wiki.folder)).await;
    assert_eq!(in_folder[0]["title"], "Review of May");
    let same = wiki.items(&format!("pages?parent_id={}&parent_kind=folder", wiki.folder)).await;
    assert_eq!(same[0]["id"], in_folder[0]["id"]);
}

#[tokio::test]
async fn pages_are_found_by_words_of_their_titles() {
    let wiki = Wiki::start().await;
    let found = wiki.items("pages?q=deploy").await;
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0]["id"], &found[0]["parent_id"]), (&json!(wiki.guide), &json!(wiki.root)));
    let in_space = wiki.items(&format!("pages?q=review&space_id={}", wiki.space)).await;
    assert_eq!(in_space.len(), 1);
    assert!(wiki.items("pages?q=%22%20or%20type%3Dpage").await.is_empty());
}

#[tokio::test]
async fn spaces_are_found_by_a_part_of_name_or_key() {
    let wiki = Wiki::start().await;
    assert_eq!(wiki.items("spaces?q=peop").await[0]["key"], "HR");
    assert_eq!(wiki.items("spaces?q=eng").await.len(), 1);
    assert!(wiki.items("spaces?q=nothing").await.is_empty());
}

#[tokio::test]
async fn long_lists_come_in_parts() {
    let wiki = Wiki::start().await;
    let children = format!("pages?parent_id={}&limit=2", wiki.root);
    let first = wiki.town.get(&wiki.path(&children)).await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = wiki.town.get(&wiki.path(&format!("{children}&cursor={cursor}"))).await.expect(200);
    assert_eq!(
        (second["items"][0]["title"].as_str(), second["next_cursor"].is_null()),
        (Some("Reviews"), true)
    );
    let bent = wiki.town.get(&wiki.path(&format!("{children}&cursor=bent"))).await;
    assert_eq!(bent.expect(422)["errors"][0]["parameter"], "cursor");
}

#[tokio::test]
async fn an_answer_is_kept_for_a_minute() {
    let wiki = Wiki::start().await;
    wiki.items("spaces").await;
    let calls = wiki.town.simulator.calls().confluence();
    wiki.items("spaces").await;
    assert_eq!(wiki.town.simulator.calls().confluence(), calls);
    wiki.town.later(chrono::TimeDelta::minutes(1));
    wiki.items("spaces").await;
    assert_eq!(wiki.town.simulator.calls().confluence(), calls + 1);
}

#[tokio::test]
async fn who_browses_spends_a_bounded_share_of_the_points() {
    let town = Town::with(|settings| settings.confluence_points_per_hour = 100).await;
    for number in 0..10 {
        town.site.add_space(&format!("S{number}"), "A space").unwrap();
    }
    let connection = town.connect().await;
    let spaces = path(&connection, &format!("sites/{}/spaces", town.site.cloud_id()));
    town.get(&spaces).await.expect(200);
    let stopped = town.get(&format!("{spaces}?limit=7")).await;
    let wait: i64 = stopped.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(stopped.problem(429), "too_many_requests");
    town.later(chrono::TimeDelta::seconds(wait));
    town.get(&format!("{spaces}?limit=7")).await.expect(200);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_what_is_not_there_is_not_found() {
    let wiki = Wiki::start().await;
    for (query, parameter) in [
        ("pages", "space_id"),
        ("pages?space_id=..%2F1", "space_id"),
        ("pages?parent_id=1&q=x", "q"),
        ("pages?parent_id=1&parent_kind=blogpost", "parent_kind"),
        ("pages?space_id=1&limit=0", "limit"),
        ("pages?nonsense=1", "nonsense"),
    ] {
        let refused = wiki.town.get(&wiki.path(query)).await.expect(422);
        assert_eq!(refused["errors"][0]["parameter"], parameter, "{query}");
    }
    for query in ["pages?parent_id=4711", "pages?space_id=4711", "pages?parent_id=4711&parent_kind=page"] {
        assert_eq!(wiki.town.get(&wiki.path(query)).await.problem(404), "not_found", "{query}");
    }
    let elsewhere = path(&wiki.connection, "sites/11111111-2222-3333-4444-555555555555/spaces");
    assert_eq!(wiki.town.get(&elsewhere).await.problem(404), "not_found");
}

#[tokio::test]
async fn a_connection_that_is_not_finished_has_nothing_to_browse() {
    let town = Town::start().await;
    let begun =
        town.post("/v1/connections", json!({"auth": "oauth", "return_url": RETURN_URL})).await.expect(201);
    assert_eq!(town.get(&path(&begun, "sites")).await.expect(200)["items"], json!([]));
    let spaces = path(&begun, &format!("sites/{}/spaces", town.site.cloud_id()));
    assert_eq!(town.get(&spaces).await.problem(404), "not_found");
}
