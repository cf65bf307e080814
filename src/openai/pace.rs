//! How fast a credential and a store may be used, where OpenAI counts: uploads at once, uploads and attaches a minute, and
//! deletions a second. All processes of an installation share it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::vendor::{Place, Replicas, Room, Shared};

/// How many calls may come at once before the pace tells.
const BURST: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// What one credential and one store may do.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Uploads at once and credential.
    pub uploads_in_flight: NonZeroU32,
    /// Uploads a minute and credential.
    pub uploads_per_minute: Option<NonZeroU32>,
    /// Attach requests a minute and store, batches and single ones together.
    pub attaches_per_minute: Option<NonZeroU32>,
    /// Deletions a second and credential.
    pub deletes_per_second: Option<NonZeroU32>,
}

/// The paces of all credentials and stores.
#[derive(Debug)]
pub struct Paces {
    limits: Limits,
    replicas: Replicas,
    credentials: Shared<Credential>,
    stores: Shared<Limiter>,
}

/// The pace of one credential's calls to one store.
#[derive(Clone, Debug)]
pub struct Pace {
    credential: Credential,
    attaches: Limiter,
}

#[derive(Clone, Debug)]
struct Credential {
    room: Room,
    uploads: Limiter,
    deletes: Limiter,
}

impl Paces {
    /// Within these limits, which `replicas` share.
    #[must_use]
    pub fn new(limits: Limits, replicas: Replicas) -> Self {
        Self { limits, replicas, credentials: Shared::default(), stores: Shared::default() }
    }

    /// The pace of a store, used with a credential of that name. Whoever shares the credential shares its pace.
    #[must_use]
    pub fn pace(&self, credential: &str, store: &str) -> Pace {
        let Limits { uploads_in_flight, uploads_per_minute, attaches_per_minute, deletes_per_second } =
            self.limits;
        let limiter = |time, limit| Limiter::new(time, limit, self.replicas.clone());
        let minute = Duration::from_mins(1);
        Pace {
            credential: self.credentials.get(credential, || Credential {
                room: Room::new(uploads_in_flight, self.replicas.clone()),
                uploads: limiter(minute, uploads_per_minute),
                deletes: limiter(Duration::from_secs(1), deletes_per_second),
            }),
            attaches: self.stores.get(store, || limiter(minute, attaches_per_minute)),
        }
    }
}

impl Pace {
    /// Waits until one more file may be uploaded. It counts as under way until the place is given back.
    pub async fn upload(&self) -> Place {
        let place = self.credential.room.enter().await;
        self.credential.uploads.wait().await;
        place
    }

    /// Waits until one more attach request may be sent.
    pub async fn attach(&self) {
        self.attaches.wait().await;
    }

    /// Waits until one more file may be deleted.
    pub async fn delete(&self) {
        self.credential.deletes.wait().await;
    }
}

/// So many calls in a time, evenly, with a small burst: with three processes, each call counts as three.
#[derive(Clone, Debug)]
struct Limiter {
    cells: Option<Arc<DefaultDirectRateLimiter>>,
    burst: NonZeroU32,
    replicas: Replicas,
}

impl Limiter {
    fn new(time: Duration, limit: Option<NonZeroU32>, replicas: Replicas) -> Self {
        let burst = limit.map_or(BURST, |limit| BURST.min(limit));
        let cells = limit.map(|limit| {
            let quota = Quota::with_period(time / limit.get()).unwrap_or_else(|| Quota::per_second(limit));
            Arc::new(RateLimiter::direct(quota.allow_burst(burst)))
        });
        Self { cells, burst, replicas }
    }

    async fn wait(&self) {
        if let Some(cells) = &self.cells {
            // No more cells than the burst has are ever asked for, so that there always will be enough.
            _ = cells.until_n_ready(self.replicas.at_most(self.burst)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_shares_a_credential_shares_its_room_and_who_shares_a_store_its_pace() {
        let few = NonZeroU32::new(2);
        let limits = Limits {
            uploads_in_flight: few.unwrap(),
            uploads_per_minute: None,
            attaches_per_minute: few,
            deletes_per_second: None,
        };
        let paces = Paces::new(limits, Replicas::default());
        let (one, other) = (paces.pace("key", "vs_1"), paces.pace("key", "vs_2"));
        let elsewhere = paces.pace("other key", "vs_1");

        let uploads = (one.upload().now_or_never(), other.upload().now_or_never());
        assert!(uploads.0.is_some() && uploads.1.is_some());
        assert!(one.upload().now_or_never().is_none(), "two are under way with this key");
        assert!(elsewhere.upload().now_or_never().is_some());
        drop(uploads);
        assert!(one.upload().now_or_never().is_some());

        assert!(one.attach().now_or_never().is_some() && elsewhere.attach().now_or_never().is_some());
        assert!(one.attach().now_or_never().is_none(), "two were attached to this store");
        assert!(other.attach().now_or_never().is_some());
    }
}
