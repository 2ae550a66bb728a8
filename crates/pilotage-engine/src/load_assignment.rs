//! Load assignments: the endpoints of a cluster as delivered, by locality and priority.

use std::net::SocketAddr;
use std::sync::Arc;

use pilotage_proto::envoy::config::core::v3::HealthStatus;
use pilotage_proto::envoy::config::core::v3::Metadata;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{ClusterLoadAssignment, LbEndpoint};
use pilotage_proto::prost_types::Struct;

use crate::address::{Place, place};
use crate::cluster::Discovery;
use crate::dns::DnsTarget;
use crate::endpoint::{Endpoint, EndpointAddress, Health, Locality};
use crate::endpoint_set::{EndpointSet, EndpointSetOptions, LocalityEndpoints};
use crate::live_state::ClusterState;
use crate::rejection::{FieldError, Warnings};
use crate::upstream_tls::TlsChoice;
use crate::zone_routing::Peers;

/// Endpoints of a cluster before names are resolved.
#[derive(Debug, Default)]
pub(crate) struct LoadAssignment {
    localities: Vec<LocalityTemplate>,
    /// How much more than its share a priority can take, in percent.
    overprovisioning_percent: Option<u32>,
}

#[derive(Debug)]
struct LocalityTemplate {
    locality: Arc<Locality>,
    priority: u32,
    weight: u32,
    endpoints: Vec<EndpointTemplate>,
}

#[derive(Debug)]
struct EndpointTemplate {
    place: Place,
    /// Further addresses of it.
    others: Vec<SocketAddr>,
    hostname: Arc<str>,
    weight: u32,
    health: Health,
    /// What transport socket matches compare with.
    socket_metadata: Option<Struct>,
}

/// The address by which an endpoint is known, and its others.
type Addresses = (EndpointAddress, Arc<[SocketAddr]>);

/// Highest priority that is accepted.
const MAX_PRIORITY: u32 = 128;

/// Under this key endpoints say which transport socket they want.
const SOCKET_METADATA: &str = "envoy.transport_socket_match";

impl LoadAssignment {
    pub(crate) fn compile(
        proto: &ClusterLoadAssignment,
        warnings: &mut Warnings,
    ) -> Result<Self, FieldError> {
        if !proto.named_endpoints.is_empty() {
            return Err(FieldError::new("named_endpoints", "are not supported"));
        }
        let policy = proto.policy.as_ref();
        if policy.is_some_and(|policy| !policy.drop_overloads.is_empty()) {
            warnings.note("policy.drop_overloads", "no requests are dropped");
        }
        let mut localities = Vec::with_capacity(proto.endpoints.len());
        for (index, group) in proto.endpoints.iter().enumerate() {
            let field = format!("endpoints[{index}]");
            if group.priority > MAX_PRIORITY {
                let message = format!("must not be above {MAX_PRIORITY}");
                return Err(FieldError::new(format!("{field}.priority"), message));
            }
            let endpoints = group.lb_endpoints.iter().enumerate().map(|(number, endpoint)| {
                EndpointTemplate::compile(endpoint)
                    .map_err(|e| e.within(format!("{field}.lb_endpoints[{number}]")))
            });
            let locality = group.locality.clone().unwrap_or_default();
            localities.push(LocalityTemplate {
                locality: Arc::new(Locality {
                    region: locality.region,
                    zone: locality.zone,
                    sub_zone: locality.sub_zone,
                }),
                priority: group.priority,
                weight: group.load_balancing_weight.unwrap_or(0),
                endpoints: endpoints.collect::<Result<_, _>>()?,
            });
        }
        let overprovisioning_percent = policy.and_then(|policy| policy.overprovisioning_factor);
        Ok(Self { localities, overprovisioning_percent })
    }

    /// The names that have to be resolved before there are endpoints, each once.
    pub(crate) fn dns_targets(&self) -> Vec<DnsTarget> {
        let mut targets: Vec<_> = self
            .localities
            .iter()
            .flat_map(|locality| &locality.endpoints)
            .filter_map(|endpoint| match &endpoint.place {
                Place::Name(host, port) => Some(DnsTarget { host: Arc::clone(host), port: *port }),
                Place::Socket(_) | Place::Pipe(_) => None,
            })
            .collect();
        targets.sort();
        targets.dedup();
        targets
    }

    /// The endpoints with names resolved as `state` knows them.
    pub(crate) fn endpoints(
        &self,
        discovery: Discovery,
        tls: &TlsChoice,
        state: &ClusterState,
        options: EndpointSetOptions,
        peers: Option<&Arc<Peers>>,
        before: Option<&EndpointSet>,
    ) -> EndpointSet {
        let options = EndpointSetOptions {
            overprovisioning_percent: self
                .overprovisioning_percent
                .unwrap_or(options.overprovisioning_percent),
            ..options
        };
        let localities: Vec<_> =
            self.localities
                .iter()
                .map(|group| LocalityEndpoints {
                    priority: group.priority,
                    weight: group.weight,
                    endpoints: group
                        .endpoints
                        .iter()
                        .flat_map(|endpoint| {
                            endpoint.addresses(discovery, state).into_iter().map(|addresses| {
                                Arc::new(endpoint.at(addresses, group, tls, state))
                            })
                        })
                        .collect(),
                })
                .collect();
        EndpointSet::build(localities.into(), options, peers, state.health_generation(), before)
    }
}

impl EndpointTemplate {
    fn compile(proto: &LbEndpoint) -> Result<Self, FieldError> {
        let endpoint = match &proto.host_identifier {
            Some(HostIdentifier::Endpoint(endpoint)) => endpoint,
            Some(HostIdentifier::EndpointName(_)) => {
                return Err(FieldError::new("endpoint_name", "is not supported"));
            }
            None => return Err(FieldError::new("endpoint", "is required")),
        };
        let place =
            place(endpoint.address.as_ref()).map_err(|e| e.within("address").within("endpoint"))?;
        let hostname = match &place {
            Place::Name(name, _) if endpoint.hostname.is_empty() => Arc::clone(name),
            _ => endpoint.hostname.as_str().into(),
        };
        let others = endpoint.additional_addresses.iter().enumerate().map(|(index, other)| {
            let field = format!("endpoint.additional_addresses[{index}]");
            match self::place(other.address.as_ref()) {
                Ok(Place::Socket(address)) => Ok(address),
                Ok(_) => Err(FieldError::new(format!("{field}.address"), "is no IP address")),
                Err(error) => Err(error.within(field)),
            }
        });
        Ok(Self {
            place,
            others: others.collect::<Result<_, _>>()?,
            hostname,
            weight: proto.load_balancing_weight.unwrap_or(1).max(1),
            health: match proto.health_status() {
                HealthStatus::Unknown | HealthStatus::Healthy => Health::Healthy,
                HealthStatus::Degraded => Health::Degraded,
                HealthStatus::Unhealthy | HealthStatus::Draining | HealthStatus::Timeout => {
                    Health::Unhealthy
                }
            },
            socket_metadata: socket_metadata(proto.metadata.as_ref()),
        })
    }

    /// Where this endpoint is now; a name may stand for no address yet, or for several. They are several endpoints, or
    /// one that has several addresses.
    fn addresses(&self, discovery: Discovery, state: &ClusterState) -> Vec<Addresses> {
        match &self.place {
            Place::Socket(address) => {
                vec![(EndpointAddress::Socket(*address), self.others.clone().into())]
            }
            Place::Pipe(path) => vec![(EndpointAddress::Pipe(Arc::clone(path)), Arc::default())],
            Place::Name(host, port) => {
                let target = DnsTarget { host: Arc::clone(host), port: *port };
                let found = state.resolved(&target);
                let mut found = found.into_iter().map(|ip| SocketAddr::new(ip, *port));
                if discovery == Discovery::LogicalDns {
                    let first = found.next().map(EndpointAddress::Socket);
                    let others: Arc<[_]> = found.collect();
                    return first.map(|first| (first, others)).into_iter().collect();
                }
                found.map(|address| (EndpointAddress::Socket(address), Arc::default())).collect()
            }
        }
    }

    fn at(
        &self,
        (address, others): Addresses,
        group: &LocalityTemplate,
        tls: &TlsChoice,
        state: &ClusterState,
    ) -> Endpoint {
        Endpoint {
            state: state.endpoint(&address),
            address,
            others,
            hostname: Arc::clone(&self.hostname),
            weight: self.weight,
            health: self.health,
            locality: Arc::clone(&group.locality),
            priority: group.priority,
            tls: tls.choose(self.socket_metadata.as_ref()),
        }
    }
}

fn socket_metadata(metadata: Option<&Metadata>) -> Option<Struct> {
    metadata.and_then(|m| m.filter_metadata.get(SOCKET_METADATA)).cloned()
}
