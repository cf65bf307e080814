//! The steps that a history is made of.
//!
//! A step names what it is about by a number that is counted around whatever there is then. So each list of steps is a
//! history, and a failing one stays one when steps are left out.

use simulator::Kind;
use tidegate::entity::{
    selection::{SelectionKind, SelectionMode},
    sync::SyncMode,
};

use super::trouble::Trouble;

/// Among the nodes ever made.
pub type Pick = u16;

/// What a page says. `Styled` reads like `Text` of the same number.
#[derive(Clone, Copy, Debug)]
pub enum Words {
    Text(u8),
    Styled(u8),
    /// A link to the page with this number in its title, in the same space.
    Link(u8),
    Empty,
}

/// Where a node is put.
#[derive(Clone, Copy, Debug)]
pub enum Spot {
    Top { space: u8 },
    Under(Pick),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    // In the wiki.
    Add {
        kind: Kind,
        at: Spot,
        title: u8,
        words: Words,
    },
    Edit {
        node: Pick,
        words: Words,
    },
    /// A new version that says the same.
    Save {
        node: Pick,
    },
    Rename {
        node: Pick,
        title: u8,
    },
    Move {
        node: Pick,
        to: Spot,
    },
    Archive(Pick),
    Unarchive(Pick),
    Trash(Pick),
    Restore(Pick),
    /// Out of the trash for good.
    Purge(Pick),
    /// Trashed and purged before anybody looks.
    Erase(Pick),
    /// The account may no longer read it.
    Hide(Pick),
    /// Only the account may still read it.
    Restrict(Pick),
    /// Everybody may read it.
    Show(Pick),
    HideSpace(u8),
    ShowSpace(u8),
    DeleteSpace(u8),
    // At Tidegate.
    Choose {
        source: u8,
        kind: SelectionKind,
        mode: SelectionMode,
        which: Pick,
    },
    Unchoose {
        source: u8,
        which: u8,
    },
    Pause(u8),
    Resume(u8),
    Request {
        source: u8,
        mode: SyncMode,
    },
    Cancel(u8),
    Approve(u8),
    Reject(u8),
    /// Its documents go, too. The last source stays.
    DeleteSource(u8),
    Reconcile(u8),
    // Of others, at OpenAI.
    Stranger {
        store: u8,
        attached: bool,
    },
    /// Somebody takes a live file of ours out of its store, and may delete it.
    Tamper {
        which: Pick,
        deletes: bool,
    },
    // Time passes, and the worker ticks.
    Tick {
        after: u32,
    },
    // The vendors have trouble.
    Trouble(Trouble),
    /// The trouble is over, and people mend what they are asked to.
    Calm,
    /// From now on indexing takes this many seconds.
    Indexing {
        takes: u16,
    },
    /// The next files cannot be indexed, or never are.
    Unindexed {
        files: u8,
        stuck: bool,
    },
    /// Every access token given out so far has expired.
    ExpireTokens,
    /// The account takes the app's access back.
    Revoke,
    /// The vendors' clock jumps by so many seconds.
    Jump(i32),
    /// The process dies at a call of the next tick, and another starts.
    Crash {
        after: u32,
        calls: u8,
    },
}
