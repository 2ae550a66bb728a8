//! Finding where a request belongs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use http::uri::Scheme;
use http::{StatusCode, Version};
use pilotage_engine::Tables;
use pilotage_engine::cluster::Discovery;
use pilotage_engine::filter_chain::{ChainAction, ConnectionInfo};
use pilotage_engine::http_manager::HttpManager;
use pilotage_engine::listener::ListenerTable;
use pilotage_engine::local_reply::LocalReply;
use pilotage_engine::response_flag::{ResponseFlags, details};
use pilotage_engine::tcp_route::TcpRoute;

use super::client::Client;
use super::head::Head;
use super::moment::Moment;
use super::place::Place;
use crate::connection;
use crate::worker::Generation;

/// Finds where a request belongs.
///
/// # Errors
/// The answer to give when nothing takes it.
pub(super) fn find(
    client: &Client,
    tables: &Rc<Generation>,
    head: &Head,
) -> Result<Rc<Place>, Box<LocalReply>> {
    let any_host = client.arrival.listener.is_some();
    if let Some(known) = client.memo.known(tables, head.authority.as_ref(), any_host) {
        return Ok(known);
    }
    let place = Rc::new(match &client.arrival.listener {
        None => proxied(client, tables, head)?,
        Some(name) => {
            let listener = tables.listener(name).ok_or_else(no_listener)?;
            Place { manager: manager(client, listener)?, destination: client.arrival.destination }
        }
    });
    client.memo.keep(tables, head.authority.as_ref(), &place);
    Ok(place)
}

/// What takes the requests of this connection, as far as that is known before there is one: on the outbound port each
/// request has a listener of its own.
pub(super) fn expected(client: &Client, tables: &Tables) -> Option<Arc<HttpManager>> {
    let listener = tables.listener(client.arrival.listener.as_ref()?)?;
    manager(client, listener).ok()
}

/// A request on the outbound port is treated as if its connection to the host it names had been captured.
fn proxied(client: &Client, tables: &Tables, head: &Head) -> Result<Place, Box<LocalReply>> {
    let authority = head.authority().filter(|host| !host.is_empty()).ok_or_else(|| {
        if head.version == Version::HTTP_10 {
            let reply = LocalReply::new(StatusCode::UPGRADE_REQUIRED, "", details::LOW_VERSION);
            return Box::new(LocalReply { close: true, ..reply });
        }
        Box::new(LocalReply::new(StatusCode::BAD_REQUEST, "", details::MISSING_HOST))
    })?;
    let default_port = (head.scheme == Some(Scheme::HTTPS)).then_some(443);
    let destination = tables
        .destination(authority, default_port)
        .unwrap_or_else(|| unresolved(authority, default_port.unwrap_or(80)));
    let listener = tables
        .listener_for_destination(destination)
        .or_else(|| {
            tables.listeners().find(|listener| connection::takes_what_nobody_else_takes(listener))
        })
        .ok_or_else(no_listener)?;
    let found = chain(client, listener, destination, head.version);
    let manager = match takes_old(client, listener, destination, head.version).or(found) {
        Some(ChainAction::Http(manager)) => Arc::clone(manager),
        Some(ChainAction::Tcp(route)) => bytes_as_http(client, tables, route)?,
        Some(ChainAction::Close) | None => return Err(no_listener()),
    };
    Ok(Place { manager, destination })
}

/// What takes a request of HTTP/1.0 where requests of HTTP/1.1 go, if that wants it. Listeners do not look for HTTP/1.0:
/// captured, such a connection is forwarded as bytes.
fn takes_old<'l>(
    client: &Client,
    listener: &'l Arc<ListenerTable>,
    destination: SocketAddr,
    version: Version,
) -> Option<&'l ChainAction> {
    if version != Version::HTTP_10 {
        return None;
    }
    let newer = chain(client, listener, destination, Version::HTTP_11);
    newer.filter(|action| matches!(action, ChainAction::Http(manager) if manager.accept_http_10))
}

/// Where a captured connection's bytes would be forwarded, an HTTP request goes to the same cluster. A cluster that
/// never has an endpoint is the outbound policy saying no: 502, as for HTTP ports.
fn bytes_as_http(
    client: &Client,
    tables: &Tables,
    route: &TcpRoute,
) -> Result<Arc<HttpManager>, Box<LocalReply>> {
    // Requests with a destination of their own come without TLS.
    let name = client.worker.with_env(Moment::now(), |env| route.cluster(None, env));
    let refuses = tables.cluster(&name).is_none_or(|cluster| {
        cluster.settings.discovery == Discovery::Static && cluster.endpoints().is_empty()
    });
    if refuses {
        let reply = LocalReply::new(StatusCode::BAD_GATEWAY, "", details::DIRECT_RESPONSE);
        return Err(Box::new(reply));
    }
    client.worker.plain_manager(&name).ok_or_else(no_listener)
}

/// A host that the mesh does not know: only its port says which listener would have got it.
fn unresolved(authority: &str, default_port: u16) -> SocketAddr {
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port.unwrap_or(default_port))
}

/// The listener's manager now, for a connection that an earlier generation may have let in.
fn manager(client: &Client, listener: &ListenerTable) -> Result<Arc<HttpManager>, Box<LocalReply>> {
    let arrival = &client.arrival;
    let chain =
        arrival.chain(listener).filter(|chain| chain.tls.is_some() == arrival.tls.is_some());
    match chain.map(|chain| &chain.action) {
        Some(ChainAction::Http(manager)) => Ok(Arc::clone(manager)),
        Some(ChainAction::Tcp(_) | ChainAction::Close) | None => Err(no_listener()),
    }
}

/// What the listener does with a connection that brings a request like this one.
fn chain<'l>(
    client: &Client,
    listener: &'l Arc<ListenerTable>,
    destination: SocketAddr,
    version: Version,
) -> Option<&'l ChainAction> {
    let protocol = match version {
        Version::HTTP_2 => "h2c",
        Version::HTTP_10 => "http/1.0",
        _ => "http/1.1",
    };
    let chain = listener.chain(&ConnectionInfo {
        destination,
        source: client.arrival.source,
        direct_source: client.arrival.direct_source,
        server_name: None,
        tls: false,
        application_protocols: &[protocol],
    });
    // TLS is not ended yet: what should come through it does not come in the clear.
    chain.filter(|chain| chain.tls.is_none()).map(|chain| &chain.action)
}

/// Nothing of the mesh listens where the request wants to go.
fn no_listener() -> Box<LocalReply> {
    let reply = LocalReply::new(StatusCode::NOT_FOUND, "", details::FILTER_CHAIN_NOT_FOUND);
    Box::new(reply.with_flags(ResponseFlags::NO_ROUTE))
}
