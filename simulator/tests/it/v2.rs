//! Spaces, pages and the tree through the v2 API.

use std::time::Duration;

use reqwest::StatusCode;
use simulator::{Body, Id, Place};

use crate::World;

fn world_with_pages(count: usize) -> (World, Id, Vec<Id>) {
    let world = World::new();
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let pages = (1..=count)
        .map(|n| {
            world.simulator.advance(Duration::from_secs(1));
            world.site.add_page(space, &format!("Page {n:03}"), format!("<p>{n}</p>")).unwrap()
        })
        .collect();
    (world, space, pages)
}

fn texts(ids: &[Id]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// Walks a listing to its end the vendor's way: the cursor out of `next`, everything else repeated.
async fn walk(world: &World, path: &str, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut url = format!("{path}?{query}");
    loop {
        let reply = world.get(&url).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.json);
        found.extend(reply.column("id"));
        let link = reply.header("link").unwrap().to_owned();
        let Some(next) = reply.json["_links"]["next"].as_str() else {
            assert!(link.contains("rel=\"base\"") && !link.contains("rel=\"next\""), "{link}");
            return found;
        };
        assert!(next.starts_with("/wiki/api/v2/"), "{next}");
        assert!(link.contains("rel=\"next\""), "{link}");
        next.clone_into(&mut url);
    }
}

#[actix_web::test]
async fn a_page_is_listed_in_the_vendors_shape() {
    let (world, space, pages) = world_with_pages(1);
    let child = world.site.add_child(pages[0], "Child & <Co>", "<p>text</p>").unwrap();
    let reply = world.pages(&format!("id={child}&body-format=storage")).await;
    let page = &reply.json["results"][0];
    assert_eq!(page["id"], child.to_string());
    assert_eq!(page["spaceId"], space.to_string());
    assert_eq!(page["parentId"], pages[0].to_string());
    assert_eq!(page["parentType"], "page");
    assert_eq!(page["status"], "current");
    assert_eq!(page["version"]["number"], 1);
    assert_eq!(page["body"]["storage"]["representation"], "storage");
    assert_eq!(page["body"]["storage"]["value"], "<p>text</p>");
    assert_eq!(page["_links"]["webui"], format!("/spaces/ENG/pages/{child}/Child+%26+%3CCo%3E"));
    assert_eq!(reply.json["_links"]["base"], format!("{}/wiki", world.site.url()));
    let top = world.pages(&format!("id={}", pages[0])).await;
    assert!(top.json["results"][0]["parentId"].is_null());
    assert!(top.json["results"][0]["body"].is_null());
    assert!(reply.header("etag").is_none());
}

#[actix_web::test]
async fn listings_are_walked_in_every_order() {
    let (world, space, pages) = world_with_pages(23);
    let path = "/wiki/api/v2/pages";
    let ids = texts(&pages);
    let reversed: Vec<String> = ids.iter().rev().cloned().collect();
    for sort in ["id", "created-date", "modified-date", "title"] {
        assert_eq!(walk(&world, path, &format!("space-id={space}&limit=5&sort={sort}")).await, ids, "{sort}");
        assert_eq!(
            walk(&world, path, &format!("space-id={space}&limit=5&sort=-{sort}")).await,
            reversed,
            "-{sort}"
        );
    }
    assert_eq!(walk(&world, &format!("/wiki/api/v2/spaces/{space}/pages"), "limit=4").await, ids);
    assert_eq!(world.get("/wiki/api/v2/pages").await.column("id").len(), 23);
}

#[actix_web::test]
async fn several_spaces_are_merged_by_date() {
    let world = World::new();
    let spaces: Vec<Id> = ["A", "B", "C"].iter().map(|key| world.site.add_space(key, key).unwrap()).collect();
    let mut newest_first = Vec::new();
    for n in 0..12 {
        world.simulator.advance(Duration::from_secs(1));
        newest_first.insert(0, world.site.add_page(spaces[n % 3], &format!("P{n}"), "").unwrap());
    }
    let query = format!(
        "space-id={}&space-id={}&space-id={}&sort=-modified-date&limit=5",
        spaces[2], spaces[0], spaces[1]
    );
    assert_eq!(walk(&world, "/wiki/api/v2/pages", &query).await, texts(&newest_first));
}

#[actix_web::test]
async fn a_cursor_is_bound_to_its_question() {
    let (world, space, _) = world_with_pages(8);
    let first = world.pages(&format!("space-id={space}&limit=5&sort=id")).await;
    let next = first.json["_links"]["next"].as_str().unwrap();
    for changed in [
        next.replace("limit=5", "limit=6"),
        next.replace("sort=id", "sort=-id"),
        next.replace(&format!("space-id={space}&"), ""),
    ] {
        let reply = world.get(&changed).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{changed}");
        assert_eq!(reply.json["errors"][0]["code"], "INVALID_REQUEST_PARAMETER");
    }
    assert_eq!(world.get(next).await.status, StatusCode::OK);
    assert_eq!(world.pages("cursor=nonsense").await.status, StatusCode::BAD_REQUEST);
    world.simulator.confluence().expire_cursors();
    assert_eq!(world.get(next).await.status, StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn limits_and_parameters_are_enforced() {
    let (world, ..) = world_with_pages(1);
    let many =
        |key: &str, count: usize| (1..=count).map(|n| format!("{key}={n}")).collect::<Vec<_>>().join("&");
    for refused in [
        "limit=251",
        "limit=0",
        "limit=x",
        "sort=date",
        "status=live",
        "body-format=view",
        "since=2026",
        "id=a",
        "id=1,2",
        &many("id", 251),
        &many("space-id", 101),
    ] {
        let reply = world.pages(refused).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{refused}");
        assert_eq!(reply.json["errors"][0]["status"], 400);
    }
    assert_eq!(world.pages(&many("id", 250)).await.status, StatusCode::OK);
    assert_eq!(world.pages(&many("space-id", 100)).await.status, StatusCode::OK);
    assert_eq!(world.get("/wiki/api/v2/nonsense").await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn pages_with_bodies_can_be_held_to_fifty() {
    let (world, space, pages) = world_with_pages(60);
    world.simulator.confluence().habits.pages_with_body = Some(50);
    let reply = world.pages(&format!("space-id={space}&limit=250&body-format=storage")).await;
    assert_eq!(reply.column("id").len(), 50);
    let all =
        walk(&world, "/wiki/api/v2/pages", &format!("space-id={space}&limit=250&body-format=storage")).await;
    assert_eq!(all, texts(&pages));
    assert_eq!(world.pages(&format!("space-id={space}&limit=250")).await.column("id").len(), 60);
}

#[actix_web::test]
async fn the_life_of_a_page_shows_as_the_vendor_shows_it() {
    let (world, space, pages) = world_with_pages(4);
    let [parent, page, other, last] = pages[..] else { panic!("four pages") };
    let site = &world.site;
    let seen = &world;
    let first = |query: String| async move { seen.pages(&query).await.column("id").first().cloned() };
    let newest = || first(format!("space-id={space}&sort=-modified-date&limit=1"));
    let all_states = "status=current&status=archived&status=trashed";
    world.simulator.advance(Duration::from_secs(1));
    assert_eq!(site.edit(page, "<p>new</p>").unwrap(), 2);
    assert_eq!(newest().await, Some(page.to_string()));
    world.simulator.advance(Duration::from_secs(1));
    assert_eq!(site.rename(other, "Renamed").unwrap(), 2);
    assert_eq!(newest().await, Some(other.to_string()));

    site.move_to(last, Place::Under(parent)).unwrap();
    assert_eq!(newest().await, Some(other.to_string()), "a move has no date");
    let moved = world.get(&format!("/wiki/api/v2/pages/{last}")).await;
    assert_eq!(
        (moved.json["version"]["number"].clone(), moved.json["parentId"].clone()),
        (1.into(), parent.to_string().into())
    );

    site.archive(page).unwrap();
    assert_eq!(world.pages(&format!("id={page}&status=current")).await.column("id").len(), 0);
    assert_eq!(world.pages(&format!("id={page}")).await.column("status"), ["archived"]);
    site.unarchive(page).unwrap();

    site.trash(page).unwrap();
    assert_eq!(world.pages(&format!("id={page}")).await.column("id").len(), 0);
    assert_eq!(world.pages(&format!("id={page}&{all_states}")).await.column("status"), ["trashed"]);
    let single = world.get(&format!("/wiki/api/v2/pages/{page}")).await;
    assert_eq!((single.status, single.json["status"].clone()), (StatusCode::OK, "trashed".into()));
    assert_eq!(site.restore(page).unwrap(), 3);

    site.purge(parent).unwrap();
    assert_eq!(world.get(&format!("/wiki/api/v2/pages/{parent}")).await.status, StatusCode::NOT_FOUND);
    assert!(
        world.get(&format!("/wiki/api/v2/pages/{last}")).await.json["parentId"].is_null(),
        "children move up"
    );
}

#[actix_web::test]
async fn a_subtree_moves_to_another_space_as_a_whole() {
    let (world, space, pages) = world_with_pages(1);
    let child = world.site.add_child(pages[0], "Child", "").unwrap();
    let other = world.site.add_space("OPS", "Operations").unwrap();
    world.site.move_to(pages[0], Place::Top { space: other }).unwrap();
    assert_eq!(world.pages(&format!("space-id={space}")).await.column("id").len(), 0);
    assert_eq!(world.pages(&format!("space-id={other}")).await.column("id"), texts(&[pages[0], child]));
    assert!(world.site.move_to(pages[0], Place::Under(child)).is_err());
}

#[actix_web::test]
async fn titles_are_unique_in_a_space_even_in_the_trash() {
    let (world, space, pages) = world_with_pages(2);
    world.site.trash(pages[0]).unwrap();
    assert!(world.site.add_page(space, "page 001", "").is_err());
    assert!(world.site.rename(pages[1], "Page 001").is_err());
    let other = world.site.add_space("OPS", "Operations").unwrap();
    assert!(world.site.add_page(other, "Page 001", "").is_ok());
    assert_eq!(world.pages("title=Page%20002").await.column("id"), texts(&[pages[1]]));
}

#[actix_web::test]
async fn restricted_pages_and_spaces_vanish_for_those_who_may_not_read_them() {
    let (world, space, pages) = world_with_pages(2);
    let child = world.site.add_child(pages[0], "Child", "").unwrap();
    let me = world.simulator.account_id();
    world.site.restrict(pages[0], &["somebody-else"]).unwrap();
    for hidden in [pages[0], child] {
        assert_eq!(world.get(&format!("/wiki/api/v2/pages/{hidden}")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(world.pages(&format!("space-id={space}")).await.column("id"), texts(&[pages[1]]));
    world.site.restrict(pages[0], &[&me]).unwrap();
    assert_eq!(world.pages(&format!("space-id={space}")).await.column("id").len(), 3);
    world.site.limit_space(space, &["somebody-else"]).unwrap();
    assert_eq!(world.get("/wiki/api/v2/spaces").await.column("id").len(), 0);
    assert_eq!(world.get(&format!("/wiki/api/v2/spaces/{space}/pages")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.pages(&format!("id={}", pages[1])).await.column("id").len(), 0);
}

#[actix_web::test]
async fn the_tree_shows_folders_levels_and_parents() {
    let (world, space, pages) = world_with_pages(1);
    let folder = world.site.add_folder(Place::Under(pages[0]), "Folder").unwrap();
    let inside = world.site.add_child(folder, "Inside", "").unwrap();
    let deep = world.site.add_child(inside, "Deep", "").unwrap();
    let root = format!("/wiki/api/v2/pages/{}", pages[0]);
    let children = world.get(&format!("{root}/direct-children")).await;
    assert_eq!(
        (children.column("id"), children.column("type")),
        (texts(&[folder]), vec!["folder".to_owned()])
    );
    let below = world.get(&format!("{root}/descendants")).await;
    assert_eq!(below.column("id"), texts(&[folder, inside]), "two levels unless asked for more");
    assert_eq!(
        walk(&world, &format!("{root}/descendants"), "depth=10&limit=1").await,
        texts(&[folder, inside, deep])
    );
    assert_eq!(world.get(&format!("{root}/descendants?depth=11")).await.status, StatusCode::BAD_REQUEST);
    let above = world.get(&format!("/wiki/api/v2/pages/{deep}/ancestors")).await;
    assert_eq!(above.column("id"), texts(&[pages[0], folder, inside]));
    let read = world.get(&format!("/wiki/api/v2/folders/{folder}")).await;
    assert_eq!((read.json["type"].clone(), read.json["title"].clone()), ("folder".into(), "Folder".into()));
    assert_eq!(world.get(&format!("/wiki/api/v2/pages/{folder}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        world.get(&format!("/wiki/api/v2/folders/{folder}/direct-children")).await.column("id"),
        texts(&[inside])
    );
    assert_eq!(world.pages(&format!("space-id={space}")).await.column("id").len(), 3, "folders are no pages");
    let listed = world.pages(&format!("id={inside}")).await;
    assert_eq!(listed.json["results"][0]["parentType"], "folder");
}

#[actix_web::test]
async fn ids_are_turned_into_types() {
    let (world, _, pages) = world_with_pages(2);
    let folder = world.site.add_folder(Place::Under(pages[0]), "Folder").unwrap();
    let options = world.simulator.options();
    let request = world.http.post(format!("{}/wiki/api/v2/content/convert-ids-to-types", world.site.url()));
    let asked = serde_json::json!({"contentIds": [pages[0].to_string(), folder.to_string(), "424242"]});
    let request = request.basic_auth(&options.account_email, Some(&options.api_token)).json(&asked);
    let reply = crate::reply(request).await.unwrap();
    assert_eq!(reply.json["results"][pages[0].to_string()], "page");
    assert_eq!(reply.json["results"][folder.to_string()], "folder");
    assert!(reply.json["results"]["424242"].is_null());
}

#[actix_web::test]
async fn a_shifting_cursor_repeats_and_skips() {
    let (world, space, pages) = world_with_pages(6);
    world.simulator.confluence().habits.cursors = simulator::confluence::CursorStyle::Shifting;
    let first = world.pages(&format!("space-id={space}&limit=3&sort=id")).await;
    world.site.purge(pages[0]).unwrap();
    let second = world.get(first.json["_links"]["next"].as_str().unwrap()).await;
    assert_eq!(second.column("id"), texts(&pages[4..]), "the fourth page slipped through");
}

#[actix_web::test]
async fn ids_repeat_from_site_to_site() {
    let (world, space, _) = world_with_pages(1);
    let other = world.simulator.add_site("globex");
    assert_eq!(other.add_space("ENG", "Engineering").unwrap(), space);
}

#[actix_web::test]
async fn synthetic_bodies_are_read_as_any_other() {
    let (world, space, _) = world_with_pages(0);
    let page = world.site.add_page(space, "Made up", Body::Synthetic { seed: 3 }).unwrap();
    let reply = world.pages(&format!("id={page}&body-format=storage")).await;
    let text = reply.json["results"][0]["body"]["storage"]["value"].as_str().unwrap();
    assert_eq!(text, simulator::worlds::synthetic::body(3));
    let calls = world.simulator.calls();
    assert_eq!((calls.body_requests, calls.bodies, calls.of("GET /wiki/api/v2/pages")), (1, 1, 1));
}

#[actix_web::test]
async fn the_links_of_a_page_open_in_a_browser() {
    let (world, _, pages) = world_with_pages(1);
    let page = world.get(&format!("/wiki/api/v2/pages/{}", pages[0])).await;
    let link = |field: &str| page.json["_links"][field].as_str().unwrap().to_owned();
    let shown = world.http.get(format!("{}{}", link("base"), link("webui"))).send().await.unwrap();
    let text = shown.text().await.unwrap();
    assert!(text.contains("<h1>Page 001</h1>") && text.contains("&lt;p&gt;1&lt;/p&gt;"), "{text}");
    let overview = world.http.get(link("base")).send().await.unwrap().text().await.unwrap();
    assert!(overview.contains(&link("webui")));
    assert_eq!(world.simulator.calls().confluence(), 1, "looking at pages is no call");
}
