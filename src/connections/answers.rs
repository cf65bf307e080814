//! How what goes wrong with connections is told to clients.

use super::{AccessError, ApiTokenError, ConnectError, Site, bodies::SiteItem, store::ConfirmError};
use crate::{
    entity,
    http::{FieldError, Kind, Problem},
};

/// A problem of a resource, told because it is in the way.
fn in_the_way(kind: Kind, problem: &entity::Problem) -> Problem {
    Problem::new(kind, format!("{} {}", problem.message, problem.action)).with(
        "problem",
        serde_json::json!({"code": problem.code, "message": problem.message, "action": problem.action}),
    )
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NeedsReconnect(problem) => in_the_way(Kind::NeedsReconnect, &problem),
            AccessError::SiteGone(problem) => in_the_way(Kind::SiteNotAvailable, &problem),
            AccessError::Misconfigured(problem) => in_the_way(Kind::OauthMisconfigured, &problem),
            AccessError::Unavailable { retry_after, source } => {
                Self::vendor_unavailable("Confluence", retry_after).because(source)
            }
            AccessError::Db(error) => error.into(),
        }
    }
}

impl From<ConnectError> for Problem {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::NotConfigured => Self::new(
                Kind::OauthNotConfigured,
                "This installation has no Atlassian OAuth app; connect with an API token, or ask its operator.",
            ),
            ConnectError::ReturnUrlNotAllowed => Self::invalid(
                "/return_url",
                "not_allowed",
                "`return_url` must be exactly an entry of TIDEGATE_RETURN_URLS.",
            ),
            ConnectError::Db(error) => error.into(),
        }
    }
}

impl From<ApiTokenError> for Problem {
    fn from(error: ApiTokenError) -> Self {
        match error {
            ApiTokenError::HostNotAllowed => Self::invalid(
                "/site_url",
                "not_allowed",
                "This installation may not call the host of `site_url`.",
            ),
            ApiTokenError::NotASite => {
                Self::invalid("/site_url", "not_a_site", "There is no Confluence Cloud site at `site_url`.")
            }
            ApiTokenError::Refused => {
                Self::invalid("/token", "refused", "The site does not accept this e-mail address and token.")
            }
            ApiTokenError::Unavailable(retry_after, error) => {
                Self::vendor_unavailable("Confluence", retry_after).because(error)
            }
            ApiTokenError::Db(error) => error.into(),
        }
    }
}

impl From<ConfirmError> for Problem {
    fn from(error: ConfirmError) -> Self {
        let named =
            |sites: Vec<Site>| serde_json::json!(sites.into_iter().map(SiteItem::from).collect::<Vec<_>>());
        match error {
            ConfirmError::NotAuthorized => Self::new(
                Kind::NothingToConfirm,
                "Nothing waits for a confirmation: nobody came back from Atlassian, it is too late, or too many codes were wrong.",
            ),
            ConfirmError::AnotherPrincipal => Self::new(
                Kind::Forbidden,
                "Only the principal that began can confirm: the same API key, and the same `end_user` if one was named.",
            ),
            ConfirmError::WrongCode { tries_left } => {
                let error = FieldError::at("/code", "wrong_code", "The code is wrong.");
                Self::invalid_fields(vec![error]).with("tries_left", tries_left)
            }
            ConfirmError::ChooseSites(sites) => {
                Self::new(Kind::ChooseSites, "This Atlassian account is connected elsewhere, too: name the `site_ids` for this connection.")
                    .with("sites", named(sites))
            }
            ConfirmError::UnknownSite(index) => {
                Self::invalid(format!("/site_ids/{index}"), "not_found", "The consent does not cover this site.")
            }
            ConfirmError::SitesInUse(sites) => {
                Self::new(Kind::SitesInUse, "Sources use sites that this consent or choice does not cover.")
                    .with("sites", named(sites))
            }
            ConfirmError::Sealed(error) => Self::internal(error),
            ConfirmError::Db(error) => error.into(),
        }
    }
}
