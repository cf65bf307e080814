//! As much of CQL as page search and counting need: conditions joined by `and`.

use chrono::NaiveDateTime;

use super::node::{Id, Kind, Node, Status, folded};
use super::site::Site;
use crate::clock::Millis;

/// A parsed query.
#[derive(Debug)]
pub struct Cql(Vec<Condition>);

#[derive(Debug)]
struct Condition {
    field: Field,
    operator: Operator,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Space,
    Type,
    Title,
    Text,
    Id,
    Parent,
    Ancestor,
    Created,
    Modified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Is,
    IsNot,
    Contains,
    Before,
    BeforeOrAt,
    After,
    AfterOrAt,
}

impl Cql {
    /// Parses a query; what the simulator does not model is an error, as malformed CQL is at the vendor's.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = Words { words: split(text)?.into_iter().peekable() };
        let mut conditions = Vec::new();
        loop {
            conditions.push(words.condition()?);
            match words.words.next().as_deref() {
                None => return Ok(Self(conditions)),
                Some(word) if word.eq_ignore_ascii_case("and") => {}
                Some(word) if word.eq_ignore_ascii_case("order") => return Ok(Self(conditions)),
                Some(other) => return Err(format!("Could not parse cql at '{other}'")),
            }
        }
    }

    /// Whether a node fits; trashed ones and drafts never do, archived ones do.
    #[must_use]
    pub fn accepts(&self, site: &Site, node: &Node, now: Millis) -> bool {
        matches!(node.status, Status::Current | Status::Archived)
            && self.0.iter().all(|condition| condition.accepts(site, node, now))
    }
}

struct Words {
    words: std::iter::Peekable<std::vec::IntoIter<String>>,
}

impl Words {
    fn next(&mut self) -> Result<String, String> {
        self.words.next().ok_or_else(|| "Could not parse cql: it ends early".to_owned())
    }

    fn condition(&mut self) -> Result<Condition, String> {
        let name = self.next()?.to_lowercase();
        let field = match name.as_str() {
            "space" | "space.key" => Field::Space,
            "type" => Field::Type,
            "title" => Field::Title,
            "text" => Field::Text,
            "id" | "content" => Field::Id,
            "parent" => Field::Parent,
            "ancestor" => Field::Ancestor,
            "created" => Field::Created,
            "lastmodified" => Field::Modified,
            _ => return Err(format!("Could not parse cql: field '{name}'")),
        };
        let sign = self.next()?.to_lowercase();
        let operator = match sign.as_str() {
            "=" | "in" => Operator::Is,
            "!=" => Operator::IsNot,
            "not" if self.next()?.eq_ignore_ascii_case("in") => Operator::IsNot,
            "~" => Operator::Contains,
            "<" => Operator::Before,
            "<=" => Operator::BeforeOrAt,
            ">" => Operator::After,
            ">=" => Operator::AfterOrAt,
            _ => return Err(format!("Could not parse cql: operator '{sign}'")),
        };
        let values = self.values()?;
        let condition = Condition { field, operator, values };
        condition.check()?;
        Ok(condition)
    }

    /// One value, a list of them, or `now(…)`.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let first = self.next()?;
        if first.eq_ignore_ascii_case("now") && self.words.peek().is_some_and(|word| word == "(") {
            let mut call = String::from("now:");
            self.next()?;
            loop {
                match self.next()?.as_str() {
                    ")" => return Ok(vec![call]),
                    part => call.push_str(part),
                }
            }
        }
        if first != "(" {
            return Ok(vec![first]);
        }
        let mut values = vec![self.next()?];
        loop {
            match self.next()?.as_str() {
                "," => values.push(self.next()?),
                ")" => return Ok(values),
                other => return Err(format!("Could not parse cql at '{other}'")),
            }
        }
    }
}

fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' | '\'' => {
                let end = rest[1..].find(first).ok_or("Could not parse cql: unclosed quotation mark")?;
                words.push(rest[1..=end].to_owned());
                end + 2
            }
            '(' | ')' | ',' | '~' => {
                words.push(first.to_string());
                1
            }
            '=' | '<' | '>' | '!' => {
                let end = rest[1..].find(|c| c != '=').map_or(rest.len(), |end| end + 1).min(2);
                words.push(rest[..end].to_owned());
                end
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()=<>!~,\"'".contains(c));
                let end = end.unwrap_or(rest.len());
                words.push(rest[..end].to_owned());
                end
            }
        };
        rest = rest[taken..].trim_start();
    }
    Ok(words)
}

impl Condition {
    fn check(&self) -> Result<(), String> {
        let dates = matches!(self.field, Field::Created | Field::Modified);
        if dates && self.values.iter().any(|value| instant(value, 0).is_none()) {
            return Err(format!("Could not parse cql: date {:?}", self.values));
        }
        let compares = matches!(
            self.operator,
            Operator::Before | Operator::BeforeOrAt | Operator::After | Operator::AfterOrAt
        );
        let searches = matches!(self.field, Field::Title | Field::Text);
        if compares && !dates || self.operator == Operator::Contains && !searches {
            return Err("Could not parse cql: the field does not take this operator".to_owned());
        }
        Ok(())
    }

    fn accepts(&self, site: &Site, node: &Node, now: Millis) -> bool {
        let any = |test: &dyn Fn(&str) -> bool| self.values.iter().any(|value| test(value));
        let is_id = |value: &str, id: Id| value == id.to_string();
        let found = match self.field {
            Field::Space => {
                let key = site.space(node.space).map_or("", |space| space.key.as_str());
                any(&|value| value.eq_ignore_ascii_case(key))
            }
            Field::Type => any(&|value| value.eq_ignore_ascii_case(kind_name(node.kind))),
            Field::Title if self.operator == Operator::Contains => {
                any(&|value| has_words(&node.title, value))
            }
            Field::Title => any(&|value| folded(value) == folded(&node.title)),
            Field::Text => any(&|value| has_words(&node.title, value) || has_words(&node.body.text(), value)),
            Field::Id => any(&|value| is_id(value, node.id)),
            Field::Parent => any(&|value| node.parent.is_some_and(|parent| is_id(value, parent))),
            Field::Ancestor => any(&|value| site.above(node).any(|above| is_id(value, above.id))),
            Field::Created => return any(&|value| self.compares(node.created_at, value, now)),
            Field::Modified => return any(&|value| self.compares(node.version.at, value, now)),
        };
        found != (self.operator == Operator::IsNot)
    }

    /// Dates are compared by the minute.
    fn compares(&self, at: Millis, value: &str, now: Millis) -> bool {
        const MINUTE: Millis = 60_000;
        let Some(limit) = instant(value, now) else { return false };
        let (at, limit) = (at.div_euclid(MINUTE), limit.div_euclid(MINUTE));
        match self.operator {
            Operator::Before => at < limit,
            Operator::BeforeOrAt => at <= limit,
            Operator::After => at > limit,
            Operator::AfterOrAt => at >= limit,
            Operator::Is => at == limit,
            Operator::IsNot => at != limit,
            Operator::Contains => false,
        }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Page => "page",
        Kind::Folder => "folder",
        Kind::Whiteboard => "whiteboard",
        Kind::Database => "database",
        Kind::Embed => "embed",
    }
}

/// Every word of `wanted` is in `text`; a trailing `*` makes it a prefix.
fn has_words(text: &str, wanted: &str) -> bool {
    let text = folded(text);
    let words = || text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    folded(wanted).split_whitespace().all(|wanted| match wanted.strip_suffix('*') {
        Some(prefix) => words().any(|word| word.starts_with(prefix)),
        None => words().any(|word| word == wanted),
    })
}

/// `yyyy-MM-dd`, `yyyy-MM-dd HH:mm`, with `/` as well, or `now:-90m`.
fn instant(value: &str, now: Millis) -> Option<Millis> {
    if let Some(offset) = value.strip_prefix("now:") {
        if offset.is_empty() {
            return Some(now);
        }
        let unit = match offset.chars().last()? {
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            'w' => 7 * 86_400_000,
            _ => return None,
        };
        return Some(now + offset[..offset.len() - 1].parse::<Millis>().ok()? * unit);
    }
    let value = value.replace('/', "-");
    let full = if value.len() == 10 { format!("{value} 00:00") } else { value };
    let time = NaiveDateTime::parse_from_str(&full, "%Y-%m-%d %H:%M").ok()?;
    Some(time.and_utc().timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_with_quotes_lists_and_functions() {
        for good in [
            "space = ENG and type=page",
            "space in (\"ENG\", OPS) AND type = \"page\"",
            "title ~ \"run book*\" and ancestor = 123",
            "lastmodified >= now(\"-90m\") and created < \"2026-11-22 10:30\"",
            "type = page order by created desc",
            "id not in (1, 2)",
        ] {
            assert!(Cql::parse(good).is_ok(), "{good}: {:?}", Cql::parse(good));
        }
        for bad in [
            "",
            "space",
            "space = ",
            "label = x",
            "space > ENG",
            "title ~ \"open",
            "type = page or type = folder",
            "created > soon",
        ] {
            assert!(Cql::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dates_are_minutes() {
        assert_eq!(instant("1970-01-02", 0), Some(86_400_000));
        assert_eq!(instant("1970/01/01 00:01", 0), Some(60_000));
        assert_eq!(instant("now:-1h", 7_200_000), Some(3_600_000));
        assert_eq!(instant("tomorrow", 0), None);
    }
}
