//! How fast a credential and a store may be used, where OpenAI counts: uploads and single attaches a minute, and
//! deletions a second.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Attach requests a minute and store: OpenAI allows 300, batches and single ones together, and we stay below.
const ATTACHES_PER_MINUTE: NonZeroU32 = NonZeroU32::new(240).unwrap();
/// How many calls may come at once before the pace tells.
const BURST: NonZeroU32 = NonZeroU32::new(16).unwrap();

/// The paces of all credentials and stores of this process.
#[derive(Debug, Default)]
pub struct Paces {
    uploads: Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
    stores: Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
}

/// The pace of one credential's calls to one store.
#[derive(Clone, Debug)]
pub struct Pace {
    uploads: Option<Arc<DefaultDirectRateLimiter>>,
    attaches: Arc<DefaultDirectRateLimiter>,
    deletes: Option<Arc<DefaultDirectRateLimiter>>,
}

impl Paces {
    /// The pace of a store, used with a credential of that name. Whoever shares the credential shares its pace; no
    /// limit where none is given.
    #[must_use]
    pub fn pace(
        &self,
        credential: &str,
        store: &str,
        uploads_per_minute: Option<u32>,
        deletes_per_second: u32,
    ) -> Pace {
        let minute = Duration::from_mins(1);
        let uploads = uploads_per_minute.and_then(NonZeroU32::new);
        let deletes = NonZeroU32::new(deletes_per_second);
        Pace {
            uploads: uploads.map(|limit| shared(&self.uploads, credential, per(minute, limit))),
            attaches: shared(&self.stores, store, per(minute, ATTACHES_PER_MINUTE)),
            deletes: deletes.map(|limit| Arc::new(RateLimiter::direct(per(Duration::from_secs(1), limit)))),
        }
    }
}

impl Pace {
    /// Waits until one more file may be uploaded.
    pub async fn upload(&self) {
        wait(self.uploads.as_deref()).await;
    }

    /// Waits until one more file may be attached by itself.
    pub async fn attach(&self) {
        wait(Some(&self.attaches)).await;
    }

    /// Waits until one more file may be deleted.
    pub async fn delete(&self) {
        wait(self.deletes.as_deref()).await;
    }
}

async fn wait(limiter: Option<&DefaultDirectRateLimiter>) {
    if let Some(limiter) = limiter {
        limiter.until_ready().await;
    }
}

fn shared(
    limiters: &Mutex<HashMap<String, Arc<DefaultDirectRateLimiter>>>,
    name: &str,
    quota: Quota,
) -> Arc<DefaultDirectRateLimiter> {
    let mut limiters = limiters.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(limiters.entry(name.to_owned()).or_insert_with(|| Arc::new(RateLimiter::direct(quota))))
}

/// `limit` calls in `time`, evenly, with a small burst.
fn per(time: Duration, limit: NonZeroU32) -> Quota {
    let quota = Quota::with_period(time / limit.get()).unwrap_or_else(|| Quota::per_second(limit));
    quota.allow_burst(BURST.min(limit))
}
