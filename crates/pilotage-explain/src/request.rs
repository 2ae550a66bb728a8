//! A request to carry, and how it gets to the proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, Version};
use pilotage_engine::headers::Headers;
use pilotage_engine::request::is_method_of_http1;
use pilotage_engine::tls::TlsSession;
use serde::{Deserialize, Serialize};

/// What a client sends over a connection of its own.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// `:scheme`, where the client sends one: HTTP/2, or HTTP/1 with an absolute URI.
    pub scheme: Option<String>,
    /// `:authority` or `Host`; `None` when there is neither, as for raw bytes.
    pub authority: Option<String>,
    /// Path and query.
    pub path: String,
    /// Headers without `host`.
    pub headers: Headers,
    /// What the bytes are.
    pub protocol: Protocol,
    /// What the client does with TLS.
    pub tls: ClientTls,
    /// Server name of the TLS client hello.
    pub server_name: Option<String>,
    /// ALPN protocols of the client hello; nothing for those of the protocol: `h2` or `http/1.1`.
    pub alpn: Option<Vec<String>>,
    /// What the handshake shows, with the certificate of the client, where that matters.
    pub session: Option<Arc<TlsSession>>,
}

impl Default for Request {
    /// `GET /` over HTTP/1.1 in plain text.
    fn default() -> Self {
        Self {
            method: Method::GET,
            scheme: None,
            authority: None,
            path: "/".to_owned(),
            headers: Headers::new(),
            protocol: Protocol::Http1,
            tls: ClientTls::Plaintext,
            server_name: None,
            alpn: None,
            session: None,
        }
    }
}

/// What the bytes of a connection are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "http")]
    Http1,
    /// HTTP/2, gRPC included.
    Http2,
    /// Anything else.
    Tcp,
}

/// What a client does with TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientTls {
    /// Nothing.
    #[default]
    Plaintext,
    /// It shows no certificate.
    Tls,
    /// It shows a certificate that is trusted.
    Mtls,
}

/// How a connection gets to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The client.
    pub client: SocketAddr,
    /// Where it connected to, or meant to before it was captured.
    pub destination: SocketAddr,
    /// Whether it goes to the workload beside the proxy.
    pub inbound: bool,
}

impl Arrival {
    /// Where the kernel says that the client wanted to go; only captured connections have that.
    #[must_use]
    pub fn original_destination(&self) -> Option<SocketAddr> {
        Some(self.destination).filter(|address| !address.ip().is_loopback())
    }
}

impl Request {
    /// Whether the connection begins with a TLS client hello.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls != ClientTls::Plaintext
    }

    /// Whether HTTP is spoken, inside of TLS if there is some.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.protocol != Protocol::Tcp
    }

    /// Whether the method is one with which HTTP/1 requests are refused.
    #[must_use]
    pub fn has_unknown_method(&self) -> bool {
        self.protocol == Protocol::Http1 && !is_method_of_http1(&self.method)
    }

    /// The HTTP version.
    #[must_use]
    pub fn version(&self) -> Version {
        if self.protocol == Protocol::Http2 { Version::HTTP_2 } else { Version::HTTP_11 }
    }

    /// What the client offers in ALPN, or what an HTTP inspector sees of a plain connection.
    pub(crate) fn application_protocols(&self, inspects_http: bool) -> Vec<&str> {
        match (self.is_tls(), self.protocol) {
            (true, protocol) => match (&self.alpn, protocol) {
                (Some(offered), _) => offered.iter().map(String::as_str).collect(),
                (None, Protocol::Tcp) => Vec::new(),
                (None, Protocol::Http2) => vec!["h2"],
                (None, Protocol::Http1) => vec!["http/1.1"],
            },
            (false, Protocol::Tcp) => Vec::new(),
            (false, _) if !inspects_http => Vec::new(),
            (false, Protocol::Http2) => vec!["h2c"],
            (false, Protocol::Http1) => vec!["http/1.1"],
        }
    }
}
