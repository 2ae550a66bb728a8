//! Envoy's bootstrap: the static resources that a proxy can run from, without a control plane.
//!
//! [`Bootstrap::read`] takes the message apart; [`Bootstrap::tables`] compiles it. What the message asks for and this
//! proxy does not do is a problem with the path of the field, never ignored: who brings a file that worked elsewhere
//! must learn what would change.

mod access_log;
mod clusters;
mod dynamic;
mod secrets;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use pilotage_engine::listener::ListenAddress;
use pilotage_engine::{FieldError, LiveState, Rejection, ResourceKind, Tables};
use pilotage_proto::envoy::config::bootstrap::v3::{Admin, Bootstrap as Proto};
use pilotage_proto::envoy::config::core::v3::address::Address as Kind;
use pilotage_proto::envoy::config::core::v3::socket_address::PortSpecifier;
use pilotage_proto::envoy::config::core::v3::{Address, Node};
use pilotage_proto::{Inconsistency, LocalCluster, ResourceSet};

use crate::access_log::AccessLogSettings;
use crate::config::{InboundPort, ProxyConfig};

/// What a bootstrap message says.
#[derive(Clone, Debug, Default)]
pub struct Bootstrap {
    /// Its static listeners and clusters.
    pub resources: ResourceSet,
    /// Who the proxy is (`node`).
    pub node: Node,
    /// Where the admin endpoint is to listen (`admin.address`).
    pub admin_address: Option<SocketAddr>,
    /// The access log that its connection managers ask for.
    pub access_log: AccessLogSettings,
    /// Where in the message each resource stands.
    places: BTreeMap<(ResourceKind, String), String>,
}

impl Bootstrap {
    /// Reads `proto`. The second part names every field that cannot be obeyed, by its path in the message; with any of
    /// them the bootstrap is not to be used.
    pub fn read(proto: &Proto) -> (Self, Vec<FieldError>) {
        let mut this = Self { node: proto.node.clone().unwrap_or_default(), ..Self::default() };
        let mut problems = Vec::new();
        dynamic::refuse(proto, &mut problems);
        if let Some(admin) = &proto.admin {
            match admin_address(admin) {
                Ok(address) => this.admin_address = address,
                Err(error) => problems.push(error.within("admin")),
            }
        }
        this.static_resources(proto, &mut problems);
        this.local_cluster(proto, &mut problems);
        this.unresolved(&mut problems);
        (this, problems)
    }

    fn static_resources(&mut self, proto: &Proto, problems: &mut Vec<FieldError>) {
        let resources = proto.static_resources.clone().unwrap_or_default();
        for (index, secret) in resources.secrets.into_iter().enumerate() {
            let place = format!("static_resources.secrets[{index}]");
            let name = secret.name.clone();
            if self.resources.secrets.insert(name.clone(), Arc::new(secret)).is_some() {
                let message = format!("there is a secret `{name}` already");
                problems.push(FieldError::new("name", message).within(&place));
            }
            self.places.insert((ResourceKind::Secret, name), place);
        }
        for (index, cluster) in resources.clusters.into_iter().enumerate() {
            let place = format!("static_resources.clusters[{index}]");
            if cluster.name.is_empty() {
                problems.push(FieldError::new("name", "must not be empty").within(&place));
                continue;
            }
            let missing = secrets::missing_for_cluster(&cluster, &self.resources.secrets);
            problems.extend(missing.into_iter().map(|error| error.within(&place)));
            let name = cluster.name.clone();
            if self.resources.clusters.insert(name.clone(), Arc::new(cluster)).is_some() {
                let message = format!("there is a cluster `{name}` already");
                problems.push(FieldError::new("name", message).within(&place));
            }
            self.places.insert((ResourceKind::Cluster, name), place);
        }
        let mut logs = access_log::Logs::default();
        for (index, mut listener) in resources.listeners.into_iter().enumerate() {
            let place = format!("static_resources.listeners[{index}]");
            if listener.name.is_empty() {
                listener.name = format!("listeners[{index}]");
            }
            let within = |error: FieldError| error.within(&place);
            problems.extend(logs.add(&listener).into_iter().map(within));
            let missing = secrets::missing_for_listener(&listener, &self.resources.secrets);
            problems.extend(missing.into_iter().map(within));
            problems.extend(
                clusters::missing(&listener, &self.resources.clusters).into_iter().map(within),
            );
            let name = listener.name.clone();
            if self.resources.listeners.insert(name.clone(), Arc::new(listener)).is_some() {
                let message = format!("there is a listener `{name}` already");
                problems.push(FieldError::new("name", message).within(&place));
            }
            self.places.insert((ResourceKind::Listener, name), place);
        }
        self.access_log = logs.settings();
    }

    /// The cluster of proxies like this one; Envoy does not start without it either.
    fn local_cluster(&mut self, proto: &Proto, problems: &mut Vec<FieldError>) {
        let manager = proto.cluster_manager.as_ref();
        let name = manager.map_or("", |manager| manager.local_cluster_name.as_str());
        if name.is_empty() {
            return;
        }
        if !self.resources.clusters.contains_key(name) {
            let path = "cluster_manager.local_cluster_name";
            problems.push(FieldError::new(path, format!("there is no cluster `{name}`")));
        }
        self.resources.local_cluster = Some(LocalCluster {
            name: name.to_owned(),
            locality: self.node.locality.clone().unwrap_or_default(),
        });
    }

    /// References to resources that only a control plane could deliver.
    fn unresolved(&self, problems: &mut Vec<FieldError>) {
        for inconsistency in self.resources.inconsistencies() {
            let (kind, name, message) = match inconsistency {
                Inconsistency::MissingRoutes { listener, routes } => {
                    let message = format!(
                        "route configuration `{routes}` would come from a control plane: write it as route_config"
                    );
                    (ResourceKind::Listener, listener, message)
                }
                Inconsistency::MissingEndpoints { cluster } => {
                    let message =
                        "endpoints would come from a control plane: write them as load_assignment";
                    (ResourceKind::Cluster, cluster, message.to_owned())
                }
            };
            problems.push(FieldError::new(self.place(kind, &name), message));
        }
    }

    /// Where in the message the resource stands.
    pub fn place(&self, kind: ResourceKind, name: &str) -> String {
        self.places.get(&(kind, name.to_owned())).cloned().unwrap_or_default()
    }

    /// Whether the listener `name` asks for `address`.
    pub fn listens_at(&self, name: &str, address: &ListenAddress) -> bool {
        let listener = self.resources.listeners.get(name);
        let wanted = listener.and_then(|listener| listener.address.as_ref());
        wanted.is_some_and(|wanted| match (address, &wanted.address) {
            (ListenAddress::Socket(address), _) => {
                socket_address(wanted).is_ok_and(|wanted| wanted == *address)
            }
            (ListenAddress::Pipe(path), Some(Kind::Pipe(pipe))) => pipe.path == **path,
            (ListenAddress::Pipe(_), _) => false,
        })
    }

    /// The tables of the static resources, and what the engine does not obey in them, by its path in the message.
    pub fn tables(&self, live: &LiveState) -> (Arc<Tables>, Vec<FieldError>) {
        let (tables, rejections) = Tables::apply(&Tables::empty(), &self.resources, live);
        let told = rejections.into_iter().filter(|rejection| !is_looked_after(rejection));
        let problems = told.map(|Rejection { kind, resource, path, message, .. }| {
            let place = self.place(kind, &resource);
            if path.is_empty() {
                FieldError::new(place, message)
            } else {
                FieldError::new(path, message).within(place)
            }
        });
        (tables, problems.collect())
    }

    /// How a proxy of this bootstrap runs: listeners exactly where they are written.
    pub fn proxy_config(&self) -> ProxyConfig {
        ProxyConfig {
            admin_address: self.admin_address,
            access_log: self.access_log.clone(),
            inbound: InboundPort::AsWritten,
            bind: Arc::new(|wanted| wanted),
            ..ProxyConfig::new()
        }
    }
}

/// The engine leaves it to others to look whether clusters exist; [`Bootstrap::read`] has done so.
fn is_looked_after(rejection: &Rejection) -> bool {
    rejection.path.ends_with("validate_clusters")
}

/// Envoy's admin access log is nothing to miss when it goes nowhere.
fn admin_address(admin: &Admin) -> Result<Option<SocketAddr>, FieldError> {
    if !matches!(admin.access_log_path.as_str(), "" | "/dev/null") {
        return Err(FieldError::new("access_log_path", "requests to admin are not logged"));
    }
    if !admin.access_log.is_empty() {
        return Err(FieldError::new("access_log", "requests to admin are not logged"));
    }
    admin.address.as_ref().map(socket_address).transpose().map_err(|e| e.within("address"))
}

fn socket_address(address: &Address) -> Result<SocketAddr, FieldError> {
    let Some(Kind::SocketAddress(socket)) = &address.address else {
        return Err(FieldError::new("", "has to be a socket_address"));
    };
    let inside = |error: FieldError| error.within("socket_address");
    let ip: IpAddr = socket.address.parse().map_err(|_| {
        inside(FieldError::new("address", format!("`{}` is no IP address", socket.address)))
    })?;
    let Some(PortSpecifier::PortValue(port)) = socket.port_specifier else {
        return Err(inside(FieldError::new("port_value", "is required")));
    };
    let port = u16::try_from(port)
        .map_err(|_| inside(FieldError::new("port_value", "must not be above 65535")))?;
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;
