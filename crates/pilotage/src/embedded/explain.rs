//! `/explain`: what the proxies of this process would do with a request now.

use std::time::Duration;

use pilotage_control::identities::ProxyId;
use pilotage_control::publish::Known;
use pilotage_explain::{Ask, Simulation, explain, who};
use pilotage_model::{ProxyKind, Snapshot};
use serde_json::Value;

use super::publisher::Proxies;

/// Answers the question in `body`, with the tables in use and the health that endpoints have at `now`.
///
/// # Errors
/// Why it cannot be answered, for whoever asked.
pub(super) fn answer(proxies: &Proxies, body: &[u8], now: Duration) -> Result<Value, String> {
    let ask: Ask = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let generation = proxies.generation();
    let known = &generation.known;
    let snapshot = known.snapshot.as_deref().ok_or("nothing is published yet")?;
    let id = proxy(&ask, known, snapshot)?;
    let gone = || format!("the proxy {id} is not running");
    let view = known.views.get(&id).cloned().ok_or_else(gone)?;
    let tables = proxies.tables(&id).ok_or_else(gone)?;
    let running = Simulation { view, tables, rejections: Vec::new() };
    let question = ask.question(&running, now).map_err(|error| error.to_string())?;
    let mut answer = explain(&running, snapshot, &question);
    answer
        .notes
        .push(format!("as of now, generation {} of the running process", generation.number));
    let facts = answer.clusters.iter().flat_map(|cluster| &cluster.facts);
    let is_mesh_tls = |mode: &serde_json::Value| mode == "mesh-mtls";
    if facts.into_iter().any(|fact| fact.value.get("mode").is_some_and(is_mesh_tls)) {
        let note =
            "this process has no identity in the mesh: mutual TLS of the mesh fails with 503";
        answer.notes.push(note.to_owned());
    }
    serde_json::to_value(&answer).map_err(|error| error.to_string())
}

/// Which of the proxies of this process is asked.
fn proxy(ask: &Ask, known: &Known, snapshot: &Snapshot) -> Result<ProxyId, String> {
    let gateways: Vec<&ProxyId> =
        known.views.keys().filter(|id| matches!(id, ProxyId::Gateway(_))).collect();
    if let Some(name) = &ask.from {
        let wanted = who::named(snapshot, name, "default").map_err(|error| error.to_string())?;
        if wanted.kind == ProxyKind::Gateway {
            let serves = |id: &&&ProxyId| {
                known.views.get(**id).is_some_and(|view| view.proxy.labels == wanted.labels)
            };
            let found = gateways.iter().find(serves);
            return found
                .map(|id| (*id).clone())
                .ok_or_else(|| format!("the gateway `{name}` is not run by this process"));
        }
        let own = known.views.get(&ProxyId::Sidecar);
        let is_own = own.is_some_and(|view| {
            view.proxy.namespace == wanted.namespace
                && view.proxy.labels.iter().all(|(k, v)| wanted.labels.get(k) == Some(v))
        });
        return if is_own {
            Ok(ProxyId::Sidecar)
        } else {
            Err(format!("`{name}` is not the workload of this process; ask files with -f instead"))
        };
    }
    if !ask.gateway {
        let sidecar = known.views.contains_key(&ProxyId::Sidecar);
        return sidecar
            .then_some(ProxyId::Sidecar)
            .ok_or_else(|| "this process runs gateways only: add --proxy gateway".to_owned());
    }
    match gateways.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err("this process runs no gateway: there is no Gateway object".to_owned()),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!(
                "there are several gateways ({}): say which with --from NAME",
                names.join(", ")
            ))
        }
    }
}
