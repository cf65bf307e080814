//! Proof that the encryption keys are the database's: a value that they sealed opens with them again.
//!
//! * The first start seals it; every later one opens it before anything else is done.
//! * A database from before there was a proof is judged by what is sealed in it.
//! * Once another key seals, the proof is sealed anew. It is the only thing that is: all else that the old key sealed needs
//!   that key still, and the proof does not tell whether it is listed.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr};

use crate::{
    app::Db,
    connections,
    entity::{connection, file_text, grant, installation, knowledge_base},
    files, knowledge_bases,
    seal::{OpenError, Sealer},
};

/// What the proof is sealed for.
const PURPOSE: &str = "installation.key_proof";

/// The encryption keys could not be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// They are not those of this database.
    #[error(
        "the encryption keys do not open this database ({0}). Start with the keys that it was used with: without them, \
         what is sealed in it is lost. To replace a key, list the new one first and the old one behind it"
    )]
    WrongKeys(OpenError),
    /// The database could not be read.
    #[error("the database cannot be read")]
    Db(#[from] DbErr),
}

/// Refuses keys that do not open what the database holds; leaves the proof for the next start.
pub async fn prove(db: &Db, sealer: &Sealer) -> Result<(), ProofError> {
    loop {
        let proof = key_proof(db.write()).await?;
        let sealed = match &proof {
            Some(proof) => vec![(PURPOSE.to_owned(), proof.clone())],
            None => samples(db).await?,
        };
        for (purpose, sealed) in &sealed {
            sealer.open(purpose, sealed).map_err(ProofError::WrongKeys)?;
        }
        if proof.as_deref().is_some_and(|proof| sealer.is_newest(proof)) {
            return Ok(());
        }
        let is_as_read = match proof {
            Some(proof) => installation::Column::KeyProof.eq(proof),
            None => installation::Column::KeyProof.is_null(),
        };
        // Another process that starts now may have been faster, with other keys: then those count.
        installation::Entity::update_many()
            .col_expr(installation::Column::KeyProof, Expr::value(Some(sealer.seal(PURPOSE, b"ours"))))
            .filter(is_as_read)
            .exec(db.write())
            .await?;
    }
}

/// Whether anything in the database is sealed, so that only its own keys are of use.
pub async fn needs_its_keys(db: &Db) -> Result<bool, DbErr> {
    Ok(key_proof(db.read()).await?.is_some() || !samples(db).await?.is_empty())
}

/// The proof, if there was a start before.
pub(super) async fn key_proof(db: &impl ConnectionTrait) -> Result<Option<Vec<u8>>, DbErr> {
    Ok(installation::Entity::find().one(db).await?.and_then(|row| row.key_proof))
}

/// One sealed value of each kind that lasts, with its purpose.
async fn samples(db: &Db) -> Result<Vec<(String, Vec<u8>)>, DbErr> {
    let db = db.read();
    let mut samples = Vec::new();
    if let Some(row) = grant::Entity::find().limit(1).one(db).await? {
        samples.push((connections::tokens::Place::Grant(row.id).to_string(), row.tokens));
    }
    let with_token = connection::Entity::find().filter(connection::Column::Credential.is_not_null());
    if let Some(connection::Model { id, credential: Some(sealed), .. }) = with_token.limit(1).one(db).await? {
        samples.push((connections::tokens::credential_of(id), sealed));
    }
    let with_key = knowledge_base::Entity::find().filter(knowledge_base::Column::Credential.is_not_null());
    if let Some(knowledge_base::Model { id, credential: Some(sealed), .. }) =
        with_key.limit(1).one(db).await?
    {
        samples.push((knowledge_bases::purpose(id), sealed));
    }
    if let Some(row) = file_text::Entity::find().limit(1).one(db).await? {
        samples.push((files::purpose(row.file_id), row.text));
    }
    Ok(samples)
}
