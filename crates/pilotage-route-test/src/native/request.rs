//! Requests of tests: as one would type them after `curl`, or field by field.

use std::collections::BTreeMap;
use std::fmt;

use http::{HeaderName, HeaderValue, Method};
use pilotage_config::decode::{Decode, Decoder};
use pilotage_config::schema::Shape;
use pilotage_config::yaml::Node;
use pilotage_config::{enumeration, message};
use pilotage_explain::request::{ClientTls, Protocol};
use pilotage_explain::url::Url;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Headers in the order written.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Which way it passes the proxy.
    pub mode: Mode,
    /// As written, for people.
    written: String,
}

impl std::hash::Hash for Request {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

message! {
    /// A request, field by field.
    pub struct Fields as "a request" {
        /// Method; `GET` when not said.
        pub method: String,
        /// Where to.
        pub url: Option<String>,
        /// Headers.
        pub headers: BTreeMap<String, String>,
        /// Which way it passes the proxy.
        pub mode: Mode,
    }
}

enumeration! {
    /// Which way a request passes a sidecar.
    pub enum Mode as "mode" {
        /// From the workload.
        #[default]
        Outbound = 0 "outbound",
        /// To the workload.
        Inbound = 1 "inbound",
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Decode for Request {
    const SHAPE: Shape = Fields::SHAPE;

    fn decode(node: &Node, decoder: &mut Decoder<'_>) -> Option<Self> {
        let read = match node.as_str() {
            Some(text) => Self::parse(text),
            None => Self::of_fields(&Fields::decode(node, decoder)?),
        };
        match read {
            Ok(request) => Some(request),
            Err(problem) => {
                decoder.invalid(node, problem, "not a request");
                None
            }
        }
    }
}

impl Request {
    /// Reads `[METHOD] URL [-H 'NAME: VALUE']…`.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = words(text)?;
        let mut words = words.iter().map(String::as_str).peekable();
        let is_method = |word: &&str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'-')
        };
        let method = words.next_if(is_method).unwrap_or("GET");
        let url = words.next().ok_or("there is no URL: write `GET http://HOST/PATH`")?;
        let mut headers = Vec::new();
        while let Some(word) = words.next() {
            if !matches!(word, "-H" | "--header") {
                return Err(format!("`{word}` is not understood; headers are -H 'NAME: VALUE'"));
            }
            let header = words.next().ok_or("-H lacks its header: -H 'NAME: VALUE'")?;
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("`{header}` is no header; it has the form NAME: VALUE"))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Self::new(method, url, &headers, Mode::Outbound, text.trim().to_owned())
    }

    fn of_fields(fields: &Fields) -> Result<Self, String> {
        let url = fields.url.as_deref().ok_or("the request lacks its `url`")?;
        let method = if fields.method.is_empty() { "GET" } else { &fields.method };
        let headers: Vec<(String, String)> =
            fields.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut written = format!("{method} {url}");
        for (name, value) in &headers {
            written.push_str(&format!(" -H '{name}: {value}'"));
        }
        if fields.mode == Mode::Inbound {
            written.push_str(" (inbound)");
        }
        Self::new(method, url, &headers, fields.mode, written)
    }

    fn new(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        mode: Mode,
        written: String,
    ) -> Result<Self, String> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("`{method}` is no HTTP method"))?;
        let url = Url::parse(url).map_err(|problem| problem.to_string())?;
        let headers = headers.iter().map(|(name, value)| {
            let read = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("`{name}` is no header name"))?;
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header `{name}` cannot be sent"))?;
            Ok((read, value))
        });
        let headers = headers.collect::<Result<_, String>>()?;
        Ok(Self { method, url, headers, mode, written })
    }

    /// The same for the simulation.
    pub(super) fn to_send(&self) -> pilotage_explain::Request {
        let mut headers = pilotage_engine::headers::Headers::new();
        let mut authority = self.url.authority.clone();
        for (name, value) in &self.headers {
            match value.to_str() {
                Ok(host) if name == http::header::HOST => host.clone_into(&mut authority),
                _ => headers.append(name.clone(), value.clone()),
            }
        }
        let protocol = match self.url.scheme.as_str() {
            "tcp" | "tls" => Protocol::Tcp,
            "grpc" | "grpcs" => Protocol::Http2,
            _ => Protocol::Http1,
        };
        let grpc = matches!(self.url.scheme.as_str(), "grpc" | "grpcs");
        if grpc {
            headers.insert_if_absent(http::header::CONTENT_TYPE, || {
                HeaderValue::from_static("application/grpc")
            });
        }
        pilotage_explain::Request {
            method: self.method.clone(),
            authority: Some(authority),
            path: self.url.path.clone(),
            headers,
            protocol,
            tls: if self.url.is_tls() { ClientTls::Tls } else { ClientTls::Plaintext },
            server_name: self.url.is_tls().then(|| self.url.host.clone()),
            ..pilotage_explain::Request::default()
        }
    }
}

/// Words as a shell would split them: single and double quotes hold words together.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(open) = quote {
        return Err(format!("a quote {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[test]
    fn requests_are_read_as_curl_would() {
        let request = Request::parse(
            "POST http://a.test:81/x?y=1 -H 'end-user: jason' --header \"x-a: b c\"",
        )
        .unwrap();
        assert_eq!((request.method.as_str(), request.url.port), ("POST", 81));
        let headers: Vec<_> =
            request.headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        assert_eq!(headers, [("end-user", "jason"), ("x-a", "b c")]);
        assert_eq!(Request::parse("http://a").unwrap().method, "GET");
    }

    #[test]
    fn what_is_no_request_is_explained() {
        for (text, part) in [
            ("", "no URL"),
            ("GET", "no URL"),
            ("GET http://a -H", "lacks its header"),
            ("GET http://a -H x", "no header"),
            ("GET http://a 'x", "not closed"),
            ("GET http://a -X POST", "-X"),
            ("GET ftp://a", "ftp"),
        ] {
            let problem = Request::parse(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
