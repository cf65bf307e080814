//! How many calls at once a site gets from us, whoever of us needs something of it.

use std::num::NonZeroU32;

use crate::vendor::{Replicas, Room, Shared};

/// Calls at once to one site, from all processes together. The vendor names no number; its gateway answers bursts with 429.
const CALLS_AT_ONCE: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// The rooms of all sites.
#[derive(Debug)]
pub struct Sites {
    rooms: Shared<Room>,
    replicas: Replicas,
}

impl Sites {
    /// Sites that these processes share.
    #[must_use]
    pub fn new(replicas: Replicas) -> Self {
        Self { rooms: Shared::default(), replicas }
    }

    /// The room of the site with this cloud id.
    #[must_use]
    pub fn room(&self, cloud_id: &str) -> Room {
        self.rooms.get(cloud_id, || Room::new(CALLS_AT_ONCE, self.replicas.clone()))
    }
}
