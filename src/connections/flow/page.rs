//! The pages that a browser shows after Atlassian, where the connection has no return URL: plain, without scripts.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::entity::Problem;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.0625rem/1.6 system-ui,sans-serif;max-width:38rem;margin:0 auto;padding:3rem 1.25rem}\
h1{font-size:1.5rem;line-height:1.3}\
dt{font-weight:600;margin-top:.75rem}\
dd{margin:0;overflow-wrap:anywhere}\
code{display:block;font:1.125rem/1.6 ui-monospace,monospace;border:2px solid;border-radius:.375rem;\
padding:.75rem 1rem;margin:.5rem 0 1rem;overflow-wrap:anywhere;user-select:all}";

/// Nothing may be loaded or framed; only this very style applies.
pub static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The person said yes: here is the code for whoever began.
pub fn authorized(workspace: &str, account: Option<&str>, code: &SecretString) -> String {
    let workspace = escape(workspace);
    let account = escape(account.unwrap_or("your Atlassian account"));
    let code = code.expose_secret();
    layout(
        "Almost connected",
        &format!(
            "<p>Atlassian lets Tidegate read Confluence. One step is left: give this code to the application in which \
             you began.</p>\
             <dl><dt>Workspace</dt><dd>{workspace}</dd><dt>Atlassian account</dt><dd>{account}</dd>\
             <dt id=\"label\">Confirmation code</dt><dd><code aria-labelledby=\"label\">{code}</code></dd></dl>\
             <p>It is good for 10 minutes. <strong>If you did not begin this yourself, or do not know the workspace, \
             close this page and give the code to nobody:</strong> without it nothing is connected.</p>"
        ),
    )
}

/// It ended without a connection.
pub fn failed(workspace: &str, problem: &Problem) -> String {
    let (workspace, message, action) = (escape(workspace), escape(&problem.message), escape(&problem.action));
    layout(
        "Not connected",
        &format!("<p>{message}</p><dl><dt>Workspace</dt><dd>{workspace}</dd></dl><p>{action}</p>"),
    )
}

/// Nothing waits for this browser.
pub fn unknown() -> String {
    layout(
        "This link does not work",
        "<p>It is unknown, has been used already, or gave way to a newer one. Nothing was changed.</p>\
         <p>Go back to the application in which you began, and connect again if need be.</p>",
    )
}

fn layout(title: &str, content: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title} · Tidegate</title><style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{content}</main></body></html>"
    )
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_become_markup() {
        let page = authorized("<b>Ops</b>", Some("\"><script>alert(1)</script>"), &"c0de".into());
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;b&gt;Ops&lt;/b&gt;") && page.contains("c0de"));
    }
}
