//! Destinations whose policy or endpoints change while the routes to them stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pilotage_engine::Tables;
use pilotage_proto::envoy::config::cluster::v3::Cluster;
use pilotage_proto::envoy::config::endpoint::v3::ClusterLoadAssignment;
use pilotage_proto::json;
use serde_json::{Map, Value};

use super::destinations::label;
use super::{Change, Facet, Origin, shortened};

/// What changes at a cluster, by its name; clusters that stay as they are have no entry.
pub(crate) type ClusterChanges = BTreeMap<String, Vec<Change>>;

/// Sides of a cluster: name for people, fields.
const SIDES: [(&str, &[&str]); 6] = [
    (
        "load balancing",
        &[
            "lbPolicy",
            "ringHashLbConfig",
            "maglevLbConfig",
            "leastRequestLbConfig",
            "roundRobinLbConfig",
            "commonLbConfig",
            "loadBalancingPolicy",
        ],
    ),
    ("limits", &["circuitBreakers"]),
    ("outlier detection", &["outlierDetection"]),
    ("TLS", &["transportSocket", "transportSocketMatches"]),
    ("connect timeout", &["connectTimeout"]),
    ("protocol", &["typedExtensionProtocolOptions"]),
];
/// Fields that say nothing of what happens to requests.
const SILENT: [&str; 4] = ["name", "metadata", "altStatName", "filters"];

/// The clusters of `old` and `new` that differ.
pub(crate) fn cluster_changes(old: &Tables, new: &Tables) -> ClusterChanges {
    let (old, new) = (old.accepted(), new.accepted());
    let names: BTreeSet<&String> = old.clusters.keys().chain(new.clusters.keys()).collect();
    let mut all = ClusterChanges::new();
    for name in names {
        let changes = match (old.clusters.get(name), new.clusters.get(name)) {
            (Some(before), Some(after)) => {
                let endpoints = [old.endpoints.get(name), new.endpoints.get(name)];
                let same = before == after && endpoints[0] == endpoints[1];
                if same {
                    Vec::new()
                } else {
                    between(name, before, after, endpoints.map(|e| e.map(|e| &**e)))
                }
            }
            (None, None) => Vec::new(),
            (before, _) => {
                let known = ["is there", "does not exist: 503"];
                let [was, becomes] = if before.is_some() { known } else { [known[1], known[0]] };
                vec![change(name, "destination", was.to_owned(), becomes.to_owned())]
            }
        };
        if !changes.is_empty() {
            let place = |cluster: Option<&Arc<Cluster>>| Origin::of(cluster?.metadata.as_ref());
            let places = [place(old.clusters.get(name)), place(new.clusters.get(name))];
            let placed = |change: Change| Change { places: places.clone(), ..change };
            all.insert(name.clone(), changes.into_iter().map(placed).collect());
        }
    }
    all
}

fn change(name: &str, side: &str, was: String, becomes: String) -> Change {
    let of = |text: String| format!("{side} of {}: {text}", label(name, ""));
    Change { facet: Facet::Policy, was: of(was), becomes: of(becomes), places: [None, None] }
}

fn between(
    name: &str,
    before: &Cluster,
    after: &Cluster,
    endpoints: [Option<&ClusterLoadAssignment>; 2],
) -> Vec<Change> {
    let [Value::Object(mut old), Value::Object(mut new)] =
        [before, after].map(|cluster| json::to_value(cluster).unwrap_or_default())
    else {
        return Vec::new();
    };
    for field in SILENT {
        old.remove(field);
        new.remove(field);
    }
    let mut changes = Vec::new();
    for (side, fields) in SIDES {
        let (was, becomes) = (taken(&mut old, fields), taken(&mut new, fields));
        if was != becomes {
            changes.push(change(name, side, told(&was, &becomes), told(&becomes, &was)));
        }
    }
    let inline = [old.remove("loadAssignment"), new.remove("loadAssignment")];
    let [was, becomes] = [0, 1].map(|side| {
        let eds = endpoints.get(side).copied().flatten();
        let eds = eds.and_then(|assignment| json::to_value(assignment).ok());
        listed(eds.as_ref().or(inline.get(side).and_then(Option::as_ref)))
    });
    if was != becomes {
        let (mut was_text, mut becomes_text) = (endpoints_text(&was), endpoints_text(&becomes));
        if was_text == becomes_text {
            // The same addresses with other weights, health or places.
            (was_text, becomes_text) = (details(&was, &becomes), details(&becomes, &was));
        }
        changes.push(change(name, "endpoints", was_text, becomes_text));
    }
    if old != new {
        let (was, becomes) = (Value::Object(old), Value::Object(new));
        changes.push(change(name, "settings", told(&was, &becomes), told(&becomes, &was)));
    }
    changes
}

/// The named fields, taken out of `from`.
fn taken(from: &mut Map<String, Value>, fields: &[&str]) -> Value {
    let found = fields.iter().filter_map(|name| Some(((*name).to_owned(), from.remove(*name)?)));
    Value::Object(found.collect())
}

/// What of `value` is not in `other` as well, in one line.
pub(crate) fn told(value: &Value, other: &Value) -> String {
    let mut parts = Vec::new();
    distinct(value, Some(other), "", &mut parts);
    match parts.is_empty() {
        true => "default".to_owned(),
        false => shortened(&parts.join(", ")),
    }
}

fn distinct(value: &Value, other: Option<&Value>, path: &str, out: &mut Vec<String>) {
    if Some(value) == other {
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                distinct(value, other.and_then(|other| other.get(name)), &path, out);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let other = other.and_then(|other| other.get(index));
                distinct(value, other, &format!("{path}[{index}]"), out);
            }
        }
        Value::String(text) => out.push(format!("{path} {text}")),
        leaf => out.push(format!("{path} {leaf}")),
    }
}

/// Endpoints with what counts of them, ordered.
fn listed(assignment: Option<&Value>) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let groups = assignment.and_then(|a| a.get("endpoints")).and_then(Value::as_array);
    for group in groups.into_iter().flatten() {
        let mut shared = group.clone();
        let members = shared.as_object_mut().and_then(|group| group.remove("lbEndpoints"));
        for member in members.iter().filter_map(Value::as_array).flatten() {
            let mut member = member.clone();
            if let Some(fields) = member.as_object_mut() {
                fields.remove("metadata");
            }
            let socket = member.pointer("/endpoint/address/socketAddress");
            let text = |field| socket.and_then(|socket| socket.get(field)).map(plain);
            let name = match (text("address"), text("portValue")) {
                (Some(address), Some(port)) => format!("{address}:{port}"),
                _ => member.pointer("/endpoint/address").map(Value::to_string).unwrap_or_default(),
            };
            all.push((name, format!("{member} {shared}")));
        }
    }
    all.sort();
    all
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn endpoints_text(endpoints: &[(String, String)]) -> String {
    const SHOWN: usize = 4;
    if endpoints.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = endpoints.iter().take(SHOWN).map(|(name, _)| name.as_str()).collect();
    match endpoints.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names.join(", ")),
    }
}

/// What is said of endpoints in `of` and not in `other`.
fn details(of: &[(String, String)], other: &[(String, String)]) -> String {
    let apart = of.iter().filter(|one| !other.contains(one)).map(|(_, all)| all.as_str());
    shortened(&apart.collect::<Vec<_>>().join(", "))
}
