//! Authorization requests and what the user decides about them.

use std::collections::{BTreeMap, BTreeSet};

use super::grants::Grant;
use super::model::Account;
use crate::shared::Shared;

/// An authorization request that may be put before the user.
#[derive(Debug, Clone)]
pub struct Ask {
    pub client_id: String,
    pub redirect_uri: String,
    pub scope: String,
    pub state: String,
}

/// What the user decided on the consent page.
#[derive(Debug, Clone)]
pub struct Decision {
    /// `None`: Cancel.
    pub account: Option<String>,
    pub sites: BTreeSet<String>,
}

impl Shared {
    /// Checks an authorization request as strictly as the vendor.
    pub fn check_ask(&self, query: &str) -> Result<Ask, String> {
        let pairs: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let take = |key: &str| {
            let value = pairs.get(key).filter(|value| !value.is_empty());
            value.cloned().ok_or_else(|| format!("Missing required parameter: {key}"))
        };
        for (key, literal) in
            [("audience", "api.atlassian.com"), ("response_type", "code"), ("prompt", "consent")]
        {
            if take(key)? != literal {
                return Err(format!("Parameter {key} must be {literal}"));
            }
        }
        let ask = Ask {
            client_id: take("client_id")?,
            redirect_uri: take("redirect_uri")?,
            scope: take("scope")?,
            state: take("state")?,
        };
        let cloud = self.confluence();
        let app = cloud.grants.app(&ask.client_id).ok_or("Unknown client")?;
        if app.redirect_uri.as_ref().is_some_and(|registered| *registered != ask.redirect_uri) {
            return Err("redirect_uri is not registered for client".to_owned());
        }
        url::Url::parse(&ask.redirect_uri).map_err(|error| format!("redirect_uri: {error}"))?;
        let foreign =
            ask.scope.split(' ').find(|scope| !app.scopes.is_empty() && !app.scopes.contains(*scope));
        match foreign {
            Some(scope) => Err(format!("The app has not been given the scope {scope}")),
            None => Ok(ask),
        }
    }

    /// Carries out a decision; answers where the browser goes.
    pub fn decide(&self, ask: &Ask, decision: Decision) -> Result<String, String> {
        let mut back = url::Url::parse(&ask.redirect_uri).map_err(|error| error.to_string())?;
        let Some(account) = decision.account else {
            back.query_pairs_mut()
                .append_pair("error", "access_denied")
                .append_pair("error_description", "User did not authorize the request")
                .append_pair("state", &ask.state);
            return Ok(back.into());
        };
        let now = self.clock.now();
        let mut cloud = self.confluence();
        let person = cloud.accounts.get(&account).ok_or("Unknown account")?;
        if decision.sites.is_empty() || !decision.sites.is_subset(&person.sites) {
            return Err("Choose one of your sites".to_owned());
        }
        let scopes = ask.scope.split(' ').filter(|scope| !scope.is_empty()).map(ToOwned::to_owned).collect();
        let grant = Grant { client_id: ask.client_id.clone(), account, sites: decision.sites, scopes };
        let code = cloud.grants.consent(grant, &ask.redirect_uri, now);
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &ask.state);
        Ok(back.into())
    }

    /// The first account and all its sites, or those named.
    pub(crate) fn usual_decision(&self, account: Option<&str>, sites: &[String]) -> Option<Decision> {
        let cloud = self.confluence();
        let wanted =
            |person: &&Account| account.is_none_or(|account| person.id == account || person.email == account);
        let person = cloud.accounts.values().find(wanted)?;
        let sites = if sites.is_empty() { person.sites.clone() } else { sites.iter().cloned().collect() };
        Some(Decision { account: Some(person.id.clone()), sites })
    }
}
