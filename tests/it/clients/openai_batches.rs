//! OpenAI: batches, and the servers that do them differently or not at all.

use simulator::openai::Habits;
use simulator::{BatchSupport, Fault, IndexingRule, Outcome};
use tidegate::openai::*;

use super::openai::{Project, attributes};

async fn files(project: &Project, count: usize) -> Vec<BatchFile> {
    let mut files = Vec::new();
    for n in 0..count {
        let file_id = project.upload(&format!("page-{n}.md")).await;
        files.push(BatchFile { file_id, attributes: attributes(&n.to_string()) });
    }
    files
}

#[tokio::test]
async fn a_batch_attaches_each_file_with_its_own_attributes() {
    let project = Project::start().await;
    let files = files(&project, 12).await;
    let made = project.client.create_batch(&project.store, &files).await.unwrap();
    assert_eq!(made.counts.total, 12);
    let batch = project.client.batch(&project.store, &made.id).await.unwrap();
    assert_eq!((batch.status, batch.counts.completed), (IndexStatus::Completed, 12));
    for file in files {
        let entry = project.client.store_file(&project.store, &file.file_id).await.unwrap();
        assert_eq!(entry.attributes, file.attributes);
    }
}

#[tokio::test]
async fn the_failed_file_of_a_batch_is_named_with_its_reason() {
    let project = Project::start().await;
    let outcome = Outcome::Failed { code: "unsupported_file".to_owned(), message: "No text.".to_owned() };
    project.simulator.openai().indexing(IndexingRule::new("page-1.md", outcome));
    project.simulator.openai().indexing(IndexingRule::new("page-2.md", Outcome::Stuck));
    project.simulator.openai().habits.poll_after_ms = Some(1500);
    let files = files(&project, 3).await;
    let id = project.client.create_batch(&project.store, &files).await.unwrap().id;
    let batch = project.client.batch(&project.store, &id).await.unwrap();
    assert!(!batch.status.is_terminal());
    assert_eq!((batch.counts.completed, batch.counts.failed, batch.counts.in_progress), (1, 1, 1));
    assert_eq!(batch.poll_after, Some(std::time::Duration::from_millis(1500)));
    let query = StoreFileQuery { status: Some(IndexStatus::Failed), ..StoreFileQuery::default() };
    let failed = project.client.walk_batch_files(&project.store, &id, &query).rest().await.unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].id, files[1].file_id);
    assert_eq!(failed[0].last_error.as_ref().unwrap().code.as_deref(), Some("unsupported_file"));
}

#[tokio::test]
async fn a_lost_batch_is_not_made_twice_and_is_found_in_the_store() {
    let project = Project::start().await;
    let files = files(&project, 2).await;
    project.simulator.fault(Fault::on("POST", "/v1/vector_stores/{store}/file_batches").once().drop_after());
    let error = project.client.create_batch(&project.store, &files).await.unwrap_err();
    assert!(error.effect_unknown(), "{error:?}");
    assert_eq!(project.simulator.calls().of("POST /v1/vector_stores/{store}/file_batches"), 1);
    let entries = project.client.store_files(&project.store, &StoreFileQuery::default(), None).await.unwrap();
    assert_eq!(entries.items.len(), 2);
}

#[tokio::test]
async fn a_batch_that_is_too_long_learns_its_length() {
    let project = Project::start().await;
    project.simulator.openai().habits.batch_limit = 2;
    let files = files(&project, 3).await;
    let error = project.client.create_batch(&project.store, &files).await.unwrap_err();
    assert!(matches!(error, Error::BatchTooLong { max: 2, .. }) && !error.effect_unknown(), "{error:?}");
}

#[tokio::test]
async fn a_server_without_batches_is_not_a_missing_store() {
    let project = Project::start().await;
    let files = files(&project, 1).await;
    project.simulator.openai().habits.batches = BatchSupport::Missing;
    let error = project.client.create_batch(&project.store, &files).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
}

#[tokio::test]
async fn a_compatible_server_is_understood() {
    let project = Project::start().await;
    project.simulator.openai().habits = Habits::ogx();
    let files = files(&project, 2).await;
    let batch = project.client.create_batch(&project.store, &files).await.unwrap();
    assert_eq!((batch.counts.total, batch.status), (0, IndexStatus::Completed));
    assert!(project.client.store("vs_unknown").await.unwrap_err().is_not_found());
    assert_eq!(project.client.detach(&project.store, &files[0].file_id).await.unwrap(), Deleted::NotThere);
    let phantom = project.client.attach(&project.store, "file-unknown", &Attributes::new()).await.unwrap();
    assert_eq!(phantom.status, IndexStatus::Failed);
}

#[tokio::test]
async fn an_answer_about_another_object_is_not_believed() {
    let project = Project::start().await;
    let files = files(&project, 1).await;
    let id = project.client.create_batch(&project.store, &files).await.unwrap().id;
    let store = &project.store;
    let counts = r#"{"in_progress":0,"completed":1,"failed":0,"cancelled":0,"total":1}"#;
    for (object, id_answered) in [("vector_store", id.as_str()), ("vector_store.files_batch", store.as_str())]
    {
        let body = format!(
            r#"{{"id":"{id_answered}","object":"{object}","status":"completed","file_counts":{counts}}}"#
        );
        project.simulator.fault(Fault::on("GET", "/v1/vector_stores/*/file_batches/*").once().respond(
            200,
            &[],
            &body,
        ));
        let error = project.client.batch(store, &id).await.unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    }
    project.client.batch(store, &id).await.unwrap();
}
