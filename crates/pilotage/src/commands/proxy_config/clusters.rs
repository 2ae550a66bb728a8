//! Clusters as a table, with istioctl's columns.

use pilotage_proto::ResourceSet;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};

use super::object_of;
use crate::output::Table;

/// One row for each cluster, ordered by service, port and subset.
pub(super) fn table(resources: &ResourceSet) -> Table<6> {
    let mut table =
        Table::new(["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"]);
    let mut clusters: Vec<(ClusterName<'_>, &Cluster)> =
        resources.clusters.values().map(|c| (ClusterName::parse(&c.name), c.as_ref())).collect();
    clusters.sort_by_key(|(name, _)| {
        (name.host, name.port.parse::<u32>().unwrap_or(0), name.subset, name.direction)
    });
    for (name, cluster) in clusters {
        let or_dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
        table.push([
            if name.host.is_empty() { "-".to_owned() } else { name.host.to_owned() },
            or_dash(name.port),
            or_dash(name.subset),
            or_dash(name.direction),
            discovery(cluster),
            object_of(cluster.metadata.as_ref(), "destination-rule").unwrap_or_default(),
        ]);
    }
    table
}

fn discovery(cluster: &Cluster) -> String {
    match &cluster.cluster_discovery_type {
        Some(ClusterDiscoveryType::Type(number)) => DiscoveryType::try_from(*number)
            .map_or_else(|_| number.to_string(), |kind| kind.as_str_name().to_owned()),
        Some(ClusterDiscoveryType::ClusterType(kind)) => kind.name.clone(),
        None => DiscoveryType::Static.as_str_name().to_owned(),
    }
}

/// The parts of `outbound|80|v1|reviews.default.svc.cluster.local`; other names are all host.
#[derive(Debug, PartialEq, Eq)]
struct ClusterName<'a> {
    direction: &'a str,
    port: &'a str,
    subset: &'a str,
    host: &'a str,
}

impl<'a> ClusterName<'a> {
    fn parse(name: &'a str) -> Self {
        let mut parts = match name.strip_prefix("outbound_.") {
            // The form that fits in an SNI.
            Some(rest) => rest.splitn(3, "_.").collect::<Vec<_>>(),
            None => name.splitn(4, '|').skip(1).collect(),
        }
        .into_iter();
        match (parts.next(), parts.next(), parts.next()) {
            (Some(port), Some(subset), Some(host)) => {
                let direction = if name.starts_with("inbound") { "inbound" } else { "outbound" };
                Self { direction, port, subset, host }
            }
            _ => Self { direction: "", port: "", subset: "", host: name },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ClusterName;

    #[test]
    fn names_fall_into_their_parts() {
        let parts = |name| {
            let ClusterName { direction, port, subset, host } = ClusterName::parse(name);
            (direction, port, subset, host)
        };
        assert_eq!(parts("outbound|80|v1|a.b"), ("outbound", "80", "v1", "a.b"));
        assert_eq!(parts("outbound_.80_._.a.b"), ("outbound", "80", "", "a.b"));
        assert_eq!(parts("inbound|8080||"), ("inbound", "8080", "", ""));
        assert_eq!(parts("BlackHoleCluster"), ("", "", "", "BlackHoleCluster"));
    }
}
