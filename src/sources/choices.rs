//! Choices: the selections as clients write them, checked first by themselves and then against the site.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::store::Edit;
use crate::{
    confluence::{self, Client, MOST_IDS, SpaceQuery, Status},
    connections::access::{Access, AccessError},
    entity::selection::{Model, SelectionKind, SelectionMode, SelectionStatus},
    http::{Check, FieldError, Problem},
    ids::{SelectionId, SourceId},
};

/// The most selections of a source.
const MOST: usize = 1000;
/// The most folders among them that are new in one request: they can only be looked up one by one.
const MOST_FOLDERS: usize = 50;

/// What of the site is wanted, or not. The most specific choice wins: a page before the nearest tree or folder before
/// the space.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    pub kind: SelectionKind,
    /// The id at Confluence of the page, folder or space.
    #[schema(examples("65538"), pattern = "^[0-9]{1,19}$")]
    pub id: String,
    /// Whether it is wanted.
    #[serde(default = "include")]
    pub mode: SelectionMode,
}

fn include() -> SelectionMode {
    SelectionMode::Include
}

/// What Confluence tells about a thing that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    title: String,
    space_id: Option<String>,
}

/// What can be said of choices without asking anybody.
pub fn check(check: &mut Check, choices: &[Choice]) {
    check.that(choices.len() <= MOST, "/selections", "too_many", "A source has at most 1000 selections.");
    let mut seen = HashSet::new();
    for (index, choice) in choices.iter().enumerate() {
        let at = format!("/selections/{index}/id");
        let is_number = (1..=19).contains(&choice.id.len()) && choice.id.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            check.refuse(at, "invalid", "Ids of Confluence are numbers, given as text.");
        } else if !seen.insert((choice.kind, choice.id.as_str())) {
            check.refuse(at, "duplicate", "This is selected twice.");
        }
    }
    let includes = choices.iter().any(|choice| choice.mode == SelectionMode::Include);
    check.that(
        choices.is_empty() || includes,
        "/selections",
        "nothing_included",
        "Nothing is included: there is nothing to exclude from.",
    );
}

/// How to get from the selections of a source to the chosen ones; `None` if they are the same. What is selected
/// already is taken as it is, so that a page which has gone meanwhile is in nobody's way; only what is new is looked up.
pub async fn edit(
    access: impl AsyncFnOnce() -> Result<Access, AccessError>,
    source_id: SourceId,
    selected: &[Model],
    choices: &[Choice],
    now: DateTime<Utc>,
) -> Result<Option<Edit>, Problem> {
    let known: HashMap<_, _> = selected.iter().map(|s| ((s.kind, s.external_id.as_str()), s)).collect();
    let wanted: HashSet<_> = choices.iter().map(|choice| (choice.kind, choice.id.as_str())).collect();
    let of = |choice: &Choice| known.get(&(choice.kind, choice.id.as_str())).copied();
    let new: Vec<(usize, &Choice)> =
        choices.iter().enumerate().filter(|(_, choice)| of(choice).is_none()).collect();
    let found = if new.is_empty() { Vec::new() } else { look_up(&access().await?, &new).await? };
    let gone = |selection: &&Model| !wanted.contains(&(selection.kind, selection.external_id.as_str()));
    let turned = |choice: &Choice| of(choice).filter(|s| s.mode != choice.mode).map(|s| (s.id, choice.mode));
    let edit = Edit {
        remove: selected.iter().filter(gone).map(|selection| selection.id).collect(),
        turn: choices.iter().filter_map(turned).collect(),
        add: new.iter().zip(found).map(|((_, choice), found)| row(source_id, choice, found, now)).collect(),
    };
    let is_same = edit.remove.is_empty() && edit.turn.is_empty() && edit.add.is_empty();
    Ok((!is_same).then_some(edit))
}

fn row(source_id: SourceId, choice: &Choice, found: Found, now: DateTime<Utc>) -> Model {
    Model {
        id: SelectionId::new(),
        source_id,
        kind: choice.kind,
        mode: choice.mode,
        external_id: choice.id.clone(),
        title: found.title,
        space_id: found.space_id,
        status: SelectionStatus::Ok,
        problem_since: None,
        verified_at: None,
        listing: None,
        created_at: now,
    }
}

/// Looks everything up that was chosen, pages and spaces in bulk; a problem names all that the connection cannot see.
async fn look_up(access: &Access, choices: &[(usize, &Choice)]) -> Result<Vec<Found>, Problem> {
    let ids = |wanted: fn(SelectionKind) -> bool| -> Vec<String> {
        let ids: HashSet<&str> =
            choices.iter().filter(|(_, c)| wanted(c.kind)).map(|(_, c)| c.id.as_str()).collect();
        ids.into_iter().map(str::to_owned).collect()
    };
    let pages =
        pages(access, &ids(|kind| matches!(kind, SelectionKind::Page | SelectionKind::PageTree))).await?;
    let spaces = spaces(access, &ids(|kind| kind == SelectionKind::Space)).await?;
    let folders = folders(access, &ids(|kind| kind == SelectionKind::Folder)).await?;
    let mut found = Vec::with_capacity(choices.len());
    let mut errors = Vec::new();
    for (index, choice) in choices {
        let (known, noun) = match choice.kind {
            SelectionKind::Page | SelectionKind::PageTree => (&pages, "page"),
            SelectionKind::Folder => (&folders, "folder"),
            SelectionKind::Space => (&spaces, "space"),
        };
        match known.get(&choice.id) {
            Some(known) => found.push(known.clone()),
            None => errors.push(FieldError::at(
                format!("/selections/{index}/id"),
                "not_found",
                format!("The {noun} does not exist, is not current, or is not visible to this connection."),
            )),
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(Problem::invalid_fields(errors)) }
}

async fn pages(access: &Access, ids: &[String]) -> Result<HashMap<String, Found>, Problem> {
    let mut found = HashMap::new();
    for some in ids.chunks(MOST_IDS) {
        let ask = async |client: Client| client.pages_by_id(some, &[Status::Current], false).await;
        for page in answered(access.ask(ask).await?)? {
            found.insert(page.id, Found { title: page.title, space_id: page.space_id });
        }
    }
    Ok(found)
}

async fn spaces(access: &Access, ids: &[String]) -> Result<HashMap<String, Found>, Problem> {
    let mut found = HashMap::new();
    for some in ids.chunks(MOST_IDS) {
        let query = SpaceQuery { ids: some.to_vec(), ..SpaceQuery::default() };
        let ask = async |client: Client| client.walk_spaces(&query).rest().await;
        for space in answered(access.ask(ask).await?)? {
            found.insert(space.id.clone(), Found { title: space.name, space_id: Some(space.id) });
        }
    }
    Ok(found)
}

async fn folders(access: &Access, ids: &[String]) -> Result<HashMap<String, Found>, Problem> {
    if ids.len() > MOST_FOLDERS {
        let message = format!("At most {MOST_FOLDERS} folders can be added at once.");
        return Err(Problem::invalid("/selections", "too_many", message));
    }
    let mut found = HashMap::new();
    for id in ids {
        let ask = async |client: Client| client.folder(id).await;
        let folder = match access.ask(ask).await? {
            Err(confluence::Error::NotFound { .. }) => continue,
            answer => answered(answer)?,
        };
        if folder.status == Status::Current {
            found.insert(folder.id, Found { title: folder.title, space_id: folder.space_id });
        }
    }
    Ok(found)
}

fn answered<T>(answer: Result<T, confluence::Error>) -> Result<T, Problem> {
    answer.map_err(|error| {
        let retry_after = error.retry_after();
        Problem::vendor_unavailable("Confluence", retry_after).because(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(kind: SelectionKind, id: &str, mode: SelectionMode) -> Choice {
        Choice { kind, id: id.to_owned(), mode }
    }

    fn refused(choices: &[Choice]) -> Vec<(String, String)> {
        let mut checked = Check::default();
        check(&mut checked, choices);
        let errors = checked.done().err().map(|problem| problem.errors().to_vec()).unwrap_or_default();
        errors.into_iter().map(|e| (e.pointer.unwrap_or_default(), e.code.into_owned())).collect()
    }

    #[test]
    fn choices_are_numbers_and_none_comes_twice() {
        use SelectionKind::{Page, PageTree, Space};
        use SelectionMode::{Exclude, Include};
        assert_eq!(refused(&[]), []);
        assert_eq!(refused(&[choice(Space, "1", Include), choice(Page, "1", Exclude)]), []);
        assert_eq!(
            refused(&[
                choice(Page, "1", Include),
                choice(Page, "1", Exclude),
                choice(PageTree, "../2", Include)
            ]),
            [
                ("/selections/1/id".to_owned(), "duplicate".to_owned()),
                ("/selections/2/id".to_owned(), "invalid".to_owned()),
            ]
        );
        let only_excluded = refused(&[choice(Space, "1", Exclude)]);
        assert_eq!(only_excluded, [("/selections".to_owned(), "nothing_included".to_owned())]);
    }

    #[test]
    fn a_choice_includes_unless_it_says_otherwise() {
        let choice: Choice = serde_json::from_str(r#"{"kind":"page_tree","id":"7"}"#).unwrap();
        assert_eq!(choice.mode, SelectionMode::Include);
        assert!(serde_json::from_str::<Choice>(r#"{"kind":"page","id":"7","title":"x"}"#).is_err());
    }
}
