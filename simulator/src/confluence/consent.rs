//! The consent page people see: account, sites, Accept and Cancel.

use super::authorization::Ask;
use super::model::{Account, Confluence};
use super::site::Site;

/// Escapes text for HTML.
#[must_use]
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(crate) fn layout(title: &str, content: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}}\
         fieldset{{border:1px solid #ccc;border-radius:.5rem;margin:1rem 0}}label{{display:block}}\
         button{{font:inherit;padding:.5rem 1.5rem;margin-right:1rem}}pre{{white-space:pre-wrap}}</style></head>\
         <body><h1>{title}</h1>{content}</body></html>"
    )
}

pub fn error_page(message: &str) -> String {
    layout("Something went wrong", &format!("<p>{}</p>", escape(message)))
}

/// The page for one authorization request.
#[must_use]
pub fn page(ask: &Ask, cloud: &Confluence) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query
        .append_pair("audience", "api.atlassian.com")
        .append_pair("response_type", "code")
        .append_pair("prompt", "consent")
        .append_pair("client_id", &ask.client_id)
        .append_pair("redirect_uri", &ask.redirect_uri)
        .append_pair("scope", &ask.scope)
        .append_pair("state", &ask.state);
    let hidden = escape(&query.finish());
    let account = |(at, account): (usize, &Account)| {
        let checked = if at == 0 { " checked" } else { "" };
        let (id, name, email) = (escape(&account.id), escape(&account.name), escape(&account.email));
        format!(
            "<label><input type=\"radio\" name=\"account\" value=\"{id}\"{checked}> {name} &lt;{email}&gt;</label>"
        )
    };
    let accounts: Vec<String> = cloud.accounts.values().enumerate().map(account).collect();
    let site = |site: &Site| {
        let (name, title) = (escape(&site.name), escape(&site.title));
        format!("<label><input type=\"checkbox\" name=\"site\" value=\"{name}\" checked> {title}</label>")
    };
    let sites: Vec<String> = cloud.sites().iter().map(site).collect();
    let scopes: Vec<String> =
        ask.scope.split(' ').map(|scope| format!("<li>{}</li>", escape(scope))).collect();
    let (accounts, sites, scopes) = (accounts.concat(), sites.concat(), scopes.concat());
    layout(
        "Allow this app to use your wiki?",
        &format!(
            "<p>The app <b>{}</b> asks for:</p><ul>{scopes}</ul><form method=\"post\" action=\"authorize\">\
             <input type=\"hidden\" name=\"ask\" value=\"{hidden}\">\
             <fieldset><legend>Account</legend>{accounts}</fieldset>\
             <fieldset><legend>Sites</legend>{sites}</fieldset>\
             <button name=\"decision\" value=\"accept\">Accept</button>\
             <button name=\"decision\" value=\"cancel\">Cancel</button></form>",
            escape(&ask.client_id)
        ),
    )
}
