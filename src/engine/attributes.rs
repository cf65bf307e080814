//! The attributes of a file in the vector store: a public contract that clients filter on, and how we know our own.

use futures_util::FutureExt;
use std::collections::{HashMap, HashSet};

use super::{
    run::Run,
    stop::Stop,
    store::{
        nodes::{self, Above, PAGE_NODE},
        observed,
    },
};
use crate::{
    confluence::{self, MOST_IDS, Status},
    entity::{document, file},
    knowledge_bases,
    openai::{AttributeValue, Attributes, LONGEST_TEXT},
};

/// A path is made of at most this many titles.
const DEEPEST: usize = 64;
/// What separates the titles of a path.
const SEPARATOR: &str = " / ";

/// The attributes of files of these documents, in the same order.
pub async fn describe(
    run: &Run,
    files: &[(&document::Model, &file::Model)],
) -> Result<Vec<Attributes>, Stop> {
    let spaces = observed::spaces(run.app.db.read(), run.source().id).await?;
    let parents = files.iter().filter_map(|(document, _)| document.parent_id.clone());
    let above = nodes_above(run, parents.collect()).await?;
    let mark = knowledge_bases::owner_mark(run.app.installation, run.knowledge_base.id);
    let text = |text: &str| AttributeValue::text(text);
    Ok(files
        .iter()
        .map(|(document, file)| {
            let space_key = spaces.get(&document.space_id).map_or("", |space| space.key.as_str());
            #[expect(clippy::cast_precision_loss, reason = "versions and seconds are far below 2^53")]
            let number = |number: i64| AttributeValue::Number(number as f64);
            Attributes::from([
                ("tidegate".to_owned(), text(&mark)),
                ("page_id".to_owned(), text(&document.external_id)),
                ("space_key".to_owned(), text(space_key)),
                ("cloud_id".to_owned(), text(&run.source().cloud_id)),
                ("version".to_owned(), number(file.version)),
                ("title".to_owned(), text(&document.title)),
                ("url".to_owned(), text(&document.url)),
                ("path".to_owned(), text(&path(document.parent_id.as_deref(), &above))),
                ("updated_at".to_owned(), number(file.edited_at.timestamp())),
                ("sha256".to_owned(), text(&hex(&file.sha256))),
            ])
        })
        .collect())
}

/// The titles above a page, the top first, cut at the front so that the leaf end is kept.
fn path(parent: Option<&str>, above: &HashMap<String, Above>) -> String {
    let mut titles = Vec::new();
    let mut next = parent;
    let mut met = HashSet::new();
    while let Some(node) = next.filter(|id| met.insert(*id)).and_then(|id| above.get(id)) {
        // Of what is neither page nor folder no title is known.
        titles.extend(Some(node.title.as_str()).filter(|title| !title.is_empty()));
        next = node.parent_id.as_deref();
        if met.len() >= DEEPEST {
            break;
        }
    }
    titles.reverse();
    let path = titles.join(SEPARATOR);
    let surplus = path.chars().count().saturating_sub(LONGEST_TEXT);
    path.chars().skip(surplus).collect()
}

/// Every node above these, from what is known, and from Confluence where it is not.
pub async fn nodes_above(run: &Run, parents: HashSet<String>) -> Result<HashMap<String, Above>, Stop> {
    let mut above: HashMap<String, Above> = HashMap::new();
    let mut wanted: Vec<String> = parents.into_iter().collect();
    for _ in 0..DEEPEST {
        wanted.retain(|id| !above.contains_key(id));
        if wanted.is_empty() {
            break;
        }
        let known = nodes::above(run.app.db.read(), run.source().id, &wanted).await?;
        let missing: Vec<String> = wanted.iter().filter(|id| !known.contains_key(*id)).cloned().collect();
        above.extend(known);
        above.extend(read_nodes(run, missing).await?);
        let next: HashSet<String> =
            wanted.iter().filter_map(|id| above.get(id)).filter_map(|node| node.parent_id.clone()).collect();
        wanted = next.into_iter().collect();
    }
    Ok(above)
}

/// Reads nodes that are neither documents nor known: pages in bulk, then folders singly. What cannot be read now is
/// left out of the path and asked for again when another path goes through it.
async fn read_nodes(run: &Run, ids: Vec<String>) -> Result<HashMap<String, Above>, Stop> {
    let mut read = Vec::new();
    let ids: Vec<String> = ids.into_iter().filter(|id| run.asks_for_node(id)).collect();
    for some in ids.chunks(MOST_IDS) {
        let pages = run
            .ask(|client| async move { client.pages_by_id(some, &[Status::Current], false).await }.boxed())
            .await?;
        let Ok(pages) = pages else { return Ok(HashMap::new()) };
        for page in pages {
            let parent_kind = page.parent_type.map(|kind| kind.as_str().to_owned());
            let above = Above { title: page.title, parent_id: page.parent_id, parent_kind };
            read.push((page.id, PAGE_NODE.to_owned(), above));
        }
    }
    let found: HashSet<String> = read.iter().map(|(id, ..)| id.clone()).collect();
    let others: Vec<&String> = ids.iter().filter(|id| !found.contains(*id)).collect();
    for id in others {
        if let Some(folder) = folder(run, id).await? {
            let parent_kind = folder.parent_type.map(|kind| kind.as_str().to_owned());
            let above = Above { title: folder.title, parent_id: folder.parent_id, parent_kind };
            read.push((folder.id, "folder".to_owned(), above));
        }
    }
    let known = read.iter().map(|(id, _, above)| (id.clone(), above.clone())).collect();
    if !read.is_empty() {
        let tx = run.begin().await?;
        nodes::keep(&tx, run.source().id, read, run.now()).await?;
        tx.commit().await?;
    }
    Ok(known)
}

async fn folder(run: &Run, id: &str) -> Result<Option<confluence::Folder>, Stop> {
    let answer = run.ask(|client| async move { client.folder(id).await }.boxed()).await?;
    Ok(answer
        .inspect_err(|error| tracing::debug!(node = id, %error, "a node above a page cannot be read"))
        .ok())
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string does not fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(title: &str, parent_id: Option<&str>) -> Above {
        Above { title: title.to_owned(), parent_id: parent_id.map(str::to_owned), parent_kind: None }
    }

    #[test]
    fn a_path_names_what_is_above_the_top_first() {
        let above = HashMap::from([
            ("2".to_owned(), node("Guides", Some("1"))),
            ("1".to_owned(), node("Handbook", None)),
        ]);
        assert_eq!(path(Some("2"), &above), "Handbook / Guides");
        assert_eq!(path(None, &above), "");
    }

    #[test]
    fn a_long_path_keeps_its_leaf_end_and_a_circle_ends() {
        let above = HashMap::from([
            ("2".to_owned(), node("leaf", Some("1"))),
            ("1".to_owned(), node(&"ä".repeat(300), Some("2"))),
        ]);
        let path = path(Some("2"), &above);
        assert_eq!(path.chars().count(), LONGEST_TEXT);
        assert!(path.ends_with("ää / leaf"));
    }
}
