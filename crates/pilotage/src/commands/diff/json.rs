//! The answer for programs. Fields may be added; what is there keeps its meaning.

use std::collections::BTreeMap;

use pilotage_symbolic::{
    Change, ConnectionChange, Difference, Formula, Host, Origin, RequestChange,
};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::places::Line;
use super::sides::Side;
use super::text::facets;
use super::{Answer, ViewDifference, places};

/// The whole answer. The kinds of requests are written as they are put into words, as they may be many.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report<'a> {
    version: u32,
    old: &'a str,
    new: &'a str,
    same: bool,
    proved: bool,
    left_out: Vec<Value>,
    namespaces_not_seen: &'a [String],
    assumptions: Vec<String>,
    views: Vec<View<'a>>,
}

/// What one proxy sees.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View<'a> {
    proxy: &'a str,
    refused: &'a [String],
    hosts: usize,
    requests: Requests<'a>,
    more_requests: Value,
    connections: Vec<Value>,
    undecided_connections: &'a [String],
    unfinished: Vec<Value>,
    undecided: Vec<Value>,
    mistakes: Vec<Value>,
}

struct Requests<'a>(&'a Answer<'a>, &'a [RequestChange]);

impl Serialize for Requests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(answer, changes) = self;
        serializer.collect_seq(changes.iter().map(|change| request(answer, change)))
    }
}

impl<'a> Report<'a> {
    pub(super) fn of(answer: &'a Answer<'_>) -> Self {
        Self {
            version: 1,
            old: &answer.old.name,
            new: &answer.new.name,
            same: answer.status() == crate::exit::Status::Ok,
            proved: answer.is_proved(),
            left_out: answer.left_out_json(),
            namespaces_not_seen: &answer.unseen,
            assumptions: answer.assumptions(),
            views: answer.views.iter().map(|view| View::of(answer, view)).collect(),
        }
    }
}

impl<'a> View<'a> {
    fn of(answer: &'a Answer<'_>, view: &'a ViewDifference) -> Self {
        let found = &view.difference;
        let connections = found.connections.iter().map(|one| connection(answer, one));
        let undecided = found
            .undecided
            .iter()
            .map(|one| json!({"host": host(&one.host), "samples": one.samples}));
        let mistakes = found
            .mistakes
            .iter()
            .map(|one| json!({"request": one.request.to_string(), "what": one.what}));
        Self {
            proxy: &view.name,
            refused: &view.refused,
            hosts: found.hosts,
            requests: Requests(answer, &found.requests),
            more_requests: more(found),
            connections: connections.collect(),
            undecided_connections: &found.undecided_connections,
            unfinished: found.unfinished.iter().map(host).collect(),
            undecided: undecided.collect(),
            mistakes: mistakes.collect(),
        }
    }
}

fn connection(answer: &Answer<'_>, change: &ConnectionChange) -> Value {
    let witness = &change.witness;
    json!({
        "condition": change.condition,
        "changes": changes(answer, &change.changes, &change.was, &change.becomes),
        "witness": {
            "destination": witness.destination.to_string(),
            "source": witness.source.map(|source| source.to_string()),
            "tls": witness.tls,
            "serverName": witness.server_name,
            "protocols": witness.protocols,
        },
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
