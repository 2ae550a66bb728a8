//! A listener: where connections arrive, what is looked at before they are understood, and which filter chain takes
//! them.

mod compile;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::compile::socket;
use crate::filter_chain::{ChainIndex, ConnectionInfo, FilterChain};
use crate::tables::Tables;

/// Which way traffic of a listener flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Not said.
    #[default]
    Unspecified,
    /// Towards the workload beside the proxy.
    Inbound,
    /// Away from it.
    Outbound,
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenAddress {
    /// A TCP address.
    Socket(SocketAddr),
    /// A Unix domain socket.
    Pipe(Arc<str>),
}

/// What a listener needs to know of a connection before it can choose a filter chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// Look for a TLS client hello: transport protocol, server name, ALPN.
    pub tls: Option<InspectorScope>,
    /// Look for HTTP/1 or HTTP/2: application protocol.
    pub http: Option<InspectorScope>,
    /// Ask the kernel where the connection was going before it was redirected.
    pub original_destination: bool,
    /// Expect a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Connections to upstreams come from the client's address, and their packets carry this mark (0 is none).
    pub source_mark: Option<u32>,
    /// How long to wait for enough bytes; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Go on without what was not seen in time, rather than closing the connection.
    pub continue_on_timeout: bool,
}

/// For which connections an inspector runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InspectorScope {
    /// Destination ports on which it does not run; `None`: it always runs.
    pub(crate) disabled: Option<PortPredicate>,
}

/// A condition on destination ports.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PortPredicate {
    Any(Vec<PortPredicate>),
    Not(Box<PortPredicate>),
    /// From the start up to but without the end.
    Range(std::ops::Range<u32>),
}

impl InspectorScope {
    /// Whether the inspector runs for connections to `port`.
    pub fn applies_to(&self, port: u16) -> bool {
        !self.disabled.as_ref().is_some_and(|ports| ports.contains(port))
    }
}

impl PortPredicate {
    fn contains(&self, port: u16) -> bool {
        match self {
            Self::Any(all) => all.iter().any(|one| one.contains(port)),
            Self::Not(other) => !other.contains(port),
            Self::Range(range) => range.contains(&u32::from(port)),
        }
    }
}

/// One listener.
#[derive(Debug)]
pub struct ListenerTable {
    /// Name.
    pub name: Arc<str>,
    /// Where it listens. Not bound when `bind_to_port` is false: then it only takes connections that another listener
    /// hands over.
    pub address: ListenAddress,
    /// Further addresses it listens on.
    pub additional_addresses: Vec<ListenAddress>,
    /// Whether it has sockets of its own.
    pub bind_to_port: bool,
    /// Hands each connection to the listener of its original destination.
    pub use_original_destination: bool,
    /// The socket keeps foreign addresses (`IP_TRANSPARENT`).
    pub transparent: bool,
    /// Which way its traffic flows.
    pub direction: Direction,
    /// What to look at first.
    pub inspection: Inspection,
    pub(crate) chains: ChainIndex,
}

impl ListenerTable {
    /// The listener that a connection accepted here, and bound for `destination`, belongs to: as Envoy does, the one
    /// at exactly that address, else the one at any address and that port, else this one.
    pub fn redirected<'t>(
        self: &'t Arc<Self>,
        tables: &'t Tables,
        destination: SocketAddr,
    ) -> &'t Arc<Self> {
        if !self.use_original_destination {
            return self;
        }
        tables.listener_for_destination(destination).unwrap_or(self)
    }

    /// Whether it is there for all connections that are redirected on their way to the workload: Istio's
    /// `virtualInbound`. Clients do not connect to it themselves.
    pub fn takes_redirected_inbound(&self) -> bool {
        self.direction == Direction::Inbound && self.inspection.original_destination
    }

    /// The filter chain for a connection, the default one when no other fits. `None`: the connection is closed, with
    /// the details `filter_chain_not_found`.
    pub fn chain(&self, connection: &ConnectionInfo<'_>) -> Option<&Arc<FilterChain>> {
        self.chains.find(connection)
    }

    /// All chains in the order of configuration, the default one last.
    pub fn chains(&self) -> impl Iterator<Item = &Arc<FilterChain>> {
        self.chains.iter()
    }
}
