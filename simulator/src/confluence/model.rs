//! Confluence Cloud as one model: accounts, sites, grants, the points quota and the vendor's switchable habits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::grants::Grants;
use super::node::Id;
use super::site::{Refused, Site};
use crate::clock::{Millis, next_hour};
use crate::random;

/// A person with an Atlassian account.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub email: String,
    pub name: String,
    /// What the direct site takes as Basic password.
    pub api_token: String,
    /// Names of the sites the person can enter.
    pub sites: BTreeSet<String>,
}

/// How a cursor finds its way back into a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CursorStyle {
    /// By the last item: nothing is skipped or repeated by changes elsewhere.
    #[default]
    Stable,
    /// By count: changes between two pages shift the window.
    Shifting,
}

/// How the gateway answers an access token past its hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpiredAnswer {
    /// 404 on v2 and 403 on v1, as was measured.
    #[default]
    NotFoundOrForbidden,
    /// 401, as others report.
    Unauthorized,
}

/// Habits of the vendor that differ by report or by year.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Habits {
    pub cursors: CursorStyle,
    pub expired_token: ExpiredAnswer,
    /// Listings with a body format answer at most this many pages, whatever the limit says.
    pub pages_with_body: Option<usize>,
    /// Listings of pages answer at most this many, whatever the limit says.
    pub pages_listed: Option<usize>,
    /// Points an app has per hour; `None` is no wall.
    pub points_per_hour: Option<u64>,
    /// Most content objects that one search answers, whatever the limit says.
    pub content_search_limit: Option<usize>,
    /// Most ids that `convert-ids-to-types` takes.
    pub convert_limit: Option<usize>,
    /// Pages that are missing in the index of the search.
    pub unindexed: Vec<Id>,
}

/// The points of one app in the present hour.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    pub limit: u64,
    pub used: u64,
    pub resets_at: Millis,
}

/// The whole of Atlassian that a connector can see.
#[derive(Debug)]
pub struct Confluence {
    pub habits: Habits,
    pub accounts: BTreeMap<String, Account>,
    pub grants: Grants,
    pub(super) sites: Vec<Site>,
    pub(super) cursor_epoch: u32,
    by_name: HashMap<String, usize>,
    by_cloud_id: HashMap<String, usize>,
    points: HashMap<String, (Millis, u64)>,
    first_id: Id,
}

impl Confluence {
    pub(crate) fn new(first_id: Id) -> Self {
        Self {
            habits: Habits::default(),
            accounts: BTreeMap::new(),
            grants: Grants::default(),
            sites: Vec::new(),
            cursor_epoch: 0,
            by_name: HashMap::new(),
            by_cloud_id: HashMap::new(),
            points: HashMap::new(),
            first_id,
        }
    }

    /// Adds a site that every account can enter; an existing name answers that site's cloud id.
    pub fn add_site(&mut self, name: &str) -> String {
        if let Some(&at) = self.by_name.get(name) {
            return self.sites[at].cloud_id.clone();
        }
        let cloud_id = random::uuid();
        let author = self.accounts.keys().next().cloned().unwrap_or_default();
        self.by_name.insert(name.to_owned(), self.sites.len());
        self.by_cloud_id.insert(cloud_id.clone(), self.sites.len());
        self.sites.push(Site::new(name, name, &cloud_id, self.first_id, &author));
        for account in self.accounts.values_mut() {
            account.sites.insert(name.to_owned());
        }
        cloud_id
    }

    /// Adds a person who can enter all sites there are; answers the account id.
    pub fn add_account(&mut self, email: &str, name: &str, api_token: &str) -> String {
        let id = format!("712020:{}", random::uuid());
        let account = Account {
            id: id.clone(),
            email: email.to_owned(),
            name: name.to_owned(),
            api_token: api_token.to_owned(),
            sites: self.sites.iter().map(|site| site.name.clone()).collect(),
        };
        self.accounts.insert(id.clone(), account);
        id
    }

    pub fn account_mut(&mut self, id: &str) -> Result<&mut Account, Refused> {
        self.accounts.get_mut(id).ok_or_else(|| Refused::NoAccount(id.to_owned()))
    }

    pub fn site(&self, name: &str) -> Result<&Site, Refused> {
        let found = self.by_name.get(name).map(|&at| &self.sites[at]);
        found.ok_or_else(|| Refused::NoSite(name.to_owned()))
    }

    pub fn site_mut(&mut self, name: &str) -> Result<&mut Site, Refused> {
        let found = self.by_name.get(name).map(|&at| &mut self.sites[at]);
        found.ok_or_else(|| Refused::NoSite(name.to_owned()))
    }

    /// All sites in the order they were added.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    pub(crate) fn site_index(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn cloud_index(&self, cloud_id: &str) -> Option<usize> {
        self.by_cloud_id.get(cloud_id).copied()
    }

    /// Makes every cursor given out so far a stale one.
    pub fn expire_cursors(&mut self) {
        self.cursor_epoch += 1;
    }

    /// The account whose e-mail and API token these are.
    pub(crate) fn account_by_token(&self, email: &str, token: &str) -> Option<&Account> {
        let is_it =
            |account: &&Account| account.email.eq_ignore_ascii_case(email) && account.api_token == token;
        self.accounts.values().find(is_it)
    }

    /// Charges an app; answers what it has used where there is a wall.
    pub(crate) fn charge(&mut self, app: &str, points: u64, now: Millis) -> Option<Quota> {
        let resets_at = next_hour(now);
        let entry = self.points.entry(app.to_owned()).or_insert((resets_at, 0));
        if entry.0 != resets_at {
            *entry = (resets_at, 0);
        }
        entry.1 += points;
        Some(Quota { limit: self.habits.points_per_hour?, used: entry.1, resets_at })
    }

    /// Points an app has used in the present hour.
    #[must_use]
    pub fn points_used(&self, app: &str, now: Millis) -> u64 {
        self.points
            .get(app)
            .filter(|(resets_at, _)| *resets_at == next_hour(now))
            .map_or(0, |(_, used)| *used)
    }
}
