//! What is left of v1.

use std::time::Duration;

use reqwest::StatusCode;
use simulator::{Id, Place};

use crate::World;

async fn search(world: &World, cql: &str, rest: &str) -> crate::Reply {
    let cql: String = url::form_urlencoded::byte_serialize(cql.as_bytes()).collect();
    world.get(&format!("/wiki/rest/api/search?cql={cql}{rest}")).await
}

fn world() -> (World, Id, [Id; 3]) {
    let world = World::new();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    world.site.add_space("OPS", "Operations").unwrap();
    let top = world.site.add_page(space, "Release notes", "<p>first</p>").unwrap();
    let folder = world.site.add_folder(Place::Under(top), "Archive").unwrap();
    let below = world.site.add_child(folder, "Release plan", "<p>second</p>").unwrap();
    (world, space, [top, folder, below])
}

#[actix_web::test]
async fn a_count_costs_one_point() {
    let (world, ..) = world();
    let count = search(&world, "space = ENG and type = page", "&limit=0").await;
    assert_eq!((count.json["totalSize"].clone(), count.column("title").len()), (2.into(), 0));
    assert!(count.json["_links"]["next"].is_null());
    assert_eq!(world.simulator.call_log()[0].points, 1);
}

#[actix_web::test]
async fn conditions_narrow_the_search() {
    let (world, _, [top, folder, below]) = world();
    let titles = |cql: &'static str| {
        let world = &world;
        async move { search(world, cql, "").await.column("title") }
    };
    assert_eq!(titles("type = page and title ~ \"release\"").await, ["Release notes", "Release plan"]);
    assert_eq!(titles("title ~ \"rel* pl*\"").await, ["Release plan"]);
    assert_eq!(titles("space in (\"OPS\", \"HR\")").await.len(), 0);
    assert_eq!(titles("text ~ second").await, ["Release plan"]);
    let inside = search(&world, &format!("ancestor = {top} and type != folder"), "").await;
    assert_eq!(inside.json["results"][0]["content"]["id"], below.to_string());
    assert_eq!(search(&world, &format!("id in ({top}, {folder})"), "").await.json["totalSize"], 2);
    world.simulator.advance(Duration::from_hours(2));
    world.site.edit(top, "<p>new</p>").unwrap();
    assert_eq!(titles("lastmodified >= now(\"-90m\")").await, ["Release notes"]);
    world.site.archive(top).unwrap();
    assert_eq!(titles("title = \"release notes\"").await.len(), 1, "archived content comes back");
    world.site.trash(top).unwrap();
    assert_eq!(titles("title = \"release notes\"").await.len(), 0);
    assert_eq!(search(&world, "space = ", "").await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn search_is_paged_by_cursor_and_its_next_lacks_wiki() {
    let (world, ..) = world();
    let first = search(&world, "type = page", "&limit=1").await;
    let next = first.json["_links"]["next"].as_str().unwrap();
    assert!(next.starts_with("/rest/api/search?"), "{next}");
    let second = world.get(&format!("/wiki{next}")).await;
    assert_eq!(second.column("title"), ["Release plan"]);
    assert!(second.json["_links"]["next"].is_null());
}

#[actix_web::test]
async fn restrictions_of_a_page_are_its_own_only() {
    let (world, _, [top, _, below]) = world();
    let path = |id: Id| format!("/wiki/rest/api/content/{id}/restriction/byOperation/read");
    let me = world.simulator.account_id();
    world.site.restrict(top, &[&me]).unwrap();
    let own = world.get(&path(top)).await;
    assert_eq!(own.json["restrictions"]["user"]["results"][0]["accountId"], me);
    assert_eq!(world.get(&path(below)).await.json["restrictions"]["user"]["size"], 0);
    world.site.restrict(top, &["somebody-else"]).unwrap();
    let hidden = world.get(&path(top)).await;
    assert_eq!((hidden.status, hidden.json["statusCode"].clone()), (StatusCode::NOT_FOUND, 404.into()));
}

#[actix_web::test]
async fn the_current_user_is_known() {
    let (world, ..) = world();
    let user = world.get("/wiki/rest/api/user/current").await;
    assert_eq!(user.json["accountId"], world.simulator.account_id());
}
