//! The last cell of a request's row: words and code spans in turns, for instance
//! ``80 % to `reviews` subset `v1`, path `/new`, header `x-a: 1` ``.
//!
//! | words | the code span says |
//! |---|---|
//! | to, then to, or to | host of the cluster, short or full; a percentage before it is its share of requests |
//! | subset, port | more of the cluster named before |
//! | cluster | whole name of the cluster |
//! | status, flags, details | of the answer |
//! | route | name of the route |
//! | path, host | of the request as the upstream sees it |
//! | header, no header | a header of that request |
//! | response header, no response header | a header of the answer; in values, `*` stands for any text |
//! | location, body | of the answer |
//! | timeout | limit for the whole request |
//! | mirrored to, mirror cluster | host of a cluster that may get a copy, or its whole name |
//! | endpoint | address and port of the endpoint |
//! | tries | how often the request is sent if each attempt fails so: `503: 3`, `refused: 3`, `reset: 1`, `timeout: 1` |
//! | each try, backoff | limit of an attempt, and the longest wait before the first retry |
//! | tries at | the endpoints of all attempts, in order, if each is answered with 503: `10.0.0.1:80 10.0.0.2:80` |
//! | statistics | what the names of the counters of the route begin with |
//! | pool | a limit of the cluster's connections: `requests: 2` |
//! | no pool | a limit that there is not: `requests` |
//! | tls | how the connection is secured: `server name: a.example.com` |
//! | plain | `text`: it is not |
//! | tunnel | what comes before bytes: `CONNECT a.example.com:443` |
//! | error | what a client sees in place of an answer |
//! | delayed by | an injected delay |
//!
//! Words that only connect (and, with, then, but, of) and punctuation mean nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::outcome::fits;

/// How far a share of draws may be from what is stated, in percent.
const TOLERANCE_PERCENT: f64 = 2.5;

/// One thing that may happen: its share in percent, and the facts (keyword, value) that come with it.
type Branch = (Option<f64>, Vec<(String, String)>);

/// What a cell states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expectation {
    /// Alternatives with their shares in percent; one without share when nothing else can happen.
    branches: Vec<Branch>,
}

impl Expectation {
    /// Reads a cell.
    ///
    /// # Errors
    /// Words that mean nothing here.
    pub fn parse(cell: &str) -> Result<Self, String> {
        let mut branches: Vec<Branch> = Vec::new();
        let mut parts = cell.split('`');
        loop {
            let words = parts.next().unwrap_or_default();
            let Some(value) = parts.next() else { break };
            let (share, keyword) = keyword(words)?;
            if share.is_some() || branches.is_empty() {
                branches.push((share, Vec::new()));
            }
            if let Some((_, facts)) = branches.last_mut() {
                facts.push((keyword, value.to_owned()));
            }
        }
        if branches.is_empty() {
            return Err(format!("`{cell}` states nothing"));
        }
        Ok(Self { branches })
    }

    /// Whether chance decides.
    #[must_use]
    pub fn has_shares(&self) -> bool {
        self.branches.iter().any(|(share, _)| share.is_some())
    }

    /// How `outcomes`, each with the number of draws that led to it, differ from what is stated.
    #[must_use]
    pub fn differences(&self, outcomes: &[(Value, u64)]) -> Vec<String> {
        let all: u64 = outcomes.iter().map(|(_, n)| n).sum();
        let mut found = Vec::new();
        let mut unexplained: Vec<&Value> = outcomes.iter().map(|(outcome, _)| outcome).collect();
        for (share, facts) in &self.branches {
            let fitting: Vec<_> =
                outcomes.iter().filter(|(o, _)| facts.iter().all(|fact| holds(fact, o))).collect();
            unexplained.retain(|outcome| !fitting.iter().any(|(fits, _)| fits == *outcome));
            let drawn: u64 = fitting.iter().map(|(_, n)| n).sum();
            #[expect(clippy::cast_precision_loss, reason = "a few thousand draws")]
            let percent = drawn as f64 * 100.0 / all as f64;
            let wanted = share.unwrap_or(100.0);
            if (percent - wanted).abs() > TOLERANCE_PERCENT {
                found.push(format!("stated {wanted} % {facts:?}, found {percent:.1} %"));
            }
        }
        found.extend(unexplained.iter().map(|outcome| format!("not stated: {outcome}")));
        found
    }
}

/// The share and the keyword in the words before a code span.
fn keyword(words: &str) -> Result<(Option<f64>, String), String> {
    const CONNECTING: [&str; 9] = ["and", "with", "then", "but", "of", "or", "the", "goes", "is"];
    const KEYWORDS: [&str; 33] = [
        "to",
        "subset",
        "port",
        "cluster",
        "status",
        "flags",
        "details",
        "route",
        "path",
        "host",
        "header",
        "no header",
        "response header",
        "no response header",
        "location",
        "body",
        "timeout",
        "mirrored to",
        "mirror cluster",
        "delayed by",
        "method",
        "endpoint",
        "tries",
        "tries at",
        "statistics",
        "each try",
        "backoff",
        "pool",
        "no pool",
        "tls",
        "plain",
        "tunnel",
        "error",
    ];
    let mut share = None;
    let mut kept: Vec<&str> = Vec::new();
    let stripped = words.split(' ').map(|word| word.trim_matches([',', ';', '.']));
    for word in stripped.filter(|word| !word.is_empty()) {
        if word == "%" {
            let number = kept.pop().and_then(|n| n.parse().ok());
            share = Some(number.ok_or_else(|| format!("`{words}`: no number before %"))?);
        } else if !CONNECTING.contains(&word) {
            kept.push(word);
        }
    }
    let keyword = kept.join(" ");
    if KEYWORDS.contains(&keyword.as_str()) {
        Ok((share, keyword))
    } else {
        Err(format!("`{keyword}` is no keyword of outcomes"))
    }
}

fn holds((keyword, wanted): &(String, String), outcome: &Value) -> bool {
    let text = |pointer: &str| outcome.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let cluster: Vec<&str> = text("/cluster").split('|').collect();
    let part = |index: usize| cluster.get(index).copied().unwrap_or_default();
    match keyword.as_str() {
        "to" => is_host(part(3), wanted),
        "subset" => part(2) == wanted,
        "port" => part(1) == wanted,
        "cluster" => text("/cluster") == wanted,
        "status" => wanted.parse().is_ok_and(|status: u64| outcome["status"] == status),
        "flags" | "details" | "route" | "endpoint" | "error" => {
            text(&format!("/{keyword}")) == wanted
        }
        "method" | "path" | "host" => text(&format!("/upstream_request/{keyword}")) == wanted,
        "header" => has_header(&outcome["seen_upstream"], wanted),
        "no header" => !has_header(&outcome["seen_upstream"], wanted),
        "response header" => has_header(&outcome["seen_downstream"], wanted),
        "no response header" => !has_header(&outcome["seen_downstream"], wanted),
        "location" | "body" => text(&format!("/response/{keyword}")) == wanted,
        "timeout" | "delayed by" | "statistics" => text(&format!("/{keyword}")) == wanted,
        "mirrored to" => outcome["mirrors"].as_array().is_some_and(|mirrors| {
            let hosts = mirrors.iter().filter_map(|m| m.as_str()?.split('|').nth(3));
            hosts.into_iter().any(|host| is_host(host, wanted))
        }),
        "mirror cluster" => {
            outcome["mirrors"].as_array().is_some_and(|m| m.contains(&wanted[..].into()))
        }
        "tries" => wanted.split_once(": ").is_some_and(|(kind, tries)| {
            let told = outcome["retries"]["tries"][kind].as_u64();
            told.is_some() && told == tries.parse().ok()
        }),
        "pool" => wanted.split_once(": ").is_some_and(|(limit, value)| {
            outcome["pool"].get(limit).and_then(Value::as_str) == Some(value)
        }),
        "no pool" => outcome["pool"].get(wanted).is_none_or(Value::is_null),
        "tls" => wanted.split_once(": ").is_some_and(|(fact, value)| {
            outcome["tls"].get(fact).and_then(Value::as_str) == Some(value)
        }),
        "plain" => wanted == "text" && outcome["tls"].is_null(),
        "tunnel" => text("/tunnel") == wanted,
        "tries at" => text("/retries/at") == wanted,
        "each try" => text("/retries/each") == wanted,
        "backoff" => text("/retries/backoff") == wanted,
        _ => false,
    }
}

/// Whether `wanted` is `host`, or its first labels.
fn is_host(host: &str, wanted: &str) -> bool {
    host.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether `headers`, lists of values by name, have `name` or `name: value`. Several values are joined by commas.
fn has_header(headers: &Value, wanted: &str) -> bool {
    let (name, value) = wanted.split_once(':').unwrap_or((wanted, ""));
    let found: BTreeMap<String, String> = headers
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, values)| {
            let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
            (name.to_lowercase(), values.collect::<Vec<_>>().join(","))
        })
        .collect();
    match found.get(&name.to_lowercase()) {
        None => false,
        Some(_) if !wanted.contains(':') => true,
        Some(actual) => fits(&value.trim().into(), &actual.as_str().into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Expectation;

    fn outcome(subset: &str) -> serde_json::Value {
        json!({
            "status": 200, "cluster": format!("outbound|9080|{subset}|reviews.default.svc.cluster.local"),
            "upstream_request": {"path": "/a"}, "seen_upstream": {"x-a": ["1", "2"]}, "seen_downstream": {}
        })
    }

    fn differences(cell: &str, outcomes: &[(serde_json::Value, u64)]) -> usize {
        Expectation::parse(cell).unwrap().differences(outcomes).len()
    }

    #[test]
    fn one_branch_is_all_there_is() {
        let one = [(outcome("v1"), 10)];
        assert_eq!(
            differences("to `reviews` subset `v1`, path `/a` with header `x-a: 1,2`", &one),
            0
        );
        assert_ne!(differences("to `review` subset `v1`", &one), 0);
        assert_ne!(differences("to `reviews` subset `v2`", &one), 0);
        assert_ne!(differences("no header `x-a`", &one), 0);
        assert_ne!(differences("to `reviews`, header `x-a: 1`", &one), 0);
    }

    #[test]
    fn shares_are_compared_and_nothing_else_may_happen() {
        let two = [(outcome("v1"), 800), (outcome("v2"), 200)];
        assert_eq!(
            differences("80 % to `reviews` subset `v1`, 20 % to `reviews` subset `v2`", &two),
            0
        );
        assert_ne!(
            differences("70 % to `reviews` subset `v1`, 30 % to `reviews` subset `v2`", &two),
            0
        );
        assert_ne!(differences("80 % to `reviews` subset `v1`", &two), 0);
    }

    #[test]
    fn endpoints_tries_copies_and_masks_are_compared() {
        let told = [(
            json!({"endpoint": "10.0.0.1:80", "mirrors": ["outbound|80|v1|a"], "error": "closed",
                "retries": {"tries": {"503": 3}, "each": "2s", "backoff": "25ms"},
                "seen_downstream": {"set-cookie": ["a=4711; Path=/"]}}),
            1,
        )];
        let right = [
            "endpoint `10.0.0.1:80`, tries `503: 3`, each try `2s`, backoff `25ms`, error `closed`",
            "mirror cluster `outbound|80|v1|a`, response header `set-cookie: a=*; Path=/`",
        ];
        assert_eq!(right.map(|cell| differences(cell, &told)), [0, 0]);
        let wrong = [
            "endpoint `10.0.0.1:81`",
            "tries `503: 2`",
            "tries `418: 1`",
            "each try `3s`",
            "mirror cluster `outbound|80||a`",
            "response header `set-cookie: a=*; Path=/x`",
        ];
        assert!(wrong.iter().all(|cell| differences(cell, &told) > 0));
    }

    #[test]
    fn unknown_words_are_errors() {
        assert!(Expectation::parse("somewhere `x`").is_err());
        assert!(Expectation::parse("nothing at all").is_err());
    }
}
