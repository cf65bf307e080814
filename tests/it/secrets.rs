//! The whole story in a process of its own that logs all it can; then its files and its log are searched for secrets.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};
use simulator::{Options, Simulator};

use crate::harness::{
    Answer, Client,
    process::{Service, tidegate},
};

/// Words that are found nowhere else, each in the place of a secret.
const CLIENT_SECRET: &str = "canary-client-secret-5c1f";
const API_TOKEN: &str = "canary-api-token-77d0";
const OPENAI_KEY: &str = "sk-canary-openai-key-21b9";
const EMAIL: &str = "canary-ada@example.com";
const TEXT: &str = "canarytextofapage";
const QUESTION: &str = "canaryquestion";
const WRONG: [&str; 4] = [
    "tg_canary-wrong-key-90aa",
    "canary-wrong-code-31ce",
    "sk-canary-dead-key-ab12",
    "canary-wrong-token-6e4d",
];

/// Starts a service that is led to the simulator and logs everything to `log`; answers who may do all there.
fn start(folder: &Path, log: &Path, simulator: &Simulator) -> (Service, Client) {
    let mut command = tidegate(folder);
    command
        .env("RUST_LOG", "trace")
        .env("ATLASSIAN_CLIENT_ID", &simulator.options().client_id)
        .env("ATLASSIAN_CLIENT_SECRET", CLIENT_SECRET)
        .env("ATLASSIAN_AUTH_URL", simulator.auth_url())
        .env("ATLASSIAN_API_URL", simulator.api_url())
        .env("CONFLUENCE_ALLOWED_HOSTS", "127.0.0.1")
        .env("OPENAI_API_KEY", OPENAI_KEY)
        .env("OPENAI_BASE_URL", simulator.openai_url())
        .stderr(File::create(log).unwrap());
    let service = Service::start(&mut command);
    let address = service.docs.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/docs")).unwrap();
    let api = Client::new(address.parse().unwrap()).with_key(&service.key);
    (service, api)
}

fn world() -> Simulator {
    let simulator = Simulator::start(Options {
        client_secret: CLIENT_SECRET.to_owned(),
        account_email: EMAIL.to_owned(),
        api_token: API_TOKEN.to_owned(),
        openai_key: OPENAI_KEY.to_owned(),
        ..Options::default()
    });
    let simulator = simulator.unwrap();
    let site = simulator.add_site("acme");
    let space = site.add_space("ENG", "Engineering").unwrap();
    for n in 0..5 {
        site.add_page(space, &format!("Page {n}"), format!("<p>{TEXT} number {n}</p>")).unwrap();
    }
    simulator
}

/// Connects through OAuth; answers the connection and the secrets that were passed around.
async fn connect(api: &Client, simulator: &Simulator) -> (String, Vec<String>) {
    let begun = api.post("/v1/connections", json!({ "auth": "oauth" })).await.expect(201);
    let back = simulator.accept(begun.str("authorize_url"), None, &[]).unwrap();
    let back: url::Url = back.parse().unwrap();
    let mut secrets: Vec<String> = back.query_pairs().map(|(_, value)| value.into_owned()).collect();
    let page = api.without_key().get(&format!("{}?{}", back.path(), back.query().unwrap())).await.expect(200);
    let code =
        page.text.split_once("<code").and_then(|(_, rest)| rest.split(['>', '<']).nth(1)).unwrap().to_owned();
    let path = format!("/v1/connections/{}/confirm", begun.id());
    refused(&api.post(&path, json!({ "code": WRONG[1] })).await);
    api.post(&path, json!({ "code": code })).await.expect(200);
    secrets.push(code);
    (begun.id().to_owned(), secrets)
}

/// A refusal, which repeats no secret that it was given.
#[track_caller]
fn refused(answer: &Answer) {
    assert!(answer.status >= 400, "{}", answer.text);
    for wrong in WRONG {
        assert!(!answer.text.contains(wrong), "{}", answer.text);
    }
}

/// What is wrong in every way.
async fn mistakes(api: &Client, simulator: &Simulator) {
    refused(&api.with_key(WRONG[0]).get("/v1/me").await);
    let dead = json!({ "name": "Dead", "openai_api_key": WRONG[2] });
    refused(&api.post("/v1/knowledge-bases", dead).await);
    let site_url = simulator.site("acme").unwrap().url();
    let wrong = json!({ "auth": "api_token", "site_url": site_url, "email": EMAIL, "token": WRONG[3] });
    refused(&api.post("/v1/connections", wrong).await);
    let cut = format!("{{\"auth\": \"api_token\", \"token\": \"{}", WRONG[3]);
    refused(&api.post_text("/v1/connections", "application/json", cut).await);
    let callback = format!("/v1/oauth/callback?state={}&code={}", WRONG[1], WRONG[1]);
    let page = api.without_key().get(&callback).await;
    assert!(!page.text.contains(WRONG[1]), "{}", page.text);
}

/// Waits until the first sync has ended.
async fn first_sync(api: &Client, source: &str) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    loop {
        pause.tick().await;
        let syncs = api.get(&format!("/v1/syncs?source_id={source}")).await.expect(200);
        let status = syncs.items().first().map_or(Value::Null, |sync| sync["status"].clone());
        match status.as_str() {
            Some("queued" | "running") | None => {}
            Some("succeeded") => return,
            Some(_) => panic!("{}", syncs.text),
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.display().to_string(), fs::read(&path).unwrap())).collect()
}

#[tokio::test]
async fn no_secret_and_no_text_is_in_the_files_or_the_log() {
    let simulator = world();
    let (folder, logs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let log = logs.path().join("log");
    let (service, api) = start(folder.path(), &log, &simulator);

    mistakes(&api, &simulator).await;
    let (connection, mut secrets) = connect(&api, &simulator).await;
    let by_token = json!({
        "auth": "api_token", "site_url": simulator.site("acme").unwrap().url(), "email": EMAIL, "token": API_TOKEN,
    });
    api.post("/v1/connections", by_token).await.expect(201);
    let order = json!({ "name": "reader", "scopes": ["read"] });
    for _ in 0..2 {
        let once = [("idempotency-key", "make-a-key-once")];
        let made = api.send("POST", "/v1/api-keys", Some(order.clone()), &once).await.expect(201);
        secrets.push(made.str("secret").to_owned());
    }
    let own_key = json!({ "name": "Handbook", "openai_api_key": OPENAI_KEY });
    let base = api.post("/v1/knowledge-bases", own_key).await.expect(201).id().to_owned();
    let sites = api.get(&format!("/v1/connections/{connection}/sites")).await.expect(200);
    let spaces =
        format!("/v1/connections/{connection}/sites/{}/spaces", sites.items()[0]["id"].as_str().unwrap());
    let spaces = api.get(&spaces).await.expect(200);
    let source = json!({
        "connection_id": connection, "site_id": sites.items()[0]["id"],
        "selections": [{ "kind": "space", "id": spaces.items()[0]["id"] }],
    });
    let source = api.post(&format!("/v1/knowledge-bases/{base}/sources"), source).await.expect(201);
    first_sync(&api, source.id()).await;
    let search = format!("/v1/knowledge-bases/{base}/search");
    let found = api.post(&search, json!({ "query": format!("{QUESTION} {TEXT}") })).await.expect(200);
    assert!(found.text.contains(TEXT), "the search finds the pages: {}", found.text);

    let tokens = simulator.confluence().grants.tokens();
    assert!(tokens.len() >= 2, "an access and a refresh token were given out");
    secrets.extend(tokens);
    secrets.push(service.key.clone());
    secrets.extend([CLIENT_SECRET, API_TOKEN, OPENAI_KEY, EMAIL, TEXT, QUESTION].map(str::to_owned));
    secrets.extend(WRONG.map(str::to_owned));
    let running = files(folder.path());
    assert!(
        running.iter().any(|(name, bytes)| name.ends_with("-wal") && !bytes.is_empty()),
        "the WAL is searched"
    );
    assert_eq!(service.stop(), Some(0));

    let mut places = running;
    places.extend(files(folder.path()));
    let written = fs::read(&log).unwrap();
    assert!(written.len() > 10_000, "the log says much: {} bytes", written.len());
    places.push(("the log".to_owned(), written));
    for (place, bytes) in &places {
        for secret in &secrets {
            let found = memchr::memmem::find(bytes, secret.as_bytes());
            let near =
                found.map(|at| String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned());
            assert!(near.is_none(), "{secret} is in {place} after {near:?}");
        }
    }
}
