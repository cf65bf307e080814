//! A copied database becomes an installation of its own.

use chrono::TimeDelta;
use sea_orm::{EntityTrait, sea_query::Expr};
use simulator::Vendor;
use tidegate::{
    app::{App, Clock, StartError},
    config::{EncryptionKey, Settings},
    entity::{file, installation, source, source::SourceStatus},
    installation::store::{begin_anew, proof::ProofError},
};

use crate::engine::world::World;

#[tokio::test]
async fn a_copy_never_touches_what_the_original_has_uploaded() {
    let world = World::start().await;
    let space = world.site.add_space("ENG", "Engineering").unwrap();
    let page = world.site.add_page(space, "Runbook", "<p>Turn it off and on.</p>").unwrap();
    world.include_space(space).await;
    world.tick().await;
    world.holds(&[page]);
    let original = world.app.installation;

    let id = begin_anew(&world.app.db, world.now()).await.unwrap();

    let db = world.app.db.read();
    assert_ne!(id, original);
    assert_eq!(installation::Entity::find().one(db).await.unwrap().unwrap().id, id);
    assert!(file::Entity::find().all(db).await.unwrap().is_empty(), "the original's files are not ours");
    let source = source::Entity::find_by_id(world.source).one(db).await.unwrap().unwrap();
    assert_eq!(source.status, SourceStatus::Paused);
    world.site.trash(page).unwrap();
    world.calls();
    world.tick().await;
    assert_eq!(world.calls().vendor(Vendor::OpenAi), 0);
    let openai = world.simulator.openai();
    assert_eq!(
        openai.store(&world.store).unwrap().entries().count(),
        1,
        "the original's file is still there"
    );
}

fn key(id: &str, byte: u8) -> EncryptionKey {
    EncryptionKey { id: id.to_owned(), secret: vec![byte; 32].into() }
}

/// Starts with these keys; answers whether they were taken.
async fn opens(settings: &Settings, keys: Vec<EncryptionKey>, clock: &Clock) -> bool {
    let settings = Settings { encryption_keys: keys, ..settings.clone() };
    match App::open(settings, clock.clone()).await {
        Ok(_) => true,
        Err(StartError::Proof(ProofError::WrongKeys(_))) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn only_the_databases_own_keys_open_it_and_they_can_be_replaced() {
    let world = World::start().await;
    let clock = world.app.clock.clone();
    let first = world.app.settings.encryption_keys[0].clone();
    let left = world.leave();
    let settings = &left.settings;

    assert!(!opens(settings, vec![key(&first.id, 1)], &clock).await, "another secret under the same id");
    assert!(!opens(settings, vec![key("next", 2)], &clock).await, "an id that sealed nothing");
    assert!(opens(settings, vec![key("next", 2), first.clone()], &clock).await);
    assert!(!opens(settings, vec![first.clone()], &clock).await, "the new key has sealed since");
    assert!(opens(settings, vec![first, key("next", 2)], &clock).await);
}

#[tokio::test]
async fn a_database_from_before_the_proof_is_judged_by_what_is_sealed_in_it() {
    let (world, ..) = World::with_a_page().await;
    world.tick_after(TimeDelta::minutes(5)).await;
    let none = Expr::value(Option::<Vec<u8>>::None);
    let without = installation::Entity::update_many().col_expr(installation::Column::KeyProof, none);
    without.exec(world.app.db.write()).await.unwrap();
    let clock = world.app.clock.clone();
    let first = world.app.settings.encryption_keys[0].clone();
    let left = world.leave();

    assert!(!opens(&left.settings, vec![key(&first.id, 1)], &clock).await);
    assert!(opens(&left.settings, vec![first], &clock).await);
}
