//! Objects for one host that hide what an object for a wildcard says about it (PIL0314): nothing is merged.

use std::collections::BTreeSet;

use pilotage_config::destination_rule::{DestinationRule, TrafficPolicy};
use pilotage_config::object::Object;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::Wildcards;
use crate::analysis::destination_rules::destination_rules;
use crate::analysis::{Context, full_name};

/// One problem for each rule that lacks settings which a rule for a wildcard in the same namespace has for its host.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    let rules: Vec<_> = destination_rules(context.objects())
        .filter(|(_, rule)| rule.workload_selector.is_none())
        .map(|(object, rule)| (object, rule, full_name(&rule.host, object.namespace())))
        .collect();
    let wildcards = Wildcards::new(
        rules.iter().map(|(object, rule, host)| (object.namespace(), host, (*object, *rule, host))),
    );
    let mut problems = Vec::new();
    for (object, rule, host) in &rules {
        // The most specific one is what would count without this rule.
        let Some((other, wild, pattern)) = wildcards.covering(object.namespace(), host).next()
        else {
            continue;
        };
        let lost: BTreeSet<&str> = settings(wild).difference(&settings(rule)).copied().collect();
        if lost.is_empty() {
            continue;
        }
        problems.push(problem(object, rule, other, pattern, &lost));
    }
    problems
}

/// The names of what a rule sets for its whole host.
fn settings(rule: &DestinationRule) -> BTreeSet<&'static str> {
    let Some(policy) = &rule.traffic_policy else { return BTreeSet::new() };
    let TrafficPolicy { load_balancer, connection_pool, outlier_detection, tls, .. } = policy;
    let present = [
        ("loadBalancer", load_balancer.is_some()),
        ("connectionPool", connection_pool.is_some()),
        ("outlierDetection", outlier_detection.is_some()),
        ("tls", tls.is_some()),
    ];
    present.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect()
}

fn problem(
    object: &Object,
    rule: &DestinationRule,
    other: &Object,
    pattern: &str,
    lost: &BTreeSet<&str>,
) -> Diagnostic {
    let list = lost.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let message = format!("`{}` loses {list} of the rule for `{pattern}`", rule.host);
    let path = FieldPath::spec().field("host");
    let problem =
        object.value_diagnostic(codes::PIL0314, &path, message, "this rule counts alone").help(
            "repeat the settings here: the most specific rule is used, and nothing of the others",
        );
    other.also_value(problem, &path, "not used for that host")
}
