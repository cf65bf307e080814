//! Search over a knowledge base: the vendor's passages, with the documents they come from.
//!
//! * Only a passage that carries our mark, of a page that is in the store, names a document.
//! * A passage of a page that has left the store is not shown, though the vendor may find it a while longer.
//! * What others put into the store is shown, without a document.

use std::collections::{HashMap, HashSet};

use super::{
    OWNER, client, loss, owner_mark, refusal,
    store::{self, Known},
};
use crate::{
    app::App,
    entity::{
        Problem,
        knowledge_base::{KnowledgeBaseStatus, Model},
    },
    http::problem::{Kind, Problem as HttpProblem},
    ids::DocumentId,
    openai::{AttributeValue, Attributes, Hit, SearchRequest},
};

/// A passage that answers a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    pub text: String,
    pub score: f64,
    pub page_id: Option<String>,
    pub title: Option<String>,
    pub url: Option<String>,
    pub document_id: Option<DocumentId>,
}

/// Searches. A lost store or key blocks the knowledge base; an answer frees it.
pub async fn search(
    app: &App,
    knowledge_base: &Model,
    request: &SearchRequest,
) -> Result<Vec<Passage>, HttpProblem> {
    let Some(store_id) = &knowledge_base.vector_store_id else {
        const DETAIL: &str = "The vector store of this knowledge base is still being made.";
        return Err(HttpProblem::new(Kind::Conflict, DETAIL));
    };
    let openai = match client(app, knowledge_base) {
        Ok(openai) => openai,
        Err(problem) => return Err(block(app, knowledge_base, problem).await?),
    };
    let hits = match openai.search(store_id, request).await {
        Ok(hits) => hits,
        Err(error) => {
            return Err(match loss(&error) {
                Some(problem) => block(app, knowledge_base, problem).await?.because(error),
                None => refusal(error, None),
            });
        }
    };
    if knowledge_base.status == KnowledgeBaseStatus::Blocked {
        store::unblock(app.db.write(), knowledge_base.id, app.clock.now()).await?;
        app.wake.notify_one();
    }
    let page_ids: HashSet<&str> = hits.iter().filter_map(|hit| text(&hit.attributes, "page_id")).collect();
    let page_ids: Vec<&str> = page_ids.into_iter().collect();
    let (known, live) = store::known_pages(app.db.read(), knowledge_base.id, &page_ids).await?;
    Ok(explain(hits, &owner_mark(app.installation, knowledge_base.id), &known, &live))
}

async fn block(app: &App, knowledge_base: &Model, problem: Problem) -> Result<HttpProblem, HttpProblem> {
    let answer = HttpProblem::new(Kind::Blocked, format!("{} {}", problem.message, problem.action))
        .with("problem", serde_json::json!(problem));
    if knowledge_base.status == KnowledgeBaseStatus::Active {
        store::block(app.db.write(), knowledge_base.id, problem, app.clock.now()).await?;
    }
    Ok(answer)
}

fn text<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(AttributeValue::as_text)
}

fn explain(hits: Vec<Hit>, mark: &str, known: &[Known], live: &HashSet<DocumentId>) -> Vec<Passage> {
    let known: HashMap<(&str, &str), &Known> =
        known.iter().map(|page| ((page.cloud_id.as_str(), page.external_id.as_str()), page)).collect();
    let passage = |hit: Hit| {
        let said = |name| text(&hit.attributes, name);
        let ours = said(OWNER) == Some(mark);
        let place = said("cloud_id").zip(said("page_id")).filter(|_| ours);
        let page = place.and_then(|place| known.get(&place));
        if page.is_some_and(|page| !live.contains(&page.id)) {
            return None;
        }
        Some(Passage {
            text: hit.text(),
            score: hit.score,
            page_id: said("page_id").map(str::to_owned),
            title: page
                .map(|page| page.title.as_str())
                .or(said("title"))
                .or(hit.filename.as_deref())
                .map(str::to_owned),
            url: page.map(|page| page.url.as_str()).or(said("url")).map(str::to_owned),
            document_id: page.map(|page| page.id),
        })
    };
    hits.into_iter().filter_map(passage).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hit(attributes: &serde_json::Value) -> Hit {
        let hit = json!({
            "file_id": "file-1", "filename": "handbook.md", "score": 0.9, "attributes": attributes,
            "content": [{ "type": "text", "text": "30 days" }],
        });
        serde_json::from_value(hit).unwrap()
    }

    fn known() -> Known {
        Known {
            id: DocumentId::new(),
            cloud_id: "site".to_owned(),
            external_id: "7".to_owned(),
            title: "Annual leave".to_owned(),
            url: "https://wiki/7".to_owned(),
        }
    }

    fn ours() -> serde_json::Value {
        json!({ "tidegate": "mark", "page_id": "7", "cloud_id": "site", "title": "Old title", "url": "https://old" })
    }

    #[test]
    fn a_passage_of_a_live_page_names_its_document_and_todays_title() {
        let page = known();
        let passages =
            explain(vec![hit(&ours())], "mark", std::slice::from_ref(&page), &HashSet::from([page.id]));
        assert_eq!(passages.len(), 1);
        assert_eq!(passages[0].document_id, Some(page.id));
        assert_eq!(passages[0].title.as_deref(), Some("Annual leave"));
        assert_eq!(passages[0].text, "30 days");
    }

    #[test]
    fn a_passage_of_a_page_that_has_left_is_not_shown() {
        assert_eq!(explain(vec![hit(&ours())], "mark", &[known()], &HashSet::new()), []);
    }

    #[test]
    fn what_others_put_there_names_no_document() {
        let page = known();
        let live = HashSet::from([page.id]);
        let foreign = [json!({}), json!({ "page_id": "7", "cloud_id": "site" }), {
            let mut other = ours();
            other["tidegate"] = json!("another installation");
            other
        }];
        for attributes in foreign {
            let passages = explain(vec![hit(&attributes)], "mark", std::slice::from_ref(&page), &live);
            assert_eq!(passages.len(), 1);
            assert_eq!(passages[0].document_id, None);
        }
        let nameless = explain(vec![hit(&json!({}))], "mark", &[], &live);
        assert_eq!(nameless[0].title.as_deref(), Some("handbook.md"));
    }

    #[test]
    fn a_page_kept_after_its_source_was_deleted_is_still_found() {
        let passages = explain(vec![hit(&ours())], "mark", &[], &HashSet::new());
        assert_eq!((passages[0].document_id, passages[0].title.as_deref()), (None, Some("Old title")));
    }
}
