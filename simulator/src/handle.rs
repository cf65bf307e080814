//! Verbs on one site, each taking the lock for itself and the time from the model's clock.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::confluence::{Body, Id, Kind, NewNode, Node, Place, Refused, Site};
use crate::shared::Shared;

/// One site of a running simulator.
#[derive(Debug, Clone)]
pub struct SiteHandle {
    shared: Arc<Shared>,
    name: String,
    cloud_id: String,
}

impl SiteHandle {
    pub(crate) fn new(shared: Arc<Shared>, name: &str, cloud_id: String) -> Self {
        Self { shared, name: name.to_owned(), cloud_id }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    #[must_use]
    pub fn cloud_id(&self) -> &str {
        &self.cloud_id
    }

    /// The direct base URL; `{url}/wiki/api/v2/…` takes e-mail and API token.
    #[must_use]
    pub fn url(&self) -> String {
        self.shared.site_url(&self.name)
    }

    /// Calls `change` with the site's model.
    pub fn with<T>(&self, change: impl FnOnce(&mut Site) -> Result<T, Refused>) -> Result<T, Refused> {
        change(self.shared.confluence().site_mut(&self.name)?)
    }

    pub fn add_space(&self, key: &str, name: &str) -> Result<Id, Refused> {
        let now = self.shared.clock.now();
        self.with(|site| site.add_space(key, name, now))
    }

    pub fn add(&self, kind: Kind, place: Place, title: &str, body: impl Into<Body>) -> Result<Id, Refused> {
        let now = self.shared.clock.now();
        let new = NewNode { kind, place, title: title.to_owned(), body: body.into() };
        self.with(|site| site.add(new, now))
    }

    /// A page at the top of a space.
    pub fn add_page(&self, space: Id, title: &str, body: impl Into<Body>) -> Result<Id, Refused> {
        self.add(Kind::Page, Place::Top { space }, title, body)
    }

    /// A page below a page or folder.
    pub fn add_child(&self, parent: Id, title: &str, body: impl Into<Body>) -> Result<Id, Refused> {
        self.add(Kind::Page, Place::Under(parent), title, body)
    }

    pub fn add_folder(&self, place: Place, title: &str) -> Result<Id, Refused> {
        self.add(Kind::Folder, place, title, "")
    }

    /// A copy of a node as it is now.
    pub fn node(&self, id: Id) -> Result<Node, Refused> {
        self.with(|site| site.node(id).cloned().ok_or(Refused::NoNode(id)))
    }

    /// A new version with this body; answers its number.
    pub fn edit(&self, id: Id, body: impl Into<Body>) -> Result<u32, Refused> {
        let now = self.shared.clock.now();
        self.with(|site| site.edit(id, body.into(), now))
    }

    /// A new version with this title; answers its number.
    pub fn rename(&self, id: Id, title: &str) -> Result<u32, Refused> {
        let now = self.shared.clock.now();
        self.with(|site| site.rename(id, title, now))
    }

    /// Moves a node and all below it; versions stay as they are.
    pub fn move_to(&self, id: Id, place: Place) -> Result<(), Refused> {
        self.with(|site| site.move_to(id, place))
    }

    pub fn archive(&self, id: Id) -> Result<(), Refused> {
        self.with(|site| site.archive(id))
    }

    pub fn unarchive(&self, id: Id) -> Result<(), Refused> {
        self.with(|site| site.unarchive(id))
    }

    pub fn trash(&self, id: Id) -> Result<(), Refused> {
        self.with(|site| site.trash(id))
    }

    /// Out of the trash, as a new version; answers its number.
    pub fn restore(&self, id: Id) -> Result<u32, Refused> {
        let now = self.shared.clock.now();
        self.with(|site| site.restore(id, now))
    }

    /// Gone for good; what was below it moves up.
    pub fn purge(&self, id: Id) -> Result<(), Refused> {
        self.with(|site| site.purge(id))
    }

    /// Only these accounts can read the page and what is below it.
    pub fn restrict(&self, id: Id, readers: &[&str]) -> Result<(), Refused> {
        self.with(|site| site.restrict(id, Some(names(readers))))
    }

    pub fn unrestrict(&self, id: Id) -> Result<(), Refused> {
        self.with(|site| site.restrict(id, None))
    }

    /// Only these accounts can see the space.
    pub fn limit_space(&self, space: Id, readers: &[&str]) -> Result<(), Refused> {
        self.with(|site| site.limit_space(space, Some(names(readers))))
    }

    pub fn open_space(&self, space: Id) -> Result<(), Refused> {
        self.with(|site| site.limit_space(space, None))
    }

    pub fn archive_space(&self, space: Id, archived: bool) -> Result<(), Refused> {
        self.with(|site| {
            site.space_mut(space)?.archived = archived;
            Ok(())
        })
    }

    pub fn delete_space(&self, space: Id) -> Result<(), Refused> {
        self.with(|site| site.delete_space(space))
    }
}

fn names(readers: &[&str]) -> BTreeSet<String> {
    readers.iter().map(|reader| (*reader).to_owned()).collect()
}
