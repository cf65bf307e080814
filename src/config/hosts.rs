//! Which hosts may be called: literal names, and wildcards for whole domains.

use url::Url;

/// A list of hosts: `wiki.example.org`, `127.0.0.1:8090` or `*.example.org`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// This host, at any port unless one is named.
    Literal { host: String, port: Option<u16> },
    /// Every host below this domain, over `https` at its usual port.
    Below(String),
}

impl AllowedHosts {
    /// The sites of Confluence Cloud.
    #[must_use]
    pub fn atlassian_cloud() -> Self {
        Self(vec![Pattern::Below("atlassian.net".to_owned())])
    }

    /// Reads a list of entries; the first that is no host is the error.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        entries.into_iter().map(Pattern::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether `url` may be called: `https` for every entry, `http` only for hosts listed literally, and never with
    /// a user name in it.
    #[must_use]
    pub fn allow(&self, url: &Url) -> bool {
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return false,
        };
        let Some(host) = url.host_str() else { return false };
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        self.0.iter().any(|pattern| match pattern {
            Pattern::Literal { host: literal, port } => {
                host == literal && port.is_none_or(|port| url.port_or_known_default() == Some(port))
            }
            Pattern::Below(domain) => !plain && url.port().is_none() && is_below(host, domain),
        })
    }
}

impl Pattern {
    fn parse(entry: &str) -> Result<Self, String> {
        let refused =
            || format!("holds {entry:?}, which is neither a host (`host` or `host:port`) nor `*.domain`");
        let (wildcard, rest) = match entry.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, entry),
        };
        let url = Url::parse(&format!("https://{rest}/")).map_err(|_| refused())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if host.is_empty() || host.contains('*') || !bare || rest.contains(['@', '/']) {
            return Err(refused());
        }
        // The usual port of https disappears from a parsed URL, so it is read from the text.
        let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        match (wildcard, port) {
            (false, port) => Ok(Self::Literal { host, port }),
            (true, None) if host.contains('.') => Ok(Self::Below(host)),
            (true, _) => Err(refused()),
        }
    }
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).and_then(|name| name.strip_suffix('.')).is_some_and(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entries: &str, url: &str) -> bool {
        AllowedHosts::parse(entries.split(',')).unwrap().allow(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_wildcard_stands_for_names_below_it_over_https() {
        assert!(allows("*.atlassian.net", "https://acme.atlassian.net/wiki"));
        assert!(!allows("*.atlassian.net", "http://acme.atlassian.net/wiki"));
        assert!(!allows("*.atlassian.net", "https://acme.atlassian.net:8443/wiki"));
        assert!(!allows("*.atlassian.net", "https://atlassian.net/"));
        assert!(!allows("*.atlassian.net", "https://evilatlassian.net/"));
        assert!(!allows("*.atlassian.net", "https://acme.atlassian.net.evil.example/"));
    }

    #[test]
    fn a_literal_host_may_be_called_over_http() {
        assert!(allows("127.0.0.1:8090", "http://127.0.0.1:8090/wiki"));
        assert!(!allows("127.0.0.1:8090", "http://127.0.0.1:8091/wiki"));
        assert!(allows("localhost", "http://localhost:4000"));
        assert!(allows("[::1]:80", "http://[::1]/"));
    }

    #[test]
    fn a_name_in_front_of_the_host_is_refused() {
        assert!(!allows("*.atlassian.net", "https://user@acme.atlassian.net/"));
        assert!(!allows("*.atlassian.net", "ftp://acme.atlassian.net/"));
    }

    #[test]
    fn what_is_no_host_is_named() {
        for entry in
            ["https://wiki.example.org", "wiki.example.org/path", "*", "*.net", "a*b.example", "", "*.a.b:80"]
        {
            assert!(AllowedHosts::parse([entry]).is_err(), "{entry}");
        }
    }
}
