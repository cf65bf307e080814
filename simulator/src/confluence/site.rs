//! One Confluence site: its spaces, its tree, and the life cycle of its pages.
//!
//! Versions and dates follow what the live service shows: edits, renames and restores make a new version; moves, archiving,
//! trashing and restrictions do not.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::node::{Body, Id, Kind, Node, PageIndex, Space, Status, Version, folded};
use crate::clock::Millis;

/// Why the wiki would not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the site {0} does not exist")]
    NoSite(String),
    #[error("there is no space {0}")]
    NoSpace(String),
    #[error("there is no content {0}")]
    NoNode(Id),
    #[error("the account {0} does not exist")]
    NoAccount(String),
    #[error("a page with the title {0:?} is in this space already")]
    TitleTaken(String),
    #[error("the key {0} is taken")]
    KeyTaken(String),
    #[error("a page cannot be moved below itself")]
    Cycle,
    #[error("content {0} is not in the state this needs")]
    WrongState(Id),
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Top { space: Id },
    Under(Id),
}

/// A node to be made.
#[derive(Debug, Clone)]
pub struct NewNode {
    pub kind: Kind,
    pub place: Place,
    pub title: String,
    pub body: Body,
}

/// Everything on one site.
#[derive(Debug)]
pub struct Site {
    pub name: String,
    pub title: String,
    pub cloud_id: String,
    pub spaces: BTreeMap<Id, Space>,
    /// Trashing a page gives its children to its parent at once; else they stay until it is purged.
    pub trash_moves_children_up: bool,
    pub(super) nodes: HashMap<Id, Node>,
    pub(super) children: HashMap<Id, BTreeSet<(i64, Id)>>,
    /// Nodes and spaces with readers; while 0, visibility costs nothing.
    pub(super) restrictions: usize,
    next_id: Id,
    author: Arc<str>,
}

impl Site {
    pub(super) fn new(name: &str, title: &str, cloud_id: &str, first_id: Id, author: &str) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            cloud_id: cloud_id.to_owned(),
            spaces: BTreeMap::new(),
            trash_moves_children_up: false,
            nodes: HashMap::new(),
            children: HashMap::new(),
            restrictions: 0,
            next_id: first_id,
            author: author.into(),
        }
    }

    fn take_id(&mut self) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub fn add_space(&mut self, key: &str, name: &str, now: Millis) -> Result<Id, Refused> {
        if self.spaces.values().any(|space| space.key.eq_ignore_ascii_case(key)) {
            return Err(Refused::KeyTaken(key.to_owned()));
        }
        let id = self.take_id();
        let space = Space {
            id,
            key: key.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            kind: "global".to_owned(),
            archived: false,
            created_at: now,
            homepage: None,
            readers: None,
            index: PageIndex::default(),
        };
        self.spaces.insert(id, space);
        Ok(id)
    }

    #[must_use]
    pub fn space(&self, id: Id) -> Option<&Space> {
        self.spaces.get(&id)
    }

    pub fn space_mut(&mut self, id: Id) -> Result<&mut Space, Refused> {
        self.spaces.get_mut(&id).ok_or_else(|| Refused::NoSpace(id.to_string()))
    }

    /// The space with this key.
    pub fn space_of_key(&self, key: &str) -> Result<Id, Refused> {
        let found = self.spaces.values().find(|space| space.key.eq_ignore_ascii_case(key));
        found.map(|space| space.id).ok_or_else(|| Refused::NoSpace(key.to_owned()))
    }

    #[must_use]
    pub fn node(&self, id: Id) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// All nodes, in no order.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// The page with this title in a space.
    #[must_use]
    pub fn page_titled(&self, space: Id, title: &str) -> Option<&Node> {
        self.nodes.get(self.spaces.get(&space)?.index.titles.get(&folded(title))?)
    }

    fn existing(&self, id: Id) -> Result<&Node, Refused> {
        self.nodes.get(&id).ok_or(Refused::NoNode(id))
    }

    fn space_of(&self, place: Place) -> Result<(Id, Option<Id>), Refused> {
        match place {
            Place::Top { space } if self.spaces.contains_key(&space) => Ok((space, None)),
            Place::Top { space } => Err(Refused::NoSpace(space.to_string())),
            Place::Under(parent) => Ok((self.existing(parent)?.space, Some(parent))),
        }
    }

    fn title_free(&self, space: Id, title: &str, except: Option<Id>) -> Result<(), Refused> {
        match self.page_titled(space, title) {
            Some(page) if Some(page.id) != except => Err(Refused::TitleTaken(title.to_owned())),
            _ => Ok(()),
        }
    }

    pub fn add(&mut self, new: NewNode, now: Millis) -> Result<Id, Refused> {
        let (space, parent) = self.space_of(new.place)?;
        if new.kind == Kind::Page {
            self.title_free(space, &new.title, None)?;
        }
        let id = self.take_id();
        let author = Arc::clone(&self.author);
        let version =
            Version { number: 1, at: now, message: String::new(), minor: false, author: Arc::clone(&author) };
        let node = Node {
            id,
            kind: new.kind,
            status: Status::Current,
            title: new.title,
            space,
            parent,
            position: self.next_position(parent.unwrap_or(space)),
            author,
            created_at: now,
            version,
            body: new.body,
            readers: None,
        };
        self.link(&node);
        self.nodes.insert(id, node);
        Ok(id)
    }

    fn next_position(&self, under: Id) -> i64 {
        self.children.get(&under).and_then(BTreeSet::last).map_or(0, |(position, _)| position + 1)
    }

    fn link(&mut self, node: &Node) {
        self.children.entry(node.parent.unwrap_or(node.space)).or_default().insert((node.position, node.id));
        self.index(node);
    }

    fn unlink(&mut self, node: &Node) {
        let under = node.parent.unwrap_or(node.space);
        if let Some(siblings) = self.children.get_mut(&under) {
            siblings.remove(&(node.position, node.id));
            if siblings.is_empty() {
                self.children.remove(&under);
            }
        }
        if node.kind == Kind::Page
            && let Some(space) = self.spaces.get_mut(&node.space)
        {
            space.index.remove(node);
        }
    }

    fn index(&mut self, node: &Node) {
        if node.kind == Kind::Page
            && let Some(space) = self.spaces.get_mut(&node.space)
        {
            space.index.insert(node);
        }
    }

    /// Changes a node and keeps the indexes true.
    fn change(&mut self, id: Id, change: impl FnOnce(&mut Node)) -> Result<(), Refused> {
        let mut node = self.nodes.remove(&id).ok_or(Refused::NoNode(id))?;
        self.unlink(&node);
        change(&mut node);
        self.link(&node);
        self.nodes.insert(id, node);
        Ok(())
    }

    /// A new version with this body.
    pub fn edit(&mut self, id: Id, body: Body, now: Millis) -> Result<u32, Refused> {
        self.revise(id, now, |node| node.body = body)
    }

    /// A new version that says what it was for.
    pub fn annotate(&mut self, id: Id, message: &str, minor: bool) -> Result<(), Refused> {
        self.change(id, |node| {
            message.clone_into(&mut node.version.message);
            node.version.minor = minor;
        })
    }

    /// A new version with this title.
    pub fn rename(&mut self, id: Id, title: &str, now: Millis) -> Result<u32, Refused> {
        let node = self.existing(id)?;
        if node.kind == Kind::Page {
            self.title_free(node.space, title, Some(id))?;
        }
        self.revise(id, now, |node| title.clone_into(&mut node.title))
    }

    fn revise(&mut self, id: Id, now: Millis, change: impl FnOnce(&mut Node)) -> Result<u32, Refused> {
        self.change(id, |node| {
            change(node);
            node.version.number += 1;
            node.version.at = now;
            node.version.message.clear();
            node.version.minor = false;
        })?;
        Ok(self.existing(id)?.version.number)
    }

    /// Moves a node and all below it; no version tells of it.
    pub fn move_to(&mut self, id: Id, place: Place) -> Result<(), Refused> {
        let from = self.existing(id)?.space;
        let (space, parent) = self.space_of(place)?;
        let subtree = self.subtree(id);
        if parent.is_some_and(|parent| subtree.contains(&parent)) {
            return Err(Refused::Cycle);
        }
        if space != from {
            for moved in subtree.iter().filter_map(|id| self.nodes.get(id)) {
                if moved.kind == Kind::Page {
                    self.title_free(space, &moved.title, None)?;
                }
            }
        }
        let position = self.next_position(parent.unwrap_or(space));
        self.change(id, |node| {
            (node.space, node.parent, node.position) = (space, parent, position);
        })?;
        for below in subtree.into_iter().filter(|below| *below != id && space != from) {
            self.change(below, |node| node.space = space)?;
        }
        Ok(())
    }

    /// The node and everything below it, parents first, whatever their status.
    #[must_use]
    pub fn subtree(&self, id: Id) -> Vec<Id> {
        let mut found = vec![id];
        let mut next = 0;
        while let Some(&node) = found.get(next) {
            found.extend(self.children.get(&node).into_iter().flatten().map(|(_, child)| *child));
            next += 1;
        }
        found
    }

    pub fn archive(&mut self, id: Id) -> Result<(), Refused> {
        self.turn(id, Status::Current, Status::Archived)
    }

    pub fn unarchive(&mut self, id: Id) -> Result<(), Refused> {
        self.turn(id, Status::Archived, Status::Current)
    }

    fn turn(&mut self, id: Id, from: Status, to: Status) -> Result<(), Refused> {
        if self.existing(id)?.status != from {
            return Err(Refused::WrongState(id));
        }
        self.change(id, |node| node.status = to)
    }

    /// Puts a node into the trash; see [`Site::trash_moves_children_up`].
    pub fn trash(&mut self, id: Id) -> Result<(), Refused> {
        if self.existing(id)?.status == Status::Trashed {
            return Err(Refused::WrongState(id));
        }
        if self.trash_moves_children_up {
            self.lift_children(id)?;
        }
        self.change(id, |node| node.status = Status::Trashed)
    }

    /// Brings a trashed node back with a new version; at the top of the space when its parent is gone.
    pub fn restore(&mut self, id: Id, now: Millis) -> Result<u32, Refused> {
        let node = self.existing(id)?;
        if node.status != Status::Trashed {
            return Err(Refused::WrongState(id));
        }
        let orphan = node.parent.is_some_and(|parent| {
            self.nodes.get(&parent).is_none_or(|parent| parent.status == Status::Trashed)
        });
        if orphan {
            let space = node.space;
            self.move_to(id, Place::Top { space })?;
        }
        self.revise(id, now, |node| node.status = Status::Current)
    }

    /// Removes a node for good; what was below it moves up to its parent.
    pub fn purge(&mut self, id: Id) -> Result<(), Refused> {
        self.existing(id)?;
        self.lift_children(id)?;
        if let Some(node) = self.nodes.remove(&id) {
            self.unlink(&node);
            self.restrictions -= usize::from(node.readers.is_some());
        }
        Ok(())
    }

    fn lift_children(&mut self, id: Id) -> Result<(), Refused> {
        let node = self.existing(id)?;
        let place = node.parent.map_or(Place::Top { space: node.space }, Place::Under);
        let children: Vec<Id> =
            self.children.get(&id).into_iter().flatten().map(|(_, child)| *child).collect();
        children.into_iter().try_for_each(|child| self.move_to(child, place))
    }

    /// Lets only these accounts read a page and what is below it; `None` lifts the restriction.
    pub fn restrict(&mut self, id: Id, readers: Option<BTreeSet<String>>) -> Result<(), Refused> {
        let node = self.nodes.get_mut(&id).ok_or(Refused::NoNode(id))?;
        self.restrictions += usize::from(readers.is_some());
        self.restrictions -= usize::from(node.readers.is_some());
        node.readers = readers;
        Ok(())
    }

    /// Lets only these accounts see a space; `None` opens it.
    pub fn limit_space(&mut self, id: Id, readers: Option<BTreeSet<String>>) -> Result<(), Refused> {
        let space = self.spaces.get_mut(&id).ok_or_else(|| Refused::NoSpace(id.to_string()))?;
        self.restrictions += usize::from(readers.is_some());
        self.restrictions -= usize::from(space.readers.is_some());
        space.readers = readers;
        Ok(())
    }

    /// Removes a space and all in it for good.
    pub fn delete_space(&mut self, id: Id) -> Result<(), Refused> {
        let space = self.spaces.remove(&id).ok_or_else(|| Refused::NoSpace(id.to_string()))?;
        self.restrictions -= usize::from(space.readers.is_some());
        let inside: Vec<Id> =
            self.nodes.values().filter(|node| node.space == id).map(|node| node.id).collect();
        for node in inside {
            self.children.remove(&node);
            if let Some(node) = self.nodes.remove(&node) {
                self.restrictions -= usize::from(node.readers.is_some());
            }
        }
        self.children.remove(&id);
        Ok(())
    }
}
