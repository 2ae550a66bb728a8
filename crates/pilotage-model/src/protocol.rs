//! What a port speaks, and how declarations are read (Istio's protocol selection).

use std::fmt;

/// The protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS.
    Http2,
    /// gRPC over HTTP/2.
    Grpc,
    /// gRPC-Web over HTTP/1.1.
    GrpcWeb,
    /// TLS that carries HTTP; routed by SNI when not terminated here.
    Https,
    /// TLS that carries anything; routed by SNI when not terminated here.
    Tls,
    /// Any bytes.
    Tcp,
    /// MongoDB's wire protocol, routed as TCP.
    Mongo,
    /// MySQL's wire protocol, routed as TCP.
    Mysql,
    /// Redis' wire protocol, routed as TCP.
    Redis,
    /// Datagrams: no traffic rules apply, such ports are left out.
    Udp,
    /// An explicit HTTP proxy (Sidecar egress ports only).
    HttpProxy,
    /// Not declared: found out per connection.
    Auto,
}

impl Protocol {
    /// Reads a protocol as `ServiceEntry`, `Gateway` and `Sidecar` ports spell it; letter case does not matter.
    /// What is unknown or empty is found out per connection.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.to_ascii_lowercase().as_str() {
            "http" => Self::Http,
            "http2" => Self::Http2,
            "grpc" => Self::Grpc,
            "grpc-web" => Self::GrpcWeb,
            "https" => Self::Https,
            "tls" => Self::Tls,
            "tcp" => Self::Tcp,
            "mongo" => Self::Mongo,
            "mysql" => Self::Mysql,
            "redis" => Self::Redis,
            "udp" => Self::Udp,
            "http_proxy" => Self::HttpProxy,
            _ => Self::Auto,
        }
    }

    /// The protocol of a Kubernetes service port: `appProtocol` when set, else the prefix of the port's name, else
    /// TCP for the well-known ports of server-first protocols.
    #[must_use]
    pub fn of_kubernetes_port(
        transport: &str,
        port: u16,
        name: &str,
        app_protocol: Option<&str>,
    ) -> Self {
        if transport == "UDP" {
            return Self::Udp;
        }
        let declared = match app_protocol {
            Some("kubernetes.io/h2c") => return Self::Http2,
            Some("kubernetes.io/ws") => return Self::Http,
            Some("kubernetes.io/wss") => return Self::Https,
            Some(text) => text,
            None => name,
        };
        let is_grpc_web =
            declared.get(.."grpc-web".len()).is_some_and(|s| s.eq_ignore_ascii_case("grpc-web"));
        if is_grpc_web {
            return Self::GrpcWeb;
        }
        let prefix = declared.split('-').next().unwrap_or_default();
        match Self::parse(prefix) {
            Self::Auto if matches!(port, 25 | 53 | 3306 | 27017) => Self::Tcp,
            protocol => protocol,
        }
    }

    /// HTTP in any form that is visible without terminating TLS.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Http2 | Self::Grpc | Self::GrpcWeb | Self::HttpProxy)
    }

    /// HTTP/2 towards the upstream.
    #[must_use]
    pub fn is_http2(self) -> bool {
        matches!(self, Self::Http2 | Self::Grpc | Self::GrpcWeb)
    }

    /// Opaque connections, TLS or not.
    #[must_use]
    pub fn is_tcp_like(self) -> bool {
        matches!(
            self,
            Self::Tcp | Self::Https | Self::Tls | Self::Mongo | Self::Redis | Self::Mysql
        )
    }

    /// Begins with a TLS handshake whose SNI can be read.
    #[must_use]
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Tls)
    }

    /// What is left when TLS has ended: HTTP of HTTPS, and so on.
    #[must_use]
    pub fn inside_tls(self) -> Self {
        match self {
            Self::Https => Self::Http,
            Self::Tls => Self::Tcp,
            other => other,
        }
    }

    /// Found out per connection.
    #[must_use]
    pub fn is_auto(self) -> bool {
        self == Self::Auto
    }

    /// The upper-case spelling of Istio's API; `UnsupportedProtocol` for what is found out per connection.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Http2 => "HTTP2",
            Self::Grpc => "GRPC",
            Self::GrpcWeb => "GRPC-Web",
            Self::Https => "HTTPS",
            Self::Tls => "TLS",
            Self::Tcp => "TCP",
            Self::Mongo => "Mongo",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Udp => "UDP",
            Self::HttpProxy => "HTTP_PROXY",
            Self::Auto => "UnsupportedProtocol",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    fn of(name: &str, app: Option<&str>) -> Protocol {
        Protocol::of_kubernetes_port("TCP", 8080, name, app)
    }

    #[test]
    fn names_are_read_up_to_the_first_dash() {
        assert_eq!(of("http-web", None), Protocol::Http);
        assert_eq!(of("GRPC", None), Protocol::Grpc);
        assert_eq!(of("grpc-web-x", None), Protocol::GrpcWeb);
        assert_eq!(of("httpx", None), Protocol::Auto);
    }

    #[test]
    fn app_protocol_hides_the_name_even_when_unknown() {
        assert_eq!(of("http", Some("tcp-x")), Protocol::Tcp);
        assert_eq!(of("http", Some("acme.org/thing")), Protocol::Auto);
        assert_eq!(of("tcp", Some("kubernetes.io/h2c")), Protocol::Http2);
    }

    #[test]
    fn server_first_ports_are_not_sniffed() {
        assert_eq!(Protocol::of_kubernetes_port("TCP", 3306, "db", None), Protocol::Tcp);
        assert_eq!(Protocol::of_kubernetes_port("UDP", 53, "dns", None), Protocol::Udp);
    }
}
