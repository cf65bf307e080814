//! Reads who may read pages, with few requests.
//!
//! * Where nothing is known yet, the selected spaces are searched as a whole, as many pages in one answer as the vendor
//!   gives: their address is short, while that of a search for ids has room for a few hundred. It is only a faster way to
//!   the same answers: what it does not tell (the index lags, and knows no folders) is asked for by id, and what that does
//!   not tell, singly.
//! * One page can spoil the answer for all that are asked for together, so a batch that fails is halved, down to single
//!   pages.
//! * Every answer is kept at once; what cannot be read now is left out.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;

use crate::{
    confluence::{self, Guarded, MOST_FOUND, MOST_IDS, Walk},
    engine::{
        budget,
        run::Run,
        stop::Stop,
        store::{self, observed, restrictions as kept},
    },
    entity::selection::{SelectionKind, SelectionMode},
};

/// Pages asked for one by one at a time, where many together cannot be asked.
const MOST_SINGLES: usize = 100;
/// Fewer are not asked for together after that failed.
const SMALLEST_PART: usize = 25;
/// So few that an answer left out are not asked for together once more.
const FEW: usize = 10;
/// Answers about whole spaces that are taken at once, for pages that may not be among them.
const STEPS: usize = 2;

/// How a run reads restrictions.
#[derive(Default)]
pub struct Reader {
    spaces: Spaces,
    /// Whether nothing can be searched.
    fails: bool,
    /// Whether nothing can be asked for singly, which needs a scope of its own.
    singles_fail: bool,
}

/// The search through whole spaces.
#[derive(Default)]
enum Spaces {
    #[default]
    Unasked,
    Going(Box<Walk<Guarded>>),
    Over,
}

impl Reader {
    /// Reads whether each of these is restricted on itself, and keeps it; perhaps answers more than was asked for.
    pub async fn read(&mut self, run: &Run, ids: &[String]) -> Result<HashMap<String, bool>, Stop> {
        let mut read = HashMap::new();
        if ids.is_empty() || self.fails {
            return Ok(read);
        }
        self.search_spaces(run, ids, &mut read).await?;
        let missing: Vec<String> = ids.iter().filter(|id| !read.contains_key(*id)).cloned().collect();
        let singles = self.search_ids(run, missing, &mut read).await?;
        self.ask_singly(run, singles, &mut read).await?;
        Ok(read)
    }

    /// Whether something could not be asked for at all.
    pub fn is_hindered(&self) -> bool {
        self.fails || self.singles_fail
    }

    /// Goes on with the search through the selected spaces, if that may tell of these.
    async fn search_spaces(
        &mut self,
        run: &Run,
        ids: &[String],
        read: &mut HashMap<String, bool>,
    ) -> Result<(), Stop> {
        if let Spaces::Unasked = self.spaces {
            self.spaces = begin(run).await?;
        }
        for _ in 0..STEPS {
            let Spaces::Going(walk) = &mut self.spaces else { return Ok(()) };
            if !affords_a_step(run) || ids.iter().all(|id| read.contains_key(id)) {
                return Ok(());
            }
            match walk.next().await {
                Ok(Some(listing)) => {
                    let answers = listing.items.into_iter().filter_map(Guarded::restricted).collect();
                    keep(run, answers, read).await?;
                }
                Ok(None) => self.spaces = Spaces::Over,
                Err(error) => {
                    self.spaces = Spaces::Over;
                    if matches!(error, confluence::Error::RateLimited { .. }) {
                        return Err(error.into());
                    }
                    tracing::warn!(source.id = %run.source().id, %error, "a space's restrictions cannot be read at once");
                }
            }
        }
        Ok(())
    }

    /// Searches for ids, many at once. Answers those that have to be asked for singly.
    async fn search_ids(
        &mut self,
        run: &Run,
        ids: Vec<String>,
        read: &mut HashMap<String, bool>,
    ) -> Result<Vec<String>, Stop> {
        let ids = padded(run, ids).await?;
        let mut singles = Vec::new();
        // The first ids are needed most, so they come first.
        let mut parts: Vec<Vec<String>> = ids.chunks(MOST_IDS).rev().map(<[String]>::to_vec).collect();
        while let Some(mut part) = parts.pop().filter(|_| singles.len() < MOST_SINGLES) {
            let these = &part;
            match run.ask(|client| async move { client.read_restrictions(these).await }.boxed()).await? {
                Ok(answered) => {
                    let rest: Vec<String> =
                        part.iter().filter(|id| !answered.contains_key(*id)).cloned().collect();
                    // An answer may be shorter than was asked for: as long as there is more, it is asked for again.
                    if answered.is_empty() || rest.len() <= FEW {
                        singles.extend(rest);
                    } else {
                        parts.push(rest);
                    }
                    keep(run, answered, read).await?;
                }
                Err(error) if is_about_some(&error) && part.len() > SMALLEST_PART => {
                    let other = part.split_off(part.len() / 2);
                    parts.extend([other, part]);
                }
                Err(error) if is_about_some(&error) => singles.extend(part),
                Err(error) => {
                    self.fails = true;
                    trouble(run, error)?;
                    break;
                }
            }
        }
        Ok(singles)
    }

    async fn ask_singly(
        &mut self,
        run: &Run,
        ids: Vec<String>,
        read: &mut HashMap<String, bool>,
    ) -> Result<(), Stop> {
        if ids.is_empty() || self.singles_fail {
            return Ok(());
        }
        let mut answers = HashMap::new();
        for id in ids.into_iter().take(MOST_SINGLES) {
            let one = id.as_str();
            match run.ask(|client| async move { client.is_read_restricted(one).await }.boxed()).await? {
                Ok(restricted) => _ = answers.insert(id, restricted),
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    self.singles_fail = true;
                    trouble(run, error)?;
                    break;
                }
            }
        }
        keep(run, answers, read).await
    }
}

/// What cannot be read now stays unknown, and is not asked for again in this run; a pause ends the run.
fn trouble(run: &Run, error: confluence::Error) -> Result<(), Stop> {
    if matches!(error, confluence::Error::RateLimited { .. }) {
        return Err(error.into());
    }
    tracing::warn!(source.id = %run.source().id, %error, "restrictions cannot be read");
    run.note_trouble(error.into());
    Ok(())
}

/// Whether the points suffice for what one step of a search through spaces may answer, and for as many bodies.
fn affords_a_step(run: &Run) -> bool {
    budget::half_of_what_is_left(run) > MOST_FOUND
}

/// Begins a search through the spaces that are selected as a whole, unless much of it is known already.
async fn begin(run: &Run) -> Result<Spaces, Stop> {
    let (db, source) = (run.app.db.read(), run.source().id);
    if !affords_a_step(run) || !kept::is_new(db, source).await? {
        return Ok(Spaces::Over);
    }
    let known = observed::spaces(db, source).await?;
    let selections = observed::selections(db, source).await?;
    let keys: Vec<&str> = selections
        .iter()
        .filter(|selection| {
            selection.kind == SelectionKind::Space && selection.mode == SelectionMode::Include
        })
        .filter_map(|selection| known.get(&selection.external_id))
        .map(|space| space.key.as_str())
        .collect();
    if keys.is_empty() {
        return Ok(Spaces::Over);
    }
    Ok(Spaces::Going(Box::new(run.access.client().await?.walk_restrictions(&keys))))
}

/// One answer tells of many: where there is room, and points for their bodies, too, pages that come next are asked for
/// together with these.
async fn padded(run: &Run, mut ids: Vec<String>) -> Result<Vec<String>, Stop> {
    let points = budget::half_of_what_is_left(run).saturating_sub(ids.len());
    let room = points.min(ids.len().next_multiple_of(MOST_IDS) - ids.len());
    if room == 0 {
        return Ok(ids);
    }
    let limit = (room + ids.len()) as u64;
    let next = kept::unread(run.app.db.read(), run.source().id, true, limit).await?;
    let asked: HashSet<String> = ids.iter().cloned().collect();
    ids.extend(next.into_iter().filter(|id| !asked.contains(id)).take(room));
    Ok(ids)
}

/// Keeps one answer, and counts what it cost.
async fn keep(
    run: &Run,
    answers: HashMap<String, bool>,
    read: &mut HashMap<String, bool>,
) -> Result<(), Stop> {
    run.take(1 + answers.len());
    if answers.is_empty() {
        return Ok(());
    }
    let tx = run.begin().await?;
    store::restrictions::keep(&tx, run.source().id, &answers, run.now()).await?;
    tx.commit().await?;
    read.extend(answers);
    Ok(())
}

/// Whether some of the pages asked for together may have spoilt the answer.
fn is_about_some(error: &confluence::Error) -> bool {
    use confluence::Error as E;
    error.is_too_large()
        || matches!(
            error,
            E::NotFound { .. } | E::Unavailable { .. } | E::Malformed { .. } | E::Rejected { .. }
        )
}
