//! Lost keys, stores and quotas: the sync stops, says why, and goes on when it is mended.

use chrono::TimeDelta;
use simulator::Fault;
use tidegate::{
    entity::{knowledge_base::KnowledgeBaseStatus, source::SourceStatus, sync::SyncStatus},
    knowledge_bases,
};

use super::world::World;

#[tokio::test]
async fn a_dead_key_blocks_the_knowledge_base_and_asks_nothing_more() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.openai().kill_key("sk-simulated");
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.tick().await;

    let knowledge_base = world.knowledge_base().await.unwrap();
    assert_eq!(knowledge_base.status, KnowledgeBaseStatus::Blocked);
    assert_eq!(knowledge_base.problem.unwrap().code, "openai_key_rejected");
    assert_eq!(world.source().await.status, SourceStatus::Blocked);
    world.calls();
    world.ticks(2).await;
    let calls = world.calls();
    assert_eq!((calls.openai(), calls.confluence()), (0, 0));
}

#[tokio::test]
async fn a_mended_knowledge_base_goes_on_where_it_was() {
    let (world, _, page) = World::with_a_page().await;
    let refused = world.simulator.fault(Fault::at(simulator::Vendor::OpenAi).status(401));
    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;
    assert_eq!(world.source().await.status, SourceStatus::Blocked);

    world.simulator.remove_fault(refused);
    let db = world.app.db.write();
    knowledge_bases::store::unblock(db, world.knowledge_base, world.now()).await.unwrap();
    world.tick().await;

    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
}

#[tokio::test]
async fn a_lost_store_blocks_the_knowledge_base_and_is_not_made_anew() {
    let (world, space, page) = World::with_a_page().await;
    assert!(world.simulator.openai().lose_store(&world.store));
    world.site.add_page(space, "New", "<p>1</p>").unwrap();

    world.ticks(2).await;

    let knowledge_base = world.knowledge_base().await.unwrap();
    assert_eq!(knowledge_base.status, KnowledgeBaseStatus::Blocked);
    assert_eq!(knowledge_base.problem.unwrap().code, "store_not_found");
    assert_eq!(knowledge_base.vector_store_id.as_ref(), Some(&world.store));
    assert_eq!(world.calls().of("POST /v1/vector_stores"), 0);
    assert_eq!(world.document(page).await.live_version, Some(1));
}

#[tokio::test]
async fn an_expired_store_blocks_the_knowledge_base() {
    let (world, _, page) = World::with_a_page().await;
    let url = format!("{}/vector_stores/{}", world.simulator.openai_url(), world.store);
    let days = serde_json::json!({ "expires_after": { "anchor": "last_active_at", "days": 1 } });
    let set = reqwest::Client::new().post(url).bearer_auth("sk-simulated").json(&days).send().await.unwrap();
    assert!(set.status().is_success());
    world.wait(TimeDelta::days(2));
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.ticks(2).await;

    let knowledge_base = world.knowledge_base().await.unwrap();
    assert_eq!(knowledge_base.status, KnowledgeBaseStatus::Blocked);
    assert_eq!(knowledge_base.problem.unwrap().code, "store_expired");
    assert_eq!(world.document(page).await.live_version, Some(1), "nothing is thrown away");
}

#[tokio::test]
async fn to_a_key_of_another_project_nothing_of_ours_is_gone() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.openai().add_key("sk-elsewhere");
    // The old file is to be deleted when the key is changed: that key finds neither it nor the store.
    world.simulator.fault(Fault::on("DELETE", "/v1/*").status(503));
    world.site.edit(page, "<p>New.</p>").unwrap();
    world.tick().await;
    world.simulator.clear_faults();
    let world = world.restarted_with(|settings| settings.openai.api_key = Some("sk-elsewhere".into())).await;
    world.ticks(2).await;
    assert_eq!(world.knowledge_base().await.unwrap().problem.unwrap().code, "store_not_found");
    assert_eq!(world.files(), 2);

    let world = world.restarted_with(|settings| settings.openai.api_key = Some("sk-simulated".into())).await;
    let db = world.app.db.write();
    knowledge_bases::store::unblock(db, world.knowledge_base, world.now()).await.unwrap();
    world.tick().await;
    assert_eq!((world.files(), world.text(page).as_str()), (1, "# Runbook\n\nNew.\n"));
}

#[tokio::test]
async fn an_exhausted_quota_pauses_and_says_so() {
    let (world, _, page) = World::with_a_page().await;
    world.simulator.openai().out_of_quota = true;
    world.site.edit(page, "<p>New.</p>").unwrap();

    world.tick().await;
    let sync = world.last_sync().await;
    assert_eq!(
        (sync.status, sync.problem.unwrap().code.as_str()),
        (SyncStatus::Running, "openai_quota_exhausted")
    );
    assert_eq!(world.knowledge_base().await.unwrap().status, KnowledgeBaseStatus::Active);
    world.calls();

    world.tick_after(TimeDelta::minutes(14)).await;
    assert_eq!(world.calls().openai(), 0, "nothing is asked while it pauses");

    world.simulator.openai().out_of_quota = false;
    world.tick_after(TimeDelta::minutes(2)).await;
    world.holds(&[page]);
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
    assert_eq!(world.last_sync().await.problem, None);
}

#[tokio::test]
async fn a_long_pause_that_a_vendor_asks_for_is_kept() {
    let (world, _, page) = World::with_a_page().await;
    world.site.edit(page, "<p>New.</p>").unwrap();
    world.simulator.fault(Fault::on("POST", "/v1/files").once().rate_limited(Some(900)));

    world.tick().await;
    assert_eq!(world.last_sync().await.problem.unwrap().code, "openai_rate_limited");
    world.calls();
    world.ticks(2).await;
    assert_eq!(world.calls().openai(), 0);

    world.tick().await;
    assert_eq!(world.text(page), "# Runbook\n\nNew.\n");
}
