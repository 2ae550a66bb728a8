//! Which HTTP version a cluster speaks.

use http::Version;

/// How the HTTP version towards upstreams is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, with prior knowledge where there is no TLS.
    Http2,
    /// Whatever the client speaks.
    Downstream,
    /// What ALPN settles on; HTTP/1.1 without TLS.
    Auto,
}

impl UpstreamProtocol {
    /// The version to speak without asking ALPN, for a request that arrived as `downstream`.
    pub fn version(self, downstream: Version) -> Version {
        match self {
            Self::Http2 => Version::HTTP_2,
            Self::Downstream if downstream == Version::HTTP_2 => Version::HTTP_2,
            Self::Http1 | Self::Auto | Self::Downstream => Version::HTTP_11,
        }
    }
}
