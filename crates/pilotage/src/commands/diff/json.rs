//! The answer for programs. Fields may be added; what is there keeps its meaning.

use std::collections::BTreeMap;

use pilotage_symbolic::{Change, Difference, Formula, Host, Origin, RequestChange};
use serde_json::{Value, json};

use super::places::Line;
use super::sides::Side;
use super::text::facets;
use super::{Answer, places};

/// The whole answer.
pub(super) fn report(answer: &Answer<'_>) -> Value {
    let views: Vec<Value> = answer
        .views
        .iter()
        .map(|view| {
            let found = &view.difference;
            json!({
                "proxy": view.name,
                "refused": view.refused,
                "hosts": found.hosts,
                "requests": found.requests.iter().map(|one| request(answer, one)).collect::<Vec<_>>(),
                "moreRequests": more(found),
                "connections": found.connections.iter().map(|one| json!({
                    "condition": one.condition,
                    "changes": changes(answer, &one.changes, &one.was, &one.becomes),
                    "witness": {
                        "destination": one.witness.destination.to_string(),
                        "source": one.witness.source.map(|source| source.to_string()),
                        "tls": one.witness.tls,
                        "serverName": one.witness.server_name,
                        "protocols": one.witness.protocols,
                    },
                })).collect::<Vec<_>>(),
                "undecidedConnections": found.undecided_connections,
                "unfinished": found.unfinished.iter().map(host).collect::<Vec<_>>(),
                "undecided": found.undecided.iter().map(|one| json!({
                    "host": host(&one.host),
                    "samples": one.samples,
                })).collect::<Vec<_>>(),
                "mistakes": found.mistakes.iter().map(|one| json!({
                    "request": one.request.to_string(),
                    "what": one.what,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "version": 1,
        "old": answer.old.name,
        "new": answer.new.name,
        "same": answer.status() == crate::exit::Status::Ok,
        "proved": answer.is_proved(),
        "leftOut": answer.left_out_json(),
        "namespacesNotSeen": answer.unseen,
        "assumptions": answer.assumptions(),
        "views": views,
    })
}

/// How many kinds are not told one by one, and what changes in these.
fn more(found: &Difference) -> Value {
    let facets: BTreeMap<&str, usize> = facets(&found.more_requests).into_iter().collect();
    json!({"kinds": found.more_requests.len(), "facets": facets})
}

fn request(answer: &Answer<'_>, change: &RequestChange) -> Value {
    let witness = &change.witness;
    let headers: Vec<Value> =
        witness.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "hosts": change.hosts.iter().map(host).collect::<Vec<_>>(),
        "conditions": change.alternatives.iter().map(Formula::words).collect::<Vec<_>>(),
        "changes": changes(answer, &change.changes, &change.was, &change.becomes),
        "witness": {
            "method": witness.method,
            "url": format!("{}://{}{}", witness.scheme, witness.authority, witness.path),
            "headers": headers,
        },
        "sampled": change.sampled,
    })
}

fn host(host: &Host) -> Value {
    json!({
        "name": host.name,
        "port": host.port,
        "inbound": host.inbound,
        "domains": host.domains,
    })
}

fn changes(
    answer: &Answer<'_>,
    changes: &[Change],
    was: &[Origin],
    becomes: &[Origin],
) -> Vec<Value> {
    let place = |side: &Side, is_new, change: &Change, origins: &[Origin]| {
        let lines = places::lines(side, is_new, change, origins);
        lines.iter().map(Line::to_string).collect::<Vec<_>>()
    };
    changes
        .iter()
        .map(|change| {
            json!({
                "facet": change.facet.name(),
                "was": change.was,
                "becomes": change.becomes,
                "wasAt": place(answer.old, false, change, was),
                "becomesAt": place(answer.new, true, change, becomes),
            })
        })
        .collect()
}
