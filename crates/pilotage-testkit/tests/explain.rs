//! What explanations say, beside what a real Envoy did with the same requests. The figures only rise.
//!
//! `PILOTAGE_SHOW=vsm-host cargo test -p pilotage-testkit --test explain -- --nocapture` prints the differences whose
//! `AREA/CASE/FACET` contains that text.

use std::time::Duration;

use pilotage_explain::explanation::{Explanation, Failure, Outcome};
use pilotage_explain::{Question, Simulation, explain};
use pilotage_testkit::ours::{Ours, proxy_class};
use pilotage_testkit::replay;
use pilotage_testkit::scores::Scores;
use pilotage_testkit::vectors::{self, AREAS, Asker, Exchange, oracle};
use serde_json::Value;

#[test]
fn explanations_say_what_envoy_did() {
    let mut scores = Scores::new("explanations");
    for (area, _) in AREAS {
        for case in vectors::area(area).iter().filter(|case| !oracle::is_foreign(&case.name)) {
            let ours = Ours::of_case(case);
            for proxy in &case.proxies {
                let simulation = Simulation::new(&ours.snapshot, &proxy_class(proxy));
                let exchanges = case.exchanges.iter().filter(|e| e.request.proxy == proxy.name);
                // The recording captured IPv4 only.
                let over_ipv4 = exchanges
                    .filter(|e| !proxy.ip.contains(':') && !e.destination.starts_with('['));
                for exchange in over_ipv4 {
                    let question = question(proxy, exchange);
                    let answer = explain(&simulation, &ours.snapshot, &question);
                    scores.count(area, &case.name, "requests", &differences(&answer, exchange));
                }
            }
        }
    }
    scores.hold();
}

fn question(asker: &Asker, exchange: &Exchange) -> Question {
    let request = replay::request(exchange);
    let named = request.authority.clone().or_else(|| request.server_name.clone());
    let host = named.unwrap_or_else(|| exchange.destination.clone());
    Question {
        url: String::new(),
        host: host.split(':').next().unwrap_or_default().to_owned(),
        request,
        arrival: replay::arrival(asker, exchange),
        now: Duration::ZERO,
    }
}

/// What of the recorded outcomes the explanation does not say, and what it says that never happened. Where Envoy refused
/// routes, it may agree with what came out without them instead.
fn differences(answer: &Explanation, exchange: &Exchange) -> Vec<String> {
    let rare = exchange.recorded.get("may_lack_rare").is_some();
    let mut found = against(answer, exchange.outcomes(), rare);
    let without = exchange.outcomes_without_rejected();
    if !found.is_empty() && !without.is_empty() {
        found = against(answer, without, rare);
    }
    if !found.is_empty() {
        let request = serde_json::to_string(&exchange.request).unwrap_or_default();
        found.insert(0, format!("{request} to {}", exchange.destination));
        let mut answer = answer.clone();
        answer.trace.clear();
        answer.clusters.iter_mut().for_each(|cluster| cluster.facts.clear());
        found.push(format!("ours: {}", serde_json::to_string(&answer).unwrap_or_default()));
    }
    found
}

fn against(answer: &Explanation, outcomes: &[Value], rare: bool) -> Vec<String> {
    let mut found = Vec::new();
    for outcome in outcomes {
        let wrong = unsaid(answer, outcome);
        found.extend(wrong.map(|what| format!("{what}: {outcome}")));
    }
    // What is said to happen often enough must have happened.
    let names: Vec<&str> = outcomes.iter().filter_map(|o| o["cluster"].as_str()).collect();
    let lacks_cluster = |outcome: &Value| flags(outcome).contains(&"NC".to_owned());
    let aborts = answer.policies.iter().any(|fact| fact.topic == "fault");
    for cluster in answer.clusters.iter().filter(|c| c.share >= 20.0 && !aborts && !rare) {
        let seen = names.contains(&cluster.name.as_str())
            || (!cluster.exists && outcomes.iter().any(lacks_cluster));
        if answer.outcome == Outcome::Forward && !seen {
            found.push(format!("nothing went to {}", cluster.name));
        }
    }
    found
}

/// The flags of an outcome, without that of a delay: a delay is told by itself.
fn flags(outcome: &Value) -> Vec<String> {
    let flags = outcome["flags"].as_str().unwrap_or_default().split(',');
    flags.filter(|flag| !flag.is_empty() && *flag != "DI").map(str::to_owned).collect()
}

/// What of one recorded outcome the explanation gets wrong.
fn unsaid(answer: &Explanation, outcome: &Value) -> Option<&'static str> {
    let (handled, details) = (outcome["handled"].as_str(), outcome["details"].as_str());
    let is_error = |failure| answer.error == Some(failure);
    if outcome["error"] == "connection refused" {
        return (!is_error(Failure::NoListener)).then_some("no listener");
    }
    if handled == Some("listener") {
        return (!is_error(Failure::NoFilterChain)).then_some("no filter chain");
    }
    if details == Some("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
        return (!is_error(Failure::MtlsError)).then_some("no certificate");
    }
    if details == Some("http1.codec_error") {
        let told = is_error(Failure::ProtocolError) && answer.flags == "DPE";
        return (!told).then_some("not HTTP");
    }
    if outcome["flags"].as_str().is_some_and(|flags| flags.contains("DI")) {
        let told = answer.policies.iter().any(|fact| fact.topic == "fault");
        if !told {
            return Some("delay");
        }
    }
    if handled == Some("tcp") {
        return forwarded(answer, outcome);
    }
    for (field, ours) in [("virtual_host", &answer.virtual_host), ("route", &answer.route)] {
        if let Some(recorded) = outcome[field].as_str()
            && ours.as_deref() != Some(recorded)
        {
            return Some("virtual host or route");
        }
    }
    answered(answer, outcome, details)
}

fn forwarded(answer: &Explanation, outcome: &Value) -> Option<&'static str> {
    if answer.outcome != Outcome::Forward {
        return Some("forward");
    }
    let flags = flags(outcome);
    let fits = answer.clusters.iter().any(|cluster| {
        let ours: Vec<&str> =
            cluster.flags.split(',').filter(|f| !f.is_empty() && *f != "DI").collect();
        outcome["cluster"].as_str().is_none_or(|name| name == cluster.name) && ours == flags
    });
    (!fits).then_some("cluster or flags")
}

fn answered(answer: &Explanation, outcome: &Value, details: Option<&str>) -> Option<&'static str> {
    let status = outcome["status"].as_u64();
    let same_status = answer.status.map(u64::from) == status;
    match details {
        Some("fault_filter_abort") => {
            let told = answer.policies.iter().any(|fact| {
                let of = |field| fact.value.get(field);
                fact.topic == "fault"
                    && (of("status").and_then(Value::as_u64) == status
                        || of("grpcStatus").is_some_and(|code| !code.is_null()))
            });
            (!told).then_some("abort")
        }
        Some("route_not_found") => {
            let told = matches!(answer.error, Some(Failure::NoVirtualHost | Failure::NoRoute));
            (!(told && same_status && answer.flags == "NR")).then_some("no route")
        }
        Some("direct_response") => {
            let kind = match answer.outcome {
                Outcome::Redirect | Outcome::DirectResponse => true,
                Outcome::None => answer.error == Some(Failure::TlsRedirect),
                Outcome::Forward => false,
            };
            (!(kind && same_status)).then_some("own answer")
        }
        Some("cors_response" | "upgrade_failed") => {
            let told = answer.outcome == Outcome::DirectResponse && same_status;
            (!told).then_some("answer of a filter")
        }
        Some("via_upstream" | "cluster_not_found" | "no_healthy_upstream") => {
            forwarded(answer, outcome)
        }
        // A client that goes away was forwarded.
        Some("downstream_remote_disconnect") => None,
        _ => (!(answer.error == Some(Failure::ProtocolError) && same_status)).then_some("refused"),
    }
}
