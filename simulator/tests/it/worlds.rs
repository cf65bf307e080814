//! Wikis that are loaded.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use simulator::worlds::{corpus, handbook, synthetic};
use simulator::{Kind, Simulator};

use crate::World;

/// A directory of this test's own.
fn scratch(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::create_dir_all(&path).unwrap();
    path
}

fn now(simulator: &Simulator) -> i64 {
    simulator.clock().now()
}

#[actix_web::test]
async fn the_built_in_handbook_is_a_wiki_with_links_that_lead_somewhere() {
    let world = World::new();
    let at = now(&world.simulator);
    let pages = handbook::load_sample(&mut world.simulator.confluence(), "acme", at).unwrap();
    assert!(pages >= 40, "{pages} pages");
    let cloud = world.simulator.confluence();
    let site = cloud.site("acme").unwrap();
    let titles: BTreeSet<String> = site.nodes().map(|node| node.title.clone()).collect();
    assert!(site.nodes().any(|node| node.kind == Kind::Folder));
    assert!(site.spaces.values().all(|space| space.page_count() > 5 && space.homepage.is_some()));
    for node in site.nodes() {
        let text = node.body.text();
        for link in text.split("ri:content-title=\"").skip(1) {
            let title = link.split('"').next().unwrap().replace("&amp;", "&").replace("&rsquo;", "’");
            assert!(titles.contains(&title), "{} links to {title:?}", node.title);
        }
    }
}

#[actix_web::test]
async fn a_directory_becomes_spaces_pages_and_folders() {
    let root = scratch("handbook");
    fs::create_dir_all(root.join("ENG/01-first")).unwrap();
    fs::create_dir_all(root.join("ENG/02-folder")).unwrap();
    fs::write(root.join("ENG/space.json"), "{\"name\": \"Engineering\", \"description\": \"All of it\"}")
        .unwrap();
    fs::write(root.join("ENG/01-first.xml"), "<!-- title: First & foremost -->\n<p>one</p>").unwrap();
    fs::write(root.join("ENG/01-first/01-child.xml"), "<!-- title: Child -->\n<p>two</p>").unwrap();
    fs::write(root.join("ENG/02-folder/folder.json"), "{\"title\": \"More\"}").unwrap();
    fs::write(root.join("ENG/02-folder/01-inside.xml"), "<!-- title: Inside -->\n<p>three</p>").unwrap();
    let world = World::new();
    let at = now(&world.simulator);
    assert_eq!(handbook::load(&mut world.simulator.confluence(), "acme", &root, at).unwrap(), 3);
    let listed = world.pages("body-format=storage").await;
    assert_eq!(listed.column("title"), ["First & foremost", "Child", "Inside"]);
    assert_eq!(listed.json["results"][0]["body"]["storage"]["value"], "<p>one</p>");
    assert_eq!(listed.column("parentType"), ["null", "page", "folder"]);
    let spaces = world.get("/wiki/api/v2/spaces?description-format=plain").await;
    assert_eq!(spaces.json["results"][0]["description"]["plain"]["value"], "All of it");
    fs::write(root.join("ENG/03-bad.xml"), "<p>no title</p>").unwrap();
    let error = handbook::load(&mut world.simulator.confluence(), "other", &root, at).unwrap_err();
    assert!(error.to_string().contains("ENG/03-bad"), "{error}");
}

#[actix_web::test]
async fn json_lines_become_spaces_with_a_tree_and_unique_titles() {
    let path = scratch("corpus").join("pages.jsonl");
    let line = |n: usize| {
        format!("{{\"id\": \"x-gen-{n}\", \"title\": \"Same title\", \"storage\": \"<p>{n}</p>\"}}\n")
    };
    fs::write(&path, (0..450).map(line).collect::<Vec<_>>().concat()).unwrap();
    let world = World::new();
    let at = now(&world.simulator);
    let loaded = corpus::load(&mut world.simulator.confluence(), "acme", &path, at).unwrap();
    assert_eq!(loaded.len(), 450);
    assert_eq!(loaded[7].corpus_id, "x-gen-7");
    assert_eq!(world.get("/wiki/api/v2/spaces").await.column("key"), ["CORPUS1", "CORPUS2", "CORPUS3"]);
    let first = world.pages(&format!("space-id={}&limit=250&body-format=storage", loaded[0].space)).await;
    let titles: BTreeSet<String> = first.column("title").into_iter().collect();
    assert_eq!((titles.len(), first.column("id").len()), (200, 200));
    let cloud = world.simulator.confluence();
    let site = cloud.site("acme").unwrap();
    assert_eq!(site.node(loaded[7].page).unwrap().body.text(), "<p>7</p>");
    assert!(site.nodes().filter(|node| node.kind == Kind::Folder).count() >= 8);
    assert!(site.above(site.node(loaded[39].page).unwrap()).count() >= 2, "a tree");
    drop(cloud);
    fs::write(&path, "{\"id\": 1}").unwrap();
    let error = corpus::load(&mut world.simulator.confluence(), "other", &path, at).unwrap_err();
    assert!(error.to_string().contains("pages.jsonl:1"), "{error}");
}

#[actix_web::test]
async fn made_up_pages_come_in_several_spaces() {
    let world = World::new();
    let at = now(&world.simulator);
    let plan = synthetic::Plan { spaces: 3, ..synthetic::Plan::pages(100) };
    let spaces = synthetic::load(&mut world.simulator.confluence(), "acme", &plan, at).unwrap();
    let counts = |space: &simulator::Id| {
        let cloud = world.simulator.confluence();
        cloud.site("acme").unwrap().space(*space).unwrap().page_count()
    };
    assert_eq!(spaces.iter().map(counts).collect::<Vec<_>>(), [34, 33, 33]);
}
