//! Which part of a space was listed when, where it is too large to be listed at once: pure.
//!
//! * A listing goes on in the order of page ids, which never change: what moves or goes meanwhile is not shown in the
//!   piece where its id was.
//! * A space is as old as that piece of it which was listed longest ago.

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::page_order;
use crate::entity::selection::{Listing, Stretch};

/// A listing that did not move for so long begins anew: its cursor may lead nowhere.
const STUCK: TimeDelta = TimeDelta::hours(24);

/// What one run listed of a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// The page after which it begins; absent at the front.
    pub after: Option<String>,
    /// Its last page; absent where the space ends.
    pub to: Option<String>,
    /// Where the next one begins.
    pub cursor: Option<String>,
    /// What it cost.
    pub points: u64,
    /// Confluence's time when it began.
    pub date: Option<DateTime<Utc>>,
}

impl Piece {
    /// Whether a page would have been shown in it.
    #[must_use]
    pub fn holds(&self, page: &str) -> bool {
        self.after.as_ref().is_none_or(|after| page_order(page, after).is_gt())
            && reaches(self.to.as_ref(), page)
    }

    /// Makes it longer.
    pub fn extend<'a>(&mut self, pages: impl Iterator<Item = &'a str>) {
        for page in pages {
            if [&self.to, &self.after].into_iter().flatten().all(|last| page_order(page, last).is_gt()) {
                self.to = Some(page.to_owned());
            }
        }
    }
}

/// Whether something that ends at `to` goes as far as a page.
fn reaches(to: Option<&String>, page: &str) -> bool {
    to.is_none_or(|to| page_order(page, to).is_le())
}

/// Where a listing goes on: its cursor, and the last page before it.
#[must_use]
pub fn position(listing: Option<&Listing>, now: DateTime<Utc>) -> Option<(String, Option<String>)> {
    let listing = listing?;
    let moved = listing.stretches.iter().map(|stretch| stretch.at).max()?;
    let cursor = listing.cursor.clone().filter(|_| now - moved < STUCK)?;
    Some((cursor, listing.after.clone()))
}

/// How far a space has been listed, after one more piece of it was.
#[must_use]
pub fn add(before: Option<&Listing>, piece: &Piece, stretch: Stretch, spent_until: DateTime<Utc>) -> Listing {
    let mut stretches = before.map(|listing| listing.stretches.clone()).unwrap_or_default();
    // An older stretch that ends beyond the piece begins behind it from now on.
    stretches.retain(|old| old.to.as_ref().map_or(piece.to.is_some(), |to| !piece.holds(to)));
    let (cursor, after) = (piece.cursor.clone(), stretch.to.clone());
    stretches.push(stretch);
    stretches.sort_by(|one, other| match (&one.to, &other.to) {
        (Some(one), Some(other)) => page_order(one, other),
        (one, other) => one.is_none().cmp(&other.is_none()),
    });
    Listing { cursor, after, stretches, spent_until }
}

/// Since when each page of a space has been looked for; absent while some never were.
#[must_use]
pub fn verified_at(listing: &Listing) -> Option<DateTime<Utc>> {
    listing.stretches.last().filter(|last| last.to.is_none())?;
    listing.stretches.iter().map(|stretch| stretch.at).min()
}

/// Whether the piece that a page belongs to was seen by this account.
#[must_use]
pub fn was_seen_by(listing: &Listing, page: &str, account: &str) -> bool {
    let stretch = listing.stretches.iter().find(|stretch| reaches(stretch.to.as_ref(), page));
    stretch.is_some_and(|stretch| stretch.account.as_deref() == Some(account))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// The listing after one more piece, seen by an account named after the minute.
    fn go_on(before: Option<&Listing>, after: Option<&str>, to: Option<&str>, minute: i64) -> Listing {
        let (after, to) = (after.map(str::to_owned), to.map(str::to_owned));
        let cursor = to.as_ref().map(|to| format!("behind {to}"));
        let piece = Piece { after, to: to.clone(), cursor, ..Piece::default() };
        let stretch = Stretch { to, at: at(minute), account: Some(minute.to_string()) };
        add(before, &piece, stretch, at(minute))
    }

    fn ends(listing: &Listing) -> Vec<&str> {
        listing.stretches.iter().map(|stretch| stretch.to.as_deref().unwrap_or("end")).collect()
    }

    #[test]
    fn a_space_is_verified_once_its_end_was_seen_and_then_as_old_as_its_oldest_piece() {
        let one = go_on(None, None, Some("9"), 1);
        assert_eq!(
            (verified_at(&one), position(Some(&one), at(2)).unwrap().0),
            (None, "behind 9".to_owned())
        );
        let two = go_on(Some(&one), Some("9"), Some("70"), 2);
        let all = go_on(Some(&two), Some("70"), None, 3);
        assert_eq!((verified_at(&all), position(Some(&all), at(4))), (Some(at(1)), None));

        let again = go_on(Some(&all), None, Some("12"), 4);
        assert_eq!((ends(&again), verified_at(&again)), (vec!["12", "70", "end"], Some(at(2))));
        let again = go_on(Some(&again), Some("12"), Some("80"), 5);
        assert_eq!((ends(&again), verified_at(&again)), (vec!["12", "80", "end"], Some(at(3))));
        let again = go_on(Some(&again), Some("80"), None, 6);
        assert_eq!((ends(&again), verified_at(&again)), (vec!["12", "80", "end"], Some(at(4))));
    }

    #[test]
    fn a_listing_that_begins_anew_keeps_what_is_known_of_the_rest() {
        let one = go_on(None, None, Some("50"), 1);
        let anew = go_on(Some(&one), None, Some("20"), 2);
        assert_eq!((ends(&anew), verified_at(&anew)), (vec!["20", "50"], None));
        let whole = go_on(Some(&anew), None, None, 3);
        assert_eq!((ends(&whole), verified_at(&whole)), (vec!["end"], Some(at(3))));
    }

    #[test]
    fn a_page_is_missed_only_in_the_piece_where_its_id_is() {
        let piece = Piece { after: Some("9".to_owned()), to: Some("70".to_owned()), ..Piece::default() };
        let found: Vec<bool> = ["9", "10", "70", "71", "100"].map(|page| piece.holds(page)).into();
        assert_eq!(found, [false, true, true, false, false]);
        assert!(Piece { to: None, ..piece }.holds("100"));
    }

    #[test]
    fn a_piece_ends_with_the_greatest_id_whatever_the_order() {
        let mut piece = Piece { after: Some("12".to_owned()), ..Piece::default() };
        piece.extend(["7"].into_iter());
        assert_eq!(piece.to, None);
        piece.extend(["100", "20"].into_iter());
        assert_eq!(piece.to.as_deref(), Some("100"));
    }

    #[test]
    fn each_page_is_known_to_have_been_seen_by_the_account_that_saw_its_piece() {
        let listing = go_on(Some(&go_on(None, None, Some("9"), 1)), Some("9"), None, 2);
        assert!(was_seen_by(&listing, "9", "1") && was_seen_by(&listing, "10", "2"));
        assert!(!was_seen_by(&listing, "10", "1"));
    }

    #[test]
    fn a_cursor_that_led_nowhere_for_a_day_is_not_trusted() {
        let listing = go_on(None, None, Some("9"), 0);
        assert!(position(Some(&listing), at(24 * 60 - 1)).is_some());
        assert_eq!(position(Some(&listing), at(24 * 60)), None);
    }
}
