//! Destinations with their exact shares.

use std::collections::BTreeMap;

use pilotage_proto::envoy::config::route::v3::RouteAction;
use pilotage_proto::envoy::config::route::v3::route_action::ClusterSpecifier;
use pilotage_proto::envoy::config::route::v3::weighted_cluster::ClusterWeight;
use pilotage_proto::envoy::config::route::v3::weighted_cluster::cluster_weight::HostRewriteSpecifier;

use super::headers;

/// The destinations of a route.
pub(super) struct Destinations {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) clusters: Vec<String>,
    /// What is particular to single destinations, for comparison.
    pub(super) operated: String,
    /// The same for people.
    pub(super) operations: Vec<String>,
}

/// A destination with its share.
struct Share<'a> {
    cluster: &'a str,
    weight: u64,
    /// What is particular to it.
    extra: String,
}

impl Destinations {
    /// Where `action` leads, told to somebody who asked for `host`.
    pub(super) fn of(action: &RouteAction, host: &str) -> Self {
        let mut operations = Vec::new();
        let shares: Vec<Share<'_>> = match &action.cluster_specifier {
            Some(ClusterSpecifier::Cluster(cluster)) => {
                vec![Share { cluster, weight: 1, extra: String::new() }]
            }
            Some(ClusterSpecifier::WeightedClusters(weighted)) => {
                weighted.clusters.iter().map(|one| share(one, host, &mut operations)).collect()
            }
            Some(other) => {
                let key = format!("{other:?}");
                return Self {
                    text: key.clone(),
                    key,
                    clusters: Vec::new(),
                    operations,
                    operated: String::new(),
                };
            }
            None => Vec::new(),
        };
        let operated = operated(&shares);
        let split = Split::of(shares.iter().map(|share| (share.cluster, share.weight)), host);
        let Split { key, text, clusters } = split;
        Self { key, text, clusters, operations, operated }
    }
}

/// How traffic is split between clusters.
pub(crate) struct Split {
    /// Equal exactly if the shares are.
    pub(crate) key: String,
    /// For people.
    pub(crate) text: String,
    /// The clusters that get anything, ordered by name.
    pub(crate) clusters: Vec<String>,
}

impl Split {
    /// The split by `weights`, told to somebody who asked for `host`.
    pub(crate) fn of<'c>(weights: impl Iterator<Item = (&'c str, u64)>, host: &str) -> Self {
        let mut shares: BTreeMap<&str, u64> = BTreeMap::new();
        for (cluster, weight) in weights.filter(|(_, weight)| *weight > 0) {
            *shares.entry(cluster).or_default() += weight;
        }
        let total: u64 = shares.values().sum();
        let divisor = shares.values().fold(0, |divisor, weight| gcd(divisor, *weight)).max(1);
        let part = |(cluster, weight): (&&str, &u64)| {
            format!("{cluster}={}", weight.checked_div(divisor).unwrap_or(0))
        };
        let told = |(cluster, weight): (&&str, &u64)| {
            format!("{} {}", label(cluster, host), percent(*weight, total))
        };
        Self {
            key: shares.iter().map(part).collect::<Vec<_>>().join(", "),
            text: shares.iter().map(told).collect::<Vec<_>>().join(", "),
            clusters: shares.keys().map(|cluster| (*cluster).to_owned()).collect(),
        }
    }
}

fn share<'a>(one: &'a ClusterWeight, host: &str, operations: &mut Vec<String>) -> Share<'a> {
    let mut extra = String::new();
    let (key, text) = headers::operations(
        &one.request_headers_to_add,
        &one.request_headers_to_remove,
        &one.response_headers_to_add,
        &one.response_headers_to_remove,
    );
    if !key.is_empty() {
        operations.push(format!("to {}: {text}", label(&one.name, host)));
        extra.push_str(&format!(" {key}"));
    }
    if let Some(HostRewriteSpecifier::HostRewriteLiteral(to)) = &one.host_rewrite_specifier {
        operations.push(format!("to {}: host {to}", label(&one.name, host)));
        extra.push_str(&format!(" host={to}"));
    }
    Share { cluster: &one.name, weight: one.weight.unwrap_or(0).into(), extra }
}

/// What is particular to destinations; of several shares of one destination each with its weight.
fn operated(shares: &[Share<'_>]) -> String {
    let mut all: Vec<String> = Vec::new();
    for share in shares.iter().filter(|share| share.weight > 0 && !share.extra.is_empty()) {
        let several = shares.iter().filter(|other| other.cluster == share.cluster).count() > 1;
        let weight = if several { format!("={}", share.weight) } else { String::new() };
        all.push(format!("{}{weight}:{}", share.cluster, share.extra));
    }
    all.sort();
    all.join("; ")
}

/// A cluster as people call it who asked for `host`: the subset, or the service, each with what else is needed.
pub(crate) fn label(cluster: &str, host: &str) -> String {
    let parts: Vec<&str> = cluster.split('|').collect();
    let [_, port, subset, service] = parts.as_slice() else { return cluster.to_owned() };
    let (asked, asked_port) = host.rsplit_once(':').unwrap_or((host, ""));
    let same_port = *port == asked_port || asked_port.is_empty();
    let at_port = if same_port { String::new() } else { format!(":{port}") };
    match (*service == asked, subset.is_empty()) {
        (true, false) => format!("{subset}{at_port}"),
        (false, false) => format!("{}{at_port} subset {subset}", short(service)),
        (_, true) => format!("{}{at_port}", short(service)),
    }
}

/// A host as people write it.
pub(crate) fn short(host: &str) -> &str {
    let short = host.strip_suffix(".svc.cluster.local").unwrap_or(host);
    short.strip_suffix(".default").unwrap_or(short)
}

/// A share in percent, or as a fraction when percent would not be exact.
fn percent(weight: u64, total: u64) -> String {
    let hundredths = weight.saturating_mul(10_000);
    match (hundredths.checked_div(total), hundredths.checked_rem(total)) {
        (Some(all), Some(0)) => match (all / 100, all % 100) {
            (whole, 0) => format!("{whole} %"),
            (whole, part) => format!("{whole}.{} %", format!("{part:02}").trim_end_matches('0')),
        },
        _ => format!("{weight} of {total}"),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a.checked_rem(b).unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use super::{label, percent};

    #[test]
    fn shares_are_exact() {
        assert_eq!(percent(100, 100), "100 %");
        assert_eq!(percent(1, 3), "1 of 3");
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(5, 10_000), "0.05 %");
    }

    #[test]
    fn destinations_have_short_names_where_they_were_asked_for() {
        let host = "reviews.default.svc.cluster.local:9080";
        let own = |subset, port| {
            label(&format!("outbound|{port}|{subset}|reviews.default.svc.cluster.local"), host)
        };
        assert_eq!(own("v1", 9080), "v1");
        assert_eq!(own("v1", 80), "v1:80");
        assert_eq!(own("", 9080), "reviews");
        assert_eq!(label("outbound|9080||ratings.shop.svc.cluster.local", host), "ratings.shop");
        assert_eq!(label("outbound|9080|v2|a.test", host), "a.test subset v2");
        assert_eq!(label("PassthroughCluster", host), "PassthroughCluster");
    }
}
