//! Resources made comparable: what two proxies on one machine can be given, and what must not depend on chance.
//!
//! Every route configuration gets a plain HTTP listener on a port of the operating system's choice. Every cluster gets
//! one endpoint, the echo, at an address of its own; clusters without endpoints stay without. Of weighted clusters the
//! heaviest takes all, faults strike always or never, delays shrink to nothing, mirrors are left out. (An exact bed leaves
//! routes as they are: its rules have nothing in them that depends on chance.)
//!
//! Both proxies start from one and the same bootstrap.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

use crate::echo::{FIRSTS, OTHERS};

/// Resources for both proxies.
#[derive(Clone, Debug, Default)]
pub struct Bed {
    /// Listeners by name, `CASE/PROXY/ROUTES`.
    pub listeners: BTreeMap<String, Value>,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Value>,
    /// Name of the cluster at each address.
    pub by_address: BTreeMap<String, String>,
    exact: bool,
}

impl Bed {
    /// A bed whose routes stay as they are, and whose clusters have two endpoints each. Clusters with `dead` in their
    /// names refuse connections.
    #[must_use]
    pub fn exact() -> Self {
        Self { exact: true, ..Self::default() }
    }

    /// Adds the route configurations and clusters of `dump`. Returns the names of the new listeners.
    pub fn add(&mut self, place: &str, dump: &Value, echo_port: u16) -> Vec<String> {
        let assigned: BTreeMap<&str, bool> = list(dump, "endpoints")
            .iter()
            .map(|e| (e["clusterName"].as_str().unwrap_or_default(), has_endpoints(e)))
            .collect();
        for cluster in list(dump, "clusters") {
            let name = cluster["name"].as_str().unwrap_or_default();
            let inline = cluster.get("loadAssignment").map(has_endpoints);
            let elsewhere = cluster.get("type").and_then(Value::as_str) == Some("ORIGINAL_DST");
            let live = elsewhere || inline.or_else(|| assigned.get(name).copied()).unwrap_or(false);
            self.add_cluster(name, live, echo_port);
        }
        let mut added = Vec::new();
        for routes in list(dump, "routes") {
            let name = format!("{place}/{}", routes["name"].as_str().unwrap_or_default());
            let routes = if self.exact { routes.clone() } else { settle(routes) };
            self.listeners.insert(name.clone(), listener(&name, routes));
            added.push(name);
        }
        added
    }

    fn add_cluster(&mut self, name: &str, live: bool, port: u16) {
        if self.clusters.contains_key(name) {
            return;
        }
        let number = u32::try_from(self.clusters.len()).unwrap_or(0);
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 10, 0, 1)) + number).to_string();
        // Nobody listens there.
        let port = if self.exact && name.contains("dead") { 1 } else { port };
        let mut addresses = vec![address];
        if self.exact {
            let other =
                addresses.iter().map(|first| first.replacen(FIRSTS, OTHERS, 1)).collect::<Vec<_>>();
            addresses.extend(other);
        }
        let endpoint = |address: &String| json!({"endpoint": {"address": {"socketAddress": {"address": address, "portValue": port}}}});
        let endpoints: Vec<Value> = addresses.iter().map(endpoint).collect();
        let endpoints = if live { json!([{"lbEndpoints": endpoints}]) } else { json!([]) };
        self.by_address.extend(addresses.into_iter().map(|address| (address, name.to_owned())));
        let cluster = json!({
            "name": name, "type": "STATIC", "connectTimeout": "10s",
            "loadAssignment": {"clusterName": name, "endpoints": endpoints},
            // Requests of other cases must not make a difference.
            "circuitBreakers": {"thresholds": [{
                "maxConnections": 100_000, "maxPendingRequests": 100_000, "maxRequests": 100_000, "maxRetries": 100_000,
            }]},
        });
        self.clusters.insert(name.to_owned(), cluster);
    }

    /// The bootstrap of both proxies.
    #[must_use]
    pub fn bootstrap(&self) -> Value {
        let listeners: Value = self.listeners.values().cloned().collect();
        let clusters: Value = self.clusters.values().cloned().collect();
        crate::envoy::bootstrap(&listeners, &clusters)
    }
}

fn has_endpoints(assignment: &Value) -> bool {
    list(assignment, "endpoints").iter().any(|group| !list(group, "lbEndpoints").is_empty())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A connection manager as Istio's sidecars have it, around `routes`.
fn listener(name: &str, mut routes: Value) -> Value {
    const FILTERS: &str = "type.googleapis.com/envoy.extensions.filters.http";
    let filter = |name: &str, message: &str| json!({"name": name, "typedConfig": {"@type": format!("{FILTERS}.{message}")}});
    routes["validateClusters"] = json!(false);
    json!({
        "name": name,
        "address": {"socketAddress": {"address": "127.0.0.1", "portValue": 0}},
        "filterChains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typedConfig": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "statPrefix": "differential",
                "routeConfig": routes,
                "normalizePath": true,
                "pathWithEscapedSlashesAction": "KEEP_UNCHANGED",
                "useRemoteAddress": false,
                "streamIdleTimeout": "0s",
                "httpFilters": [
                    filter("envoy.filters.http.fault", "fault.v3.HTTPFault"),
                    filter("envoy.filters.http.cors", "cors.v3.Cors"),
                    filter("envoy.filters.http.router", "router.v3.Router"),
                ],
            }
        }]}],
    })
}

/// `value` with nothing left to chance.
fn settle(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(settle).collect(),
        Value::Object(fields) => Value::Object(settle_fields(fields)),
        other => other.clone(),
    }
}

fn settle_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    const MIRRORS: [&str; 2] = ["requestMirrorPolicies", "requestMirrorPolicy"];
    let kept = fields.iter().filter(|(name, _)| !MIRRORS.contains(&name.as_str()));
    kept.map(|(name, value)| {
        let settled = match name.as_str() {
            "weightedClusters" => heaviest(value),
            "percentage" => always_or_never(value),
            "fixedDelay" => json!("0.001s"),
            _ => settle(value),
        };
        (name.clone(), settled)
    })
    .collect()
}

fn heaviest(weighted: &Value) -> Value {
    let clusters = list(weighted, "clusters");
    let weight = |cluster: &Value| cluster["weight"].as_u64().unwrap_or(0);
    let most = clusters.iter().map(weight).max().unwrap_or(0);
    let winner = clusters.iter().position(|cluster| weight(cluster) == most);
    let settled = clusters.iter().enumerate().map(|(index, cluster)| {
        let mut cluster = settle(cluster);
        cluster["weight"] = json!(u8::from(Some(index) == winner));
        cluster
    });
    let rest = weighted.as_object().into_iter().flatten();
    let rest = rest.filter(|(name, _)| !["clusters", "totalWeight"].contains(&name.as_str()));
    let rest: Map<String, Value> = rest.map(|(n, v)| (n.clone(), settle(v))).collect();
    let mut out = Value::Object(rest);
    out["clusters"] = settled.collect();
    out
}

fn always_or_never(percentage: &Value) -> Value {
    let hundred = match percentage["denominator"].as_str() {
        Some("MILLION") => 1_000_000,
        Some("TEN_THOUSAND") => 10_000,
        _ => 100,
    };
    let numerator = percentage["numerator"].as_u64().unwrap_or(0);
    json!({"numerator": if numerator >= hundred / 2 { 100 } else { 0 }, "denominator": "HUNDRED"})
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{always_or_never, heaviest};

    #[test]
    fn the_heaviest_cluster_takes_all() {
        let weighted = json!({"clusters": [{"name": "a", "weight": 1}, {"name": "b", "weight": 3}], "totalWeight": 4});
        let settled = heaviest(&weighted);
        assert_eq!(
            settled["clusters"],
            json!([{"name": "a", "weight": 0}, {"name": "b", "weight": 1}])
        );
    }

    #[test]
    fn a_fault_strikes_always_or_never() {
        let half = json!({"numerator": 500_000, "denominator": "MILLION"});
        assert_eq!(always_or_never(&half)["numerator"], 100);
        assert_eq!(always_or_never(&json!({"numerator": 10}))["numerator"], 0);
    }
}
