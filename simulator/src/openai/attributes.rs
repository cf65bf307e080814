//! Attributes of store files and metadata of stores: their limits, and filters over them.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ApiError;

pub type Attributes = Map<String, Value>;

const MOST_KEYS: usize = 16;
const LONGEST_KEY: usize = 64;
const LONGEST_VALUE: usize = 512;

/// Checks a map against the vendor's limits: 16 keys of 64 characters, texts of 512, no nesting, no null.
pub fn check(attributes: &Attributes, param: &str) -> Result<(), ApiError> {
    if attributes.len() > MOST_KEYS {
        let message = format!(
            "Invalid '{param}': too many properties. Expected an object with at most {MOST_KEYS} properties, but got an \
             object with {} properties instead.",
            attributes.len()
        );
        return Err(ApiError::invalid(message, Some(param)));
    }
    for (key, value) in attributes {
        if key.is_empty() || key.chars().count() > LONGEST_KEY {
            let message = format!("Invalid '{param}': keys have 1 to {LONGEST_KEY} characters.");
            return Err(ApiError::invalid(message, Some(param)));
        }
        let at = format!("{param}.{key}");
        match value {
            Value::String(text) if text.chars().count() > LONGEST_VALUE => {
                let message = format!(
                    "Invalid '{at}': string too long. Expected a string with maximum length {LONGEST_VALUE}, but got a \
                     string with length {} instead.",
                    text.chars().count()
                );
                return Err(ApiError::invalid(message, Some(&at)));
            }
            Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
            Value::Null | Value::Array(_) | Value::Object(_) => {
                let message =
                    format!("Invalid type for '{at}': expected one of a string, number or boolean.");
                return Err(ApiError::invalid(message, Some(&at)));
            }
        }
    }
    Ok(())
}

/// A search filter.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Filter {
    And { filters: Vec<Filter> },
    Or { filters: Vec<Filter> },
    Eq { key: String, value: Value },
    Ne { key: String, value: Value },
    Gt { key: String, value: f64 },
    Gte { key: String, value: f64 },
    Lt { key: String, value: f64 },
    Lte { key: String, value: f64 },
    In { key: String, value: Vec<Value> },
    Nin { key: String, value: Vec<Value> },
}

impl Filter {
    #[must_use]
    pub fn accepts(&self, attributes: &Attributes) -> bool {
        let number = |key: &String, value: f64, wanted: &[Ordering]| {
            let found = attributes.get(key).and_then(Value::as_f64).and_then(|own| own.partial_cmp(&value));
            found.is_some_and(|order| wanted.contains(&order))
        };
        let is = |key: &String, value: &Value| attributes.get(key).is_some_and(|own| same(own, value));
        match self {
            Self::And { filters } => filters.iter().all(|filter| filter.accepts(attributes)),
            Self::Or { filters } => filters.iter().any(|filter| filter.accepts(attributes)),
            Self::Eq { key, value } => is(key, value),
            Self::Ne { key, value } => !is(key, value),
            Self::Gt { key, value } => number(key, *value, &[Ordering::Greater]),
            Self::Gte { key, value } => number(key, *value, &[Ordering::Greater, Ordering::Equal]),
            Self::Lt { key, value } => number(key, *value, &[Ordering::Less]),
            Self::Lte { key, value } => number(key, *value, &[Ordering::Less, Ordering::Equal]),
            Self::In { key, value } => value.iter().any(|value| is(key, value)),
            Self::Nin { key, value } => !value.iter().any(|value| is(key, value)),
        }
    }
}

/// Equal values; 3 and 3.0 are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b) == Ordering::Equal,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Attributes {
        serde_json::from_value(value).unwrap()
    }

    fn accepts(filter: Value) -> bool {
        let filter: Filter = serde_json::from_value(filter).unwrap();
        filter.accepts(&map(json!({"space": "ENG", "version": 7, "draft": false})))
    }

    #[test]
    fn limits_of_attributes() {
        let many: Attributes = (0..17).map(|n| (format!("k{n}"), json!(n))).collect();
        assert!(check(&many, "attributes").is_err());
        assert!(check(&map(json!({"a": "x".repeat(512), "b": 1.5, "c": true})), "attributes").is_ok());
        assert!(check(&map(json!({"a": "x".repeat(513)})), "attributes").is_err());
        assert!(check(&map(json!({"k".repeat(65): 1})), "attributes").is_err());
        assert!(check(&map(json!({"a": null})), "attributes").is_err());
        assert!(check(&map(json!({"a": ["b"]})), "attributes").is_err());
        assert!(check(&map(json!({"a": {"b": 1}})), "attributes").is_err());
    }

    #[test]
    fn filters_compare_as_documented() {
        assert!(accepts(json!({"type": "eq", "key": "space", "value": "ENG"})));
        assert!(accepts(json!({"type": "eq", "key": "version", "value": 7.0})));
        assert!(accepts(json!({"type": "ne", "key": "space", "value": "HR"})));
        assert!(accepts(json!({"type": "gte", "key": "version", "value": 7})));
        assert!(!accepts(json!({"type": "gt", "key": "version", "value": 7})));
        assert!(!accepts(json!({"type": "lt", "key": "absent", "value": 7})));
        assert!(accepts(json!({"type": "in", "key": "space", "value": ["HR", "ENG"]})));
        assert!(!accepts(json!({"type": "nin", "key": "space", "value": ["HR", "ENG"]})));
        assert!(accepts(json!({"type": "and", "filters": [
            {"type": "eq", "key": "draft", "value": false},
            {"type": "or", "filters": [
                {"type": "eq", "key": "space", "value": "HR"}, {"type": "lte", "key": "version", "value": 7}]}
        ]})));
    }
}
