//! A request as people ask about it: a URL and flags, before it is known where that leads.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, HeaderName, TE};
use http::{HeaderValue, Method};
use pilotage_engine::headers::Headers;
use serde::{Deserialize, Serialize};

use crate::explain::Question;
use crate::request::{Arrival, ClientTls, Protocol, Request};
use crate::simulation::Simulation;
use crate::url::{Url, UrlError};

/// What is asked. This is also what a running proxy takes at `POST /explain`, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Ask {
    /// Method; `GET` when absent.
    pub method: Option<String>,
    /// URL.
    pub url: String,
    /// Headers, each as `name: value`.
    pub headers: Vec<String>,
    /// Whether a gateway is asked rather than a sidecar.
    pub gateway: bool,
    /// The workload or gateway that asks, by name.
    pub from: Option<String>,
    /// Whether the request comes in at the workload rather than going out from it.
    pub inbound: bool,
    /// Where the client connects to, when it is not where the host of the URL leads.
    pub address: Option<SocketAddr>,
    /// What is spoken; when absent, as the scheme says.
    pub protocol: Option<Protocol>,
    /// What the client does with TLS; when absent, as the scheme says.
    pub tls: Option<ClientTls>,
    /// Server name of the TLS client hello; the host of the URL when absent.
    pub sni: Option<String>,
    /// ALPN protocols of the client hello; those of the protocol when absent.
    pub alpn: Option<Vec<String>>,
}

/// The methods that everybody knows.
const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"];

/// Why nothing can be asked so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The URL.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The method.
    #[error("`{0}` is no HTTP method")]
    Method(String),
    /// A method, and no URL behind it.
    #[error("`{0}` is a method; the URL is missing")]
    NoUrl(String),
    /// A header.
    #[error("`{0}` is no header; write -H 'name: value'")]
    Header(String),
}

impl Ask {
    /// The question to put to the proxy of `simulation`, at the time `now`.
    ///
    /// # Errors
    /// When URL, method or a header is malformed.
    pub fn question(&self, simulation: &Simulation, now: Duration) -> Result<Question, AskError> {
        if self.method.is_none() && METHODS.contains(&self.url.to_ascii_uppercase().as_str()) {
            return Err(AskError::NoUrl(self.url.clone()));
        }
        let url = Url::parse(&self.url)?;
        let method = self.method.as_deref().unwrap_or("GET");
        // Methods are told apart by letter case; who writes `get` means GET all the same.
        let upper = method.to_ascii_uppercase();
        let method = if METHODS.contains(&upper.as_str()) { upper.as_str() } else { method };
        let parsed = method.parse::<Method>();
        let method = parsed.map_err(|_| AskError::Method(method.to_owned()))?;
        let (mut headers, host) = self.headers()?;
        let protocol = self.protocol.unwrap_or(match url.scheme.as_str() {
            "grpc" | "grpcs" => Protocol::Http2,
            "tcp" | "tls" => Protocol::Tcp,
            _ => Protocol::Http1,
        });
        if url.scheme.starts_with("grpc") {
            headers.insert_if_absent(CONTENT_TYPE, || HeaderValue::from_static("application/grpc"));
            headers.insert_if_absent(TE, || HeaderValue::from_static("trailers"));
        }
        let by_scheme = if url.is_tls() { ClientTls::Tls } else { ClientTls::Plaintext };
        let tls = self.tls.unwrap_or(by_scheme);
        let with_tls = tls != ClientTls::Plaintext;
        let named = || url.host.parse::<std::net::IpAddr>().is_err().then(|| url.host.clone());
        let arrival = self.arrival(simulation, &url);
        Ok(Question {
            url: self.url.clone(),
            host: host
                .as_deref()
                .map_or_else(|| url.host.clone(), |host| without_port(host).into()),
            request: Request {
                method,
                scheme: None,
                authority: (protocol != Protocol::Tcp)
                    .then(|| host.unwrap_or_else(|| self.authority(&url))),
                path: url.path.clone(),
                headers,
                protocol,
                tls,
                server_name: self.sni.clone().or_else(named).filter(|_| with_tls),
                alpn: self.alpn.clone(),
                session: None,
            },
            arrival,
            now,
        })
    }

    /// The headers but for `Host`, and that.
    fn headers(&self) -> Result<(Headers, Option<String>), AskError> {
        let (mut headers, mut host) = (Headers::new(), None);
        for written in &self.headers {
            let wrong = || AskError::Header(written.clone());
            let (name, value) = written.split_once(':').ok_or_else(wrong)?;
            let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
            let value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
            if name == HOST {
                host = value.to_str().ok().map(str::to_owned);
            } else {
                headers.append(name, value);
            }
        }
        Ok((headers, host))
    }

    /// What clients send as `Host` for a URL: the port only where the scheme does not imply it.
    fn authority(&self, url: &Url) -> String {
        let implied = if url.is_tls() { ":443" } else { ":80" };
        url.authority.strip_suffix(implied).unwrap_or(&url.authority).to_owned()
    }

    fn arrival(&self, simulation: &Simulation, url: &Url) -> Arrival {
        let mut arrival = simulation.arrival(&url.host, url.port, self.inbound);
        if let Some(address) = self.address {
            arrival.destination = address;
        }
        arrival
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}
