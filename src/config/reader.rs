//! Reads variables one by one and remembers every problem, so that all can be told together.

use std::collections::HashMap;

use super::{AllowedHosts, InvalidSetting, InvalidSettings};

/// The variables, and what was wrong with those read so far.
pub(super) struct Reader {
    variables: HashMap<String, String>,
    problems: Vec<InvalidSetting>,
}

impl Reader {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let given = |(name, value): (String, String)| {
            let value = value.trim();
            (!value.is_empty()).then(|| (name, value.to_owned()))
        };
        Self { variables: variables.into_iter().filter_map(given).collect(), problems: Vec::new() }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(super) fn refuse(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(InvalidSetting { variable: name.to_owned(), message: message.into() });
    }

    /// The variable's value if it is set and right.
    pub(super) fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(self.variables.get(name)?) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(name, message);
                None
            }
        }
    }

    /// The variable's value, or `default`.
    pub(super) fn or<T>(&mut self, name: &str, default: T, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.optional(name, parse).unwrap_or(default)
    }

    /// The variable's entries, separated by commas or blanks.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        default: Vec<T>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        self.or(name, default, |text| entries(text).map(&parse).collect())
    }

    /// The variable as a list of hosts.
    pub(super) fn hosts(&mut self, name: &str, default: AllowedHosts) -> AllowedHosts {
        self.or(name, default, |text| AllowedHosts::parse(entries(text)))
    }

    /// `settings`, unless a problem was met.
    pub(super) fn finish<T>(self, settings: T) -> Result<T, InvalidSettings> {
        if self.problems.is_empty() { Ok(settings) } else { Err(InvalidSettings(self.problems)) }
    }
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

/// How each kind of value is read. An error ends a sentence that begins with the variable's name.
pub(super) mod parse {
    use std::{
        net::{IpAddr, SocketAddr},
        time::Duration,
    };

    use base64::{Engine, prelude::BASE64_STANDARD};
    use ipnet::IpNet;
    use secrecy::{SecretString, zeroize::Zeroizing};
    use url::Url;

    use super::super::{BOOTSTRAP_KEY_LENGTH, EncryptionKey, LogFormat};

    /// The bytes of an encryption key.
    const KEY_LENGTH: usize = 32;

    #[expect(clippy::unnecessary_wraps, reason = "it has the form of its neighbours")]
    pub(in super::super) fn text(text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    pub(in super::super) fn secret(text: &str) -> Result<SecretString, String> {
        if text.chars().all(|c| c.is_ascii_graphic()) {
            Ok(text.into())
        } else {
            Err("must be printable ASCII without blanks".to_owned())
        }
    }

    pub(in super::super) fn bootstrap_key(text: &str) -> Result<SecretString, String> {
        if text.len() < BOOTSTRAP_KEY_LENGTH {
            return Err(format!("must have at least {BOOTSTRAP_KEY_LENGTH} characters"));
        }
        secret(text)
    }

    pub(in super::super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
        text.parse().map_err(|_| "must be an address and a port such as 127.0.0.1:8080".to_owned())
    }

    pub(in super::super) fn number(text: &str) -> Result<u32, String> {
        text.parse().map_err(|_| "must be a whole number".to_owned())
    }

    pub(in super::super) fn positive<T: TryFrom<u32>>(text: &str) -> Result<T, String> {
        let refused = || "must be a whole number of at least 1".to_owned();
        let number = number(text).ok().filter(|number| *number > 0).ok_or_else(refused)?;
        T::try_from(number).map_err(|_| refused())
    }

    pub(in super::super) fn switch(text: &str) -> Result<bool, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }

    pub(in super::super) fn duration(text: &str) -> Result<Duration, String> {
        humantime::parse_duration(text)
            .map_err(|_| "must be a duration with its unit, such as 90s or 5m".to_owned())
    }

    pub(in super::super) fn log_format(text: &str) -> Result<LogFormat, String> {
        match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err("must be text or json".to_owned()),
        }
    }

    pub(in super::super) fn network(text: &str) -> Result<IpNet, String> {
        text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
            format!("holds {text:?}, which is neither an address nor a network such as 10.0.0.0/8")
        })
    }

    fn web_url(text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        let web =
            matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
        (web && url.username().is_empty() && url.password().is_none() && url.fragment().is_none())
            .then_some(url)
    }

    /// An address that paths are appended to.
    pub(in super::super) fn base_url(text: &str) -> Result<Url, String> {
        let url = web_url(text.trim_end_matches('/')).filter(|url| url.query().is_none());
        url.ok_or_else(|| "must be an http or https address without user, query and fragment".to_owned())
    }

    pub(in super::super) fn database_url(text: &str) -> Result<SecretString, String> {
        if ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme)) {
            Ok(text.into())
        } else {
            Err("must begin with sqlite: or postgres:".to_owned())
        }
    }

    pub(in super::super) fn return_url(text: &str) -> Result<String, String> {
        web_url(text).map(|_| text.to_owned()).ok_or_else(|| {
            format!("holds {text:?}, which is no http or https address without user and fragment")
        })
    }

    pub(in super::super) fn origin(text: &str) -> Result<String, String> {
        let url = web_url(text).filter(|url| url.origin().ascii_serialization() == text);
        url.map(|_| text.to_owned())
            .ok_or_else(|| format!("holds {text:?}, which is no origin such as https://app.example.org"))
    }

    pub(in super::super) fn encryption_key(text: &str) -> Result<EncryptionKey, String> {
        let refused = |what: &str| format!("{what}; an entry is `id:base64 of 32 bytes`");
        let (id, key) = text.split_once(':').ok_or_else(|| refused("has an entry without an id"))?;
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if id.is_empty() || id.len() > 32 || !id.chars().all(word) {
            return Err(refused("has an id that is not 1 to 32 letters, digits, - or _"));
        }
        let bytes = BASE64_STANDARD.decode(key).map(Zeroizing::new);
        match bytes {
            Ok(bytes) if bytes.len() == KEY_LENGTH => {
                Ok(EncryptionKey { id: id.to_owned(), secret: bytes.to_vec().into() })
            }
            _ => Err(refused(&format!("has a key {id:?} that is not 32 bytes in base64"))),
        }
    }
}
