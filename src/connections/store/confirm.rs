//! The one transaction in which parked tokens become a grant and a connection begins to work.
//!
//! * a wrong code costs a try, and the last try ends the attempt;
//! * the newest consent's pair replaces the grant's, whatever was being refreshed meanwhile;
//! * sites in use are never taken from under their sources.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait,
    ExprTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::Expr,
};
use subtle::ConstantTimeEq;

use super::{
    attempts::{fail, locked},
    connections::{insert_sites, sites, sites_in_use},
    grants::forget_if_unused,
};
use crate::{
    app::Db,
    connections::{
        MOST_TRIES, Site, problems,
        tokens::{Pair, Place},
    },
    entity::{
        Problem, connection, connection::ConnectionStatus, connection_attempt,
        connection_attempt::AttemptStatus, connection_site, grant, grant::GrantStatus,
    },
    ids::{AttemptId, ConnectionId, GrantId, WorkspaceId},
    seal::{OpenError, Sealer},
    sources,
};

/// What a person confirms with.
#[derive(Debug)]
pub struct Confirmation<'a> {
    pub connection_id: ConnectionId,
    /// Who confirms: must be who began.
    pub principal: &'a str,
    pub code_sha256: [u8; 32],
    /// The sites the connection shall see; all of the consent's if absent.
    pub site_ids: Option<&'a [String]>,
    pub now: DateTime<Utc>,
}

/// Why a connection could not be confirmed.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// Nothing waits for a confirmation.
    #[error("nothing waits for a confirmation")]
    NotAuthorized,
    /// Another principal began.
    #[error("another principal began this")]
    AnotherPrincipal,
    /// The code is wrong; so many tries are left.
    #[error("the code is wrong")]
    WrongCode { tries_left: i32 },
    /// The account's grant serves another workspace, so the sites must be chosen among these.
    #[error("sites must be chosen")]
    ChooseSites(Vec<Site>),
    /// The chosen site at this index is not one of the consent's.
    #[error("a chosen site is not one of the consent's")]
    UnknownSite(usize),
    /// Sources feed from these sites, which the new consent or choice does not cover.
    #[error("sites in use are not covered")]
    SitesInUse(Vec<Site>),
    /// What was parked cannot be opened with the keys that are configured.
    #[error("the parked tokens cannot be opened")]
    Sealed(#[from] OpenError),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Confirms the attempt of `connection`, which becomes active.
pub async fn confirm(
    db: &Db,
    sealer: &Sealer,
    confirmation: &Confirmation<'_>,
) -> Result<connection::Model, ConfirmError> {
    let tx = db.begin().await?;
    let attempt = match check(&tx, confirmation).await {
        // The try that was used up stays used up.
        Err(error @ ConfirmError::WrongCode { .. }) => {
            tx.commit().await?;
            return Err(error);
        }
        checked => checked?,
    };
    let pair = Pair::open(sealer, Place::Attempt(attempt.id), attempt.parked.as_deref().unwrap_or_default())?;
    let account_id = attempt.account_id.clone().unwrap_or_default();
    let known = lock_grants(&tx, confirmation.connection_id, &pair.client_id, &account_id).await?;
    let connection =
        connection::Entity::find_by_id(confirmation.connection_id).lock_exclusive().one(&tx).await?;
    let connection = connection.ok_or(ConfirmError::NotAuthorized)?;
    let sites = choose(&tx, &connection, &attempt, known.as_ref(), confirmation.site_ids).await?;
    let grant_id = keep_pair(&tx, sealer, known, &account_id, &pair, confirmation.now).await?;
    let previous = connection.grant_id.filter(|previous| *previous != grant_id);
    let connection = activate(&tx, connection, &attempt, grant_id, confirmation.now).await?;
    fix_sites(&tx, connection.id, sites).await?;
    follow_sources(&tx, grant_id, connection.workspace_id, confirmation.now).await?;
    if let Some(previous) = previous {
        forget_if_unused(&tx, previous).await?;
    }
    tx.commit().await?;
    Ok(connection)
}

/// The open attempt, if the right principal brings the right code in time.
async fn check(
    tx: &DatabaseTransaction,
    confirmation: &Confirmation<'_>,
) -> Result<connection_attempt::Model, ConfirmError> {
    let found = super::open_attempt(tx, confirmation.connection_id).await?;
    let found = match found {
        Some(found) => locked(tx, found.id).await?,
        None => None,
    };
    let ready = |attempt: &connection_attempt::Model| {
        attempt.status == AttemptStatus::Authorized && attempt.expires_at > confirmation.now
    };
    let attempt = found.filter(ready).ok_or(ConfirmError::NotAuthorized)?;
    if attempt.principal != confirmation.principal {
        return Err(ConfirmError::AnotherPrincipal);
    }
    let expected = attempt.code_sha256.as_deref().unwrap_or_default();
    if expected.ct_eq(&confirmation.code_sha256).into() {
        return Ok(attempt);
    }
    let tries = attempt.tries + 1;
    connection_attempt::ActiveModel { id: Set(attempt.id), tries: Set(tries), ..Default::default() }
        .update(tx)
        .await?;
    if tries >= MOST_TRIES {
        fail(tx, attempt.id, &problems::too_many_tries(), confirmation.now).await?;
    }
    Err(ConfirmError::WrongCode { tries_left: MOST_TRIES - tries })
}

/// Locks the grant that the connection has and the one it is about to have, and answers the latter if it exists.
async fn lock_grants(
    tx: &DatabaseTransaction,
    connection_id: ConnectionId,
    client_id: &str,
    account_id: &str,
) -> Result<Option<grant::Model>, DbErr> {
    let of_account = grant::Column::ClientId.eq(client_id).and(grant::Column::AccountId.eq(account_id));
    let present =
        super::connection_by_id(tx, connection_id).await?.and_then(|connection| connection.grant_id);
    let both = Condition::any().add(of_account).add_option(present.map(|id| grant::Column::Id.eq(id)));
    let grants =
        grant::Entity::find().filter(both).order_by_asc(grant::Column::Id).lock_exclusive().all(tx).await?;
    Ok(grants.into_iter().find(|grant| grant.client_id == client_id && grant.account_id == account_id))
}

/// The sites that the connection shall see from now on.
async fn choose(
    tx: &DatabaseTransaction,
    connection: &connection::Model,
    attempt: &connection_attempt::Model,
    grant: Option<&grant::Model>,
    chosen: Option<&[String]>,
) -> Result<Vec<Site>, ConfirmError> {
    let offered: Vec<Site> =
        serde_json::from_value(attempt.sites.clone()).map_err(|e| DbErr::Json(e.to_string()))?;
    let in_use = sites_in_use(tx, connection.id).await?;
    let fixed = sites(tx, connection.id).await?;
    let same_account = connection.account_id == attempt.account_id;
    let mut sites = match chosen {
        Some(ids) => pick(&offered, ids)?,
        None if !serves_another_workspace(tx, connection, grant).await? => offered.clone(),
        // A reconnected account keeps the sites that were chosen for it before.
        None if same_account && !fixed.is_empty() => offered
            .iter()
            .filter(|site| fixed.iter().any(|fixed| fixed.cloud_id == site.id))
            .cloned()
            .collect(),
        None => return Err(ConfirmError::ChooseSites(offered)),
    };
    let uncovered: Vec<Site> =
        in_use.into_iter().filter(|used| sites.iter().all(|site| site.id != used.id)).collect();
    let lost = |site: &Site| offered.iter().all(|offered| offered.id != site.id);
    if same_account && uncovered.iter().all(lost) {
        // The account lost these sites, and no choice of sites brings them back: their sources will say so.
        sites.extend(uncovered);
    } else if !uncovered.is_empty() {
        return Err(ConfirmError::SitesInUse(uncovered));
    }
    Ok(sites)
}

fn pick(offered: &[Site], ids: &[String]) -> Result<Vec<Site>, ConfirmError> {
    let mut sites: Vec<Site> = Vec::with_capacity(ids.len());
    for (index, id) in ids.iter().enumerate() {
        let site = offered.iter().find(|site| site.id == *id).ok_or(ConfirmError::UnknownSite(index))?;
        if !sites.contains(site) {
            sites.push(site.clone());
        }
    }
    Ok(sites)
}

async fn serves_another_workspace(
    tx: &DatabaseTransaction,
    connection: &connection::Model,
    grant: Option<&grant::Model>,
) -> Result<bool, DbErr> {
    let Some(grant) = grant else { return Ok(false) };
    let others = connection::Entity::find()
        .filter(connection::Column::GrantId.eq(grant.id))
        .filter(connection::Column::WorkspaceId.ne(connection.workspace_id));
    Ok(others.count(tx).await? > 0)
}

/// Makes the pair the grant's. Whoever refreshes the older pair meanwhile finds that the generation has moved on.
async fn keep_pair(
    tx: &DatabaseTransaction,
    sealer: &Sealer,
    known: Option<grant::Model>,
    account_id: &str,
    pair: &Pair,
    now: DateTime<Utc>,
) -> Result<GrantId, DbErr> {
    let id = known.as_ref().map_or_else(GrantId::new, |grant| grant.id);
    let row = grant::Model {
        id,
        client_id: pair.client_id.clone(),
        account_id: account_id.to_owned(),
        status: GrantStatus::Active,
        tokens: pair.seal(sealer, Place::Grant(id)),
        scopes: pair.scopes.clone(),
        access_expires_at: pair.access_expires_at,
        generation: known.as_ref().map_or(1, |grant| grant.generation + 1),
        refresh_holder: None,
        refresh_until: None,
        refresh_sent_at: None,
        created_at: known.as_ref().map_or(now, |grant| grant.created_at),
        updated_at: pair.obtained_at,
    };
    if known.is_some() {
        grant::Entity::update(row.into_active_model().reset_all()).exec(tx).await?;
    } else {
        grant::Entity::insert(row.into_active_model()).exec_without_returning(tx).await?;
    }
    Ok(id)
}

async fn activate(
    tx: &DatabaseTransaction,
    connection: connection::Model,
    attempt: &connection_attempt::Model,
    grant_id: GrantId,
    now: DateTime<Utc>,
) -> Result<connection::Model, DbErr> {
    finish(tx, attempt.id).await?;
    // The same account's other connections here stopped with the old tokens; those of other workspaces need a word of
    // their own.
    connection::Entity::update_many()
        .col_expr(connection::Column::Status, Expr::value(ConnectionStatus::Active))
        .col_expr(connection::Column::Problem, Expr::value(None::<Problem>))
        .col_expr(connection::Column::UpdatedAt, Expr::value(now))
        .filter(connection::Column::GrantId.eq(grant_id))
        .filter(connection::Column::WorkspaceId.eq(connection.workspace_id))
        .filter(connection::Column::Status.eq(ConnectionStatus::NeedsReconnect))
        .exec(tx)
        .await?;
    connection::ActiveModel {
        id: Set(connection.id),
        status: Set(ConnectionStatus::Active),
        grant_id: Set(Some(grant_id)),
        account_id: Set(attempt.account_id.clone()),
        account_name: Set(attempt.account_name.clone()),
        problem: Set(None),
        updated_at: Set(now),
        ..Default::default()
    }
    .update(tx)
    .await
}

async fn finish(tx: &DatabaseTransaction, id: AttemptId) -> Result<(), DbErr> {
    let done = connection_attempt::ActiveModel {
        id: Set(id),
        status: Set(AttemptStatus::Confirmed),
        parked: Set(None),
        code_sha256: Set(None),
        ..Default::default()
    };
    done.update(tx).await.map(|_| ())
}

async fn fix_sites(
    tx: &DatabaseTransaction,
    connection_id: ConnectionId,
    sites: Vec<Site>,
) -> Result<(), DbErr> {
    let of_connection = Condition::all().add(connection_site::Column::ConnectionId.eq(connection_id));
    connection_site::Entity::delete_many().filter(of_connection).exec(tx).await?;
    insert_sites(tx, connection_id, sites).await
}

/// The sources of the account's connections in this workspace work again, and are due.
async fn follow_sources(
    tx: &DatabaseTransaction,
    grant_id: GrantId,
    workspace_id: WorkspaceId,
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    let siblings = connection::Entity::find()
        .filter(connection::Column::GrantId.eq(grant_id))
        .filter(connection::Column::WorkspaceId.eq(workspace_id))
        .all(tx)
        .await?;
    for connection in siblings {
        sources::store::follow_connection(tx, connection.id, now).await?;
    }
    Ok(())
}
