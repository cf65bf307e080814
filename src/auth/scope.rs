//! Scopes: what a key may do. None implies another.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::entity::api_key;

/// One thing that a key may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// See everything of the workspace except the text of pages.
    Read,
    /// See the text of pages, and search.
    Content,
    /// Start, cancel, approve and reject syncs.
    Sync,
    /// Create, change and delete connections, knowledge bases and sources.
    Manage,
    /// Manage API keys, and what other principals began.
    Admin,
    /// Run the installation: workspaces and metrics.
    Operator,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Content, Self::Sync, Self::Manage, Self::Admin, Self::Operator];

    /// Its name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Content => "content",
            Self::Sync => "sync",
            Self::Manage => "manage",
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no scope.
#[derive(Debug, thiserror::Error)]
#[error("there is no scope {0:?}; the scopes are read, content, sync, manage, admin and operator")]
pub struct UnknownScope(String);

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Every scope.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub fn contain(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// The first scope of `wanted` that is not among these.
    #[must_use]
    pub fn lacking(&self, wanted: &Self) -> Option<Scope> {
        wanted.0.difference(&self.0).next().copied()
    }

    /// Those that are among `others`, too.
    #[must_use]
    pub fn in_both(&self, others: &Self) -> Self {
        self.0.intersection(&others.0).copied().collect()
    }

    /// The scopes in the order in which the enumeration lists them.
    #[must_use]
    pub fn to_vec(&self) -> Vec<Scope> {
        self.0.iter().copied().collect()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a stored key may do.
    #[must_use]
    pub fn of(key: &api_key::Model) -> Self {
        Self::from_json(&key.scopes)
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(|scope| scope.name()).collect()
    }

    /// Names that this version does not know allow nothing.
    fn from_json(json: &serde_json::Value) -> Self {
        let names = json.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
        names.filter_map(|name| name.parse().ok()).collect()
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.name()).collect();
        f.write_str(&names.join(","))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_what_is_stored() {
        let some: Scopes = [Scope::Sync, Scope::Read].into_iter().collect();
        assert_eq!(Scopes::from_json(&some.to_json()), some);
        assert_eq!(Scopes::from_json(&serde_json::json!(["read", "future"])).to_vec(), [Scope::Read]);
        assert_eq!(some.lacking(&Scopes::all()), Some(Scope::Content));
        assert_eq!(Scopes::all().lacking(&some), None);
    }

    #[test]
    fn names_are_the_same_in_text_and_json() {
        for scope in Scope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
            assert_eq!(scope.name().parse::<Scope>().unwrap(), scope);
        }
    }
}
