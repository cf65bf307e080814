//! The settings: read once into one typed struct, with every problem reported together.

mod hosts;
mod laptop;
mod reader;
mod timing;

use std::{
    collections::HashMap,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    path::Path,
    time::Duration,
};

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use url::Url;

use crate::openai;

pub use hosts::AllowedHosts;
pub use laptop::KeyFileError;
use reader::{Reader, parse};
pub use timing::Timing;

/// The fewest characters of a bootstrap key.
const BOOTSTRAP_KEY_LENGTH: usize = 32;
/// The shortest interval at which sources may be looked at.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);
/// The shortest lease: calls to vendors may take half of it.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);
/// What an Atlassian app is asked for unless `ATLASSIAN_SCOPES` says otherwise.
const ATLASSIAN_SCOPES: &str = "offline_access read:me read:space:confluence read:page:confluence \
     read:hierarchical-content:confluence read:content.metadata:confluence read:folder:confluence \
     read:attachment:confluence read:comment:confluence read:user:confluence read:content-details:confluence \
     search:confluence readonly:content.attachment:confluence";

/// Everything that can be set. [`Settings::default`] is the laptop: SQLite, a loopback listener, the real vendors.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
    /// How clients reach this service; never ends with a slash.
    pub public_url: Url,
    /// `sqlite:…` or `postgres:…`.
    pub database_url: SecretString,
    /// The first encrypts, all decrypt. Empty until the key file is read, see [`Settings::complete_encryption_keys`].
    pub encryption_keys: Vec<EncryptionKey>,
    /// The operator key of the workspace `default`.
    pub bootstrap_api_key: Option<SecretString>,
    /// How log lines look; unset means text on a terminal and JSON elsewhere.
    pub log_format: Option<LogFormat>,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Webhook targets that need not be public addresses.
    pub webhook_allowed_hosts: AllowedHosts,
    /// How often a source is looked at unless it says otherwise.
    pub sync_interval: Duration,
    /// The shortest interval that a source may ask for.
    pub min_source_interval: Duration,
    /// How long finished syncs are listed, with what they did.
    pub keep_syncs_days: u32,
    /// How long documents are listed that left the store.
    pub keep_removed_documents_days: u32,
    /// The exact addresses to which the OAuth callback may send a browser.
    pub return_urls: Vec<String>,
    /// The exact origins from which browsers may call.
    pub cors_origins: Vec<String>,
    /// Which hosts a `site_url` may name.
    pub confluence_allowed_hosts: AllowedHosts,
    /// The points an app may spend in an hour.
    pub confluence_points_per_hour: u32,
    /// Whether the search is asked how many pages a space has, where points do not list it at every tick.
    pub confluence_hints: bool,
    /// Atlassian's authorization server and gateway.
    pub atlassian: Atlassian,
    /// The server that keeps the vector stores.
    pub openai: OpenAi,
    /// Pauses, leases and time-outs; of these only the lease is read from the environment.
    pub timing: Timing,
}

/// How to reach Atlassian, and as which app.
#[derive(Clone, Debug)]
pub struct Atlassian {
    /// The OAuth app; without it only API-token connections work.
    pub app: Option<AtlassianApp>,
    /// What the app asks for.
    pub scopes: Vec<String>,
    /// The authorization server.
    pub auth_url: Url,
    /// The API gateway.
    pub api_url: Url,
}

/// An OAuth app registered with Atlassian.
#[derive(Clone, Debug)]
pub struct AtlassianApp {
    /// Its public name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// How to reach OpenAI, or a server that speaks its API.
#[derive(Clone, Debug)]
pub struct OpenAi {
    /// The server's own key; without it each knowledge base brings its own.
    pub api_key: Option<SecretString>,
    /// The base of all calls, `/v1` included.
    pub base_url: Url,
    /// Uploads a minute and credential; `None` is no limit.
    pub uploads_per_minute: Option<u32>,
    /// Uploads at the same time and credential.
    pub uploads_in_flight: usize,
}

/// A key that seals secrets, named by its id.
#[derive(Clone, Debug)]
pub struct EncryptionKey {
    /// Written into everything it seals.
    pub id: String,
    /// 32 bytes.
    pub secret: SecretSlice<u8>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        let five_minutes = Duration::from_mins(5);
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            public_url: known_url("http://localhost:8080"),
            database_url: "sqlite://tidegate.db?mode=rwc".into(),
            encryption_keys: Vec::new(),
            bootstrap_api_key: None,
            log_format: None,
            trusted_proxies: Vec::new(),
            webhook_allowed_hosts: AllowedHosts::default(),
            sync_interval: five_minutes,
            min_source_interval: Duration::from_mins(1),
            keep_syncs_days: 90,
            keep_removed_documents_days: 30,
            return_urls: Vec::new(),
            cors_origins: Vec::new(),
            confluence_allowed_hosts: AllowedHosts::atlassian_cloud(),
            confluence_points_per_hour: 65_000,
            confluence_hints: true,
            atlassian: Atlassian {
                app: None,
                scopes: ATLASSIAN_SCOPES.split_whitespace().map(str::to_owned).collect(),
                auth_url: known_url("https://auth.atlassian.com"),
                api_url: known_url("https://api.atlassian.com"),
            },
            openai: OpenAi {
                api_key: None,
                base_url: known_url("https://api.openai.com/v1"),
                uploads_per_minute: Some(1000),
                uploads_in_flight: 16,
            },
            timing: Timing::default(),
        }
    }
}

impl Settings {
    /// How much OpenAI may be asked for at once and in a time.
    #[must_use]
    pub fn openai_limits(&self) -> openai::Limits {
        openai::Limits {
            uploads_in_flight: u32::try_from(self.openai.uploads_in_flight)
                .ok()
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
            uploads_per_minute: self.openai.uploads_per_minute.and_then(NonZeroU32::new),
            attaches_per_minute: NonZeroU32::new(self.timing.attaches_per_minute),
            deletes_per_second: NonZeroU32::new(self.timing.deletes_per_second),
        }
    }

    /// Reads the environment, then `.env` in the current directory; a variable set in both is taken from the
    /// environment, and an empty one counts as unset.
    pub fn from_env() -> Result<Self, InvalidSettings> {
        let mut variables = match dotenvy::from_path_iter(Path::new(".env")) {
            Ok(entries) => entries.collect::<Result<HashMap<_, _>, _>>().map_err(InvalidSettings::dotenv)?,
            Err(error) if error.not_found() => HashMap::new(),
            Err(error) => return Err(InvalidSettings::dotenv(error)),
        };
        #[expect(clippy::disallowed_methods, reason = "this is where settings are read")]
        variables.extend(std::env::vars());
        Self::from_variables(variables)
    }

    /// Reads `variables` instead of the environment.
    pub fn from_variables(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, InvalidSettings> {
        let mut read = Reader::new(variables);
        let default = Self::default();
        let sync_interval = read.or("TIDEGATE_SYNC_INTERVAL", default.sync_interval, parse::duration);
        let shortest = default.min_source_interval.min(sync_interval);
        let settings = Self {
            listen: read.or("TIDEGATE_LISTEN", default.listen, parse::socket_address),
            public_url: read.or("TIDEGATE_PUBLIC_URL", default.public_url, parse::base_url),
            database_url: read.or("DATABASE_URL", default.database_url, parse::database_url),
            encryption_keys: read.list("TIDEGATE_ENCRYPTION_KEYS", Vec::new(), parse::encryption_key),
            bootstrap_api_key: read.optional("TIDEGATE_BOOTSTRAP_API_KEY", parse::bootstrap_key),
            log_format: read.optional("TIDEGATE_LOG_FORMAT", parse::log_format),
            trusted_proxies: read.list("TIDEGATE_TRUSTED_PROXIES", Vec::new(), parse::network),
            webhook_allowed_hosts: read.hosts("TIDEGATE_WEBHOOK_ALLOWED_HOSTS", AllowedHosts::default()),
            sync_interval,
            min_source_interval: read.or("TIDEGATE_MIN_SOURCE_INTERVAL", shortest, parse::duration),
            keep_syncs_days: read.or("TIDEGATE_KEEP_SYNCS_DAYS", default.keep_syncs_days, parse::positive),
            keep_removed_documents_days: read.or(
                "TIDEGATE_KEEP_REMOVED_DOCUMENTS_DAYS",
                default.keep_removed_documents_days,
                parse::positive,
            ),
            return_urls: read.list("TIDEGATE_RETURN_URLS", Vec::new(), parse::return_url),
            cors_origins: read.list("TIDEGATE_CORS_ORIGINS", Vec::new(), parse::origin),
            confluence_allowed_hosts: read
                .hosts("CONFLUENCE_ALLOWED_HOSTS", default.confluence_allowed_hosts),
            confluence_points_per_hour: read.or(
                "CONFLUENCE_POINTS_PER_HOUR",
                default.confluence_points_per_hour,
                parse::positive,
            ),
            confluence_hints: read.or("CONFLUENCE_HINTS", default.confluence_hints, parse::switch),
            atlassian: Atlassian::read(&mut read, default.atlassian),
            openai: OpenAi::read(&mut read, default.openai),
            timing: Timing::of_lease(read.or("TIDEGATE_LEASE", default.timing.lease, parse::duration)),
        };
        settings.check(&mut read);
        read.finish(settings)
    }

    /// The rules that bind several settings.
    fn check(&self, read: &mut Reader) {
        if self.sync_interval < SHORTEST_INTERVAL {
            read.refuse("TIDEGATE_SYNC_INTERVAL", "must be at least 10s");
        }
        if self.timing.lease < SHORTEST_LEASE {
            read.refuse("TIDEGATE_LEASE", "must be at least 3s");
        }
        if read.is_set("TIDEGATE_MIN_SOURCE_INTERVAL") {
            if self.min_source_interval < SHORTEST_INTERVAL {
                read.refuse("TIDEGATE_MIN_SOURCE_INTERVAL", "must be at least 10s");
            } else if self.min_source_interval > self.sync_interval {
                read.refuse("TIDEGATE_MIN_SOURCE_INTERVAL", "must not be longer than TIDEGATE_SYNC_INTERVAL");
            }
        }
        let mut ids: Vec<_> = self.encryption_keys.iter().map(|key| key.id.as_str()).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair[0] == pair[1]) {
            read.refuse("TIDEGATE_ENCRYPTION_KEYS", "names the same id twice");
        }
        if !read.is_set("TIDEGATE_ENCRYPTION_KEYS") && !self.is_laptop() {
            read.refuse(
                "TIDEGATE_ENCRYPTION_KEYS",
                "is required with PostgreSQL or a listener that others can reach; \
                 `tidegate secrets generate` makes one",
            );
        }
    }

    /// Whether this is the embedded database behind a loopback listener: only then are keys made on their own.
    #[must_use]
    pub fn is_laptop(&self) -> bool {
        self.database_url.expose_secret().starts_with("sqlite:") && self.listen.ip().is_loopback()
    }

    /// The one redirect URI to register with Atlassian.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        format!("{}/v1/oauth/callback", self.public_url.as_str().trim_end_matches('/'))
    }

    /// Whether the headers of a peer at `address` say whom it speaks for.
    #[must_use]
    pub fn trusts_proxy(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }
}

impl Atlassian {
    fn read(read: &mut Reader, default: Self) -> Self {
        let client_id = read.optional("ATLASSIAN_CLIENT_ID", parse::text);
        let client_secret = read.optional("ATLASSIAN_CLIENT_SECRET", parse::secret);
        let app = match (client_id, client_secret) {
            (Some(client_id), Some(client_secret)) => Some(AtlassianApp { client_id, client_secret }),
            (Some(_), None) => {
                read.refuse("ATLASSIAN_CLIENT_SECRET", "is required together with ATLASSIAN_CLIENT_ID");
                None
            }
            (None, Some(_)) => {
                read.refuse("ATLASSIAN_CLIENT_ID", "is required together with ATLASSIAN_CLIENT_SECRET");
                None
            }
            (None, None) => None,
        };
        Self {
            app,
            scopes: read.list("ATLASSIAN_SCOPES", default.scopes, parse::text),
            auth_url: read.or("ATLASSIAN_AUTH_URL", default.auth_url, parse::base_url),
            api_url: read.or("ATLASSIAN_API_URL", default.api_url, parse::base_url),
        }
    }
}

impl OpenAi {
    fn read(read: &mut Reader, default: Self) -> Self {
        let limit =
            read.or("OPENAI_UPLOADS_PER_MINUTE", default.uploads_per_minute.unwrap_or(0), parse::number);
        Self {
            api_key: read.optional("OPENAI_API_KEY", parse::secret),
            base_url: read.or("OPENAI_BASE_URL", default.base_url, parse::base_url),
            uploads_per_minute: (limit > 0).then_some(limit),
            uploads_in_flight: read.or(
                "OPENAI_UPLOADS_IN_FLIGHT",
                default.uploads_in_flight,
                parse::positive,
            ),
        }
    }
}

/// One variable and what is wrong with it. Never holds the value: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    /// Its name.
    pub variable: String,
    /// What is wrong, as the end of a sentence that begins with the name.
    pub message: String,
}

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidSettings(pub Vec<InvalidSetting>);

impl InvalidSettings {
    fn dotenv(error: dotenvy::Error) -> Self {
        let message = match error {
            // The line itself may hold a secret.
            dotenvy::Error::LineParse(_, position) => {
                format!("has a line that cannot be read, near its character {position}")
            }
            error => format!("cannot be read: {error}"),
        };
        Self(vec![InvalidSetting { variable: ".env".to_owned(), message }])
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = match self.0.len() {
            1 => "one setting is wrong".to_owned(),
            count => format!("{count} settings are wrong"),
        };
        write!(f, "{count}:")?;
        self.0
            .iter()
            .try_for_each(|InvalidSetting { variable, message }| write!(f, "\n  {variable} {message}"))
    }
}

impl std::error::Error for InvalidSettings {}

#[expect(clippy::expect_used, reason = "the addresses are literals of this file")]
fn known_url(text: &str) -> Url {
    Url::parse(text).expect("a literal address parses")
}
