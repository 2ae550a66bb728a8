//! Subsets that no route names (PIL0301), and with them policies that are never in force (PIL0302).

use std::collections::{BTreeMap, BTreeSet};

use pilotage_config::gateway::ServerTlsMode;
use pilotage_config::object::Object;
use pilotage_config::virtual_service::Destination;
use pilotage_config::{Diagnostic, FieldPath, codes};

use super::destination_rules::destination_rules;
use super::destinations::{places, service_name};
use super::shared_gateways::gateways;
use super::{Context, virtual_services};

/// Namespace and name of a service.
type Service = (String, String);

/// The problems of all rules for hosts that routes lead to subsets of. Where none does, a rule may be there for others.
pub(super) fn analyze(context: &Context<'_>) -> Vec<Diagnostic> {
    // Such a gateway reaches every subset by the server name alone.
    let by_name = gateways(context.objects()).iter().any(|(_, gateway)| {
        let mut tls = gateway.servers.iter().filter_map(|server| server.tls.as_ref());
        tls.any(|tls| tls.mode == ServerTlsMode::AutoPassthrough)
    });
    if by_name {
        return Vec::new();
    }
    let routed = routed(context);
    let mut problems = Vec::new();
    for (object, rule) in destination_rules(context.objects()) {
        let Some(named) = routed.get(&service_name(&rule.host, object.namespace())) else {
            continue;
        };
        let unused = rule.subsets.iter().enumerate();
        let unused = unused.filter(|(_, subset)| !named.contains(subset.name.as_str()));
        let (with_policy, without): (Vec<_>, Vec<_>) =
            unused.partition(|(_, subset)| subset.traffic_policy.is_some());
        for (index, subset) in with_policy {
            let path = FieldPath::spec().field("subsets").index(index).field("trafficPolicy");
            problems.push(inactive(object, &path, &subset.name));
        }
        if let Some((first, _)) = without.first().filter(|_| !named.is_empty()) {
            let names: Vec<String> =
                without.iter().map(|(_, subset)| format!("`{}`", subset.name)).collect();
            let path = FieldPath::spec().field("subsets").index(*first).field("name");
            let noun = if names.len() == 1 { "subset" } else { "subsets" };
            let message =
                format!("no route names the {noun} {} of `{}`", names.join(", "), rule.host);
            problems.push(object.value_diagnostic(codes::PIL0301, &path, message, "not in use"));
        }
    }
    problems
}

/// The subsets that routes name, of each service that any route leads to.
fn routed<'a>(context: &'a Context<'_>) -> BTreeMap<Service, BTreeSet<&'a str>> {
    let mut routed: BTreeMap<Service, BTreeSet<&str>> = BTreeMap::new();
    for (object, spec) in virtual_services(context.objects()) {
        for place in places(spec) {
            let Destination { host, subset, .. } = place.destination;
            let named = routed.entry(service_name(host, object.namespace())).or_default();
            if !subset.is_empty() {
                named.insert(subset);
            }
        }
    }
    routed
}

fn inactive(object: &Object, path: &FieldPath, subset: &str) -> Diagnostic {
    let message =
        format!("the policy of the subset `{subset}` is never in force: no route names the subset");
    object
        .diagnostic(codes::PIL0302, path, message, "never in force")
        .help("name the subset in a route, or move the policy to the rule's own `trafficPolicy`")
}
