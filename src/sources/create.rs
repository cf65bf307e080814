//! Making a source and changing what it selects, with everything checked that can be checked before.

use super::{Standing, choices, choices::Choice, scope, store};
use crate::{
    app::App,
    auth::Principal,
    connections::{self, access::Access},
    entity::{
        Metadata, SourceOptions,
        connection::{self, ConnectionStatus},
        connection_site, knowledge_base,
        knowledge_base::KnowledgeBaseStatus,
        selection,
        source::{Model, SourceStatus},
    },
    http::{Kind, Problem},
    ids::{ConnectionId, SourceId},
};

/// What a client asks for.
#[derive(Debug)]
pub struct New {
    pub connection_id: ConnectionId,
    /// The cloud id.
    pub site_id: String,
    /// Absent: the site's.
    pub name: Option<String>,
    pub choices: Vec<Choice>,
    pub interval_seconds: i32,
    pub options: SourceOptions,
    pub paused: bool,
    pub external_id: Option<String>,
    pub metadata: Metadata,
}

/// Makes a source of a knowledge base. Unless it is paused, its first sync is due at once.
pub async fn create(
    app: &App,
    caller: &Principal,
    knowledge_base: &knowledge_base::Model,
    new: New,
) -> Result<Model, Problem> {
    feeds(knowledge_base)?;
    let (connection, site) = usable(app, caller, new.connection_id, ("/site_id", &new.site_id)).await?;
    let now = app.clock.now();
    let id = SourceId::new();
    let access = async || Access::open(app, connection.id, &site.cloud_id).await;
    let edit = choices::edit(access, id, &[], &new.choices, now).await?;
    let standing = Standing::of(Some(&connection), Some(knowledge_base));
    let source = Model {
        id,
        workspace_id: knowledge_base.workspace_id,
        knowledge_base_id: knowledge_base.id,
        connection_id: Some(connection.id),
        account_id: None,
        cloud_id: site.cloud_id,
        site_url: site.url,
        name: new.name.unwrap_or(site.name),
        status: if new.paused { SourceStatus::Paused } else { standing.status },
        problem: standing.problem.filter(|_| !new.paused),
        options: new.options,
        interval_seconds: new.interval_seconds,
        selections_revision: 1,
        documents_revision: 0,
        keep_documents: false,
        fence: 0,
        lease_holder: None,
        lease_until: None,
        last_run_at: None,
        next_sync_at: now,
        last_checked_at: None,
        last_sync_id: None,
        external_id: new.external_id,
        metadata: new.metadata,
        revision: 1,
        created_at: now,
        updated_at: now,
    };
    let source = store::insert(&app.db, source, edit.unwrap_or_default().add, now).await?;
    app.wake.notify_one();
    Ok(source)
}

/// Whether a knowledge base takes new sources.
fn feeds(knowledge_base: &knowledge_base::Model) -> Result<(), Problem> {
    match knowledge_base.status {
        KnowledgeBaseStatus::Active => Ok(()),
        KnowledgeBaseStatus::Creating => {
            Err(Problem::new(Kind::Conflict, "The vector store of this knowledge base is still being made."))
        }
        KnowledgeBaseStatus::Blocked => {
            Err(Problem::new(Kind::Blocked, "The knowledge base is blocked; see its problem."))
        }
        KnowledgeBaseStatus::Deleting => {
            Err(Problem::new(Kind::Deleting, "The knowledge base is being deleted."))
        }
    }
}

/// A connection that works, that the caller may use, and its site; `at` is where the request says which site.
pub async fn usable(
    app: &App,
    caller: &Principal,
    id: ConnectionId,
    (at, site_id): (&'static str, &str),
) -> Result<(connection::Model, connection_site::Model), Problem> {
    let connection = connections::store::connection(app.db.read(), caller.workspace_id, id).await?;
    let connection = connection
        .ok_or_else(|| Problem::invalid("/connection_id", "not_found", "There is no such connection."))?;
    may_use(caller, &connection)?;
    match connection.status {
        ConnectionStatus::Active => {}
        ConnectionStatus::NeedsReconnect => {
            return Err(Problem::new(Kind::NeedsReconnect, "The connection must be reconnected first."));
        }
        ConnectionStatus::Pending
        | ConnectionStatus::Authorized
        | ConnectionStatus::Failed
        | ConnectionStatus::Expired => {
            return Err(Problem::new(
                Kind::Conflict,
                "The connection is not active; finish connecting first.",
            ));
        }
    }
    let sites = connections::store::sites(app.db.read(), id).await?;
    let site = sites
        .into_iter()
        .find(|site| site.cloud_id == site_id)
        .ok_or_else(|| Problem::invalid(at, "not_found", "The connection does not have this site."))?;
    Ok((connection, site))
}

fn may_use(caller: &Principal, connection: &connection::Model) -> Result<(), Problem> {
    if caller.may_use_what_belongs_to(&connection.owner) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "The connection belongs to somebody else: its owner or an admin may use it.",
    ))
}

/// Makes the selections of a source the chosen ones; `None` if they are so already. More removals than the
/// source's guard lets pass need to be confirmed by their number.
pub async fn select(
    app: &App,
    caller: &Principal,
    source: &Model,
    chosen: &[Choice],
    confirmed: u64,
) -> Result<Option<Model>, Problem> {
    let now = app.clock.now();
    let Some(connection_id) = source.connection_id else {
        return Err(Problem::new(Kind::Deleting, "The source is being deleted."));
    };
    let connection =
        connections::store::connection(app.db.read(), caller.workspace_id, connection_id).await?;
    may_use(caller, &connection.ok_or_else(|| Problem::not_found("connection"))?)?;
    let selected = store::selections_of(app.db.read(), source.id).await?;
    let access = async || Access::open(app, connection_id, &source.cloud_id).await;
    let Some(edit) = choices::edit(access, source.id, &selected, chosen, now).await? else { return Ok(None) };
    let (pages, nodes) = store::placed(app.db.read(), source.id).await?;
    let leaving = scope::count_leaving(&pages, &nodes, &edited(selected, &edit));
    let live = pages.iter().filter(|page| page.live_version.is_some()).count();
    confirmed_enough(&source.options, live as u64, leaving as u64, confirmed)?;
    let source = store::replace_selections(&app.db, source, edit, now).await?;
    app.wake.notify_one();
    Ok(Some(source))
}

fn edited(selected: Vec<selection::Model>, edit: &store::Edit) -> Vec<selection::Model> {
    let turned = |selection: selection::Model| {
        let mode =
            edit.turn.iter().find(|(id, _)| *id == selection.id).map_or(selection.mode, |(_, mode)| *mode);
        selection::Model { mode, ..selection }
    };
    let kept = selected.into_iter().filter(|selection| !edit.remove.contains(&selection.id)).map(turned);
    kept.chain(edit.add.iter().cloned()).collect()
}

fn confirmed_enough(options: &SourceOptions, live: u64, leaving: u64, confirmed: u64) -> Result<(), Problem> {
    let max_removals = u64::from(options.guard_max_removals);
    let max_percent = u64::from(options.guard_max_percent);
    let is_much = leaving > max_removals && leaving * 100 > live * max_percent;
    if !is_much || confirmed >= leaving {
        return Ok(());
    }
    let detail = format!(
        "{leaving} of {live} documents would leave the vector store. Send `confirm_removals`: {leaving} if that is meant."
    );
    Err(Problem::new(Kind::RemovalsNeedConfirmation, detail).with("removals", leaving).with("live", live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_much_needs_to_be_confirmed_and_the_number_must_cover_it() {
        let options = SourceOptions::default();
        let enough = |live, leaving, confirmed| confirmed_enough(&options, live, leaving, confirmed).is_ok();
        assert!(enough(12, 10, 0), "few pages");
        assert!(enough(100, 25, 0), "a small share");
        assert!(!enough(100, 26, 0));
        assert!(!enough(100, 26, 25));
        assert!(enough(100, 26, 26));
        assert!(enough(100, 26, 30));
        assert!(!enough(12, 12, 0));
    }
}
