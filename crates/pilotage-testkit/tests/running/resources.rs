//! Resources as they were compiled, with every endpoint on loopback.

use std::net::Ipv4Addr;
use std::sync::Arc;

use pilotage_proto::ResourceSet;
use pilotage_testkit::resources::{from_dump, to_dump};
use serde_json::{Value, json};

/// The resources with an endpoint of its own on loopback for each cluster that has any, with listeners that let a PROXY
/// header say who the client is, and with delays of next to nothing.
pub(crate) fn resources(set: &ResourceSet, port: u16) -> ResourceSet {
    let mut dump = to_dump(set);
    hasten(&mut dump);
    let assigned = |name: &str| {
        list(&dump, "endpoints")
            .iter()
            .find(|e| e["clusterName"] == name)
            .is_some_and(has_endpoints)
    };
    let clusters = list(&dump, "clusters").iter().enumerate().map(|(number, cluster)| {
        let name = cluster["name"].as_str().unwrap_or_default();
        let original = cluster.get("type").is_some_and(|kind| kind == "ORIGINAL_DST");
        let anywhere = original || cluster.get("clusterType").is_some();
        let inline = cluster.get("loadAssignment").map(has_endpoints);
        let live = anywhere || inline.unwrap_or_else(|| assigned(name));
        let number = u32::try_from(number).unwrap();
        let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 10, 0, 1)) + number);
        let endpoint = json!({"endpoint": {"address": {"socketAddress":
            {"address": address.to_string(), "portValue": port}}}});
        let endpoints = if live { json!([{"lbEndpoints": [endpoint]}]) } else { json!([]) };
        let mut edited = json!({"name": name, "type": "STATIC", "connectTimeout": "10s",
            "loadAssignment": {"clusterName": name, "endpoints": endpoints}});
        for setting in ["lbPolicy", "maglevLbConfig", "ringHashLbConfig"] {
            if let Some(value) = cluster.get(setting).filter(|_| !anywhere) {
                edited[setting] = value.clone();
            }
        }
        edited
    });
    let clusters: Vec<Value> = clusters.collect();
    dump["clusters"] = Value::Array(clusters);
    dump["endpoints"] = json!([]);
    for listener in dump["listeners"].as_array_mut().into_iter().flatten() {
        let proxy = json!({"name": "envoy.filters.listener.proxy_protocol", "typedConfig": {"@type":
            "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol"}});
        match listener["listenerFilters"].as_array_mut() {
            Some(filters) => filters.insert(0, proxy),
            None => listener["listenerFilters"] = json!([proxy]),
        }
    }
    let mut edited = from_dump(&dump).unwrap();
    edited.names = Arc::clone(&set.names);
    edited
}

/// Whether there is an endpoint that may be asked.
fn has_endpoints(assignment: &Value) -> bool {
    let usable = |endpoint: &Value| endpoint["healthStatus"] != "UNHEALTHY";
    list(assignment, "endpoints").iter().any(|group| list(group, "lbEndpoints").iter().any(usable))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn hasten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hasten),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match name.as_str() {
                    "fixedDelay" => *value = json!("0.001s"),
                    _ => hasten(value),
                }
            }
        }
        _ => {}
    }
}
