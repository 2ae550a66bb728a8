//! What several `Gateway` objects open together: which of their servers share a listener, and which are shut out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_config::gateway::{Server, ServerTlsMode};

use super::Gateway;
use crate::inbound::Inbound;
use crate::origin::Origin;
use crate::protocol::Protocol;

/// The label of a service whose port numbers do not stand for those of its workload.
const NO_TRANSLATION: &str = "experimental.istio.io/disable-gateway-port-translation";

/// The servers of all objects that one gateway proxy serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct MergedGateway {
    /// Servers that share address, port and protocol, in the order in which the first of each was found.
    pub groups: Vec<ServerGroup>,
}

/// Servers that share address, port and protocol. Plain HTTP servers of a group share one route configuration; TLS
/// servers each have a filter chain of their own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerGroup {
    /// The address to listen on, or `unix://` and a path; empty means all addresses.
    pub bind: Arc<str>,
    /// The port to listen on: that of the workload, where a service leads to it.
    pub port: u16,
    /// The protocol of the first server.
    pub protocol: Protocol,
    /// The servers, those of older objects first.
    pub servers: Vec<MergedServer>,
    written_protocol: String,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MergedServer {
    /// Its object.
    pub gateway: Arc<Gateway>,
    /// What it says.
    pub spec: Arc<Server>,
    /// Its hosts: a name, or `namespace/name` where only virtual services of that namespace may attach.
    pub hosts: Vec<String>,
    /// The port that clients use, as declared.
    pub port: u32,
    /// What it speaks.
    pub protocol: Protocol,
    /// The route configuration of an HTTP server.
    pub route_name: Option<Arc<str>>,
    /// Where it was written.
    pub origin: Origin,
}

impl MergedGateway {
    /// Merges objects, oldest first. `inbound` tells to which port of the workload a port of a service leads.
    #[must_use]
    pub fn merge(gateways: &[Arc<Gateway>], inbound: &Inbound) -> Self {
        let mut merging = Merging::default();
        for gateway in gateways {
            for (index, spec) in gateway.spec.servers.iter().enumerate() {
                merging.add(gateway, index, spec, inbound);
            }
        }
        Self { groups: merging.groups }
    }

    /// The servers that share the route configuration `name`, in order of precedence.
    pub fn servers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a MergedServer> {
        let servers = self.groups.iter().flat_map(|group| &group.servers);
        servers.filter(move |server| server.route_name.as_deref() == Some(name))
    }
}

impl MergedServer {
    /// The name of the object as virtual services spell it: `namespace/name`.
    #[must_use]
    pub fn gateway_name(&self) -> String {
        format!("{}/{}", self.gateway.namespace, self.gateway.name)
    }

    /// Whether TLS goes on to the destination.
    #[must_use]
    pub fn is_passthrough(&self) -> bool {
        is_passthrough(&self.spec)
    }

    /// Whether requests are read here: plain HTTP, or HTTPS that ends here.
    #[must_use]
    pub fn is_http(&self) -> bool {
        is_http(&self.spec, self.protocol)
    }

    /// Whether connections begin with TLS. TLS settings of a plain HTTP server say no more than whether to redirect.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        is_tls(&self.spec, self.protocol)
    }

    /// The hosts without namespaces, sorted, each once.
    #[must_use]
    pub fn host_names(&self) -> Vec<String> {
        let names = self.hosts.iter().map(|host| host.split_once('/').map_or(&**host, |(_, n)| n));
        names.collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
    }
}

fn is_passthrough(spec: &Server) -> bool {
    spec.tls.as_ref().is_some_and(|tls| {
        matches!(tls.mode, ServerTlsMode::Passthrough | ServerTlsMode::AutoPassthrough)
    })
}

fn is_http(spec: &Server, protocol: Protocol) -> bool {
    protocol.is_http()
        || (protocol == Protocol::Https && spec.tls.is_some() && !is_passthrough(spec))
}

fn is_tls(spec: &Server, protocol: Protocol) -> bool {
    spec.tls.is_some() && !protocol.is_http()
}

/// Servers as they come together.
#[derive(Default)]
struct Merging {
    groups: Vec<ServerGroup>,
    used_ports: BTreeSet<u16>,
    /// The first plain server of a port, by its place in `groups`.
    plain: BTreeMap<u16, usize>,
    /// Addresses that later servers of a port which began with TLS have taken.
    taken_binds: BTreeSet<(u16, String)>,
    /// Hosts of servers with TLS settings, with the address of the last one that claimed them.
    claimed_hosts: BTreeMap<(u16, String), String>,
    route_names: BTreeSet<String>,
}

impl Merging {
    fn add(&mut self, gateway: &Arc<Gateway>, index: usize, spec: &Server, inbound: &Inbound) {
        let Some(written) = &spec.port else { return };
        let Some(port) = translated(written.number, inbound) else { return };
        let protocol = Protocol::parse(&written.protocol);
        let hosts = normalized_hosts(&spec.hosts, &gateway.namespace);
        if spec.tls.is_some() && !self.claim(port, &spec.bind, &hosts) {
            return;
        }
        let route_name = route_name(gateway, spec, protocol, port);
        let server = MergedServer {
            gateway: Arc::clone(gateway),
            spec: Arc::new(spec.clone()),
            hosts,
            port: written.number,
            protocol,
            route_name: route_name.as_deref().map(Arc::from),
            origin: gateway.origin.at(format!("spec.servers[{index}]")),
        };
        if let Some(&first) = self.plain.get(&port) {
            self.join_plain(first, port, server);
        } else if self.used_ports.contains(&port) {
            self.join_tls(port, server);
        } else {
            self.used_ports.insert(port);
            self.route_names.extend(route_name);
            let plain = !server.is_tls();
            let at = self.push(port, server);
            if plain {
                self.plain.insert(port, at);
            }
        }
    }

    /// Whether none of `hosts` is claimed at this address and port; then they are from now on.
    fn claim(&mut self, port: u16, bind: &str, hosts: &[String]) -> bool {
        let key = |host: &String| (port, host.clone());
        let taken = |host: &String| self.claimed_hosts.get(&key(host)).is_some_and(|b| b == bind);
        if hosts.iter().any(taken) {
            return false;
        }
        self.claimed_hosts.extend(hosts.iter().map(|host| (key(host), bind.to_owned())));
        true
    }

    /// Adds a server to a port whose first server is plain: HTTP joins HTTP, and other addresses are other listeners.
    fn join_plain(&mut self, first: usize, port: u16, server: MergedServer) {
        let Some(group) = self.groups.get_mut(first) else { return };
        if *group.bind == *server.spec.bind {
            if group.protocol.is_http() && server.protocol.is_http() {
                group.servers.push(server);
            }
            return;
        }
        self.push(port, server);
    }

    /// Adds a server to a port whose first server has TLS: server names tell TLS servers apart, and one plain server
    /// for each address takes what has no TLS.
    fn join_tls(&mut self, port: u16, server: MergedServer) {
        if server.is_http() {
            let name = server.route_name.as_deref().unwrap_or_default().to_owned();
            if name.is_empty() || !self.route_names.insert(name) {
                return;
            }
        }
        let is_new_bind = self.taken_binds.insert((port, server.spec.bind.clone()));
        let plain = server.spec.tls.is_none();
        if plain && !is_new_bind {
            return;
        }
        let at = self.push(port, server);
        if plain {
            self.plain.insert(port, at);
        }
    }

    /// Adds a server to the group of its address, port and protocol, and tells where that is.
    fn push(&mut self, port: u16, server: MergedServer) -> usize {
        let written = server.spec.port.as_ref().map(|p| p.protocol.clone()).unwrap_or_default();
        let found = self.groups.iter().position(|group| {
            *group.bind == *server.spec.bind
                && group.port == port
                && group.written_protocol == written
        });
        if let Some((at, group)) = found.and_then(|at| Some((at, self.groups.get_mut(at)?))) {
            group.servers.push(server);
            return at;
        }
        self.groups.push(ServerGroup {
            bind: server.spec.bind.as_str().into(),
            port,
            protocol: server.protocol,
            servers: vec![server],
            written_protocol: written,
        });
        self.groups.len() - 1
    }
}

/// The port of the workload behind port `number` of the first service that has it; the number itself without such a
/// service, or when a file leaves the port out.
fn translated(number: u32, inbound: &Inbound) -> Option<u16> {
    let number = u16::try_from(number).ok()?;
    let mut targets = inbound.targets.iter();
    let target = targets.find(|target| {
        target.port.number == number && !target.service.labels.contains_key(NO_TRANSLATION)
    });
    let port = target.map(|target| target.target_port).filter(|port| *port > 0);
    Some(port.unwrap_or(number))
}

/// `./x` with the object's namespace, `*/x` without one; `*/*` stands for everything.
fn normalized_hosts(hosts: &[String], namespace: &str) -> Vec<String> {
    if hosts.iter().any(|host| host == "*/*") {
        return vec!["*".to_owned()];
    }
    let normalized = |host: &String| match host.split_once('/') {
        Some((".", name)) => format!("{namespace}/{name}"),
        Some(("*", name)) => name.to_owned(),
        _ => host.clone(),
    };
    hosts.iter().map(normalized).collect()
}

/// The name of the route configuration of an HTTP server. Plain servers of one port share one; those that end TLS
/// each have their own.
fn route_name(gateway: &Gateway, spec: &Server, protocol: Protocol, port: u16) -> Option<String> {
    let written = spec.port.as_ref()?;
    let bind = if spec.bind.is_empty() { String::new() } else { format!(".{}", spec.bind) };
    if protocol.is_http() {
        return Some(format!("http.{port}{bind}"));
    }
    is_http(spec, protocol).then(|| {
        let (number, port_name) = (written.number, &written.name);
        format!("https.{number}.{port_name}.{}.{}{bind}", gateway.name, gateway.namespace)
    })
}

#[cfg(test)]
mod tests;
