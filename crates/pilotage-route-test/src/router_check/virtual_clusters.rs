//! Virtual clusters: names under which Envoy counts requests. Traffic does not depend on them, so that the engine does
//! not know them; what a test says of them is checked here.

use pilotage_engine::route_match::HeaderMatch;
use pilotage_proto::envoy::config::route::v3::RouteConfiguration;

use super::entry::Forwarded;

/// What requests count for that no virtual cluster takes.
const OTHER: &str = "other";

/// The virtual cluster of a request, looked up as Envoy's tool does: with the head that is sent on. Empty when the
/// virtual host has none.
pub(super) fn name(config: &RouteConfiguration, forwarded: &Forwarded) -> Result<String, String> {
    let host = &*forwarded.route.virtual_host.name;
    let Some(host) = config.virtual_hosts.iter().find(|candidate| candidate.name == host) else {
        return Ok(String::new());
    };
    for cluster in &host.virtual_clusters {
        let mut all = true;
        for matcher in &cluster.headers {
            let matcher = HeaderMatch::compile(matcher)
                .map_err(|e| format!("virtual cluster {}: {e}", cluster.name))?;
            all &= forwarded.sent.with(|head| matcher.matches(head));
        }
        if all {
            return Ok(cluster.name.clone());
        }
    }
    Ok(if host.virtual_clusters.is_empty() { String::new() } else { OTHER.to_owned() })
}
