//! Calls the service and says each call aloud: method, path, short body, status.

use std::{fmt::Write as _, io::IsTerminal};

use anyhow::{Context, bail};
use reqwest::{Client, Method, redirect};
use serde_json::Value;

/// As much of a body as fits beside its status.
const SHOWN: usize = 220;

/// Speaks to one HTTP API as one caller.
pub struct Api {
    http: Client,
    base: String,
    key: Option<String>,
}

/// Where the service sent a browser next.
pub struct Redirect(pub url::Url);

impl Api {
    /// A caller of the API at `base` (no slash at its end), with an API key if it needs one.
    pub fn new(base: String, key: Option<String>) -> anyhow::Result<Self> {
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build()?;
        Ok(Self { http, base, key })
    }

    /// Reads a resource.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.say_and_call(Method::GET, path, None).await
    }

    /// Posts a body; any 2xx is fine.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.say_and_call(Method::POST, path, Some(body)).await
    }

    /// Reads a resource without a word: for polls that were announced once.
    pub async fn poll(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.call(&Method::GET, path, None).await?.1)
    }

    /// Follows one step of a browser's way and answers where it leads next.
    pub async fn visit(&self, address: &str) -> anyhow::Result<Redirect> {
        say_request(&Method::GET, &without_secrets(address), None);
        let answer = self.http.get(address).send().await?;
        let status = answer.status();
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        let Some(location) = location else { bail!("{status} without a Location from {address}") };
        let next = url::Url::parse(address)?.join(location)?;
        say_answer(status.as_u16(), &format!("→ {}", without_secrets(next.as_str())));
        Ok(Redirect(next))
    }

    async fn say_and_call(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        say_request(&method, path, body.as_ref());
        let (status, answer) = self.call(&method, path, body.as_ref()).await?;
        say_answer(status, &short(&answer));
        Ok(answer)
    }

    async fn call(&self, method: &Method, path: &str, body: Option<&Value>) -> anyhow::Result<(u16, Value)> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {text}");
        }
        // Some answers are text by nature: a document's Markdown, an empty 204.
        Ok((status.as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}

/// All items of a list, page by page; only the first call is said aloud.
pub async fn all(api: &Api, path: &str) -> anyhow::Result<Vec<Value>> {
    let mut page = api.get(path).await?;
    let mut items = Vec::new();
    loop {
        if let Value::Array(found) = page["items"].take() {
            items.extend(found);
        }
        let Some(cursor) = page["next_cursor"].as_str() else { return Ok(items) };
        let joint = if path.contains('?') { '&' } else { '?' };
        page = api.poll(&format!("{path}{joint}cursor={cursor}")).await?;
    }
}

/// A string field that must be there.
pub fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("the answer has no {field}: {value}"))
}

/// A heading of the story.
pub fn chapter(title: &str) {
    println!("\n{}", paint("1", title));
}

/// A remark of the narrator.
pub fn remark(text: &str) {
    println!("  {text}");
}

/// `text` in the given colour, where somebody can see colours.
pub fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

fn say_request(method: &Method, path: &str, body: Option<&Value>) {
    let mut line = format!("    {method} {path}");
    if let Some(body) = body {
        let _ = write!(line, " {}", short(body));
    }
    println!("{}", paint("36", &line));
}

fn say_answer(status: u16, rest: &str) {
    println!("{}", paint("2", &format!("      {status} {rest}")));
}

/// A body on one line, cut at a character.
fn short(value: &Value) -> String {
    let line = match value {
        Value::String(text) => text.replace('\n', "⏎"),
        other => other.to_string(),
    };
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// An address with its long parameters shortened.
fn without_secrets(address: &str) -> String {
    let Ok(mut shown) = url::Url::parse(address) else { return address.to_owned() };
    let query: Vec<String> = shown
        .query_pairs()
        .map(|(name, value)| {
            let room = match &*name {
                "state" | "code" => 6,
                "scope" => 22,
                _ => return format!("{name}={value}"),
            };
            format!("{name}={}…", value.chars().take(room).collect::<String>())
        })
        .collect();
    shown.set_query(None);
    if query.is_empty() { shown.into() } else { format!("{shown}?{}", query.join("&")) }
}
