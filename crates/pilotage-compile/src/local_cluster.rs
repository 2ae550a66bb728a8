//! The cluster of proxies that stand beside workloads like this one, by which zone-aware routing knows what part of the
//! requests comes from which zone. Nobody sends it anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use pilotage_model::ProxyView;
use pilotage_model::endpoint::EndpointAddress;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use pilotage_proto::envoy::config::core::v3::Locality;
use pilotage_proto::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use pilotage_proto::envoy::config::endpoint::v3::{
    ClusterLoadAssignment, Endpoint as Address, LbEndpoint, LocalityLbEndpoints,
};
use pilotage_proto::{LocalCluster, ResourceSet};

use crate::address;
use crate::clusters::outbound::eds;
use crate::endpoints::{by_locality, status};
use crate::listeners::http_connection_manager::environment;

/// Its name, which is Istio's.
const NAME: &str = "local_cluster";
/// What `proxyMetadata` has to say `true` to.
const WANTED: &str = "ISTIO_META_ENABLE_SELF_DISCOVERY";
/// Workloads are alike that agree in this label.
const GENERATION: &str = "pod-template-hash";

/// Adds the cluster and its endpoints where sidecars are to know their like.
pub(crate) fn add(view: &ProxyView, set: &mut ResourceSet) {
    if !view.proxy.is_sidecar() || environment(view, WANTED) != Some("true") {
        return;
    }
    let here = &view.proxy.locality;
    set.local_cluster = Some(LocalCluster {
        name: NAME.to_owned(),
        locality: Locality {
            region: here.region.clone(),
            zone: here.zone.clone(),
            sub_zone: here.sub_zone.clone(),
        },
    });
    let cluster = Cluster {
        name: NAME.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
        eds_cluster_config: Some(eds(NAME)),
        ..Cluster::default()
    };
    set.clusters.insert(NAME.to_owned(), Arc::new(cluster));
    let assignment = ClusterLoadAssignment {
        cluster_name: NAME.to_owned(),
        endpoints: endpoints(view),
        ..ClusterLoadAssignment::default()
    };
    set.endpoints.insert(NAME.to_owned(), Arc::new(assignment));
}

/// The workloads behind the same services that are of the same generation and in the same region, each once.
fn endpoints(view: &ProxyView) -> Vec<LocalityLbEndpoints> {
    let hosts: BTreeSet<&str> =
        view.inbound.targets.iter().map(|target| target.service.host.as_str()).collect();
    let services = hosts.into_iter().filter_map(|host| view.service(host));
    let generation = view.proxy.labels.get(GENERATION);
    let mut seen = BTreeSet::new();
    let alike = services.flat_map(|service| &service.endpoints.all).filter(|endpoint| {
        matches!(endpoint.address, EndpointAddress::Ip(_))
            && endpoint.workload.labels.get(GENERATION) == generation
            && endpoint.workload.locality.region == view.proxy.locality.region
            && seen.insert(endpoint.address.clone())
    });
    let groups = by_locality(alike).into_iter().map(|group| LocalityLbEndpoints {
        locality: Some(Locality {
            region: group.locality.region,
            zone: group.locality.zone,
            sub_zone: group.locality.sub_zone,
        }),
        lb_endpoints: group
            .endpoints
            .into_iter()
            .map(|endpoint| LbEndpoint {
                host_identifier: Some(HostIdentifier::Endpoint(Address {
                    // Nobody connects to it, so any port will do.
                    address: Some(address::ip(endpoint.address.to_string(), 1)),
                    ..Address::default()
                })),
                health_status: status(endpoint) as i32,
                load_balancing_weight: Some(1),
                metadata: None,
            })
            .collect(),
        ..LocalityLbEndpoints::default()
    });
    groups.collect()
}
