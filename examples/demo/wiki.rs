//! The hand that changes the simulated wiki while the service looks on.

use anyhow::Context;
use serde_json::{Value, json};

use crate::api::{Api, text};

/// One site of the simulated Confluence, changed through the simulator's control API.
pub struct Wiki {
    /// Speaks to `…/_control`.
    control: Api,
    site: &'static str,
}

impl Wiki {
    /// The wiki of the site `site` on the simulator at `origin`.
    pub fn new(origin: &str, site: &'static str) -> anyhow::Result<Self> {
        Ok(Self { control: Api::new(origin.to_owned(), None)?, site })
    }

    /// Writes `new` where a page says `old`.
    pub async fn replace_text(&self, title: &str, old: &str, new: &str) -> anyhow::Result<()> {
        let id = self.id(title).await?;
        let page = self.control.poll(&self.path(&id)).await?;
        let storage = text(&page, "storage")?.replace(old, new);
        self.change(&id, "edit", json!({"storage": storage})).await
    }

    /// Moves a page, and all that is below it, below another one.
    pub async fn move_below(&self, title: &str, parent: &str) -> anyhow::Result<()> {
        let (id, parent) = (self.id(title).await?, self.id(parent).await?);
        self.change(&id, "move", json!({"parent": parent})).await
    }

    /// Puts a page into the trash.
    pub async fn trash(&self, title: &str) -> anyhow::Result<()> {
        self.change(&self.id(title).await?, "trash", json!({})).await
    }

    async fn change(&self, page: &str, verb: &str, body: Value) -> anyhow::Result<()> {
        self.control.post(&format!("{}/{verb}", self.path(page)), body).await?;
        Ok(())
    }

    fn path(&self, page: &str) -> String {
        format!("/_control/sites/{}/pages/{page}", self.site)
    }

    async fn id(&self, title: &str) -> anyhow::Result<String> {
        let pages = self.control.poll(&format!("/_control/sites/{}/pages", self.site)).await?;
        let found = pages.as_array().into_iter().flatten().find(|page| page["title"] == title);
        Ok(text(found.with_context(|| format!("the wiki has no “{title}”"))?, "id")?.to_owned())
    }
}
