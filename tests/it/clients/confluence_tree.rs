//! Confluence: the content tree, v1 search and restrictions.

use std::collections::BTreeMap;

use simulator::{Fault, Place};
use tidegate::confluence::*;

use super::confluence::Wiki;

async fn below(wiki: &Wiki, node: &Node) -> Result<Vec<Descendant>, Error> {
    let mut walk = wiki.client.descendants(node)?;
    let mut all = Vec::new();
    while let Some(listing) = walk.next().await? {
        all.extend(listing.items);
    }
    Ok(all)
}

#[tokio::test]
async fn a_tree_of_any_depth_is_listed_once_and_completely() {
    let wiki = Wiki::start();
    let root = wiki.site.add_page(wiki.space, "Root", "").unwrap();
    let mut expected = BTreeMap::new();
    let mut parent = root;
    for depth in 1..=31 {
        for sibling in 0..3 {
            let leaf = wiki.site.add_child(parent, &format!("Leaf {depth}.{sibling}"), "").unwrap();
            expected.insert(leaf.to_string(), depth);
        }
        let folder = wiki.site.add_folder(Place::Under(parent), &format!("Folder {depth}")).unwrap();
        expected.insert(folder.to_string(), depth);
        parent = folder;
    }
    let all = below(&wiki, &Node::page(root.to_string())).await.unwrap();
    assert_eq!(all.len(), expected.len());
    assert_eq!(all.into_iter().map(|item| (item.id, item.depth)).collect::<BTreeMap<_, _>>(), expected);
    // One request for each ten levels, not one for each of the nodes on the tenth.
    assert_eq!(wiki.client.meter().requests(), 4);
}

#[tokio::test]
async fn a_wide_tree_is_walked_with_cursors() {
    let wiki = Wiki::start();
    let root = wiki.site.add_folder(Place::Top { space: wiki.space }, "Root").unwrap();
    for n in 0..300 {
        wiki.site.add_child(root, &format!("Page {n}"), "").unwrap();
    }
    let folder = Node::folder(root.to_string());
    assert_eq!(below(&wiki, &folder).await.unwrap().len(), 300);
    assert_eq!(wiki.client.meter().requests(), 2);
    let children = wiki.client.direct_children(&folder, 50, None).await.unwrap();
    assert_eq!(children.items.len(), 50);
    let more = wiki.client.direct_children(&folder, 50, children.next.as_ref()).await.unwrap();
    assert!(
        more.items.iter().all(|child| child.kind == NodeKind::Page && child.title != children.items[0].title)
    );
}

#[tokio::test]
async fn a_root_that_is_gone_is_told_from_a_tree_that_changed_meanwhile() {
    let wiki = Wiki::start();
    assert!(below(&wiki, &Node::page("4")).await.unwrap_err().is_not_found());
    let root = wiki.site.add_page(wiki.space, "Root", "").unwrap();
    let mut chain = vec![root];
    for depth in 1..=12 {
        chain.push(wiki.site.add_child(chain[depth - 1], &format!("Level {depth}"), "").unwrap());
    }
    let (site, ninth) = (wiki.site.clone(), chain[9]);
    let path = format!("/wiki/api/v2/pages/{ninth}/descendants");
    wiki.simulator.fault(Fault::on("GET", &path).run(move || site.trash(ninth).unwrap()));
    let error = below(&wiki, &Node::page(root.to_string())).await.unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
}

#[tokio::test]
async fn the_chain_above_a_node_is_given_from_the_top() {
    let wiki = Wiki::start();
    let root = wiki.site.add_page(wiki.space, "Root", "").unwrap();
    let folder = wiki.site.add_folder(Place::Under(root), "Folder").unwrap();
    let mut chain = vec![root, folder];
    for depth in 2..600 {
        chain.push(wiki.site.add_child(chain[depth - 1], &format!("Level {depth}"), "").unwrap());
    }
    let leaf = chain.pop().unwrap().to_string();
    let ancestors = wiki.client.ancestors(&Node::page(leaf)).await.unwrap();
    assert_eq!(ancestors[1].kind, NodeKind::Folder);
    assert_eq!(
        ancestors.into_iter().map(|ancestor| ancestor.id).collect::<Vec<_>>(),
        chain.iter().map(ToString::to_string).collect::<Vec<_>>()
    );
    assert!(wiki.client.ancestors(&Node::page(root.to_string())).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_folder_and_the_kinds_of_ids_can_be_looked_up() {
    let wiki = Wiki::start();
    let folder = wiki.site.add_folder(Place::Top { space: wiki.space }, "Guides").unwrap().to_string();
    let page = wiki.site.add_page(wiki.space, "Page", "").unwrap().to_string();
    let found = wiki.client.folder(&folder).await.unwrap();
    assert_eq!(
        (found.title.as_str(), found.space_id, found.parent_id),
        ("Guides", Some(wiki.space.to_string()), None)
    );
    let ids = [folder.clone(), page.clone(), "4".to_owned()];
    let kinds = wiki.client.convert_ids_to_types(&ids).await.unwrap();
    assert_eq!(kinds[&folder], Some(NodeKind::Folder));
    assert_eq!((&kinds[&page], &kinds["4"]), (&Some(NodeKind::Page), &None));
}

#[tokio::test]
async fn typed_words_find_pages_by_their_titles() {
    let wiki = Wiki::start();
    let runbook = wiki.site.add_page(wiki.space, "On-call runbook", "").unwrap();
    wiki.site.add_page(wiki.space, "Holiday list", "").unwrap();
    let found = wiki.client.search_pages("run", Some("ENG"), 10).await.unwrap();
    assert_eq!(found.iter().map(|page| page.id.clone()).collect::<Vec<_>>(), [runbook.to_string()]);
}

#[tokio::test]
async fn the_pages_of_a_space_are_counted_all_of_them_or_those_that_are_named() {
    let wiki = Wiki::start();
    let add = |title| wiki.site.add_page(wiki.space, title, "").unwrap();
    let [kept, archived, trashed] = ["Kept", "Archived", "Trashed"].map(add);
    wiki.site.archive(archived).unwrap();
    wiki.site.trash(trashed).unwrap();
    assert_eq!(wiki.client.count_pages("ENG", None).await.unwrap(), 2);
    let named = [kept, trashed].map(|page| page.to_string());
    assert_eq!(wiki.client.count_pages("ENG", Some(&named)).await.unwrap(), 1);
    assert_eq!(wiki.client.count_pages("OPS", Some(&named)).await.unwrap(), 0);
}

#[tokio::test]
async fn a_restriction_is_told_on_the_page_that_carries_it() {
    let wiki = Wiki::start();
    let open = wiki.site.add_page(wiki.space, "Open", "").unwrap();
    let secret = wiki.site.add_child(open, "Secret", "").unwrap();
    let me = wiki.simulator.account_id();
    wiki.site.restrict(secret, &[&me]).unwrap();
    assert!(!wiki.client.is_read_restricted(&open.to_string()).await.unwrap());
    assert!(wiki.client.is_read_restricted(&secret.to_string()).await.unwrap());
}
