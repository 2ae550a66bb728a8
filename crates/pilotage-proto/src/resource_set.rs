//! What one proxy is given: listeners, route configurations, clusters, endpoints and names that
//! belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::envoy::config::cluster::v3::Cluster;
use crate::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use crate::envoy::config::core::v3::Locality;
use crate::envoy::config::endpoint::v3::ClusterLoadAssignment;
use crate::envoy::config::listener::v3::Listener;
use crate::envoy::config::route::v3::RouteConfiguration;
use crate::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use crate::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use crate::envoy::extensions::transport_sockets::tls::v3::Secret;
use crate::istio::networking::nds::v1::NameTable;
use crate::{Name, any, unpack};

/// The resources of one proxy at one generation, by name. Resources are shared, so that an unchanged one keeps its
/// identity from one generation to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceSet {
    /// LDS resources by listener name.
    pub listeners: BTreeMap<String, Arc<Listener>>,
    /// RDS resources by route configuration name.
    pub routes: BTreeMap<String, Arc<RouteConfiguration>>,
    /// CDS resources by cluster name.
    pub clusters: BTreeMap<String, Arc<Cluster>>,
    /// EDS resources by cluster (or EDS service) name.
    pub endpoints: BTreeMap<String, Arc<ClusterLoadAssignment>>,
    /// SDS resources by name.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// Names that clients of this proxy may use, for requests that arrive without an original destination.
    pub names: Arc<NameTable>,
    /// Where this proxy and its like are; `None` when nobody knows, and zones do not count.
    pub local_cluster: Option<LocalCluster>,
}

/// The proxies that send requests as this one does, so that zones can be regarded. Part of Envoy's bootstrap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalCluster {
    /// The cluster whose endpoints they are: `cluster_manager.local_cluster_name`.
    pub name: String,
    /// Where this one is: `node.locality`.
    pub locality: Locality,
}

/// A reference from one resource to another that is missing from the set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// A listener's HTTP connection manager names a route configuration that is not there.
    #[error("listener {listener} refers to route configuration {routes}, which is missing")]
    MissingRoutes {
        /// Name of the listener.
        listener: String,
        /// Name of the missing route configuration.
        routes: String,
    },
    /// An EDS cluster has no load assignment.
    #[error("cluster {cluster} takes its endpoints from EDS, and has none")]
    MissingEndpoints {
        /// Name of the cluster.
        cluster: String,
    },
}

impl ResourceSet {
    /// The names of the route configurations that listeners take from RDS.
    pub fn referred_routes(&self) -> BTreeSet<String> {
        self.listeners.values().flat_map(|listener| referred_routes(listener)).collect()
    }

    /// References that point at nothing. A set that is published has none: proxies would wait for the missing part.
    pub fn inconsistencies(&self) -> Vec<Inconsistency> {
        let mut found = Vec::new();
        for (name, listener) in &self.listeners {
            for routes in referred_routes(listener) {
                if !self.routes.contains_key(&routes) {
                    found.push(Inconsistency::MissingRoutes { listener: name.clone(), routes });
                }
            }
        }
        for (name, cluster) in &self.clusters {
            let eds = Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32));
            let service = cluster
                .eds_cluster_config
                .as_ref()
                .map(|c| c.service_name.as_str())
                .filter(|s| !s.is_empty())
                .unwrap_or(name);
            if cluster.cluster_discovery_type == eds && !self.endpoints.contains_key(service) {
                found.push(Inconsistency::MissingEndpoints { cluster: name.clone() });
            }
        }
        found
    }
}

/// Names of the route configurations that the connection managers of `listener` take from RDS.
fn referred_routes(listener: &Listener) -> Vec<String> {
    use crate::envoy::config::listener::v3::filter::ConfigType;
    let chains = listener.filter_chains.iter().chain(&listener.default_filter_chain);
    chains
        .flat_map(|chain| &chain.filters)
        .filter_map(|filter| match &filter.config_type {
            Some(ConfigType::TypedConfig(any))
                if any::type_name(any) == HttpConnectionManager::full_name() =>
            {
                unpack::<HttpConnectionManager>(any).ok()
            }
            _ => None,
        })
        .filter_map(|manager| match manager.route_specifier {
            Some(RouteSpecifier::Rds(rds)) => Some(rds.route_config_name),
            _ => None,
        })
        .collect()
}
