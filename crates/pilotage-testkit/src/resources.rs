//! Dumps of resources as `ResourceSet`s and back.
//!
//! A dump is what `proxy-config all -o json` prints and what the vectors hold: lists of Envoy resources as
//! protobuf-JSON, under `listeners`, `routes`, `clusters` and `endpoints`.

use std::sync::Arc;

use pilotage_proto::{ResourceSet, json};
use prost::{Message, Name};
use serde_json::Value;

/// The set that `dump` describes.
///
/// # Errors
/// The first resource that does not fit its message, by name.
pub fn from_dump(dump: &Value) -> Result<ResourceSet, String> {
    let mut set = ResourceSet::default();
    for (name, listener) in read(dump, "listeners", "name")? {
        set.listeners.insert(name, Arc::new(listener));
    }
    for (name, routes) in read(dump, "routes", "name")? {
        set.routes.insert(name, Arc::new(routes));
    }
    for (name, cluster) in read(dump, "clusters", "name")? {
        set.clusters.insert(name, Arc::new(cluster));
    }
    for (name, endpoints) in read(dump, "endpoints", "clusterName")? {
        set.endpoints.insert(name, Arc::new(endpoints));
    }
    Ok(set)
}

fn read<M>(dump: &Value, list: &str, name: &str) -> Result<Vec<(String, M)>, String>
where
    M: Message + Name + Default,
{
    let resources = dump.get(list).and_then(Value::as_array).into_iter().flatten();
    resources
        .map(|resource| {
            let name = resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let message = json::from_value(resource).map_err(|e| format!("{list} {name}: {e}"))?;
            Ok((name, message))
        })
        .collect()
}

/// `set` as a dump.
///
/// # Panics
/// When a resource holds a message that this build does not know: it could not have compiled it.
#[must_use]
pub fn to_dump(set: &ResourceSet) -> Value {
    serde_json::json!({
        "listeners": write(set.listeners.values()),
        "routes": write(set.routes.values()),
        "clusters": write(set.clusters.values()),
        "endpoints": write(set.endpoints.values()),
    })
}

fn write<'a, M>(messages: impl Iterator<Item = &'a Arc<M>>) -> Value
where
    M: Message + Name + 'a,
{
    messages.map(|message| json::to_value(message.as_ref()).unwrap()).collect()
}

#[cfg(test)]
mod tests {
    use super::{from_dump, to_dump};
    use crate::facets::compare;
    use crate::vectors::{AREAS, area};

    /// Our messages hold all that Istio sends: nothing is lost on the way through them.
    #[test]
    fn what_istio_sends_comes_back_equal() {
        let mut findings = Vec::new();
        for (name, _) in AREAS {
            for case in area(name) {
                for (proxy, dump) in &case.resources {
                    let set = match from_dump(dump) {
                        Ok(set) => set,
                        Err(problem) => {
                            findings.push(format!("{} {proxy}: {problem}", case.name));
                            continue;
                        }
                    };
                    for (facet, differences) in compare(dump, &to_dump(&set)) {
                        if let Some(first) = differences.first() {
                            findings.push(format!(
                                "{} {proxy} {}: {first}",
                                case.name,
                                facet.name()
                            ));
                        }
                    }
                }
            }
        }
        crate::workspace::assert_none(&findings, "our messages lose something");
    }
}
