//! What the environment may say, and what is answered when it says nonsense.

use std::time::Duration;

use secrecy::ExposeSecret;
use tidegate::config::{LogFormat, Settings};

const KEY: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::from_variables(variables).map_err(|error| error.to_string())
}

fn refused(name: &str, value: &str) -> String {
    read(&[(name, value)]).expect_err(&format!("{name}={value} was taken"))
}

#[test]
fn nothing_needs_to_be_set_on_a_laptop() {
    let settings = read(&[]).unwrap();
    assert!(settings.is_laptop());
    assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(settings.redirect_uri(), "http://localhost:8080/v1/oauth/callback");
    assert_eq!(settings.sync_interval, Duration::from_mins(5));
    assert_eq!(settings.min_source_interval, Duration::from_mins(1));
    assert_eq!(settings.openai.uploads_per_minute, Some(1000));
    assert_eq!(settings.atlassian.scopes.len(), 13);
    assert!(settings.atlassian.app.is_none() && settings.encryption_keys.is_empty());
}

#[test]
fn every_setting_is_read() {
    let settings = read(&[
        ("TIDEGATE_LISTEN", "0.0.0.0:80"),
        ("TIDEGATE_PUBLIC_URL", "https://tidegate.example.org/"),
        ("DATABASE_URL", "postgres://u:p@db/tidegate"),
        ("TIDEGATE_ENCRYPTION_KEYS", &format!("{KEY}, {}", KEY.replace("k1", "k0"))),
        ("TIDEGATE_BOOTSTRAP_API_KEY", "0123456789abcdef0123456789abcdef"),
        ("TIDEGATE_LOG_FORMAT", "json"),
        ("TIDEGATE_TRUSTED_PROXIES", "10.0.0.0/8 192.0.2.1"),
        ("TIDEGATE_SYNC_INTERVAL", "30s"),
        ("TIDEGATE_LEASE", "6s"),
        ("TIDEGATE_RETURN_URLS", "https://app.example.org/done?x=1"),
        ("TIDEGATE_CORS_ORIGINS", "https://app.example.org,http://localhost:5173"),
        ("ATLASSIAN_CLIENT_ID", "id"),
        ("ATLASSIAN_CLIENT_SECRET", "secret"),
        ("ATLASSIAN_SCOPES", "read:me offline_access"),
        ("OPENAI_API_KEY", "sk-1"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/"),
        ("OPENAI_UPLOADS_PER_MINUTE", "0"),
        ("OPENAI_UPLOADS_IN_FLIGHT", "4"),
        ("CONFLUENCE_POINTS_PER_HOUR", "1000"),
        ("CONFLUENCE_HINTS", "false"),
    ])
    .unwrap();
    assert!(!settings.is_laptop());
    assert_eq!(settings.redirect_uri(), "https://tidegate.example.org/v1/oauth/callback");
    let ids: Vec<_> = settings.encryption_keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["k1", "k0"]);
    assert_eq!(settings.encryption_keys[0].secret.expose_secret()[31], 31);
    assert_eq!(settings.log_format, Some(LogFormat::Json));
    assert!(settings.trusts_proxy([10, 1, 2, 3].into()) && settings.trusts_proxy([192, 0, 2, 1].into()));
    assert!(!settings.trusts_proxy([192, 0, 2, 2].into()));
    assert_eq!(
        settings.min_source_interval,
        Duration::from_secs(30),
        "never longer than the interval itself"
    );
    let timing = settings.timing;
    assert_eq!((timing.lease, timing.heartbeat), (Duration::from_secs(6), Duration::from_secs(2)));
    assert_eq!((timing.request_timeout, timing.upload_timeout), (timing.lease / 2, timing.lease / 2));
    assert_eq!(settings.cors_origins, ["https://app.example.org", "http://localhost:5173"]);
    assert_eq!(settings.openai.base_url.as_str(), "http://127.0.0.1:9/v1");
    assert!(!settings.confluence_hints);
    assert_eq!(settings.openai.uploads_per_minute, None);
    assert_eq!(settings.atlassian.scopes, ["read:me", "offline_access"]);
    assert!(!format!("{settings:?}").contains("secret\""), "secrets do not show");
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_no_value_of_a_secret() {
    let message = read(&[
        ("TIDEGATE_LISTEN", "nowhere"),
        ("DATABASE_URL", "mysql://root:hunter2@db"),
        ("TIDEGATE_BOOTSTRAP_API_KEY", "hunter2"),
        ("TIDEGATE_SYNC_INTERVAL", "5"),
        ("ATLASSIAN_CLIENT_ID", "id"),
    ])
    .unwrap_err();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines[0], "5 settings are wrong:");
    for name in [
        "TIDEGATE_LISTEN",
        "DATABASE_URL",
        "TIDEGATE_BOOTSTRAP_API_KEY",
        "TIDEGATE_SYNC_INTERVAL",
        "ATLASSIAN_CLIENT_SECRET",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("  {name} "))), "{name} in {message}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn nonsense_is_refused_by_name() {
    for (name, value) in [
        ("TIDEGATE_PUBLIC_URL", "ftp://example.org"),
        ("TIDEGATE_PUBLIC_URL", "https://example.org/?q=1"),
        ("TIDEGATE_ENCRYPTION_KEYS", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("TIDEGATE_ENCRYPTION_KEYS", "k1:AAEC"),
        ("TIDEGATE_LOG_FORMAT", "xml"),
        ("TIDEGATE_TRUSTED_PROXIES", "proxy.example.org"),
        ("TIDEGATE_SYNC_INTERVAL", "5s"),
        ("TIDEGATE_LEASE", "2s"),
        ("TIDEGATE_MIN_SOURCE_INTERVAL", "10m"),
        ("TIDEGATE_MIN_SOURCE_INTERVAL", "1s"),
        ("TIDEGATE_RETURN_URLS", "app.example.org"),
        ("TIDEGATE_CORS_ORIGINS", "https://app.example.org/"),
        ("TIDEGATE_CORS_ORIGINS", "*"),
        ("CONFLUENCE_ALLOWED_HOSTS", "https://wiki.example.org"),
        ("OPENAI_UPLOADS_IN_FLIGHT", "0"),
        ("CONFLUENCE_POINTS_PER_HOUR", "many"),
        ("CONFLUENCE_HINTS", "maybe"),
    ] {
        let message = refused(name, value);
        assert!(message.contains(&format!("  {name} ")), "{message}");
    }
    let twice = refused("TIDEGATE_ENCRYPTION_KEYS", &format!("{KEY},{KEY}"));
    assert!(twice.contains("twice"), "{twice}");
}

#[test]
fn others_may_only_be_served_with_a_key_that_somebody_chose() {
    for (name, value) in [("TIDEGATE_LISTEN", "0.0.0.0:8080"), ("DATABASE_URL", "postgres://db/tidegate")] {
        assert!(refused(name, value).contains("TIDEGATE_ENCRYPTION_KEYS is required"));
        assert!(read(&[(name, value), ("TIDEGATE_ENCRYPTION_KEYS", KEY)]).is_ok());
    }
}

#[test]
fn the_key_file_is_made_once_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || Settings {
        database_url: format!("sqlite://{}?mode=rwc", folder.path().join("tidegate.db").display()).into(),
        ..Settings::default()
    };
    let (mut first, mut second) = (settings(), settings());
    first.complete_encryption_keys().unwrap();
    second.complete_encryption_keys().unwrap();
    let secret = |settings: &Settings| settings.encryption_keys[0].secret.expose_secret().to_vec();
    assert_eq!(secret(&first), secret(&second));
    let path = folder.path().join("tidegate.key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    std::fs::write(&path, "damaged").unwrap();
    assert!(settings().complete_encryption_keys().is_err());
}
