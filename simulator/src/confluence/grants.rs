//! OAuth grants: one per app and account, additive over sites, with rotating refresh tokens.

use std::collections::{BTreeSet, HashMap};

use crate::clock::Millis;
use crate::random;

const MINUTE: Millis = 60_000;
const DAY: Millis = 24 * 60 * MINUTE;
/// How long a refresh token works after its first use.
pub const LEEWAY: Millis = 10 * MINUTE;
/// How long an access token works.
pub const ACCESS_TOKEN_LIFE: Millis = 60 * MINUTE;
const CODE_LIFE: Millis = 5 * MINUTE;
const REFRESH_IDLE_LIFE: Millis = 90 * DAY;
const REFRESH_ABSOLUTE_LIFE: Millis = 365 * DAY;
/// Real tokens are opaque strings of several kB.
const ACCESS_TOKEN_LENGTH: usize = 2_048;

/// An OAuth 2.0 (3LO) integration as its developer registered it.
#[derive(Debug, Clone)]
pub struct App {
    pub client_id: String,
    pub client_secret: String,
    /// The one callback URL; `None` takes any.
    pub redirect_uri: Option<String>,
    /// Scopes it may ask for; empty means any.
    pub scopes: BTreeSet<String>,
}

/// What one account has allowed one app.
#[derive(Debug, Clone)]
pub struct Grant {
    pub client_id: String,
    pub account: String,
    pub sites: BTreeSet<String>,
    pub scopes: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Code {
    grant: u64,
    client_id: String,
    redirect_uri: String,
    scopes: BTreeSet<String>,
    expires_at: Millis,
}

#[derive(Debug, Clone)]
struct Access {
    grant: u64,
    expires_at: Millis,
}

#[derive(Debug, Clone)]
struct Refresh {
    grant: u64,
    family: u64,
    issued_at: Millis,
    rotated_at: Option<Millis>,
}

#[derive(Debug, Clone)]
struct Family {
    began_at: Millis,
    alive: bool,
    scopes: BTreeSet<String>,
}

/// A pair of tokens as the token endpoint gives it out.
#[derive(Debug, Clone)]
pub struct Pair {
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub expires_in: Millis,
    pub scope: String,
}

/// Why the token endpoint refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefused {
    /// Unknown client or wrong secret.
    Client,
    /// A code that was never given out, used, late or for another redirect URI.
    Code,
    /// A refresh token that is unknown, rotated out, or whose grant was removed.
    Refresh,
    /// A refresh token past its idle or absolute life.
    Expired,
}

/// What a bearer token opens.
#[derive(Debug, Clone)]
pub enum Bearer<'a> {
    Valid(&'a Grant),
    Expired,
    Unknown,
}

/// All apps, grants and tokens.
#[derive(Debug, Default)]
pub struct Grants {
    apps: HashMap<String, App>,
    given: HashMap<u64, Grant>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    families: HashMap<u64, Family>,
    last_id: u64,
}

impl Grants {
    pub fn register(&mut self, app: App) {
        self.apps.insert(app.client_id.clone(), app);
    }

    #[must_use]
    pub fn app(&self, client_id: &str) -> Option<&App> {
        self.apps.get(client_id)
    }

    pub fn app_mut(&mut self, client_id: &str) -> Option<&mut App> {
        self.apps.get_mut(client_id)
    }

    /// All grants in force.
    pub fn all(&self) -> impl Iterator<Item = &Grant> {
        self.given.values()
    }

    /// Every token given out so far, whether it still works or not.
    #[must_use]
    pub fn tokens(&self) -> Vec<String> {
        self.access.keys().chain(self.refresh.keys()).cloned().collect()
    }

    /// Records a consent, adding to what the account has allowed the app before; answers a code.
    pub fn consent(&mut self, consent: Grant, redirect_uri: &str, now: Millis) -> String {
        let found = self
            .given
            .iter()
            .find(|(_, grant)| grant.client_id == consent.client_id && grant.account == consent.account);
        let id = found.map(|(id, _)| *id);
        let id = id.unwrap_or_else(|| self.next_id());
        let (client_id, scopes) = (consent.client_id.clone(), consent.scopes.clone());
        let grant = self.given.entry(id).or_insert_with(|| consent.clone());
        grant.sites.extend(consent.sites);
        grant.scopes.extend(consent.scopes);
        let code = random::text(48);
        let expires_at = now + CODE_LIFE;
        let redirect_uri = redirect_uri.to_owned();
        self.codes.insert(code.clone(), Code { grant: id, client_id, redirect_uri, scopes, expires_at });
        code
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub fn check_client(&self, client_id: &str, secret: &str) -> Result<(), TokenRefused> {
        let known = self.apps.get(client_id).is_some_and(|app| app.client_secret == secret);
        if known { Ok(()) } else { Err(TokenRefused::Client) }
    }

    /// Turns a code into the first pair of a new family.
    pub fn exchange(
        &mut self,
        client_id: &str,
        code: &str,
        redirect_uri: &str,
        now: Millis,
    ) -> Result<Pair, TokenRefused> {
        let code = self.codes.remove(code).ok_or(TokenRefused::Code)?;
        let good = code.client_id == client_id && code.redirect_uri == redirect_uri && now <= code.expires_at;
        if !good || !self.given.contains_key(&code.grant) {
            return Err(TokenRefused::Code);
        }
        let family = self.next_id();
        self.families.insert(family, Family { began_at: now, alive: true, scopes: code.scopes });
        Ok(self.issue(code.grant, family, now))
    }

    /// Rotates a refresh token. Within the leeway an already rotated one works, later it kills its family.
    pub fn rotate(&mut self, client_id: &str, token: &str, now: Millis) -> Result<Pair, TokenRefused> {
        let refresh = self.refresh.get_mut(token).ok_or(TokenRefused::Refresh)?;
        let family = self.families.get_mut(&refresh.family).ok_or(TokenRefused::Refresh)?;
        let grant = self.given.get(&refresh.grant).filter(|grant| grant.client_id == client_id);
        if grant.is_none() || !family.alive {
            return Err(TokenRefused::Refresh);
        }
        match refresh.rotated_at {
            Some(rotated_at) if now - rotated_at > LEEWAY => {
                family.alive = false;
                return Err(TokenRefused::Refresh);
            }
            _ if now - refresh.issued_at > REFRESH_IDLE_LIFE => return Err(TokenRefused::Expired),
            _ if now - family.began_at > REFRESH_ABSOLUTE_LIFE => return Err(TokenRefused::Expired),
            Some(_) => {}
            None => refresh.rotated_at = Some(now),
        }
        let (grant, family) = (refresh.grant, refresh.family);
        Ok(self.issue(grant, family, now))
    }

    fn issue(&mut self, grant: u64, family: u64, now: Millis) -> Pair {
        let scopes = self.families.get(&family).map(|family| family.scopes.clone()).unwrap_or_default();
        let access_token = random::text(ACCESS_TOKEN_LENGTH);
        let expires_at = now + ACCESS_TOKEN_LIFE;
        self.access.insert(access_token.clone(), Access { grant, expires_at });
        let refresh_token = scopes.contains("offline_access").then(|| {
            let token = random::text(ACCESS_TOKEN_LENGTH / 2);
            self.refresh.insert(token.clone(), Refresh { grant, family, issued_at: now, rotated_at: None });
            token
        });
        let scope = scopes.into_iter().collect::<Vec<_>>().join(" ");
        Pair { access_token, refresh_token, expires_in: ACCESS_TOKEN_LIFE / 1_000, scope }
    }

    /// What an access token opens now.
    #[must_use]
    pub fn bearer(&self, token: &str, now: Millis) -> Bearer<'_> {
        let Some(access) = self.access.get(token) else { return Bearer::Unknown };
        match self.given.get(&access.grant) {
            None => Bearer::Unknown,
            Some(_) if now >= access.expires_at => Bearer::Expired,
            Some(grant) => Bearer::Valid(grant),
        }
    }

    /// Ends the life of all access tokens given out so far; refresh tokens go on.
    pub fn expire_access_tokens(&mut self, now: Millis) {
        for access in self.access.values_mut() {
            access.expires_at = access.expires_at.min(now);
        }
    }

    /// Removes the app from the account's connected apps; `None` means from everybody's.
    pub fn revoke(&mut self, account: Option<&str>) {
        self.given.retain(|_, grant| account.is_some_and(|account| grant.account != account));
    }

    /// Takes a site out of every grant.
    pub fn lose_site(&mut self, site: &str) {
        for grant in self.given.values_mut() {
            grant.sites.remove(site);
        }
    }

    /// Puts a site into every grant.
    pub fn regain_site(&mut self, site: &str) {
        for grant in self.given.values_mut() {
            grant.sites.insert(site.to_owned());
        }
    }

    /// Takes a scope out of every grant.
    pub fn lose_scope(&mut self, scope: &str) {
        for grant in self.given.values_mut() {
            grant.scopes.remove(scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "http://localhost:8080/v1/oauth/callback";

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn consent(grants: &mut Grants, site: &str, now: Millis) -> String {
        let grant = Grant {
            client_id: "app".to_owned(),
            account: "ann".to_owned(),
            sites: set(&[site]),
            scopes: set(&["offline_access", "read:page:confluence"]),
        };
        grants.consent(grant, REDIRECT, now)
    }

    fn connected() -> (Grants, Pair) {
        let mut grants = Grants::default();
        let code = consent(&mut grants, "acme", 0);
        let pair = grants.exchange("app", &code, REDIRECT, 0).unwrap();
        (grants, pair)
    }

    #[test]
    fn a_code_works_once_for_its_redirect_uri_and_in_time() {
        let mut grants = Grants::default();
        let code = consent(&mut grants, "acme", 0);
        assert!(grants.exchange("app", &code, REDIRECT, 1_000).is_ok());
        assert_eq!(grants.exchange("app", &code, REDIRECT, 1_000).unwrap_err(), TokenRefused::Code);
        let code = consent(&mut grants, "acme", 0);
        assert_eq!(grants.exchange("app", &code, "http://elsewhere", 0).unwrap_err(), TokenRefused::Code);
        let code = consent(&mut grants, "acme", 0);
        assert_eq!(grants.exchange("app", &code, REDIRECT, CODE_LIFE + 1).unwrap_err(), TokenRefused::Code);
    }

    #[test]
    fn a_rotated_token_works_in_the_leeway_and_kills_its_family_after_it() {
        let (mut grants, first) = connected();
        let first = first.refresh_token.unwrap();
        let second = grants.rotate("app", &first, 0).unwrap().refresh_token.unwrap();
        let again = grants.rotate("app", &first, LEEWAY).unwrap().refresh_token.unwrap();
        assert_ne!(second, again);
        let third = grants.rotate("app", &second, LEEWAY).unwrap().refresh_token.unwrap();
        assert_eq!(grants.rotate("app", &first, LEEWAY + 1).unwrap_err(), TokenRefused::Refresh);
        assert_eq!(grants.rotate("app", &third, LEEWAY + 1).unwrap_err(), TokenRefused::Refresh);
        assert_eq!(grants.rotate("app", &again, LEEWAY + 1).unwrap_err(), TokenRefused::Refresh);
    }

    #[test]
    fn refresh_tokens_expire_unused_and_a_year_after_consent() {
        let (mut grants, pair) = connected();
        let token = pair.refresh_token.unwrap();
        assert_eq!(grants.rotate("app", &token, REFRESH_IDLE_LIFE + 1).unwrap_err(), TokenRefused::Expired);
        let (mut grants, pair) = connected();
        let mut token = pair.refresh_token.unwrap();
        for month in 1..=12 {
            token = grants.rotate("app", &token, month * 30 * DAY).unwrap().refresh_token.unwrap();
        }
        assert_eq!(grants.rotate("app", &token, 366 * DAY).unwrap_err(), TokenRefused::Expired);
    }

    #[test]
    fn a_second_consent_adds_its_site_to_tokens_given_out_before() {
        let (mut grants, pair) = connected();
        consent(&mut grants, "globex", 10);
        let Bearer::Valid(grant) = grants.bearer(&pair.access_token, 20) else { panic!("valid") };
        assert_eq!(grant.sites, set(&["acme", "globex"]));
        assert_eq!(grants.all().count(), 1);
        assert!(matches!(grants.bearer(&pair.access_token, ACCESS_TOKEN_LIFE), Bearer::Expired));
        grants.revoke(Some("ann"));
        assert!(matches!(grants.bearer(&pair.access_token, 20), Bearer::Unknown));
        assert_eq!(
            grants.rotate("app", &pair.refresh_token.unwrap(), 20).unwrap_err(),
            TokenRefused::Refresh
        );
    }

    #[test]
    fn no_refresh_token_without_offline_access() {
        let mut grants = Grants::default();
        let grant = Grant {
            client_id: "app".to_owned(),
            account: "ann".to_owned(),
            sites: set(&["acme"]),
            scopes: set(&["read:me"]),
        };
        let code = grants.consent(grant, REDIRECT, 0);
        assert_eq!(grants.exchange("app", &code, REDIRECT, 0).unwrap().refresh_token, None);
    }
}
