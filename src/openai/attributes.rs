//! Attributes of a file in a vector store: a flat map of text, numbers and switches within the vendor's limits.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

pub type Attributes = BTreeMap<String, AttributeValue>;

/// The most keys that one file may have.
const MOST_KEYS: usize = 16;
/// The longest key, in characters.
const LONGEST_KEY: usize = 64;
/// The longest text, in characters. (One of the vendor's pages says 512, another this.)
pub const LONGEST_TEXT: usize = 256;

#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    Text(String),
    Number(f64),
    Bool(bool),
}

impl AttributeValue {
    /// Text, cut after [`LONGEST_TEXT`] characters.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(text.chars().take(LONGEST_TEXT).collect())
    }

    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<bool> for AttributeValue {
    fn from(switch: bool) -> Self {
        Self::Bool(switch)
    }
}

impl From<i64> for AttributeValue {
    /// Exact up to 2^53, which versions and unix seconds do not reach.
    #[expect(clippy::cast_precision_loss, reason = "JSON numbers are doubles at the vendor, too")]
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(switch) => serializer.serialize_bool(*switch),
            Self::Number(number) => match whole(*number) {
                Some(number) => serializer.serialize_i64(number),
                None => serializer.serialize_f64(*number),
            },
        }
    }
}

/// A number without a fraction is sent as `3`, not as `3.0`.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Reads the attributes of any file, ours or not: what is no text, number or switch is left out.
pub(super) fn tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Attributes, D::Error> {
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    let known = values.into_iter().filter_map(|(key, value)| {
        let value = match value {
            Value::String(text) => AttributeValue::Text(text),
            Value::Bool(switch) => AttributeValue::Bool(switch),
            Value::Number(number) => AttributeValue::Number(number.as_f64()?),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some((key, value))
    });
    Ok(known.collect())
}

/// Why a map of attributes would be refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributeProblem {
    #[error("a file can have 16 attributes, not {count}")]
    TooMany { count: usize },
    #[error("the attribute name {key:?} is empty or longer than 64 characters")]
    Key { key: String },
    #[error("the text of the attribute {key:?} is longer than 256 characters")]
    Text { key: String },
    #[error("the attribute {key:?} is not a number")]
    NotANumber { key: String },
}

/// Checks attributes against the limits that every server keeps.
pub fn check_attributes(attributes: &Attributes) -> Result<(), AttributeProblem> {
    if attributes.len() > MOST_KEYS {
        return Err(AttributeProblem::TooMany { count: attributes.len() });
    }
    for (key, value) in attributes {
        let key = || key.clone();
        if !(1..=LONGEST_KEY).contains(&key().chars().count()) {
            return Err(AttributeProblem::Key { key: key() });
        }
        match value {
            AttributeValue::Text(text) if text.chars().count() > LONGEST_TEXT => {
                return Err(AttributeProblem::Text { key: key() });
            }
            AttributeValue::Number(number) if !number.is_finite() => {
                return Err(AttributeProblem::NotANumber { key: key() });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: AttributeValue) -> Attributes {
        Attributes::from([(key.to_owned(), value)])
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let AttributeValue::Text(text) = AttributeValue::text(&"ü".repeat(300)) else { panic!() };
        assert_eq!(text, "ü".repeat(256));
    }

    #[test]
    fn whole_numbers_are_sent_as_whole_numbers() {
        let sent = |number| serde_json::to_string(&AttributeValue::Number(number)).unwrap();
        assert_eq!([sent(3.0), sent(-0.5)], ["3", "-0.5"]);
        assert_eq!(serde_json::to_string(&AttributeValue::from(1_795_348_810_i64)).unwrap(), "1795348810");
    }

    #[test]
    fn foreign_attributes_are_read_as_far_as_they_can_be() {
        #[derive(Deserialize)]
        struct File {
            #[serde(default, deserialize_with = "tolerant")]
            attributes: Attributes,
        }
        let read = |json: &str| serde_json::from_str::<File>(json).unwrap().attributes;
        assert!(read("{}").is_empty() && read(r#"{"attributes":null}"#).is_empty());
        let mixed = read(r#"{"attributes":{"a":"x","b":3.0,"c":true,"d":null,"e":[1],"f":{}}}"#);
        assert_eq!(
            mixed.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "x".into()), ("b".to_owned(), 3_i64.into()), ("c".to_owned(), true.into())]
        );
    }

    #[test]
    fn what_the_vendor_would_refuse_is_found_before() {
        assert_eq!(check_attributes(&one("title", "x".into())), Ok(()));
        let many: Attributes = (0..17).map(|n| (n.to_string(), true.into())).collect();
        assert_eq!(check_attributes(&many), Err(AttributeProblem::TooMany { count: 17 }));
        assert!(matches!(check_attributes(&one("", true.into())), Err(AttributeProblem::Key { .. })));
        assert!(matches!(
            check_attributes(&one(&"k".repeat(65), true.into())),
            Err(AttributeProblem::Key { .. })
        ));
        let long = AttributeValue::Text("x".repeat(257));
        assert!(matches!(check_attributes(&one("k", long)), Err(AttributeProblem::Text { .. })));
        let nan = AttributeValue::Number(f64::NAN);
        assert!(matches!(check_attributes(&one("k", nan)), Err(AttributeProblem::NotANumber { .. })));
    }
}
