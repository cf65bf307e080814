//! A copied database becomes an installation of its own.

use sea_orm::EntityTrait;
use simulator::Vendor;
use tidegate::{
    entity::{file, installation, source, source::SourceStatus},
    installation::store::begin_anew,
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
