//! The facets of listeners: the listener itself, its filter chains, its connection managers.

use serde_json::{Value, json};

use super::{
    Facet, Facets, canon, field, list, only, put, routes, sorted_text, text, transport, type_of,
    without,
};

/// Network filters that Istio adds for its own telemetry.
const TELEMETRY: [&str; 5] = [
    "istio.metadata_exchange",
    "istio.stats",
    "istio.alpn",
    "envoy.filters.http.grpc_stats",
    "istio.workload_metadata",
];

/// What is said about a listener as a whole.
const OWN: [&str; 8] = [
    "address",
    "additionalAddresses",
    "bindToPort",
    "useOriginalDst",
    "listenerFiltersTimeout",
    "continueOnListenerFiltersTimeout",
    "transparent",
    "trafficDirection",
];

pub(super) fn split(listener: &Value, out: &mut Facets) {
    let name = text(listener, "name");
    put(out, Facet::Listeners, name, canon(&only(listener, &OWN)));
    let mut chains = Vec::new();
    for chain in list(listener, "filterChains") {
        let conditions = canon(&field(chain, "filterChainMatch"));
        let target = target(name, chain, out);
        chains.push(json!([conditions, target, transport(chain.get("transportSocket"))]));
    }
    if let Some(chain) = listener.get("defaultFilterChain") {
        let target = target(name, chain, out);
        chains.push(json!(["default", target, transport(chain.get("transportSocket"))]));
    }
    chains.sort_by_key(sorted_text);
    put(out, Facet::FilterChains, name, Value::Array(chains));
}

/// Where a filter chain leads: a route configuration, or clusters with weights. Its connection manager's settings and
/// inline routes are facets of their own.
fn target(listener: &str, chain: &Value, out: &mut Facets) -> Value {
    let filters: Vec<&Value> =
        list(chain, "filters").iter().filter(|f| !TELEMETRY.contains(&text(f, "name"))).collect();
    for filter in &filters {
        let config = field(filter, "typedConfig");
        match type_of(&config) {
            "HttpConnectionManager" => return http(listener, chain, &config, out),
            "TcpProxy" => return tcp(&config),
            _ => {}
        }
    }
    filters.iter().map(|filter| json!(text(filter, "name"))).collect()
}

fn http(listener: &str, chain: &Value, manager: &Value, out: &mut Facets) -> Value {
    let to = match manager.get("routeConfig") {
        Some(inline) => {
            let name = format!("{listener} inline {}", text(inline, "name"));
            routes::split(&name, inline, out);
            name
        }
        None => format!("rds {}", text(&field(manager, "rds"), "routeConfigName")),
    };
    let settings = canon(&without(manager, &["@type", "routeConfig", "rds", "httpFilters"]));
    let conditions = sorted_text(&canon(&field(chain, "filterChainMatch")));
    put(out, Facet::HttpOptions, &format!("{listener} {conditions}"), settings);
    json!(format!("http {to}"))
}

fn tcp(proxy: &Value) -> Value {
    let cluster = match text(proxy, "cluster") {
        "" => list(&field(proxy, "weightedClusters"), "clusters")
            .iter()
            .map(|c| json!([text(c, "name"), c.get("weight").cloned().unwrap_or_else(|| json!(0))]))
            .collect(),
        name => json!(name),
    };
    let settings = without(&canon(proxy), &["@type", "cluster", "weightedClusters"]);
    json!(["tcp", cluster, settings])
}
