//! The problems of connections in words: the same wherever they show.

use crate::entity::Problem;

const BEGIN_AGAIN: &str = "Begin again: reconnect this connection, or make a new one.";
const RECONNECT: &str = "Reconnect this connection.";

pub fn expired() -> Problem {
    Problem::new("expired", "Nobody finished connecting within 10 minutes.", BEGIN_AGAIN)
}

pub fn too_many_tries() -> Problem {
    Problem::new("too_many_tries", "The confirmation code was wrong too often.", BEGIN_AGAIN)
}

/// Atlassian sent the browser back with an error instead of a code.
pub fn refused(error: &str) -> Problem {
    if error == "access_denied" {
        return Problem::new("access_denied", "Access was declined on Atlassian's page.", BEGIN_AGAIN);
    }
    Problem::new(error, "Atlassian did not authorize the connection.", BEGIN_AGAIN)
}

pub fn code_refused() -> Problem {
    Problem::new("authorization_refused", "Atlassian did not accept the authorization any more.", BEGIN_AGAIN)
}

pub fn no_sites() -> Problem {
    Problem::new(
        "no_confluence_site",
        "The Atlassian account did not grant access to any Confluence site.",
        "Begin again and choose a site that has Confluence.",
    )
}

pub fn unavailable() -> Problem {
    Problem::new("atlassian_unavailable", "Atlassian could not be reached to finish connecting.", BEGIN_AGAIN)
}

pub fn misconfigured() -> Problem {
    Problem::new(
        "oauth_misconfigured",
        "Atlassian does not accept this installation's OAuth app.",
        "The operator has to correct the client id, client secret, redirect URI or scopes.",
    )
}

pub fn not_configured() -> Problem {
    Problem::new(
        "oauth_not_configured",
        "This installation has no Atlassian OAuth app.",
        "Connect with an API token, or ask the operator to set up an OAuth app.",
    )
}

pub fn another_app() -> Problem {
    Problem::new(
        "oauth_app_changed",
        "The OAuth app that this connection was made with is no longer configured.",
        "Reconnect this connection, or ask the operator to configure that app again.",
    )
}

pub fn grant_dead() -> Problem {
    Problem::new(
        "connection_needs_reconnect",
        "Atlassian no longer accepts the authorization of this connection: it expired or was revoked.",
        RECONNECT,
    )
}

pub fn token_dead() -> Problem {
    Problem::new(
        "connection_needs_reconnect",
        "Confluence no longer accepts the e-mail address and API token of this connection.",
        RECONNECT,
    )
}

pub fn unreadable() -> Problem {
    Problem::new(
        "connection_unreadable",
        "The stored credentials of this connection cannot be opened with the configured encryption keys.",
        "The operator has to list the key that sealed them, or the connection has to be reconnected.",
    )
}

pub fn not_active() -> Problem {
    Problem::new(
        "connection_not_active",
        "This connection has not been authorized and confirmed.",
        "Finish connecting: open the authorization address, then confirm with the code.",
    )
}

pub fn gone() -> Problem {
    Problem::new(
        "connection_gone",
        "This connection no longer exists.",
        "Choose another connection of the same site.",
    )
}

pub fn site_not_fixed() -> Problem {
    Problem::new(
        "site_not_available",
        "This connection does not reach the site.",
        "Reconnect it with an account that sees the site, or choose another connection.",
    )
}

pub fn site_gone() -> Problem {
    Problem::new(
        "site_gone",
        "Atlassian no longer lists the site for this connection.",
        "Reconnect and grant access to the site again.",
    )
}

pub fn scope_missing() -> Problem {
    Problem::new(
        "scope_missing",
        "The OAuth app's consent lacks a scope that Confluence asks for.",
        "The operator has to add the scope to the app and to the settings; then reconnect.",
    )
}
