//! The statements that turn a copy of a database into another installation.

pub mod proof;

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter,
    sea_query::Expr,
};

use crate::{
    app::Db,
    entity::{
        Problem, batch, connection, connection_attempt, document, file, grant, hold, idempotency_key,
        installation, knowledge_base, node, reconcile, source, source_space, sync,
    },
    ids::InstallationId,
};

/// Gives the database a new installation id and forgets what belongs to the original: its files and their documents,
/// and the OAuth tokens, of which only one of the two could go on using the newest. Stores count as adopted from now
/// on, so they are never deleted with their knowledge base; sources are paused.
pub async fn begin_anew(db: &Db, now: DateTime<Utc>) -> Result<InstallationId, DbErr> {
    let id = InstallationId::new();
    let tx = db.begin().await?;
    forget_files(&tx).await?;
    pause_sources(&tx, now).await?;
    forget_grants(&tx, now).await?;
    idempotency_key::Entity::delete_many().exec(&tx).await?;
    // What stays sealed, such as knowledge bases' own keys, still needs the keys of the original.
    let key_proof = proof::key_proof(&tx).await?;
    let row = installation::ActiveModel {
        singleton: Set(1),
        id: Set(id),
        created_at: Set(now),
        key_proof: Set(key_proof),
    };
    installation::Entity::delete_many().exec(&tx).await?;
    installation::Entity::insert(row).exec_without_returning(&tx).await?;
    tx.commit().await?;
    Ok(id)
}

async fn forget_files(tx: &impl ConnectionTrait) -> Result<(), DbErr> {
    // Texts, held removals and runs go with their rows.
    file::Entity::delete_many().exec(tx).await?;
    // What a reconcile was about to remove are the original's files now.
    reconcile::Entity::delete_many().exec(tx).await?;
    batch::Entity::delete_many().exec(tx).await?;
    hold::Entity::delete_many().exec(tx).await?;
    sync::Entity::delete_many().exec(tx).await?;
    document::Entity::delete_many().exec(tx).await?;
    node::Entity::delete_many().exec(tx).await?;
    source_space::Entity::delete_many().exec(tx).await?;
    Ok(())
}

async fn pause_sources(tx: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    let paused = source::ActiveModel {
        status: Set(source::SourceStatus::Paused),
        updated_at: Set(now),
        ..Default::default()
    };
    source::Entity::update_many()
        .set(paused)
        .filter(source::Column::Status.ne(source::SourceStatus::Deleting))
        .exec(tx)
        .await?;
    let fresh = source::ActiveModel {
        lease_holder: Set(None),
        lease_until: Set(None),
        last_sync_id: Set(None),
        last_checked_at: Set(None),
        ..Default::default()
    };
    source::Entity::update_many()
        .set(fresh)
        .col_expr(source::Column::Fence, Expr::col(source::Column::Fence).add(1))
        .exec(tx)
        .await?;
    let adopted = knowledge_base::ActiveModel {
        origin: Set(knowledge_base::StoreOrigin::Adopted),
        delete_store: Set(false),
        last_reconciled_at: Set(Some(now)),
        updated_at: Set(now),
        ..Default::default()
    };
    knowledge_base::Entity::update_many().set(adopted).exec(tx).await?;
    Ok(())
}

async fn forget_grants(tx: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), DbErr> {
    let problem = Problem::new(
        "needs_reconnect",
        "The database was copied from another installation, which goes on using the Atlassian authorization.",
        "Reconnect this connection.",
    );
    let cut = connection::ActiveModel {
        status: Set(connection::ConnectionStatus::NeedsReconnect),
        grant_id: Set(None),
        problem: Set(Some(problem)),
        updated_at: Set(now),
        ..Default::default()
    };
    connection::Entity::update_many()
        .set(cut)
        .filter(connection::Column::GrantId.is_not_null())
        .exec(tx)
        .await?;
    connection_attempt::Entity::delete_many().exec(tx).await?;
    grant::Entity::delete_many().exec(tx).await?;
    Ok(())
}
