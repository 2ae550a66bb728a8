//! How a cluster is used: balancing, limits, outlier detection, TLS. Each with the block of the destination rule that
//! says so.

use pilotage_config::destination_rule::{PortTrafficPolicy, TrafficPolicy};
use pilotage_engine::cluster::{ClusterTable, Discovery};
use pilotage_engine::load_balancing::{Hashing, Policy};
use pilotage_model::ServiceView;
use pilotage_model::destination_rule::DestinationRule;
use serde_json::{Value, json};

use crate::destinations::ClusterName;
use crate::explain::Scene;
use crate::explanation::{Fact, Place};
use crate::words::{count, duration};

/// Where settings come from that nobody wrote.
pub(crate) const DEFAULT: &str = "Istio default";
/// Blocks that an entry for a port replaces even where it leaves them out.
const OF_PORTS: [&str; 4] = ["loadBalancer", "connectionPool", "outlierDetection", "tls"];

/// The facts about `cluster`, whose service is `view`.
pub(crate) fn of(
    scene: &Scene<'_>,
    cluster: &ClusterTable,
    view: Option<&ServiceView>,
) -> Vec<Fact> {
    let rule = view.and_then(|view| view.rule.as_deref());
    let parts = ClusterName::parse(cluster.name());
    let block = |field: &str| {
        let parts = parts?;
        place(scene, rule?, parts.subset, parts.port, field)
    };
    let defaults = scene.simulation.view.mesh.config().default_traffic_policy.as_ref();
    let of_mesh = |set: bool| if set { "MeshConfig defaultTrafficPolicy" } else { DEFAULT };
    let pool = defaults.is_some_and(|policy| policy.connection_pool.is_some());
    let outliers = defaults.is_some_and(|policy| policy.outlier_detection.is_some());
    let facts = [
        ("balance", Some(balance(cluster)), "loadBalancer", DEFAULT),
        ("limits", Some(limits(cluster)), "connectionPool", of_mesh(pool)),
        ("outliers", outlier_detection(cluster), "outlierDetection", of_mesh(outliers)),
        ("tls", Some(tls(cluster)), "tls", DEFAULT),
    ];
    let fact = |(topic, told, field, source): (&str, Option<(String, Value)>, &str, &str)| {
        let (text, value) = told?;
        let place = block(field);
        let source = place.is_none().then(|| source.to_owned());
        Some(Fact { topic: topic.to_owned(), text, value, place, source })
    };
    facts.into_iter().filter_map(fact).collect()
}

/// The line of the block that counts for a port of a subset: where the merge of a rule takes it from.
fn place(
    scene: &Scene<'_>,
    rule: &DestinationRule,
    subset: &str,
    port: u16,
    field: &str,
) -> Option<Place> {
    let places = scene.places;
    let found = rule.subsets.iter().find(|(known, _)| known.name == subset);
    if let Some((known, origin)) = found
        && let Some(policy) = &known.traffic_policy
    {
        let object = origin.object.to_string();
        let base = format!("{}.trafficPolicy", origin.path);
        if let Some(entry) = entry_for(policy, port)
            && OF_PORTS.contains(&field)
        {
            return places.written(&object, &format!("{base}.portLevelSettings[{entry}].{field}"));
        }
        let own = places.written(&object, &format!("{base}.{field}"));
        if own.is_some() {
            return own;
        }
    }
    let policy = rule.traffic_policy.as_deref()?;
    // Of several objects for one host, the policy is that of the first that has one.
    let objects = rule.merged.iter().map(|origin| origin.object.to_string());
    let base = "spec.trafficPolicy";
    let object = objects.into_iter().find(|object| places.written(object, base).is_some())?;
    match entry_for(policy, port) {
        Some(entry) => {
            places.written(&object, &format!("{base}.portLevelSettings[{entry}].{field}"))
        }
        None => places.written(&object, &format!("{base}.{field}")),
    }
}

fn entry_for(policy: &TrafficPolicy, port: u16) -> Option<usize> {
    let is_for = |entry: &PortTrafficPolicy| {
        entry.port.as_ref().is_some_and(|wanted| wanted.number == u32::from(port))
    };
    policy.port_level_settings.iter().position(is_for)
}

fn balance(cluster: &ClusterTable) -> (String, Value) {
    let (text, policy) = match cluster.settings.policy {
        Policy::RoundRobin => ("round robin", "ROUND_ROBIN"),
        Policy::LeastRequest { .. } => ("least request", "LEAST_REQUEST"),
        Policy::Random => ("random", "RANDOM"),
        Policy::ConsistentHash(Hashing::Ring { .. }) => ("by hash, on a ring", "RING_HASH"),
        Policy::ConsistentHash(Hashing::Maglev { .. }) => ("by hash, Maglev", "MAGLEV"),
        Policy::OriginalDst { .. } => ("wherever the client wanted to go", "PASSTHROUGH"),
    };
    let text = match (cluster.settings.discovery, &cluster.settings.slow_start) {
        (Discovery::LogicalDns | Discovery::StrictDns, _) => format!("{text}, addresses by DNS"),
        (_, Some(_)) => format!("{text}, new endpoints warm up"),
        _ => text.to_owned(),
    };
    (text, json!({ "policy": policy }))
}

fn limits(cluster: &ClusterTable) -> (String, Value) {
    let usages = cluster.settings.circuit_breakers.in_use(&cluster.state);
    let mut texts = Vec::new();
    let mut value = serde_json::Map::new();
    for usage in usages {
        let words = match usage.name {
            "cx" => "connections",
            "pending" => "pending",
            "rq" => "requests",
            _ => "retries",
        };
        if usage.limit == u32::MAX {
            continue;
        }
        let in_use = if usage.used > 0 { format!(" ({} now)", usage.used) } else { String::new() };
        texts.push(format!("{} {words}{in_use}", usage.limit));
        value.insert(words.to_owned(), json!({"limit": usage.limit, "used": usage.used}));
    }
    let text = if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    (text, Value::Object(value))
}

fn outlier_detection(cluster: &ClusterTable) -> Option<(String, Value)> {
    let settings = cluster.settings.outlier_detection.as_ref()?;
    let mut detectors = Vec::new();
    let in_a_row = [
        ("5xx", settings.consecutive_5xx),
        ("gateway errors", settings.consecutive_gateway_failure),
        ("failures to connect", settings.consecutive_local_origin_failure),
    ];
    for (what, threshold) in in_a_row {
        let counts = what != "failures to connect" || settings.split_local_origin;
        if counts && threshold.count > 0 && threshold.enforcing_percent > 0 {
            detectors.push(format!("{} × {what}", threshold.count));
        }
    }
    let text = format!(
        "{} in a row: out for {}, at most {} % of all",
        if detectors.is_empty() { "nothing".to_owned() } else { detectors.join(" or ") },
        duration(settings.base_ejection_time),
        settings.max_ejection_percent
    );
    let value = json!({
        "consecutive5xx": settings.consecutive_5xx.count,
        "consecutiveGatewayErrors": settings.consecutive_gateway_failure.count,
        "baseEjectionTimeMs": millis(settings.base_ejection_time),
        "intervalMs": millis(settings.interval),
        "maxEjectionPercent": settings.max_ejection_percent,
    });
    Some((text, value))
}

pub(crate) fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn tls(cluster: &ClusterTable) -> (String, Value) {
    let set = cluster.endpoints();
    let of_endpoints: Vec<_> = set.iter().map(|endpoint| endpoint.tls.as_ref()).collect();
    let own = || if set.is_empty() { cluster.settings.tls.as_ref() } else { None };
    let found = of_endpoints.iter().flatten().copied().next().or_else(own);
    let Some(context) = found else {
        return ("plain text".to_owned(), json!({"mode": "plaintext"}));
    };
    let of_mesh = context.server_name.starts_with("outbound_");
    let mut text = if of_mesh { "mutual TLS of the mesh" } else { "TLS" }.to_owned();
    if !of_mesh && !context.server_name.is_empty() {
        text = format!("{text}, server name {}", context.server_name);
    }
    let with = of_endpoints.iter().flatten().count();
    if with < of_endpoints.len() {
        text = format!("{text} to {with} of {}", count(of_endpoints.len(), "endpoint"));
    }
    let mode = if of_mesh { "mesh-mtls" } else { "tls" };
    (text, json!({"mode": mode, "serverName": &*context.server_name, "endpoints": with}))
}
