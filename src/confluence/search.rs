//! Search, which is left of v1: its index lags and proves nothing.

use serde::Deserialize;

use super::wire::{Status, or_default};
use super::{Client, Error, parse};

/// A page that a user's words led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPage {
    pub id: String,
    pub title: String,
    pub status: Status,
}

impl Client {
    /// How many pages of a space the search finds, archived ones included; if `among` is given, of these. Costs a point.
    ///
    /// A hint: the index lags, and whether the number is exact on every site is not known.
    pub async fn count_pages(&self, space_key: &str, among: Option<&[String]>) -> Result<u64, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Total {
            total_size: u64,
        }
        let ids = among.map(|ids| format!("id in ({})", ids.join(", ")));
        let clauses = ["type = page".to_owned(), in_space(space_key)].into_iter().chain(ids);
        let cql = clauses.collect::<Vec<_>>().join(" and ");
        let query = [("cql", cql), ("limit", "0".to_owned())];
        let answer = self.get(&["rest", "api", "search"], &query).await?;
        Ok(parse::<Total>(&answer)?.total_size)
    }

    /// Current pages whose titles have all of the words, the last of which may be unfinished. For a person who types:
    /// nothing is concluded from it. (v2 can filter by whole titles only.)
    pub async fn search_pages(
        &self,
        text: &str,
        space_key: Option<&str>,
        limit: u32,
    ) -> Result<Vec<FoundPage>, Error> {
        #[derive(Deserialize)]
        struct Envelope {
            results: Vec<Hit>,
        }
        #[derive(Deserialize)]
        struct Hit {
            content: Option<Content>,
        }
        #[derive(Deserialize)]
        struct Content {
            id: String,
            #[serde(default, deserialize_with = "or_default")]
            title: String,
            status: Option<Status>,
        }
        let Some(cql) = title_query(text, space_key) else { return Ok(Vec::new()) };
        let query = [("cql", cql), ("limit", limit.to_string())];
        let answer = self.get(&["rest", "api", "search"], &query).await?;
        let envelope: Envelope = parse(&answer)?;
        self.meter.spend(envelope.results.len() as u64);
        let found = envelope.results.into_iter().filter_map(|hit| hit.content).map(|content| FoundPage {
            id: content.id,
            title: content.title,
            status: content.status.unwrap_or(Status::Current),
        });
        Ok(found.filter(|page| page.status == Status::Current).collect())
    }
}

/// The words of `text` as a query over titles; nothing but letters and digits gets into it.
fn title_query(text: &str, space_key: Option<&str>) -> Option<String> {
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let (last, whole) = words.split_last()?;
    let space = space_key.map(in_space);
    let words = whole.iter().map(|word| format!("title ~ \"{word}\""));
    let clauses = ["type = page".to_owned()].into_iter().chain(space).chain(words);
    Some(clauses.chain([format!("title ~ \"{last}*\"")]).collect::<Vec<_>>().join(" and "))
}

fn in_space(key: &str) -> String {
    format!("space = {}", quoted(key))
}

/// A value of a query, which it cannot leave.
pub(super) fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace(['"', '\\'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_words_cannot_leave_their_quotes() {
        assert_eq!(
            title_query(r#"on-call" or space="HR"#, Some(r#"EN"G"#)).unwrap(),
            r#"type = page and space = "ENG" and title ~ "on" and title ~ "call" and title ~ "or" and title ~ "space" and title ~ "HR*""#
        );
        assert_eq!(title_query("über", None).unwrap(), r#"type = page and title ~ "über*""#);
        assert_eq!(title_query(" -\"* ", None), None);
    }
}
