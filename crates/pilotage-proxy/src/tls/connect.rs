//! Beginning TLS on a connection to an upstream.

use std::sync::Arc;

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::Endpoint;
use pilotage_engine::upstream_tls::UpstreamTls;
use rustls::pki_types::{IpAddr, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::facts::TlsFacts;
use super::reason::transport_failure;
use super::store::TlsStore;
use super::upstream::Kind;
use crate::transport::{Connection, Prefixed};

/// Begins TLS on `stream`, which is connected to `endpoint`.
///
/// `host`: that of the request, for clusters that ask for it. `http2`: which HTTP version will be spoken; `None` where
/// bytes are forwarded.
///
/// # Errors
/// Why not: the reason that Envoy gives for the transport's failure.
pub(crate) async fn connect(
    store: &TlsStore,
    tls: &UpstreamTls,
    settings: &ClusterSettings,
    endpoint: &Endpoint,
    stream: TcpStream,
    host: Option<&str>,
    http2: Option<bool>,
) -> Result<Connection, String> {
    let policy = &settings.server_name;
    let kind = Kind { http2, checks_host: policy.checks_certificate || tls.checks_server_name };
    let config = store
        .client(tls, kind)
        .map_err(|reason| format!("TLS_error:_{}", reason.replace(' ', "_")))?;
    let name = server_name(tls, host.filter(|_| policy.of_request), endpoint)?;
    let asked = match &name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    let stream = Prefixed::new(bytes::Bytes::new(), stream);
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let stream = connected.map_err(|error| transport_failure(&error))?;
    let facts = TlsFacts::new(stream.get_ref().1, asked.as_deref(), &Arc::default());
    Ok(Connection::secured(TlsStream::Client(stream), facts))
}

/// The server name to ask for. An address is never asked for, only compared with the certificate.
fn server_name(
    tls: &UpstreamTls,
    host: Option<&str>,
    endpoint: &Endpoint,
) -> Result<ServerName<'static>, String> {
    let endpoint_name = tls.server_name_of_endpoint.then_some(&*endpoint.hostname);
    let own = Some(&*tls.server_name).filter(|name| !name.is_empty());
    let wanted = host.or(endpoint_name.filter(|name| !name.is_empty())).or(own);
    match wanted {
        Some(name) => ServerName::try_from(name.to_owned())
            .map_err(|_error| format!("TLS_error:_`{name}`_is_no_server_name")),
        None => {
            let address = endpoint.address.socket().map(|address| address.ip());
            let address = address.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
            Ok(ServerName::IpAddress(IpAddr::from(address)))
        }
    }
}

/// The host of an authority, without port and brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(host, _)| host);
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn a_host_has_no_port() {
        for (authority, host) in [
            ("a.test", "a.test"),
            ("a.test:443", "a.test"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]:80", "::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(host_of(authority), host);
        }
    }
}
