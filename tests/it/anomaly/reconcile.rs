//! A reconcile and a rebuild in which each call meets an anomaly: whoever ticks next finishes them.

use simulator::{Fault, Id};
use tidegate::entity::reconcile::{ReconcileKind, ReconcileStatus};

use super::{Anomaly, meets, share};
use crate::engine::world::World;

const ANOMALIES: [Anomaly; 4] =
    [Anomaly::NeverSent, Anomaly::AnswerLost, Anomaly::DiesBefore, Anomaly::DiesAfter];

impl World {
    /// Of four pages, one file is detached, one deleted, one labelled by others, and one is there twice.
    async fn is_harmed(&self, pages: &[Id]) {
        self.somebody_detaches(pages[0]).await;
        self.somebody_deletes(pages[1]).await;
        self.somebody_labels(pages[2]).await;
        self.forgotten_file(&pages[3].to_string(), 1, "# Copy").await;
    }
}

#[tokio::test]
async fn a_reconcile_is_finished_whatever_happens_at_a_call() {
    let (world, _, pages) = World::with_pages(4).await;
    for anomaly in ANOMALIES {
        for at in (0..).step_by(share()) {
            world.is_harmed(&pages).await;
            let id = world.request_reconcile(false).await;
            let met = meets(&world, anomaly, at).await;
            world.ticks(3).await;
            let row = world.reconcile_row(id).await;
            assert_eq!(row.status, ReconcileStatus::Succeeded, "{anomaly:?} at {at}: {:?}", row.problem);
            world.holds(&pages);
            if !met {
                assert!(at > 15, "it makes more calls than {at}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn every_call_of_a_reconcile_may_fail() {
    let (world, _, pages) = World::with_pages(4).await;
    for method in ["drop_before", "drop_after", "malformed"] {
        for (verb, path) in [
            ("GET", "/v1/vector_stores/{store}"),
            ("GET", "/v1/vector_stores/{store}/files"),
            ("GET", "/v1/files"),
            ("GET", "/v1/vector_stores/{store}/files/{file}"),
            ("GET", "/v1/files/{file}"),
            ("POST", "/v1/vector_stores/{store}/files/{file}"),
            ("DELETE", "/v1/vector_stores/{store}/files/{file}"),
            ("DELETE", "/v1/files/{file}"),
        ] {
            world.is_harmed(&pages).await;
            let fault = Fault::on(verb, path).once();
            let fault = match method {
                "drop_before" => fault.drop_before(),
                "drop_after" => fault.drop_after(),
                _ => fault.malformed(),
            };
            let fault = world.simulator.fault(fault);
            let id = world.request_reconcile(false).await;
            world.ticks(4).await;
            assert_eq!(world.simulator.hits(fault), 1, "{verb} {path}");
            let row = world.reconcile_row(id).await;
            assert_eq!(row.status, ReconcileStatus::Succeeded, "{method} {verb} {path}: {:?}", row.problem);
            world.holds(&pages);
            world.simulator.clear_faults();
        }
    }
}

#[tokio::test]
async fn a_rebuild_is_finished_whatever_happens_at_a_call() {
    for anomaly in ANOMALIES {
        for at in (0..).step_by(share()) {
            let (mut world, _, pages) = World::with_pages(3).await;
            world.simulator.openai().lose_store(&world.store);
            world.request_reconcile(false).await;
            world.tick().await;
            let file = world.file_id(pages[0]).await;
            world.simulator.openai().lose_file(&file);
            let id = world.request_work(ReconcileKind::Rebuild, false).await;
            let met = meets(&world, anomaly, at).await;
            world.ticks(4).await;
            let row = world.reconcile_row(id).await;
            assert_eq!(row.status, ReconcileStatus::Succeeded, "{anomaly:?} at {at}: {:?}", row.problem);
            world.store = row.vector_store_id.unwrap();
            world.holds(&pages);
            let openai = world.simulator.openai();
            assert_eq!(openai.projects()[0].stores().count(), 1, "{anomaly:?} at {at}");
            assert_eq!(openai.projects()[0].files().count(), pages.len(), "{anomaly:?} at {at}");
            if !met {
                assert!(at > 4, "it makes more calls than {at}");
                break;
            }
        }
    }
}
