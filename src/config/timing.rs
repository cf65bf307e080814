//! Pauses, leases and time-outs: fixed in production but for the lease, set close to zero by tests.

use std::time::Duration;

/// How long things take or may take, and how much goes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The pause between two ticks.
    pub tick_pause: Duration,
    /// How old the last tick may be before the service calls itself not ready.
    pub tick_stale_after: Duration,
    /// How many sources one process works on at the same time.
    pub sources_in_flight: usize,
    /// How long a claim of a source outlasts its last heartbeat.
    pub lease: Duration,
    /// The pause between two heartbeats.
    pub heartbeat: Duration,
    /// How long PostgreSQL lets a transaction wait for the process that opened it.
    pub transaction_idle: Duration,
    /// How long a run that only loads new pages may go on while other sources wait for a free slot.
    pub turn: Duration,
    /// How long one run may go on before it hands over to the next.
    pub run_deadline: Duration,
    /// The most files of one batch.
    pub batch_files: usize,
    /// How long a batch waits for more files.
    pub batch_close_after: Duration,
    /// How long a run waits for a batch before it leaves the rest to a later tick.
    pub confirm_wait: Duration,
    /// The first pause between two looks at a batch; it doubles up to `poll_pause_most`.
    pub poll_pause: Duration,
    /// The longest pause between two looks at a batch.
    pub poll_pause_most: Duration,
    /// How long a file may be indexed before it is given up.
    pub indexing_deadline: Duration,
    /// How long an upload whose answer was lost may still turn up.
    pub lost_upload_deadline: Duration,
    /// The most attach requests in a minute and store, batches and single ones together; 0: no limit. OpenAI allows 300, and
    /// we stay below.
    pub attaches_per_minute: u32,
    /// The most deletions at OpenAI in a second and credential; 0: no limit.
    pub deletes_per_second: u32,
    /// How long a vendor's call is repeated within a run before the failure counts.
    pub retry_budget: Duration,
    /// The first pause before such a repeat; it doubles.
    pub retry_base: Duration,
    /// How long a connection to a vendor may take to open.
    pub connect_timeout: Duration,
    /// How long a call to a vendor may take.
    pub request_timeout: Duration,
    /// How long an upload may take: less than a lease still lasts after a heartbeat was due.
    pub upload_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub request_head_timeout: Duration,
    /// How many threads answer requests; unset: one a core.
    pub http_threads: Option<usize>,
    /// How long a stopping process waits for requests and runs that have begun.
    pub shutdown_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tick_pause: seconds(1),
            tick_stale_after: seconds(60),
            sources_in_flight: 4,
            lease: seconds(60),
            heartbeat: seconds(20),
            transaction_idle: seconds(10),
            turn: seconds(30),
            run_deadline: seconds(10 * 60),
            batch_files: 500,
            batch_close_after: seconds(2),
            confirm_wait: seconds(10),
            poll_pause: Duration::from_millis(250),
            poll_pause_most: seconds(2),
            indexing_deadline: seconds(10 * 60),
            lost_upload_deadline: seconds(15 * 60),
            attaches_per_minute: 240,
            deletes_per_second: 5,
            retry_budget: seconds(6),
            retry_base: Duration::from_millis(300),
            connect_timeout: seconds(5),
            request_timeout: seconds(30),
            upload_timeout: seconds(30),
            request_head_timeout: seconds(10),
            http_threads: None,
            shutdown_timeout: seconds(25),
        }
    }
}

impl Timing {
    /// The timing around a lease: three heartbeats go into it, and no call may take longer than half of it.
    #[must_use]
    pub fn of_lease(lease: Duration) -> Self {
        let default = Self::default();
        Self {
            lease,
            heartbeat: lease / 3,
            request_timeout: default.request_timeout.min(lease / 2),
            upload_timeout: default.upload_timeout.min(lease / 2),
            ..default
        }
    }

    /// What the vendor clients need of it.
    #[must_use]
    pub fn clients(&self) -> crate::vendor::Timing {
        crate::vendor::Timing {
            request_timeout: self.request_timeout,
            upload_timeout: self.upload_timeout,
            retry_budget: self.retry_budget,
            retry_base: self.retry_base,
        }
    }
}
