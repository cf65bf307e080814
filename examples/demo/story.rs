//! The story: connect, pick, load, ask; change the wiki, tick, ask again.

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::{
    api::{Api, all, chapter, paint, remark, text},
    progress,
    wiki::Wiki,
    world::World,
};

/// What the demo asks, before and after the wiki changes.
const PARENTAL_LEAVE: &str = "How many weeks of parental leave are fully paid?";
const PAYMENTS: &str = "What do I do when payment webhooks fail with a signature mismatch?";
const DOGS: &str = "On which days are dogs welcome in the office?";

/// Walks the whole story; fails where the service does not keep its word.
pub async fn tell(world: &World) -> anyhow::Result<()> {
    let api = &world.api;
    let connection = connect(world).await?;
    let picked = pick(api, &connection).await?;
    let source = feed(api, &connection, &picked).await?;

    chapter("4  The first sync");
    let sync = progress::run_sync(api, &source.id).await?;
    ensure!(sync["status"] == "succeeded", "the first sync ended as {}", sync["status"]);
    show_documents(api, &source).await?;

    chapter("5  Ask the vector store");
    let leave = ask(api, &source, PARENTAL_LEAVE).await?;
    ensure!(leave.says("16 weeks"), "the first answer should say 16 weeks");
    ensure!(
        ask(api, &source, PAYMENTS).await?.is_from("Runbook: payment webhooks fail"),
        "the runbook answers"
    );
    ensure!(ask(api, &source, DOGS).await?.is_from("Office dogs"), "the page about dogs answers");
    read_back(api, &leave).await?;

    chapter("6  Meanwhile, in the wiki");
    change_the_wiki(&world.wiki).await?;

    chapter("7  The next tick");
    remark("Every 5 minutes it would come by itself; asking for it makes the source due now.");
    let sync = progress::run_sync(api, &source.id).await?;
    show_changes(api, &sync).await?;

    chapter("8  Ask again");
    let leave = ask(api, &source, PARENTAL_LEAVE).await?;
    ensure!(leave.says("20 weeks") && !leave.says("16 weeks"), "the second answer should say 20 weeks only");
    ensure!(
        !ask(api, &source, PAYMENTS).await?.is_from("Runbook: payment webhooks fail"),
        "the runbook was moved out of the picked tree"
    );
    ensure!(!ask(api, &source, DOGS).await?.is_from("Office dogs"), "the page about dogs was deleted");
    remark("The new text answers; what was moved out or deleted no longer does.");
    Ok(())
}

/// Connects an Atlassian account as a frontend would, and answers the connection's id.
pub async fn connect(world: &World) -> anyhow::Result<String> {
    chapter("1  Connect a Confluence account");
    let api = &world.api;
    let begun = api.post("/v1/connections", json!({"auth": "oauth", "return_url": world.return_url})).await?;
    let id = text(&begun, "id")?.to_owned();

    remark("The browser goes to Atlassian. The simulated user, Robin, agrees at once.");
    let back = api.visit(text(&begun, "authorize_url")?).await?;
    let returned = api.visit(back.0.as_str()).await?;
    let code = returned.0.query_pairs().find(|(name, _)| name == "code").map(|(_, value)| value.into_owned());
    let code = code.with_context(|| format!("no code came back: {}", returned.0))?;

    remark("Only who began can finish: the code that came back confirms it.");
    let confirmed = api.post(&format!("/v1/connections/{id}/confirm"), json!({"code": code})).await?;
    ensure!(confirmed["status"] == "active", "the connection is {}", confirmed["status"]);
    Ok(id)
}

struct Picked {
    site: String,
    space: String,
    tree: String,
}

async fn pick(api: &Api, connection: &str) -> anyhow::Result<Picked> {
    chapter("2  Pick a space and a page tree");
    let sites = api.get(&format!("/v1/connections/{connection}/sites")).await?;
    let site = text(&sites["items"][0], "id")?.to_owned();
    let base = format!("/v1/connections/{connection}/sites/{site}");

    let spaces = api.get(&format!("{base}/spaces")).await?;
    let space = |key: &str| -> anyhow::Result<String> {
        let found = spaces["items"].as_array().into_iter().flatten().find(|space| space["key"] == key);
        Ok(text(found.with_context(|| format!("no space {key}"))?, "id")?.to_owned())
    };
    let engineering = space("ENGINEERING")?;
    let tree = find_page(api, &format!("{base}/pages?space_id={engineering}"), "On call").await?;
    remark("Picked: the whole space HANDBOOK, and of ENGINEERING only the page “On call” with all below it.");
    Ok(Picked { space: space("HANDBOOK")?, site, tree })
}

/// Looks for a page as a page picker would: the top of the space, then one level down.
async fn find_page(api: &Api, pages: &str, title: &str) -> anyhow::Result<String> {
    let top = all(api, pages).await?;
    if let Some(page) = top.iter().find(|page| page["title"] == title) {
        return Ok(text(page, "id")?.to_owned());
    }
    for parent in top.iter().filter(|page| page["has_children"] != false) {
        let below = all(api, &format!("{pages}&parent_id={}", text(parent, "id")?)).await?;
        if let Some(page) = below.iter().find(|page| page["title"] == title) {
            return Ok(text(page, "id")?.to_owned());
        }
    }
    anyhow::bail!("no page “{title}”")
}

/// A source and the knowledge base it feeds.
pub struct Source {
    pub id: String,
    pub knowledge_base: String,
}

async fn feed(api: &Api, connection: &str, picked: &Picked) -> anyhow::Result<Source> {
    chapter("3  Make a knowledge base and feed it");
    let selections = json!([
        {"kind": "space", "id": picked.space, "mode": "include"},
        {"kind": "page_tree", "id": picked.tree, "mode": "include"},
    ]);
    let (source, tool) = create_source(api, connection, &picked.site, &selections).await?;
    remark("Whoever asks the Responses API puts this into `tools`:");
    println!("{}", paint("33", &format!("    {tool}")));
    Ok(source)
}

/// Creates a vector store and a source that feeds it; answers both and the `file_search` tool.
pub async fn create_source(
    api: &Api,
    connection: &str,
    site: &str,
    selections: &Value,
) -> anyhow::Result<(Source, Value)> {
    let mut base = api.post("/v1/knowledge-bases", json!({"name": "What Kestrel Works knows"})).await?;
    let knowledge_base = text(&base, "id")?.to_owned();
    let body = json!({"connection_id": connection, "site_id": site, "selections": selections});
    let source = api.post(&format!("/v1/knowledge-bases/{knowledge_base}/sources"), body).await?;
    Ok((Source { id: text(&source, "id")?.to_owned(), knowledge_base }, base["file_search_tool"].take()))
}

async fn show_documents(api: &Api, source: &Source) -> anyhow::Result<()> {
    let path = format!("/v1/sources/{}/documents", source.id);
    let live = all(api, &format!("{path}?state=live&limit=200")).await?;
    let skipped = all(api, &format!("{path}?state=skipped")).await?;
    remark(&format!("{} pages are live, {} have no text to search:", live.len(), skipped.len()));
    for page in &skipped {
        remark(&format!("  “{}”: {}", text(page, "title")?, text(page, "message")?));
    }
    ensure!(live.len() > 40, "only {} pages are live", live.len());
    Ok(())
}

/// The best passage the store has for a question.
struct Answer(Option<Value>);

impl Answer {
    fn says(&self, words: &str) -> bool {
        self.0.as_ref().is_some_and(|item| item["text"].as_str().is_some_and(|text| text.contains(words)))
    }

    fn is_from(&self, title: &str) -> bool {
        self.0.as_ref().is_some_and(|item| item["title"] == title)
    }
}

async fn ask(api: &Api, source: &Source, question: &str) -> anyhow::Result<Answer> {
    let path = format!("/v1/knowledge-bases/{}/search", source.knowledge_base);
    let mut found = api.post(&path, json!({"query": question, "max_results": 1})).await?;
    let best = found["items"].get_mut(0).map(Value::take);
    println!("    {}", paint("1;35", &format!("? {question}")));
    match &best {
        Some(item) => {
            // Each passage of a short page begins with its title, which is said already.
            let title = text(item, "title")?;
            let passage = text(item, "text")?.trim_start_matches(&format!("# {title}"));
            let passage = passage.split_whitespace().collect::<Vec<_>>().join(" ");
            let passage: String = passage.chars().take(260).collect();
            println!("    {} {passage}", paint("1;32", &format!("! {title}:")));
            remark(&paint("2", &format!("  {}", text(item, "url")?)));
        }
        None => println!("    {}", paint("1;33", "! nothing in the store answers this")),
    }
    Ok(Answer(best))
}

/// Shows the exact text behind an answer.
async fn read_back(api: &Api, answer: &Answer) -> anyhow::Result<()> {
    let item = answer.0.as_ref().context("no answer to read back")?;
    remark("The exact Markdown that was sent for that page can be read back:");
    api.get(&format!("/v1/documents/{}/content", text(item, "document_id")?)).await?;
    Ok(())
}

async fn change_the_wiki(wiki: &Wiki) -> anyhow::Result<()> {
    remark("An edit: parental leave grows from 16 to 20 weeks.");
    wiki.replace_text("Parental leave", "16 weeks", "20 weeks").await?;
    remark("A move out of the picked tree: a runbook leaves “On call”.");
    wiki.move_below("Runbook: payment webhooks fail", "The parts of Perch").await?;
    remark("A move within the picked space.");
    wiki.move_below("Learning budget", "Working here").await?;
    remark("A deletion.");
    wiki.trash("Office dogs").await
}

async fn show_changes(api: &Api, sync: &Value) -> anyhow::Result<()> {
    let changes = all(api, &format!("/v1/syncs/{}/changes", text(sync, "id")?)).await?;
    for change in &changes {
        let reason = change["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        remark(&format!("  {}: “{}”{reason}", text(change, "outcome")?, text(change, "title")?));
    }
    let counts = &sync["counts"];
    ensure!(sync["status"] == "succeeded", "the second sync ended as {}", sync["status"]);
    ensure!(counts["updated"] == 1, "one page was edited, counts are {counts}");
    ensure!(counts["removed"] == 2, "one page moved out and one was deleted, counts are {counts}");
    ensure!(counts["metadata"] == 1, "one page moved within the space, counts are {counts}");
    remark("One upload, for the edit. The move within the space cost none: path and space are attributes.");
    Ok(())
}
