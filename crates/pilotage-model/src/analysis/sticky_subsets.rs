//! Consistent hashing that a split between subsets undoes (PIL0312).

use std::collections::BTreeMap;

use pilotage_config::destination_rule::{DestinationRule, TrafficPolicy};
use pilotage_config::object::Object;
use pilotage_config::virtual_service::HttpRoute;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::destination_rules::destination_rules;
use super::destinations::service_name;
use super::{Context, http_rules};

type Rules<'a> = BTreeMap<(String, String), (&'a Object, &'a DestinationRule)>;

/// One problem for each rule that splits requests between subsets of a host with hashing.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let rules: Rules<'_> = destination_rules(context.objects())
        .map(|(object, rule)| (service_name(&rule.host, object.namespace()), (object, rule)))
        .collect();
    let mut problems = Vec::new();
    for rule in http_rules(context.objects()) {
        let namespace = rule.object.namespace();
        let Some((host, second)) = split(rule.http, namespace) else { continue };
        let Some((object, hashing)) = rules.get(&host) else { continue };
        let Some(at) = hash(hashing) else { continue };
        let message = format!(
            "a client of `{}` does not stay with its endpoint: the subset is drawn for each request, and only then \
             the hash counts",
            hashing.host
        );
        let path = rule.path.field("route").index(second);
        let problem = rule
            .object
            .diagnostic(codes::PIL0312, &path, message, "another subset, another endpoint")
            .help("let a header or cookie choose the subset in a match, or send all requests to one subset");
        problems.push(object.also(problem, &at, "the hash"));
    }
    problems
}

/// The host that requests are split for, and the second of its destinations.
fn split(http: &HttpRoute, namespace: &str) -> Option<((String, String), usize)> {
    let mut seen: BTreeMap<(String, String), &str> = BTreeMap::new();
    for (index, route) in http.route.iter().enumerate().filter(|(_, route)| route.weight > 0) {
        let Some(destination) = &route.destination else { continue };
        let host = service_name(&destination.host, namespace);
        match seen.get(&host) {
            Some(subset) if *subset != destination.subset => return Some((host, index)),
            Some(_) => {}
            None => {
                seen.insert(host, &destination.subset);
            }
        }
    }
    None
}

/// Where a rule asks for consistent hashing, for all or for a subset.
fn hash(rule: &DestinationRule) -> Option<FieldPath> {
    let asks = |policy: Option<&TrafficPolicy>| {
        let balancer = policy.and_then(|policy| policy.load_balancer.as_ref());
        balancer.is_some_and(|balancer| balancer.consistent_hash.is_some())
    };
    let at = |path: FieldPath| path.field("loadBalancer").field("consistentHash");
    if asks(rule.traffic_policy.as_ref()) {
        return Some(at(FieldPath::spec().field("trafficPolicy")));
    }
    let index = rule.subsets.iter().position(|subset| asks(subset.traffic_policy.as_ref()))?;
    Some(at(FieldPath::spec().field("subsets").index(index).field("trafficPolicy")))
}
