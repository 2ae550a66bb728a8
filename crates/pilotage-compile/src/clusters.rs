//! CDS: a cluster for every port and subset of every service that the proxy may send traffic to, the special ones for
//! everything else, and those towards the proxy's own workload.

mod circuit_breakers;
mod client_tls;
mod connection_pool;
mod dns;
mod draft;
mod inbound;
mod load_balancing;
mod metadata;
pub(crate) mod names;
pub(crate) mod outbound;
mod outlier_detection;
mod passthrough;
mod protocol_options;
mod stat_names;

use std::sync::Arc;

use pilotage_model::{ProxyView, ServiceView};
use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::cluster::v3::Cluster;

use crate::auto_passthrough::has_auto_passthrough;
use crate::outbound_policy::{self, OutboundPolicy};
use crate::previous::Kept;

/// Adds the clusters of the proxy.
pub(crate) fn add(view: &ProxyView, kept: Option<&Kept<'_>>, set: &mut ResourceSet) {
    if let Some(kept) = kept {
        set.clusters.clone_from(&kept.resources.clusters);
        kept.gone.iter().flat_map(|service| outbound::names(service)).for_each(|name| {
            set.clusters.remove(&name);
        });
        // The few that belong to no service are made again.
        set.clusters.retain(|name, _| names::is_outbound(name));
    }
    let fresh: Vec<&Arc<ServiceView>> = view
        .clusters
        .iter()
        .filter(|service| kept.is_none_or(|kept| kept.is_fresh(service)))
        .collect();
    let mut add = |cluster: Cluster| {
        // Of clusters with one name the first counts.
        set.clusters.entry(cluster.name.clone()).or_insert_with(|| Arc::new(cluster));
    };
    for service in &fresh {
        outbound::clusters(view, service, names::Style::Direct).into_iter().for_each(&mut add);
    }
    add(passthrough::black_hole(view));
    if view.proxy.is_sidecar() {
        add(passthrough::outbound(view));
        if outbound_policy::of(view) == OutboundPolicy::AllowAnyDynamicDns {
            add(passthrough::by_name(view));
        }
        inbound::clusters(view).into_iter().for_each(&mut add);
        add(passthrough::inbound(view));
    } else if has_auto_passthrough(view) {
        for service in fresh.iter().filter(|service| !service.service.mesh_external) {
            outbound::clusters(view, service, names::Style::Sni).into_iter().for_each(&mut add);
        }
    }
}

#[cfg(test)]
mod tests;
