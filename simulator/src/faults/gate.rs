//! Ways for a test to step into the middle of a call: a gate that holds it, a hook that runs before it.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// A door in front of a call: the test learns that a call has come, and decides when it goes on.
#[derive(Debug, Clone)]
pub struct Gate {
    arrivals: Arc<Semaphore>,
    passes: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrivals: Arc::new(Semaphore::new(0)), passes: Arc::new(Semaphore::new(0)) }
    }
}

impl Gate {
    /// Waits until a call stands at the gate; each arrival is reported once.
    pub async fn arrived(&self) {
        if let Ok(arrival) = self.arrivals.acquire().await {
            arrival.forget();
        }
    }

    /// Lets one call through, now or when it comes.
    pub fn release(&self) {
        self.passes.add_permits(1);
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.passes.close();
    }

    pub(crate) async fn pass(&self) {
        self.arrivals.add_permits(1);
        if let Ok(pass) = self.passes.acquire().await {
            pass.forget();
        }
    }
}

/// A function of the test that runs when the fault hits, before the call is handled.
#[derive(Clone)]
pub struct Hook(pub(super) Arc<dyn Fn() + Send + Sync>);

impl Hook {
    pub(crate) fn run(&self) {
        (self.0)();
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}
