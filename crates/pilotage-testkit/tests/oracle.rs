//! Ours beside what a real istiod and a real Envoy answered, case by case. The figures only rise.
//!
//! `PILOTAGE_SHOW=vsm-host/routes cargo test -p pilotage-testkit --test oracle -- --nocapture` prints the differences
//! whose `AREA/CASE/FACET` contains that text.

#![expect(clippy::print_stdout, reason = "the tables are read on the terminal")]

use std::collections::BTreeMap;

use pilotage_testkit::facets::{self, Facet};
use pilotage_testkit::ours::Ours;
use pilotage_testkit::scores::Scores;
use pilotage_testkit::vectors::{self, AREAS, Case, oracle};
use pilotage_testkit::{outcome, replay, resources};
use serde_json::Value;

/// Visits all cases, area by area, with a table for those of the repository, which is held, and one for other people's
/// cases, which is only printed, where they are present.
fn visit(
    comparison: &'static str,
    judge: impl Fn(&Case, &mut dyn FnMut(&'static str, Vec<String>)),
) {
    let mut scores = Scores::new(comparison);
    let mut foreign = Scores::new(comparison);
    for (area, _) in AREAS {
        for case in vectors::area(area) {
            let counted = if oracle::is_foreign(&case.name) { &mut foreign } else { &mut scores };
            judge(&case, &mut |facet, differences| {
                counted.count(area, &case.name, facet, &differences);
            });
        }
    }
    if oracle::recording().is_some() {
        println!("other people's cases:\n{}\n", foreign.table());
    }
    scores.hold();
}

#[test]
fn resources_equal_what_istiod_sends() {
    visit("resources", |case, count| {
        let ours = Ours::of_case(case);
        let mut found: BTreeMap<Facet, Vec<String>> = BTreeMap::new();
        for proxy in &case.proxies {
            let set = ours.resources(proxy);
            let theirs = &case.resources[&proxy.name];
            for (facet, differences) in facets::compare(theirs, &resources::to_dump(&set)) {
                let named = differences.into_iter().map(|d| format!("{}: {d}", proxy.name));
                found.entry(facet).or_default().extend(named);
            }
        }
        for (facet, differences) in found {
            count(facet.name(), differences);
        }
    });
}

#[test]
fn verdicts_and_messages_equal_those_of_istio() {
    visit("analysis", |case, count| {
        let messages = Ours::of_case(case).messages();
        count(Facet::Validation.name(), facets::verdict_differences(&case.verdicts, &messages));
        count(Facet::Analyze.name(), facets::message_differences(&case.messages, &messages));
    });
}

#[test]
fn with_istios_resources_the_engine_does_what_envoy_did() {
    visit("outcomes-istio", |case, count| {
        for proxy in &case.proxies {
            let set =
                resources::from_dump(&case.resources[&proxy.name]).expect("Istio's resources");
            let (tables, _) = replay::tables(&set);
            for exchange in exchanges(case, &proxy.name) {
                let ours = replay::outcomes(&tables, proxy, exchange);
                count("requests", differences(exchange, &ours, false));
            }
        }
    });
}

#[test]
fn with_our_resources_the_engine_does_what_envoy_did() {
    visit("outcomes-ours", |case, count| {
        let compiled = Ours::of_case(case);
        for proxy in &case.proxies {
            let (tables, _) = replay::tables(&compiled.resources(proxy));
            for exchange in exchanges(case, &proxy.name) {
                let ours = replay::outcomes(&tables, proxy, exchange);
                count("requests", differences(exchange, &ours, true));
            }
        }
    });
}

/// The exchanges at one proxy. Those over IPv6 do not count: the recording captured IPv4 only.
fn exchanges<'c>(case: &'c Case, proxy: &str) -> impl Iterator<Item = &'c vectors::Exchange> {
    let of_proxy = case.exchanges.iter().filter(move |e| e.request.proxy == proxy);
    let over_ipv6 = case.proxies.iter().any(|p| p.name == proxy && p.ip.contains(':'));
    of_proxy.filter(move |e| !over_ipv6 && !e.destination.starts_with('['))
}

/// How `ours` differs from what Envoy did. Where Envoy refused some routes, and their whole table with them, it was asked
/// again without them; an engine may refuse as much, or only as little as it must.
fn differences(exchange: &vectors::Exchange, ours: &[Value], compiled: bool) -> Vec<String> {
    let rare = exchange.recorded.get("may_lack_rare").is_some();
    let against = |recorded: &[Value]| {
        let (mut recorded, mut ours) = (recorded.to_vec(), ours.to_vec());
        if compiled {
            // The operation name is for Istio's telemetry; we do not send it.
            recorded.iter_mut().chain(&mut ours).for_each(drop_operation);
        }
        outcome::differences(&recorded, &ours, rare)
    };
    let mut found = against(exchange.outcomes());
    let without = exchange.outcomes_without_rejected();
    if !found.is_empty() && !without.is_empty() {
        found = against(without);
    }
    if !found.is_empty() {
        let request = serde_json::to_string(&exchange.request).unwrap_or_default();
        found.insert(0, format!("{request} to {}", exchange.destination));
    }
    found
}

fn drop_operation(outcome: &mut Value) {
    for side in ["/upstream_request/headers", "/response/headers"] {
        if let Some(Value::Object(headers)) = outcome.pointer_mut(side) {
            headers.shift_remove("x-envoy-decorator-operation");
        }
    }
}
