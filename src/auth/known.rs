//! Principals that were looked up a moment ago, so that not every request asks the database who calls.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;

use super::Principal;

/// For how long a key that another process revoked may still open this one.
const KNOWN_FOR: TimeDelta = TimeDelta::seconds(5);
const MOST: usize = 10_000;

/// The principals that one process knows, by the hashes of their secrets.
#[derive(Debug)]
pub struct Known {
    principals: Cache<[u8; 32], (Principal, DateTime<Utc>)>,
    forgotten: AtomicU64,
}

impl Default for Known {
    fn default() -> Self {
        Self { principals: Cache::new(MOST), forgotten: AtomicU64::new(0) }
    }
}

impl Known {
    /// The principal of a secret that was looked up a moment ago.
    pub(super) fn find(&self, hash: &[u8; 32], now: DateTime<Utc>) -> Option<Principal> {
        let (principal, until) = self.principals.get(hash)?;
        (now < until).then_some(principal)
    }

    /// A number to give to [`keep`](Self::keep), taken before the principal is looked up.
    pub(super) fn epoch(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Remembers a principal whose key ends at `expires_at`, unless keys were revoked since `epoch`.
    pub(super) fn keep(
        &self,
        hash: [u8; 32],
        principal: Principal,
        expires_at: Option<DateTime<Utc>>,
        epoch: u64,
        now: DateTime<Utc>,
    ) {
        let soon = now + KNOWN_FOR;
        self.principals.insert(hash, (principal, expires_at.map_or(soon, |end| end.min(soon))));
        if self.epoch() != epoch {
            self.principals.remove(&hash);
        }
    }

    /// Forgets everybody: a key was revoked, or a workspace deleted.
    pub fn forget(&self) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.principals.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::Scopes,
        ids::{ApiKeyId, WorkspaceId},
    };

    fn principal() -> Principal {
        Principal {
            workspace_id: WorkspaceId::new(),
            key_id: ApiKeyId::new(),
            scopes: Scopes::all(),
            end_user: None,
            token_ends_at: None,
        }
    }

    #[test]
    fn a_principal_is_known_for_five_seconds_and_never_longer_than_its_key() {
        let (known, now) = (Known::default(), DateTime::UNIX_EPOCH);
        known.keep([1; 32], principal(), None, known.epoch(), now);
        known.keep([2; 32], principal(), Some(now + TimeDelta::seconds(1)), known.epoch(), now);
        assert!(known.find(&[1; 32], now + TimeDelta::milliseconds(4_999)).is_some());
        assert!(known.find(&[1; 32], now + TimeDelta::seconds(5)).is_none());
        assert!(known.find(&[2; 32], now + TimeDelta::seconds(1)).is_none());
        assert!(known.find(&[3; 32], now).is_none());
    }

    #[test]
    fn who_was_looked_up_before_a_key_was_revoked_is_not_known_after_it() {
        let (known, now) = (Known::default(), DateTime::UNIX_EPOCH);
        let epoch = known.epoch();
        known.keep([1; 32], principal(), None, epoch, now);
        known.forget();
        assert!(known.find(&[1; 32], now).is_none());
        known.keep([1; 32], principal(), None, epoch, now);
        assert!(known.find(&[1; 32], now).is_none());
    }
}
