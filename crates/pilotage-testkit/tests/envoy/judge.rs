//! What a client and the upstream saw, and where two proxies part.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use pilotage_testkit::differential::Bed;
use pilotage_testkit::wire::Message;
use serde_json::Value;

/// Headers that name the moment or the connection, and so differ from request to request.
const PASSING: [&str; 5] = [
    "date",
    "x-request-id",
    "x-envoy-upstream-service-time",
    "content-length",
    "transfer-encoding",
];

/// What may differ between two refusals of a broken request, by `docs/differences.md`.
const REFUSAL_TEXT: [&str; 4] =
    ["body", "response connection", "response content-type", "response server"];

/// Probes on which we do not yet do what Envoy does. Whoever mends one takes it out: the test insists.
const OPEN: &[&str] = &[];

/// What became of a probe.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen(BTreeMap<String, String>);

impl Seen {
    pub(crate) fn of(answer: io::Result<Option<Message>>, bed: &Bed) -> Self {
        let mut facts = BTreeMap::new();
        match answer {
            Err(error) => {
                facts.insert("error".into(), error.kind().to_string());
            }
            Ok(None) => {
                facts.insert("closed".into(), "without an answer".into());
            }
            Ok(Some(answer)) => describe(&answer, bed, &mut facts),
        }
        Self(facts)
    }
}

fn describe(answer: &Message, bed: &Bed, facts: &mut BTreeMap<String, String>) {
    facts.insert("status".into(), answer.status().to_string());
    for (name, value) in headers(&answer.headers) {
        facts.insert(format!("response {name}"), value);
    }
    match serde_json::from_slice::<Value>(&answer.body) {
        Ok(told) if told.get("reached").is_some() => {
            let reached = told["reached"].as_str().unwrap_or_default();
            let cluster = bed.by_address.get(reached).map_or("?", String::as_str);
            facts.insert("cluster".into(), cluster.into());
            facts.insert("line".into(), told["line"].as_str().unwrap_or_default().into());
            facts.insert("body bytes".into(), told["body_bytes"].to_string());
            let sent: Vec<(String, String)> =
                serde_json::from_value(told["headers"].clone()).unwrap_or_default();
            for (name, value) in headers(&sent) {
                facts.insert(format!("request {name}"), value);
            }
        }
        _ => {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            facts.insert("body".into(), text);
        }
    }
}

/// Lower-case names with all their values, without those that pass.
fn headers(all: &[(String, String)]) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in all {
        let name = name.to_lowercase();
        if !PASSING.contains(&name.as_str()) {
            found.entry(name).or_default().push(value);
        }
    }
    found.into_iter().map(|(name, values)| (name, values.join(" | "))).collect()
}

/// The differences of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    equal: usize,
    meant: usize,
    open: BTreeSet<&'static str>,
    different: Vec<String>,
}

impl Report {
    pub(crate) fn add(&mut self, listener: &str, probe: &str, theirs: &Seen, ours: &Seen) {
        if theirs == ours {
            self.equal += 1;
            return;
        }
        let names: BTreeSet<&String> = theirs.0.keys().chain(ours.0.keys()).collect();
        let apart: Vec<&String> =
            names.into_iter().filter(|name| theirs.0.get(*name) != ours.0.get(*name)).collect();
        let part = |seen: &Seen, name: &String| seen.0.get(name).cloned().unwrap_or("-".into());
        let lines: Vec<String> = apart
            .iter()
            .map(|name| {
                format!("    {name}: Envoy `{}` ours `{}`", part(theirs, name), part(ours, name))
            })
            .collect();
        let text = format!("{listener} {probe}\n{}", lines.join("\n"));
        if std::env::var_os("PILOTAGE_SHOW").is_some() {
            println!("{text}");
        }
        let refused =
            theirs.0.get("status").is_some_and(|s| ["400", "426", "431"].contains(&s.as_str()));
        if let Some(open) = OPEN.iter().find(|open| probe.starts_with(**open)) {
            self.open.insert(open);
        } else if refused && apart.iter().all(|name| REFUSAL_TEXT.contains(&name.as_str())) {
            self.meant += 1;
        } else {
            self.different.push(text);
        }
    }

    /// Fails when anything differs that is not meant to.
    pub(crate) fn conclude(&self) {
        let (equal, meant, different) = (self.equal, self.meant, self.different.len());
        let open = self.open.len();
        println!(
            "{equal} requests alike, {meant} refused in other words, {open} kinds open, {different} different"
        );
        assert!(different == 0, "Envoy and we differ:\n{}", self.different.join("\n"));
        let mended: Vec<&&str> = OPEN.iter().filter(|open| !self.open.contains(**open)).collect();
        assert!(mended.is_empty(), "alike by now, take them out of OPEN: {mended:#?}");
    }
}
