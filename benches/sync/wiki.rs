//! The simulator in a process of its own, driven through its control API.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::{Options, Simulator, Totals, worlds::synthetic};

use crate::process;

const SITE: &str = "acme";

/// What the simulator's process says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
pub struct Addresses {
    pub origin: String,
    pub site_url: String,
    pub openai_url: String,
    pub space: String,
    pub email: String,
    pub api_token: String,
    pub openai_key: String,
}

/// Serves made-up pages until the standard input ends.
pub fn serve(pages: usize) -> anyhow::Result<()> {
    let simulator = Simulator::start(Options { retained_text: 0, ..Options::default() })?;
    let yesterday = simulator.clock().now() - 86_400_000;
    let plan = synthetic::Plan::pages(pages);
    let spaces = synthetic::load(&mut simulator.confluence(), SITE, &plan, yesterday)?;
    let options = simulator.options();
    let addresses = Addresses {
        origin: simulator.origin().to_owned(),
        site_url: simulator.site_url(SITE),
        openai_url: simulator.openai_url(),
        space: spaces.first().context("no space")?.to_string(),
        email: options.account_email.clone(),
        api_token: options.api_token.clone(),
        openai_key: options.openai_key.clone(),
    };
    println!("{}", serde_json::to_string(&addresses)?);
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A running simulator; dropping it ends its process.
#[derive(Debug)]
pub struct Wiki {
    pub at: Addresses,
    process: Child,
    http: reqwest::Client,
}

impl Wiki {
    pub fn start(pages: usize) -> anyhow::Result<Self> {
        let mut process = process::myself(&["--as-wiki", "--pages", &pages.to_string()])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no output")?).read_line(&mut line)?;
        let at = serde_json::from_str(&line).with_context(|| format!("the simulator said {line:?}"))?;
        Ok(Self { at, process, http: reqwest::Client::new() })
    }

    /// Calls since the last time it was asked.
    pub async fn calls(&self) -> anyhow::Result<Totals> {
        let calls = self.http.get(self.control("calls")).send().await?.error_for_status()?.json().await?;
        self.http.delete(self.control("calls")).send().await?.error_for_status()?;
        Ok(calls)
    }

    /// When the first upload was answered, in unix milliseconds of the simulator's clock.
    pub async fn first_upload(&self) -> anyhow::Result<i64> {
        let log: Vec<Value> =
            self.http.get(self.control("calls/log")).send().await?.error_for_status()?.json().await?;
        let mut uploads =
            log.iter().filter(|call| call["operation"] == "POST /v1/files").filter_map(|call| {
                let at = chrono::DateTime::parse_from_rfc3339(call["at"].as_str()?).ok()?;
                Some(at.timestamp_millis() + call["duration_ms"].as_i64()?)
            });
        uploads.next().context("nothing was uploaded")
    }

    pub async fn set_latency(&self, latency: Duration) -> anyhow::Result<()> {
        let milliseconds = u64::try_from(latency.as_millis())?;
        let request = self.http.put(self.control("latency")).json(&json!({ "milliseconds": milliseconds }));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    pub async fn advance(&self, by: Duration) -> anyhow::Result<()> {
        self.post("clock", &json!({ "advance_seconds": by.as_secs() })).await
    }

    /// The ids of all pages.
    pub async fn pages(&self) -> anyhow::Result<Vec<String>> {
        let address = self.control(&format!("sites/{SITE}/pages"));
        let pages: Vec<Value> = self.http.get(address).send().await?.error_for_status()?.json().await?;
        Ok(pages.iter().filter_map(|page| Some(page["id"].as_str()?.to_owned())).collect())
    }

    pub async fn edit(&self, page: &str, storage: &str) -> anyhow::Result<()> {
        self.post(&format!("sites/{SITE}/pages/{page}/edit"), &json!({ "storage": storage })).await
    }

    pub async fn trash(&self, page: &str) -> anyhow::Result<()> {
        self.post(&format!("sites/{SITE}/pages/{page}/trash"), &json!({})).await
    }

    /// The CPU time that the simulator has used so far.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(&self.process.id().to_string())
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        self.http.post(self.control(path)).json(body).send().await?.error_for_status()?;
        Ok(())
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_control/{path}", self.at.origin)
    }
}

impl Drop for Wiki {
    fn drop(&mut self) {
        // Its standard input ends here, and it with it.
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}
