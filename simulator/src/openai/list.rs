//! Lists as OpenAI pages them: `limit`, `order`, `after`, `before`, `has_more`.

use std::collections::BTreeMap;
use std::ops::Bound;

use actix_web::HttpMessage;
use serde_json::{Value, json};

use super::caller::Caller;
use super::error::ApiError;
use crate::faults::ListingFault;

/// What a list call asks for.
#[derive(Debug)]
pub struct Window {
    limit: usize,
    descending: bool,
    after: Option<String>,
    before: Option<String>,
    /// The list goes round in a circle: a fault.
    circular: bool,
}

/// Limits of one list.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub default: usize,
    pub most: usize,
}

impl Window {
    pub fn read(caller: &Caller, query: &[(String, String)], limits: Limits) -> Result<Self, ApiError> {
        let one = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let limit = match one("limit") {
            None => limits.default,
            Some(text) => {
                let number = text.parse().ok().filter(|number| (1..=limits.most).contains(number));
                number.ok_or_else(|| {
                    let message = format!("Invalid 'limit': expected a value between 1 and {}.", limits.most);
                    ApiError::invalid(message, Some("limit"))
                })?
            }
        };
        let descending = match one("order") {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => return Err(ApiError::invalid("Invalid value for 'order'.", Some("order"))),
        };
        let circular =
            matches!(caller.request.extensions().get::<ListingFault>(), Some(ListingFault::NextLoop));
        Ok(Self {
            limit,
            descending,
            after: one("after").map(ToOwned::to_owned),
            before: one("before").map(ToOwned::to_owned),
            circular,
        })
    }

    /// The part of `items` asked for, written by `shape`.
    pub fn answer<T>(
        &self,
        items: &BTreeMap<u64, T>,
        order_of: impl Fn(&str) -> Option<u64>,
        restarts: bool,
        fits: impl Fn(&T) -> bool,
        shape: impl Fn(&T) -> Value,
    ) -> Result<Value, ApiError> {
        let find = |name: &str, id: &Option<String>| match id {
            None => Ok(None),
            Some(id) => match order_of(id) {
                Some(order) => Ok(Some(order)),
                None if restarts => Ok(None),
                None => {
                    let message = format!("Invalid '{name}': no item with id '{id}' found.");
                    Err(ApiError::invalid(message, Some(name)))
                }
            },
        };
        let after = if self.circular { None } else { find("after", &self.after)? };
        let before = find("before", &self.before)?;
        let (low, high) = if self.descending { (before, after) } else { (after, before) };
        if low.zip(high).is_some_and(|(low, high)| low >= high) {
            return Ok(list(&[], false));
        }
        let bounds =
            (low.map_or(Bound::Unbounded, Bound::Excluded), high.map_or(Bound::Unbounded, Bound::Excluded));
        let range = items.range(bounds).map(|(_, item)| item);
        let take = |items: &mut dyn Iterator<Item = &T>| -> Vec<Value> {
            items.filter(|item| fits(item)).take(self.limit + 1).map(&shape).collect()
        };
        let mut data = if self.descending { take(&mut range.rev()) } else { take(&mut { range }) };
        let more = data.len() > self.limit;
        data.truncate(self.limit);
        Ok(list(&data, more || self.circular))
    }
}

/// The envelope of a list.
#[must_use]
pub fn list(data: &[Value], has_more: bool) -> Value {
    let id = |item: Option<&Value>| item.map(|item| item["id"].clone());
    json!({
        "object": "list",
        "first_id": id(data.first()),
        "last_id": id(data.last()),
        "data": data,
        "has_more": has_more,
    })
}
