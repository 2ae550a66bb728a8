//! URLs as people type them.

/// The parts of a URL that decide where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Scheme in lower case; `http` where none was written.
    pub scheme: String,
    /// Host and, where written, port: what the client sends as its `Host`.
    pub authority: String,
    /// Host alone, without the brackets of an IPv6 address.
    pub host: String,
    /// Port, written or implied by the scheme.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

/// Why a text is no URL of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is no host.
    #[error("`{0}` names no host; write http://HOST[:PORT]/PATH")]
    NoHost(String),
    /// The scheme is none of ours.
    #[error("`{0}://` is not a scheme of requests; use http, https, grpc, tcp or tls")]
    Scheme(String),
    /// The port is no number, or none that a port can be.
    #[error("`{0}` is no port; a port is a number from 1 to 65535")]
    Port(String),
    /// A character that no URL holds.
    #[error("`{0}` holds a space or control character; write it as %20 and the like")]
    Character(String),
}

impl Url {
    /// Reads `text`: `scheme://host:port/path?query`, where the scheme may be left out.
    ///
    /// # Errors
    /// When there is no host, or a part makes no sense.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(UrlError::Character(text.to_owned()));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "http" | "grpc" | "tcp" | "ws" => 80,
            "https" | "tls" | "grpcs" | "wss" => 443,
            _ => return Err(UrlError::Scheme(scheme)),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            // Within brackets it is a colon of the address.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if host.is_empty() {
            return Err(UrlError::NoHost(text.to_owned()));
        }
        let port = match port {
            None => default_port,
            Some(port) => match port.parse() {
                Ok(number) if number != 0 => number,
                _ => return Err(UrlError::Port(port.to_owned())),
            },
        };
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            path,
        })
    }

    /// Whether the client begins with TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.scheme.as_str(), "https" | "tls" | "grpcs" | "wss")
    }
}

#[cfg(test)]
mod tests {
    use super::{Url, UrlError};

    #[test]
    fn parts_are_found() {
        let parts = |text| {
            let url = Url::parse(text).unwrap();
            (url.scheme.clone(), url.authority.clone(), url.host.clone(), url.port, url.path)
        };
        let found = |scheme: &str, authority: &str, host: &str, port, path: &str| {
            (scheme.to_owned(), authority.to_owned(), host.to_owned(), port, path.to_owned())
        };
        assert_eq!(parts("http://a:9080/x?y=1#z"), found("http", "a:9080", "a", 9080, "/x?y=1"));
        assert_eq!(parts("a.b/x"), found("http", "a.b", "a.b", 80, "/x"));
        assert_eq!(parts("HTTPS://a"), found("https", "a", "a", 443, "/"));
        assert_eq!(parts("http://a?q"), found("http", "a", "a", 80, "/?q"));
        assert_eq!(parts("http://[::1]:81/"), found("http", "[::1]:81", "::1", 81, "/"));
        assert_eq!(parts("http://user@a/"), found("http", "a", "a", 80, "/"));
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(Url::parse("/x"), Err(UrlError::NoHost("/x".into())));
        assert_eq!(Url::parse("http:///x"), Err(UrlError::NoHost("http:///x".into())));
        assert_eq!(Url::parse("ftp://a"), Err(UrlError::Scheme("ftp".into())));
        assert_eq!(Url::parse("http://a:b/"), Err(UrlError::Port("b".into())));
        assert_eq!(Url::parse("http://a:0/"), Err(UrlError::Port("0".into())));
        assert_eq!(Url::parse("a b"), Err(UrlError::Character("a b".into())));
    }
}
