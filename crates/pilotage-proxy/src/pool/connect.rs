//! Opening a connection to an endpoint.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pilotage_engine::cluster::ClusterSettings;
use pilotage_engine::endpoint::{Endpoint, EndpointAddress};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use super::race;
use crate::failure::Failure;
use crate::proxy_protocol;
use crate::tls::{self, TlsStore};
use crate::transparent;
use crate::transport::Connection;
use crate::unix;

/// What a connection needs to know beyond its endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Security {
    pub(crate) store: Arc<TlsStore>,
    /// The host of the request, for clusters that ask for it.
    pub(crate) host: Option<Box<str>>,
    /// Which version of HTTP will be spoken; `None`: bytes are forwarded.
    pub(crate) http2: Option<bool>,
    /// Whom the connection is for.
    pub(crate) client: ClientAddresses,
}

/// Whom a connection is for: what upstreams are told with the PROXY protocol, and see where clients keep their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddresses {
    /// Where the client is.
    pub(crate) source: SocketAddr,
    /// Where it wanted to go.
    pub(crate) destination: SocketAddr,
    /// The connection is to come from the client's address, and to be marked so.
    pub(crate) source_mark: Option<u32>,
}

/// Whose requests a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Clients {
    /// Everybody's: it comes from the proxy's own address.
    All,
    /// Those from one address, which is its own too, with a mark.
    At(IpAddr, u32),
    /// Those of one client's connection, which the PROXY protocol tells of.
    Of(ClientAddresses),
}

impl Clients {
    /// Those who may share a connection of a cluster with `client`.
    pub(super) fn like(client: ClientAddresses, settings: &ClusterSettings) -> Self {
        match (settings.proxy_protocol, client.source_mark) {
            (Some(_version), _) => Self::Of(client),
            (None, Some(mark)) => Self::At(client.source.ip(), mark),
            (None, None) => Self::All,
        }
    }
}

/// Connects to `endpoint` as `settings` say, TLS included.
///
/// # Errors
/// [`Failure::Connect`] and [`Failure::ConnectTimeout`].
pub(crate) async fn connect(
    settings: &ClusterSettings,
    endpoint: &Endpoint,
    security: &Security,
) -> Result<Connection, Failure> {
    let connecting = async {
        let stream = introduced(settings, endpoint, security.client)
            .await
            .map_err(|error| format!("delayed connect error: {}", reason(&error)))?;
        let Some(tls) = &endpoint.tls else { return Ok(Connection::Plain(stream)) };
        let Security { store, host, http2, client: _ } = security;
        // Boxed, so that connections without TLS do not carry room for its state.
        let securing =
            tls::connect(store, tls, settings, endpoint, stream, host.as_deref(), *http2);
        Box::pin(securing).await
    };
    match tokio::time::timeout(settings.connect_timeout, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(reason)) => Err(Failure::Connect { reason: String::into(reason) }),
        Err(_elapsed) => Err(Failure::ConnectTimeout),
    }
}

/// A connection whose upstream knows who it is for, where the cluster wants it told.
async fn introduced(
    settings: &ClusterSettings,
    endpoint: &Endpoint,
    client: ClientAddresses,
) -> io::Result<TcpStream> {
    let mut stream = match &endpoint.address {
        EndpointAddress::Socket(address) if endpoint.others.is_empty() => {
            connect_tcp(settings, client, *address).await?
        }
        EndpointAddress::Socket(address) => {
            let addresses = race::order(*address, &endpoint.others);
            race::first(&addresses, |address| connect_tcp(settings, client, address)).await?
        }
        EndpointAddress::Pipe(path) => unix::as_tcp(UnixStream::connect(&**path).await?)?,
    };
    if let Some(version) = settings.proxy_protocol {
        let header = proxy_protocol::write(version, client.source, client.destination);
        stream.write_all(&header).await?;
    }
    Ok(stream)
}

async fn connect_tcp(
    settings: &ClusterSettings,
    client: ClientAddresses,
    address: SocketAddr,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(mark) = client.source_mark
        && client.source.is_ipv4() == address.is_ipv4()
    {
        transparent::allow(&socket, address)?;
        if mark != 0 {
            socket.set_mark(mark)?;
        }
        socket.bind(&SocketAddr::new(client.source.ip(), 0).into())?;
    } else if let Some(source) = settings.source_address
        && source.is_ipv4() == address.is_ipv4()
    {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    if let Some(keepalive) = &settings.tcp_keepalive {
        let mut wanted = TcpKeepalive::new();
        if let Some(time) = keepalive.time {
            wanted = wanted.with_time(time);
        }
        if let Some(interval) = keepalive.interval {
            wanted = wanted.with_interval(interval);
        }
        if let Some(probes) = keepalive.probes {
            wanted = wanted.with_retries(probes);
        }
        SockRef::from(&socket).set_tcp_keepalive(&wanted)?;
    }
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

/// The system's words without Rust's `(os error 111)`.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _code)) => words.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::Duration;

    use pilotage_engine::cluster::ClusterSettings;
    use pilotage_engine::{LiveState, Tables};
    use pilotage_proto::ResourceSet;
    use pilotage_proto::json::from_value;
    use serde_json::{Value, json};
    use socket2::SockRef;
    use tokio::net::TcpListener;

    use super::{ClientAddresses, connect_tcp};

    fn settings(more: Value) -> Arc<ClusterSettings> {
        let mut cluster = json!({"name": "up", "type": "STATIC"});
        for (key, value) in more.as_object().unwrap() {
            cluster[key] = value.clone();
        }
        let mut set = ResourceSet::default();
        set.clusters.insert("up".into(), Arc::new(from_value(&cluster).unwrap()));
        let (tables, _) = Tables::apply(&Tables::default(), &set, &LiveState::default());
        Arc::clone(&tables.cluster("up").unwrap().settings)
    }

    #[tokio::test]
    async fn the_socket_is_as_the_cluster_says() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = ClientAddresses { source: address, destination: address, source_mark: None };
        let plain = connect_tcp(&settings(json!({})), client, address).await.unwrap();
        let socket = SockRef::from(&plain);
        assert!(!socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        let probes = json!({"keepaliveProbes": 3, "keepaliveTime": 60, "keepaliveInterval": 5});
        let wanted = settings(json!({
            "upstreamConnectionOptions": {"tcpKeepalive": probes},
            "upstreamBindConfig": {"sourceAddress": {"address": "127.0.0.6", "portValue": 0}},
        }));
        let kept = connect_tcp(&wanted, client, address).await.unwrap();
        let socket = SockRef::from(&kept);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(5));
        assert_eq!(kept.local_addr().unwrap().ip(), IpAddr::from([127, 0, 0, 6]));
    }
}
