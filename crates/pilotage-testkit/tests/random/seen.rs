//! What a client and the upstreams saw of a case.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use pilotage_testkit::echo::{Arrival, FIRSTS, OTHERS};
use pilotage_testkit::wire::Message;
use serde_json::Value;

/// Headers that name the moment, the connection or the case.
const PASSING: [&str; 6] = [
    "x-case",
    "x-request-id",
    "x-envoy-upstream-service-time",
    "content-length",
    "transfer-encoding",
    "connection",
];
/// Longer than anything takes without a delay.
const LONG: Duration = Duration::from_millis(280);

/// Facts by name.
pub(crate) type Facts = BTreeMap<String, String>;

/// What the client saw.
pub(crate) fn answer(
    answer: io::Result<Option<Message>>,
    took: Duration,
    clusters: &BTreeMap<String, String>,
) -> Facts {
    let mut facts = Facts::new();
    let mut put = |name: &str, value: String| facts.insert(name.to_owned(), value);
    match answer {
        Err(error) => drop(put("error", error.kind().to_string())),
        Ok(None) => drop(put("error", "closed without an answer".to_owned())),
        Ok(Some(answer)) => {
            put("status", answer.status().to_string());
            put("long", (took > LONG).to_string());
            let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
            let reached = told.as_ref().and_then(|told| told["reached"].as_str());
            match reached {
                Some(reached) => put("cluster", cluster(reached, clusters)),
                None => put("body", String::from_utf8_lossy(&answer.body).into_owned()),
            };
            for (name, value) in headers(&answer) {
                put(&format!("response {name}"), value);
            }
        }
    }
    facts
}

/// What upstreams saw: a fact for each request.
pub(crate) fn arrivals(all: &[Arrival], clusters: &BTreeMap<String, String>) -> Facts {
    let mut facts = Facts::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for Arrival { reached, request } in all {
        let cluster = cluster(reached, clusters);
        let number = numbers.entry(cluster.clone()).or_default();
        *number += 1;
        let mut put = |what: &str, value: String| {
            facts.insert(format!("upstream {cluster} #{number} {what}"), value);
        };
        put("line", request.first_line.clone());
        put("body", request.body.len().to_string());
        for (name, value) in headers(request) {
            put(&name, value);
        }
    }
    facts
}

fn cluster(reached: &str, clusters: &BTreeMap<String, String>) -> String {
    clusters.get(reached).map_or("?", String::as_str).to_owned()
}

/// Lower-case names with all their values, without those that pass. Of the date only counts that there is one.
fn headers(message: &Message) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in &message.headers {
        let name = name.to_lowercase();
        if !PASSING.contains(&name.as_str()) {
            let value = if name == "date" { "(now)" } else { value };
            found.entry(name).or_default().push(value);
        }
    }
    let told = found.into_iter().map(|(name, values)| {
        // Envoy makes one line of several of a header that it knows, which says the same.
        let between = if name == "user-agent" { "," } else { " | " };
        let values = values.join(between);
        (name, values)
    });
    told.map(|(name, value)| {
        // What is left of a limit when it comes to a retry: to a quarter of a second.
        let limits = ["x-envoy-expected-rq-timeout-ms", "grpc-timeout"];
        let left = value.trim_end_matches('m').parse::<u64>().ok();
        let left = left.filter(|_| limits.contains(&name.as_str()));
        let value = left.map_or(value, |left| left.div_ceil(250).to_string());
        // Which of a cluster's endpoints it is, is left to chance.
        let value = value.replace(OTHERS, FIRSTS);
        (name, value)
    })
    .collect()
}

/// The facts that are not alike: name, Envoy's, ours.
pub(crate) fn apart(theirs: &Facts, ours: &Facts) -> Vec<(String, String, String)> {
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let part = |facts: &Facts, name: &String| facts.get(name).cloned().unwrap_or("-".into());
    let differing = names.into_iter().filter(|name| theirs.get(*name) != ours.get(*name));
    differing.map(|name| (name.clone(), part(theirs, name), part(ours, name))).collect()
}
