//! Pages of lists: `limit` and an opaque `cursor` in, `items` and `next_cursor` out.
//!
//! A cursor holds the key of the last item, so that nothing is skipped or repeated when items come or go.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::problem::{FieldError, Problem};

/// How many items a page has unless asked.
pub const DEFAULT_LIMIT: u32 = 50;
/// The most items of a page.
pub const MOST: u32 = 200;

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// Which page is wanted. `K` is the key that the list is sorted by.
#[derive(Clone, Debug)]
pub struct Paging<K> {
    /// The key of the last item of the page before; `None` for the first page.
    pub after: Option<K>,
    limit: u32,
}

impl<K: Serialize + DeserializeOwned> Paging<K> {
    /// Reads the parameters `limit` and `cursor`.
    pub fn parse(limit: Option<u32>, cursor: Option<&str>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        let mut errors = Vec::new();
        if !(1..=MOST).contains(&limit) {
            let message = format!("`limit` must be between 1 and {MOST}.");
            errors.push(FieldError::parameter("limit", "out_of_range", message));
        }
        let after = cursor.map(decode).transpose();
        if after.is_err() {
            let message = "`cursor` must be the `next_cursor` of an earlier answer.";
            errors.push(FieldError::parameter("cursor", "invalid", message));
        }
        match after {
            Ok(after) if errors.is_empty() => Ok(Self { after, limit }),
            _ => Err(Problem::invalid_fields(errors)),
        }
    }

    /// How many rows to ask the database for: one more than the page shows, to know whether there is another page.
    #[must_use]
    pub fn rows(&self) -> u64 {
        u64::from(self.limit) + 1
    }

    /// The page of these `rows`; `key` is what the list is sorted by, `show` is how a row looks outside.
    pub fn page<R, T: ToSchema>(
        &self,
        mut rows: Vec<R>,
        key: impl FnOnce(&R) -> K,
        show: impl FnMut(R) -> T,
    ) -> Result<Page<T>, Problem> {
        let limit = self.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| encode(&key(last))).transpose()?;
        Ok(Page { items: rows.into_iter().map(show).collect(), next_cursor })
    }
}

/// A cursor from a key, for lists whose keys are a vendor's.
pub(crate) fn encode<K: Serialize>(key: &K) -> Result<String, Problem> {
    serde_json::to_vec(key).map(|json| BASE64_URL_SAFE_NO_PAD.encode(json)).map_err(Problem::internal)
}

fn decode<K: DeserializeOwned>(cursor: &str) -> Result<K, ()> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(cursor).map_err(drop)?;
    serde_json::from_slice(&json).map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another_to_the_end() {
        let all = [1u64, 2, 3, 4, 5];
        let mut seen = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let paging = Paging::<u64>::parse(Some(2), cursor.as_deref()).unwrap();
            let after = paging.after.unwrap_or(0);
            let wanted = usize::try_from(paging.rows()).unwrap();
            let rows: Vec<u64> = all.into_iter().filter(|n| *n > after).take(wanted).collect();
            let page = paging.page(rows, |n| *n, |n| n).unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn wrong_limits_and_cursors_are_named_together() {
        let problem = Paging::<u64>::parse(Some(201), Some("!")).unwrap_err();
        let names: Vec<_> = problem.errors().iter().filter_map(|error| error.parameter.as_deref()).collect();
        assert_eq!(names, ["limit", "cursor"]);
        assert!(Paging::<u64>::parse(Some(0), None).is_err());
        assert!(Paging::<u64>::parse(Some(200), None).is_ok());
    }
}
