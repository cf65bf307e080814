//! The content tree: children, everything below a node, and the chain above it.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::Request;
use super::wire::{Ancestor, Child, Descendant, Folder, Node, NodeKind};
use super::{Client, Cursor, Error, Listing, RequestId, Walk, parse};

/// The deepest that one listing of descendants reaches.
const DEPTH: u32 = 10;
/// No tree is deeper; a listing that says so runs in circles.
const DEEPEST_TREE: u32 = 1_000;
/// The most items a request may ask for.
const LIMIT: usize = 250;
/// The most ids that one conversion to types takes.
const MOST_IDS_OF_TYPES: usize = 100;
/// No tree is nested so deeply that its chain of ancestors needs more requests.
const MOST_ANCESTOR_REQUESTS: usize = 40;

impl Client {
    /// One request of the children of a node, pages and all other kinds.
    pub async fn direct_children(
        &self,
        node: &Node,
        limit: u32,
        cursor: Option<&Cursor>,
    ) -> Result<Listing<Child>, Error> {
        let query = vec![("limit", limit.to_string())];
        self.list(&below(node, "direct-children", query)?, cursor).await
    }

    /// One request of what is at most `depth` levels below a node, for those who need no more than a look.
    pub async fn descendants_once(
        &self,
        node: &Node,
        depth: u32,
        limit: u32,
    ) -> Result<Listing<Descendant>, Error> {
        let query = vec![("depth", depth.to_string()), ("limit", limit.to_string())];
        self.list(&below(node, "descendants", query)?, None).await
    }

    /// Everything below a node, however deep.
    pub fn descendants(&self, node: &Node) -> Result<DescendantWalk, Error> {
        let walk = self.walk(below_to_full_depth(node)?);
        let from = Start { node: node.clone(), depth: 0, given: 0 };
        Ok(DescendantWalk {
            client: self.clone(),
            walk,
            from,
            frontier: Frontier::default(),
            waiting: Vec::new(),
        })
    }

    /// The chain above a node, the highest first; empty at the top of a space.
    pub async fn ancestors(&self, node: &Node) -> Result<Vec<Ancestor>, Error> {
        let mut chain: Vec<Ancestor> = Vec::new();
        let mut from = node.clone();
        for _ in 0..MOST_ANCESTOR_REQUESTS {
            let request = below(&from, "ancestors", vec![("limit", LIMIT.to_string())])?;
            let mut higher = self.list::<Ancestor>(&request, None).await?.items;
            // There is no cursor: the rest is above the highest that was answered.
            let complete = higher.len() < LIMIT;
            if let Some(highest) = higher.first() {
                from = Node { kind: highest.kind.clone(), id: highest.id.clone() };
            }
            higher.append(&mut chain);
            chain = higher;
            if complete {
                return Ok(chain);
            }
        }
        Err(Error::malformed("the chain of ancestors does not end", &RequestId::default()))
    }

    pub async fn folder(&self, id: &str) -> Result<Folder, Error> {
        let answer = self.get(&["api", "v2", "folders", id], &[]).await?;
        self.meter.spend(1);
        parse(&answer)
    }

    /// The kind of each id; `None` for what the account does not see or does not exist. At most 100 ids.
    pub async fn convert_ids_to_types(
        &self,
        ids: &[String],
    ) -> Result<HashMap<String, Option<NodeKind>>, Error> {
        #[derive(Deserialize)]
        struct Types {
            results: HashMap<String, Option<NodeKind>>,
        }
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        if ids.len() > MOST_IDS_OF_TYPES {
            return Err(Error::refused("too_many_ids", "at most 100 ids can be converted at once"));
        }
        let body: Value = json!({ "contentIds": ids });
        let answer = self.ask(&["api", "v2", "content", "convert-ids-to-types"], &body).await?;
        let types: Types = parse(&answer)?;
        // Whether a POST that reads costs its objects is not settled: counted as if it did.
        self.meter.spend(types.results.len() as u64);
        Ok(types.results)
    }
}

fn below(node: &Node, what: &str, query: Vec<(&'static str, String)>) -> Result<Request, Error> {
    let Some(collection) = node.kind.collection() else {
        return Err(Error::refused("unknown_kind", "nothing can be asked about a node of this kind"));
    };
    let path = ["api", "v2", collection, &node.id, what].map(str::to_owned).to_vec();
    Ok(Request { path, query })
}

fn below_to_full_depth(node: &Node) -> Result<Request, Error> {
    below(node, "descendants", vec![("depth", DEPTH.to_string()), ("limit", LIMIT.to_string())])
}

/// Lists everything below a node, one request a step. One listing reaches ten levels; where nodes are seen on the
/// tenth, their parents are asked anew, which is one request a family instead of one a node.
#[derive(Debug)]
pub struct DescendantWalk {
    client: Client,
    walk: Walk<Descendant>,
    from: Start,
    frontier: Frontier,
    waiting: Vec<Start>,
}

/// A node to ask about, and what is known of it.
#[derive(Clone, Debug)]
struct Start {
    node: Node,
    /// How deep it is below the node that the walk began with.
    depth: u32,
    /// How many levels below it were given already.
    given: u32,
}

impl DescendantWalk {
    /// More descendants, their depth counted from the node that the walk began with; `None` once all were given.
    pub async fn next(&mut self) -> Result<Option<Listing<Descendant>>, Error> {
        loop {
            if let Some(mut listing) = self.step().await? {
                for item in &listing.items {
                    self.frontier.note(item);
                }
                listing.items.retain(|item| item.depth > self.from.given);
                for item in &mut listing.items {
                    item.depth = item.depth.saturating_add(self.from.depth);
                }
                return Ok(Some(listing));
            }
            self.waiting.extend(std::mem::take(&mut self.frontier).starts(self.from.depth));
            let Some(start) = self.waiting.pop() else { return Ok(None) };
            if start.depth > DEEPEST_TREE {
                return Err(Error::malformed("the tree does not end", &RequestId::default()));
            }
            self.walk = self.client.walk(below_to_full_depth(&start.node)?);
            self.from = start;
        }
    }

    async fn step(&mut self) -> Result<Option<Listing<Descendant>>, Error> {
        self.walk.next().await.map_err(|error| match error {
            // The node that the caller named is there; only this part of its tree went away meanwhile.
            Error::NotFound { request_id } if self.from.depth > 0 => {
                Error::malformed("a node went away while the tree below it was read", &request_id)
            }
            error => error,
        })
    }
}

/// What is on the last two levels of one listing: where it may go deeper.
#[derive(Debug, Default)]
struct Frontier {
    last_but_one: HashMap<String, NodeKind>,
    /// With the ids of their parents.
    deepest: Vec<(Node, String)>,
}

impl Frontier {
    fn note(&mut self, item: &Descendant) {
        if item.depth + 1 == DEPTH {
            self.last_but_one.insert(item.id.clone(), item.kind.clone());
        } else if item.depth >= DEPTH {
            let node = Node { kind: item.kind.clone(), id: item.id.clone() };
            self.deepest.push((node, item.parent_id.clone()));
        }
    }

    /// The families to ask anew below a node at `depth`, or the lone nodes whose parent was not listed.
    fn starts(mut self, depth: u32) -> Vec<Start> {
        let mut asked = HashSet::new();
        let mut starts = Vec::new();
        for (node, parent_id) in self.deepest {
            if asked.contains(&parent_id) {
                continue;
            }
            if let Some(kind) = self.last_but_one.remove(&parent_id) {
                asked.insert(parent_id.clone());
                starts.push(Start { node: Node { kind, id: parent_id }, depth: depth + DEPTH - 1, given: 1 });
            } else {
                starts.push(Start { node, depth: depth + DEPTH, given: 0 });
            }
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confluence::Status;

    fn item(id: &str, parent_id: &str, depth: u32) -> Descendant {
        let (id, parent_id) = (id.to_owned(), parent_id.to_owned());
        Descendant {
            id,
            kind: NodeKind::Page,
            status: Status::Current,
            title: String::new(),
            parent_id,
            depth,
        }
    }

    #[test]
    fn a_family_on_the_tenth_level_is_asked_about_once() {
        let mut frontier = Frontier::default();
        for item in
            [item("8", "7", 8), item("9", "8", 9), item("a", "9", 10), item("b", "9", 10), item("c", "x", 10)]
        {
            frontier.note(&item);
        }
        let starts = frontier.starts(18);
        let seen: Vec<_> =
            starts.iter().map(|start| (start.node.id.as_str(), start.depth, start.given)).collect();
        assert_eq!(seen, [("9", 27, 1), ("c", 28, 0)]);
    }

    #[test]
    fn a_tree_of_nine_levels_is_complete() {
        let mut frontier = Frontier::default();
        frontier.note(&item("9", "8", 9));
        assert!(frontier.starts(0).is_empty());
    }
}
