//! What two sets of Envoy resources are compared by.
//!
//! A dump is `{"listeners": […], "routes": […], "clusters": […], "endpoints": […]}`, Envoy v3 resources as
//! protobuf-JSON. It is split into facets, so that one difference in, say, a timeout does not hide that all routes are
//! right. What only names statistics or steers Istio's own telemetry is left out ([`canon`]).

mod canon;
mod difference;
mod listeners;
mod routes;
mod verdicts;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use canon::{canon, sorted_text};
pub use difference::differences;
pub use verdicts::{Message, Verdict, message_differences, verdict_differences};

/// One side of a configuration that is compared on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// Per object: accepted or rejected, as Istio's webhook does.
    Validation,
    /// The messages of the analyzers: code, level, origin.
    Analyze,
    /// Names, addresses, inspection timeouts.
    Listeners,
    /// Matches of the filter chains, and where each leads.
    FilterChains,
    /// Settings of the HTTP connection managers.
    HttpOptions,
    /// Names and settings of the route configurations.
    RouteConfigs,
    /// Virtual hosts: names and domains.
    Domains,
    /// Matches in order, with destinations and weights, redirects, direct answers.
    Routes,
    /// Timeouts, retries, faults, mirrors, headers, hashing, CORS, rewrites.
    RoutePolicies,
    /// Names and discovery types.
    Clusters,
    /// Balancing, limits, outlier detection, protocols, timeouts.
    ClusterPolicies,
    /// Transport sockets.
    ClusterTls,
    /// Localities, priorities, weights, addresses, health.
    Endpoints,
}

impl Facet {
    /// All facets, in the order of the pipeline.
    pub const ALL: [Self; 13] = [
        Self::Validation,
        Self::Analyze,
        Self::Listeners,
        Self::FilterChains,
        Self::HttpOptions,
        Self::RouteConfigs,
        Self::Domains,
        Self::Routes,
        Self::RoutePolicies,
        Self::Clusters,
        Self::ClusterPolicies,
        Self::ClusterTls,
        Self::Endpoints,
    ];

    /// The name in tables and floor files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::Analyze => "analyze",
            Self::Listeners => "listeners",
            Self::FilterChains => "filter-chains",
            Self::HttpOptions => "http-options",
            Self::RouteConfigs => "route-configs",
            Self::Domains => "domains",
            Self::Routes => "routes",
            Self::RoutePolicies => "route-policies",
            Self::Clusters => "clusters",
            Self::ClusterPolicies => "cluster-policies",
            Self::ClusterTls => "cluster-tls",
            Self::Endpoints => "endpoints",
        }
    }

    /// Whether this facet is read from a dump of resources.
    #[must_use]
    pub fn is_of_resources(self) -> bool {
        !matches!(self, Self::Validation | Self::Analyze)
    }
}

/// The facets of one dump: for each, what is said about each named thing.
pub type Facets = BTreeMap<Facet, Map<String, Value>>;

/// Splits `dump` into its facets.
#[must_use]
pub fn facets(dump: &Value) -> Facets {
    let mut out: Facets = Facet::ALL
        .into_iter()
        .filter(|facet| facet.is_of_resources())
        .map(|facet| (facet, Map::new()))
        .collect();
    for listener in list(dump, "listeners") {
        listeners::split(listener, &mut out);
    }
    for config in list(dump, "routes") {
        let name = text(config, "name");
        put(
            &mut out,
            Facet::RouteConfigs,
            name,
            canon(&without(config, &["name", "virtualHosts"])),
        );
        routes::split(name, config, &mut out);
    }
    for cluster in list(dump, "clusters") {
        split_cluster(cluster, &mut out);
    }
    for assignment in list(dump, "endpoints") {
        put(&mut out, Facet::Endpoints, text(assignment, "clusterName"), endpoints(assignment));
    }
    out
}

/// The differences of two dumps by facet; a facet without differences has an empty list.
#[must_use]
pub fn compare(theirs: &Value, ours: &Value) -> BTreeMap<Facet, Vec<String>> {
    let (theirs, ours) = (facets(theirs), facets(ours));
    theirs
        .into_iter()
        .map(|(facet, theirs)| {
            let ours = ours.get(&facet).cloned().unwrap_or_default();
            (facet, differences(&Value::Object(theirs), &Value::Object(ours)))
        })
        .collect()
}

fn split_cluster(cluster: &Value, out: &mut Facets) {
    let name = text(cluster, "name");
    let kind = cluster.get("type").or_else(|| cluster.get("clusterType"));
    put(out, Facet::Clusters, name, kind.map_or_else(|| json!("STATIC"), canon));
    let by_endpoint: Vec<Value> = list(cluster, "transportSocketMatches")
        .iter()
        .map(|m| json!([canon(&field(m, "match")), transport(m.get("transportSocket"))]))
        .collect();
    put(
        out,
        Facet::ClusterTls,
        name,
        json!([transport(cluster.get("transportSocket")), by_endpoint]),
    );
    let elsewhere = [
        "name",
        "type",
        "clusterType",
        "transportSocket",
        "transportSocketMatches",
        "filters",
        "loadAssignment",
    ];
    put(out, Facet::ClusterPolicies, name, canon(&without(cluster, &elsewhere)));
    if let Some(assignment) = cluster.get("loadAssignment") {
        put(out, Facet::Endpoints, name, endpoints(assignment));
    }
}

/// The localities of a load assignment that hold endpoints, in an order that says nothing, and its policy.
fn endpoints(assignment: &Value) -> Value {
    let mut groups: Vec<Value> = list(assignment, "endpoints")
        .iter()
        .filter(|group| !list(group, "lbEndpoints").is_empty())
        .map(|group| {
            let mut members: Vec<String> =
                list(group, "lbEndpoints").iter().map(|e| sorted_text(&endpoint(e))).collect();
            members.sort();
            json!([
                canon(&field(group, "locality")),
                field_or(group, "priority", json!(0)),
                field_or(group, "loadBalancingWeight", json!(1)),
                members
            ])
        })
        .collect();
    groups.sort_by_key(sorted_text);
    groups.push(canon(&field(assignment, "policy")));
    Value::Array(groups)
}

fn endpoint(member: &Value) -> Value {
    let tls = member.pointer("/metadata/filterMetadata/envoy.transport_socket_match");
    canon(&json!({
        "address": member.pointer("/endpoint/address"),
        "health": field_or(member, "healthStatus", json!("HEALTHY")),
        "weight": field_or(member, "loadBalancingWeight", json!(1)),
        "tls": tls.cloned().unwrap_or_else(|| json!({})),
    }))
}

/// A transport socket: its settings and its kind; null for plaintext.
fn transport(socket: Option<&Value>) -> Value {
    let Some(socket) = socket.filter(|s| s.as_object().is_some_and(|fields| !fields.is_empty()))
    else {
        return Value::Null;
    };
    let config = field(socket, "typedConfig");
    let mut settings = canon(&without(&config, &["@type"]));
    if let Value::Object(fields) = &mut settings {
        fields.insert("kind".into(), Value::from(type_of(&config)));
    }
    settings
}

/// The last part of the message name in `@type`.
fn type_of(config: &Value) -> &str {
    text(config, "@type").rsplit('.').next().unwrap_or_default()
}

fn put(out: &mut Facets, facet: Facet, name: &str, value: Value) {
    out.entry(facet).or_default().insert(name.to_owned(), value);
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn field(value: &Value, name: &str) -> Value {
    field_or(value, name, json!({}))
}

fn field_or(value: &Value, name: &str, absent: Value) -> Value {
    value.get(name).cloned().unwrap_or(absent)
}

/// The fields of `value` but those called `names`.
fn without(value: &Value, names: &[&str]) -> Value {
    select(value, |name| !names.contains(&name))
}

/// Only the fields of `value` called `names`.
fn only(value: &Value, names: &[&str]) -> Value {
    select(value, |name| names.contains(&name))
}

fn select(value: &Value, keep: impl Fn(&str) -> bool) -> Value {
    let fields = value.as_object().into_iter().flatten();
    Value::Object(
        fields.filter(|(name, _)| keep(name)).map(|(n, v)| (n.clone(), v.clone())).collect(),
    )
}

#[cfg(test)]
mod tests;
