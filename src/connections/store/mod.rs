//! What the database knows about connections, the walks that authorize them, their grants and points.
//!
//! Who locks more than one kind of row locks attempts before grants before connections.

mod attempts;
mod confirm;
mod connections;
mod grants;
mod points;

pub use attempts::{
    Authorized, begin_attempt, burn_state, expire_attempts, fail_attempt, open_attempt, open_attempts, park,
    pending_attempt,
};
pub use confirm::{ConfirmError, Confirmation, confirm};
pub use connections::{
    Forgotten, Listed, begin_connection, connection, connection_by_id, create_active, forget, list,
    mark_needs_reconnect, replace_credential, sites, sites_in_use, sites_of, workspace_name,
};
pub use grants::{Rotated, forget_unused, grant, kill, release, rotate, take_lease, to_keep_alive};
pub use points::{forget_old_points, points_spent, spend_points};
