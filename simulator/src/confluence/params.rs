//! Query parameters, read as strictly as the vendor documents them.

use super::node::{Id, Status};
use super::refusal::Refusal;

/// The decoded pairs of a query.
#[derive(Debug)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query that may hold only documented parameters.
    pub fn read(query: &str, documented: &[&str]) -> Result<Self, Refusal> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        match pairs.iter().find(|(key, _)| !documented.contains(&key.as_str())) {
            Some((key, _)) => Err(Refusal::parameter(format!("Parameter '{key}' is not documented here."))),
            None => Ok(Self(pairs)),
        }
    }

    /// All values of a repeatable parameter.
    pub fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that may be given once.
    pub fn one<'a>(&'a self, key: &'a str) -> Result<Option<&'a str>, Refusal> {
        let mut values = self.all(key);
        let value = values.next();
        match values.next() {
            Some(_) => Err(Refusal::parameter(format!("Parameter '{key}' was given more than once."))),
            None => Ok(value),
        }
    }

    /// Ids, repeated, up to `most`; `None` when there is none.
    pub fn ids(&self, key: &str, most: usize) -> Result<Option<Vec<Id>>, Refusal> {
        let ids = self.all(key).map(|value| id(key, value)).collect::<Result<Vec<_>, _>>()?;
        if ids.len() > most {
            let title = format!("Parameter '{key}' takes at most {most} values, {} were given.", ids.len());
            return Err(Refusal::parameter(title));
        }
        Ok((!ids.is_empty()).then_some(ids))
    }

    /// A whole number within a range.
    pub fn number(&self, key: &str, default: u32, least: u32, most: u32) -> Result<u32, Refusal> {
        let Some(value) = self.one(key)? else { return Ok(default) };
        let number: u32 = value.parse().map_err(|_| wrong_type(key, "Integer"))?;
        if number < least || number > most {
            let title = format!("Provided value for '{key}' must be between {least} and {most}.");
            return Err(Refusal::parameter(title));
        }
        Ok(number)
    }

    /// `limit`, 1 to 250, 25 when absent.
    pub fn limit(&self) -> Result<usize, Refusal> {
        Ok(self.number("limit", 25, 1, 250)? as usize)
    }

    /// Whether `body-format` asks for storage; other formats are not modelled.
    pub fn wants_body(&self) -> Result<bool, Refusal> {
        match self.one("body-format")? {
            None => Ok(false),
            Some("storage") => Ok(true),
            Some(_) => Err(wrong_type("body-format", "storage")),
        }
    }

    /// `status`, repeated; current and archived when absent.
    pub fn statuses(&self) -> Result<Vec<Status>, Refusal> {
        let mut statuses = Vec::new();
        for value in self.all("status") {
            match value {
                "current" => statuses.push(Status::Current),
                "archived" => statuses.push(Status::Archived),
                "trashed" => statuses.push(Status::Trashed),
                "draft" => statuses.push(Status::Draft),
                "deleted" => {}
                _ => return Err(wrong_type("status", "ContentStatus")),
            }
        }
        let absent = self.all("status").next().is_none();
        Ok(if absent { vec![Status::Current, Status::Archived] } else { statuses })
    }

    /// The query without its cursor: what a cursor is bound to.
    #[must_use]
    pub fn without_cursor(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.0.iter().filter(|(key, _)| key != "cursor"));
        query.finish()
    }
}

/// An id in a path or query.
pub fn id(name: &str, value: &str) -> Result<Id, Refusal> {
    match value.parse::<i64>() {
        Ok(id) if id > 0 => Ok(id.unsigned_abs()),
        _ => Err(wrong_type(name, "Long")),
    }
}

fn wrong_type(name: &str, expected: &str) -> Refusal {
    let title = format!("Provided value for '{name}' is not the correct type. Expected type is {expected}.");
    Refusal::parameter(title)
}

/// What the vendor says of a cursor it did not give out for this very question.
#[must_use]
pub fn wrong_cursor() -> Refusal {
    wrong_type("cursor", "Cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_parameters_pass() {
        assert!(Params::read("limit=5&since=1", &["limit"]).is_err());
        assert!(Params::read("limit=5", &["limit"]).is_ok());
    }

    #[test]
    fn limits_and_ids_are_checked() {
        let read = |query: &str| Params::read(query, &["limit", "id", "status"]).unwrap();
        assert_eq!(read("").limit().unwrap(), 25);
        assert_eq!(read("limit=250").limit().unwrap(), 250);
        assert!(read("limit=251").limit().is_err());
        assert!(read("limit=0").limit().is_err());
        assert!(read("limit=5&limit=6").limit().is_err());
        assert_eq!(read("id=1&id=2").ids("id", 250).unwrap(), Some(vec![1, 2]));
        assert!(read("id=1,2").ids("id", 250).is_err());
        assert!(read("id=1&id=2").ids("id", 1).is_err());
        assert!(read("status=gone").statuses().is_err());
    }
}
