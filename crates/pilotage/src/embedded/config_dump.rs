//! `/config_dump`: what the proxies of this process were given, in the shape of Envoy's.

use std::collections::BTreeMap;
use std::sync::Arc;

use pilotage_control::identities::ProxyId;
use pilotage_control::publish::Generation;
use pilotage_proto::{Message, Name, ResourceSet, json};
use serde_json::{Value, json};

/// The sidecar's resources at the place where tools look for them, those of gateways beside it.
pub(crate) fn config_dump(generation: &Generation) -> Value {
    let dump = |set: &ResourceSet| configs(set, generation.number);
    let sidecar =
        generation.proxies.get(&ProxyId::Sidecar).map_or(Value::Array(Vec::new()), |set| dump(set));
    let gateways: serde_json::Map<String, Value> = generation
        .proxies
        .iter()
        .filter_map(|(id, set)| match id {
            ProxyId::Sidecar => None,
            ProxyId::Gateway(selector) => {
                Some((selector.to_string(), json!({ "configs": dump(set) })))
            }
        })
        .collect();
    json!({ "configs": sidecar, "gateways": gateways })
}

fn configs(set: &ResourceSet, version: u64) -> Value {
    let version = version.to_string();
    let list = |resources: Vec<Value>, field: &str| -> Vec<Value> {
        let entry = |resource| json!({ "version_info": version.as_str(), field: resource });
        resources.into_iter().map(entry).collect()
    };
    let listeners = set.listeners.iter().map(|(name, listener)| {
        json!({ "name": name, "active_state": { "version_info": version.as_str(), "listener": value(&**listener) } })
    });
    let kind = |name: &str| format!("type.googleapis.com/envoy.admin.v3.{name}");
    json!([
        {
            "@type": kind("ClustersConfigDump"),
            "version_info": version.as_str(),
            "dynamic_active_clusters": list(values(&set.clusters), "cluster"),
        },
        {
            "@type": kind("EndpointsConfigDump"),
            "dynamic_endpoint_configs": list(values(&set.endpoints), "endpoint_config"),
        },
        {
            "@type": kind("ListenersConfigDump"),
            "version_info": version.as_str(),
            "dynamic_listeners": listeners.collect::<Vec<_>>(),
        },
        {
            "@type": kind("RoutesConfigDump"),
            "dynamic_route_configs": list(values(&set.routes), "route_config"),
        },
    ])
}

fn values<M: Message + Name>(resources: &BTreeMap<String, Arc<M>>) -> Vec<Value> {
    resources.values().map(|resource| value(&**resource)).collect()
}

/// The resource as JSON, or why it has none.
fn value<M: Message + Name>(resource: &M) -> Value {
    json::to_value_with_proto_names(resource)
        .unwrap_or_else(|error| json!({ "error": error.to_string() }))
}
